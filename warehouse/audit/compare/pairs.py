"""One instrument of both sides on one axis of days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant.warehouse.audit.compare.align import Side
from quant.warehouse.audit.compare.relation import Bools, Floats, Ints

Values = dict[str, Floats]


@dataclass(slots=True)
class Pair:
    """One instrument on the union of its days; NaN where a side has no row. ``has_*`` mark rows."""

    instrument: int
    day: Ints
    a: Values
    b: Values
    has_a: Bools
    has_b: Bools

    @property
    def both(self) -> Bools:
        return self.has_a & self.has_b


def pairs(a: Side, b: Side, fields: Sequence[str]) -> Iterator[Pair]:
    """The instruments of two sides one by one, each in time order; only those that both have."""
    order_a, order_b = _order(a), _order(b)
    starts_a, starts_b = _starts(a, order_a), _starts(b, order_b)
    values_a = {name: a.values(name, order_a) for name in fields if name in a.frame.columns}
    values_b = {name: b.values(name, order_b) for name in fields if name in b.frame.columns}
    for number in sorted(set(starts_a) & set(starts_b)):
        at, bt = slice(*starts_a[number]), slice(*starts_b[number])
        day_a, keep_a = np.unique(a.day[order_a[at]], return_index=True)
        day_b, keep_b = np.unique(b.day[order_b[bt]], return_index=True)
        day = np.union1d(day_a, day_b)
        put_a, put_b = np.searchsorted(day, day_a), np.searchsorted(day, day_b)
        yield Pair(
            number,
            day,
            {name: _spread(values[at][keep_a], put_a, len(day)) for name, values in values_a.items()},
            {name: _spread(values[bt][keep_b], put_b, len(day)) for name, values in values_b.items()},
            _present(put_a, len(day)),
            _present(put_b, len(day)),
        )


def _order(side: Side) -> Ints:
    return np.lexsort((side.day, side.instrument))


def _starts(side: Side, order: Ints) -> dict[int, tuple[int, int]]:
    numbers = side.instrument[order]
    first = np.flatnonzero(np.r_[True, np.diff(numbers) > 0]) if len(numbers) else np.empty(0, np.int64)
    stops = np.r_[first[1:], len(numbers)] if len(first) else first
    return {int(numbers[i]): (int(i), int(j)) for i, j in zip(first, stops, strict=True)}


def _spread(values: Floats, at: Ints, count: int) -> Floats:
    out = np.full(count, np.nan)
    out[at] = values
    return out


def _present(at: Ints, count: int) -> Bools:
    out = np.zeros(count, dtype=bool)
    out[at] = True
    return out


def closes_before(pair: Pair, side: str) -> Floats:
    """The close before each row on one side; NaN where there is none, or where that side lacks a row that the
    other has in between: a gap between reference price and close then means nothing.
    """
    own, other = (pair.a, pair.b) if side == "a" else (pair.b, pair.a)
    has, has_other = (pair.has_a, pair.has_b) if side == "a" else (pair.has_b, pair.has_a)
    traded = has & np.isfinite(own["close"])
    lacks = has_other & ~has
    if "volume" in other:
        lacks &= other["volume"] != 0
    count = len(pair.day)
    last = np.maximum.accumulate(np.where(traded, np.arange(count), -1))
    last = np.r_[-1, last[:-1]]
    holes = np.cumsum(lacks)
    between: Ints = holes - np.where(last >= 0, holes[np.maximum(last, 0)], 0)
    before: Floats = np.where((last >= 0) & (between == 0), own["close"][np.maximum(last, 0)], np.nan)
    return before


def stretched(values: Floats, rows: Ints, count: int) -> Floats:
    """Values of some rows for all rows: each row takes those of the next known row before it."""
    at = np.maximum(np.searchsorted(rows, np.arange(count), side="right") - 1, 0)
    out: Floats = values[at]
    return out


def nearest(values: Floats, known: Bools, rows: Ints, step: int) -> Floats:
    """The values of the nearest known row before (-1) or after (1) each row, NaN where there is none."""
    where = np.flatnonzero(known)
    out = np.full((values.shape[0], len(rows)), np.nan)
    at = np.searchsorted(where, rows) - 1 if step < 0 else np.searchsorted(where, rows, side="right")
    ok = (at >= 0) & (at < len(where))
    out[:, ok] = values[:, where[at[ok]]]
    return out
