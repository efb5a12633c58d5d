"""Whether one relation stands on other dates: off by a session, or by a time zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.align import Side
from quant.warehouse.audit.compare.relation import OHLC, Bools, Floats, Ints

_ENOUGH: Final = 0.9
_LITTLE: Final = 0.2
_CHANCE: Final = 0.5
_FEWEST: Final = 4
_FEWEST_SHAPES: Final = 15
_CENT: Final = 0.0102
NAMES: Final = 60

Agreement = Callable[[Ints, Floats, Ints, Floats, Ints], float]


@dataclass(frozen=True, slots=True)
class Shift:
    """``cause`` is shifted_day or time_zone; ``step`` sessions or days that b is late (positive) or early."""

    cause: str
    step: int
    rows: int


def find_shift(a: Side, b: Side, numbers: Ints) -> dict[int, Shift]:
    """The shift of each of the given instruments between two sides; those that are not shifted are left out.

    A row is recognised by all its prices; the shift must explain nine of ten rows, the dates as given few.
    """
    names = [n for n in OHLC if n in a.frame.columns and n in b.frame.columns]
    if not names:
        return {}
    found = {}
    rows_a, rows_b = _by_number(a, numbers), _by_number(b, numbers)
    for number in numbers.tolist():
        one, two = rows_a.get(number), rows_b.get(number)
        if one is None or two is None or len(one) < _FEWEST or len(two) < _FEWEST:
            continue
        shift = _shift(_series(a, one, names), _series(b, two, names))
        if shift is not None:
            found[number] = shift
    return found


def moves(a: Side, b: Side, shift: Shift) -> tuple[Ints, Ints]:
    """Every day of b and the day of a that it means."""
    shown = np.unique(b.day)
    if shift.cause == "time_zone":
        return shown, shown - shift.step
    days = np.unique(a.day)
    at = np.searchsorted(days, shown, side="left" if shift.step > 0 else "right") - (
        1 if shift.step > 0 else 0
    )
    ok = (at >= 0) & (at < len(days))
    meant = np.where(ok, days[np.clip(at, 0, len(days) - 1)], shown - shift.step)
    return shown, meant


def _by_number(side: Side, numbers: Ints) -> Mapping[int, Ints]:
    rows = np.flatnonzero(np.isin(side.instrument, numbers))
    order = rows[np.lexsort((side.day[rows], side.instrument[rows]))]
    who = side.instrument[order]
    edges = np.flatnonzero(np.r_[True, np.diff(who) > 0]) if len(who) else np.empty(0, dtype=np.int64)
    stops = np.r_[edges[1:], len(who)] if len(edges) else edges
    return {int(who[i]): order[i:j] for i, j in zip(edges, stops, strict=True)}


def _series(side: Side, rows: Ints, names: Sequence[str]) -> tuple[Ints, Floats]:
    return side.day[rows], np.stack([side.values(name, rows) for name in names])


def _shift(a: tuple[Ints, Floats], b: tuple[Ints, Floats]) -> Shift | None:
    day_a, price_a = a
    day_b, price_b = b
    last = price_b[-1][np.isfinite(price_b[-1])]
    if not last.size or np.ptp(last) == 0:
        return None
    if _agree(day_a, price_a, day_b, price_b, day_b) > _LITTLE:
        return None
    return _best(day_a, price_a, day_b, price_b, _agree) or _by_shape(day_a, price_a, day_b, price_b)


def _by_shape(day_a: Ints, price_a: Floats, day_b: Ints, price_b: Floats) -> Shift | None:
    """A shift between series that are adjusted differently: a ratio leaves the shape of a bar alone."""
    if len(price_a) < len(OHLC) or _alike(day_a, price_a, day_b, price_b, day_b) > _CHANCE:
        return None
    return _best(day_a, price_a, day_b, price_b, _alike)


def _best(day_a: Ints, price_a: Floats, day_b: Ints, price_b: Floats, agree: Agreement) -> Shift | None:
    best: Shift | None = None
    for step in (1, -1):
        at = np.searchsorted(day_a, day_b, side="left" if step > 0 else "right") - (1 if step > 0 else 0)
        ok = (at >= 0) & (at < len(day_a))
        meant = np.where(ok, day_a[np.clip(at, 0, len(day_a) - 1)], -1)
        if agree(day_a, price_a, day_b, price_b, meant) >= _ENOUGH:
            best = Shift("shifted_day", step, len(day_b))
    for step in (1, -1):
        if agree(day_a, price_a, day_b, price_b, day_b - step) >= _ENOUGH:
            weekend = ((day_b + 3) % 7 >= 5).mean()
            if weekend > 0.05 or best is None:
                best = Shift("time_zone", step, len(day_b))
    return best


def _agree(day_a: Ints, price_a: Floats, day_b: Ints, price_b: Floats, meant: Ints) -> float:
    """The share of b's rows that equal the row of a on the day they mean, among those that have one."""
    at = np.minimum(np.searchsorted(day_a, meant), len(day_a) - 1)
    there = day_a[at] == meant
    if there.sum() < max(_FEWEST, 0.5 * len(day_b)):
        return 0.0
    with np.errstate(invalid="ignore"):
        near = np.abs(price_a[:, at] - price_b) <= 1e-6 * np.abs(price_b) + 1e-9
    whole: Bools = np.all(near, axis=0)
    return float(whole[there].mean())


def _alike(day_a: Ints, price_a: Floats, day_b: Ints, price_b: Floats, meant: Ints) -> float:
    """The same for open, high and low over close, as far as prices in cents show them; bars without any range
    say nothing.
    """
    at = np.minimum(np.searchsorted(day_a, meant), len(day_a) - 1)
    there = day_a[at] == meant
    one, two = price_a[:, at], price_b
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(one[:-1] / one[-1] - two[:-1] / two[-1])
        room = _CENT * (1 / np.abs(one[-1]) + 1 / np.abs(two[-1]))
        ranged = there & (np.ptp(one, axis=0) > 3 * room * np.abs(one[-1]))
    if ranged.sum() < max(_FEWEST_SHAPES, 0.3 * len(day_b)):
        return 0.0
    return float(np.all(off <= room, axis=0)[ranged].mean())
