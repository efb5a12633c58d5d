"""Comparing matched rows cell by cell: equal ones cost nothing, others are kept with their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.align import Around, Matched
from quant.warehouse.audit.compare.precision import NOISE, Allowance
from quant.warehouse.audit.compare.relation import FLAGS, PRICES, Bools, Floats, Ints
from quant.warehouse.audit.compare.scales import PLAIN, Scales

BESIDE: Final = ("a_prev", "a_next", "b_prev", "b_next")
_MOSTLY: Final = 0.5


@dataclass(slots=True)
class Counts:
    """Cells of one field and year."""

    cells: int = 0
    equal: int = 0
    tolerated: int = 0
    different: int = 0


@dataclass(slots=True)
class Spread:
    """Cells of one kind: how many, how far apart, in which days."""

    cells: int = 0
    difference: float = 0.0
    relative: float = 0.0
    first: int = 2**31
    last: int = -(2**31)

    def add(self, a: Floats, b: Floats, days: Ints) -> None:
        if not len(days):
            return
        off = np.abs(b - a)
        size = np.maximum(np.abs(a), np.abs(b))
        self.cells += len(days)
        if np.isfinite(off).any():
            self.difference = max(self.difference, float(np.nanmax(off)))
            with np.errstate(invalid="ignore", divide="ignore"):
                self.relative = max(self.relative, float(np.nanmax(np.where(size > 0, off / size, 0.0))))
        self.first, self.last = min(self.first, int(days.min())), max(self.last, int(days.max()))


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows in which something differs. ``values[name]`` is ``[F, N]`` for a, b and their neighbours' rows;
    ``bad`` marks the cells that differ.
    """

    fields: tuple[str, ...]
    instrument: Ints
    day: Ints
    values: Mapping[str, Floats]
    bad: Bools

    @property
    def a(self) -> Floats:
        return self.values["a"]

    @property
    def b(self) -> Floats:
        return self.values["b"]

    def __len__(self) -> int:
        return len(self.day)

    def at(self, name: str) -> int:
        """The row of a field in the arrays, -1 where it is not compared."""
        return self.fields.index(name) if name in self.fields else -1

    def some(self, picked: Bools) -> Cells:
        """A part of the rows."""
        values = {name: array[:, picked] for name, array in self.values.items()}
        return Cells(self.fields, self.instrument[picked], self.day[picked], values, self.bad[:, picked])

    @classmethod
    def join(cls, parts: Sequence[Cells], fields: tuple[str, ...]) -> Cells:
        """All rows of the parts, which share their fields."""
        if not parts:
            none = np.empty(0, dtype=np.int64)
            blank = np.empty((len(fields), 0))
            empty = dict.fromkeys(("a", "b", *BESIDE), blank)
            return cls(fields, none, none, empty, blank.astype(bool))
        values = {name: np.concatenate([p.values[name] for p in parts], axis=1) for name in parts[0].values}
        return cls(
            fields,
            np.concatenate([p.instrument for p in parts]),
            np.concatenate([p.day for p in parts]),
            values,
            np.concatenate([p.bad for p in parts], axis=1),
        )


@dataclass(slots=True)
class Comparison:
    """What comparing rows found so far: ``counts[field, year]``, cells within what is allowed, and cells of
    suspended sessions that only one side fills.
    """

    counts: dict[tuple[str, int], Counts] = field(default_factory=dict)
    allowed: dict[str, Spread] = field(default_factory=dict)
    asleep: dict[str, Spread] = field(default_factory=dict)
    parts: list[Cells] = field(default_factory=list)

    def count(self, name: str, years: Mapping[int, int], kind: str) -> None:
        for year, cells in years.items():
            counts = self.counts.setdefault((name, year), Counts())
            setattr(counts, kind, getattr(counts, kind) + cells)


def compare_rows(
    matched: Matched,
    fields: Sequence[str],
    allowances: Mapping[str, Allowance],
    scales: Scales,
    into: Comparison,
    around: Around = (None, None),
) -> None:
    """Compare every field of the matched rows; ``scales`` undo what is known of units; ``around`` are
    the rows just before and after, where neighbours may lie.
    """
    if not len(matched.day):
        return
    years = _by_year(matched.day)
    asleep = _asleep(matched)
    marks = {}
    for name in fields:
        marks[name] = _compare_field(matched, name, allowances, scales.get(name, PLAIN), into, years, asleep)
    rows = np.unique(np.concatenate(list(marks.values()))) if marks else np.empty(0, np.int64)
    if rows.size:
        into.parts.append(_cells(matched, tuple(fields), rows, marks, scales, around))


def years_of(days: Ints) -> Ints:
    years: Ints = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _by_year(days: Ints) -> dict[int, int]:
    """How many of the days lie in each year."""
    if not len(days):
        return {}
    low = int(days.min())
    seen = np.bincount(days - low)
    each = np.flatnonzero(seen)
    years, where = np.unique(years_of(each + low), return_inverse=True)
    counts = np.bincount(where, weights=seen[each]).astype(np.int64)
    return dict(zip(years.tolist(), counts.tolist(), strict=True))


def _asleep(matched: Matched) -> Bools:
    """Matched rows in which nothing was traded, as far as either side says."""
    asleep = np.zeros(len(matched.day), dtype=bool)
    for name in ("volume", "suspended"):
        for side, rows in ((matched.a, matched.ia), (matched.b, matched.ib)):
            if name not in side.frame.columns:
                continue
            column = side.frame[name]
            column = column if isinstance(rows, slice) else column.gather(rows)
            if name == "suspended":
                asleep |= column.fill_null(value=False).to_numpy()
            elif column.null_count() < len(column):
                asleep |= (column == 0).fill_null(value=False).to_numpy()
    return asleep


def _compare_field(
    matched: Matched,
    name: str,
    allowances: Mapping[str, Allowance],
    scale: tuple[float, float],
    into: Comparison,
    years: Mapping[int, int],
    asleep: Bools,
) -> Ints:
    """Marks the rows, by their number among the matched ones, whose cells differ by more than is allowed."""
    if _never(matched.a.frame[name]) and _never(matched.b.frame[name]):
        into.count(name, years, "cells")
        into.count(name, years, "equal")
        return np.empty(0, dtype=np.int64)
    one, two = matched.columns(name)
    if one.null_count() == len(one) or two.null_count() == len(two):
        return np.empty(0, dtype=np.int64)
    nulls = one.null_count() + two.null_count() > 0
    if one.dtype == two.dtype and scale == PLAIN:
        differs = one.ne_missing(two)
        odd = np.flatnonzero(differs.to_numpy()) if differs.any() else np.empty(0, dtype=np.int64)
    else:
        odd = np.arange(len(asleep))
    rows, days = odd, matched.day[odd]
    into.count(name, years, "cells")
    equal = _by_year(days)
    into.count(name, {year: cells - equal.get(year, 0) for year, cells in years.items()}, "equal")
    if not odd.size:
        return odd
    a = matched.a.values(name, matched.rows_a(rows)) * scale[0]
    b = matched.b.values(name, matched.rows_b(rows)) * scale[1]
    return _judge(name, a, b, rows, asleep[odd], allowances.get(name), into, matched, nulls)


def _never(flag: pl.Series) -> bool:
    """Whether a flag is known everywhere and set nowhere: then its rows need not be brought together."""
    return flag.dtype == pl.Boolean and flag.null_count() == 0 and not flag.any()


def _judge(
    name: str,
    a: Floats,
    b: Floats,
    rows: Ints,
    asleep: Bools,
    allowance: Allowance | None,
    into: Comparison,
    matched: Matched,
    nulls: bool,
) -> Ints:
    lone = np.isnan(a) ^ np.isnan(b)
    gone = np.isnan(a) & np.isnan(b)
    with np.errstate(invalid="ignore"):
        same = (np.abs(b - a) <= NOISE * np.abs(a)) | gone
        far = allowance.covers(a, b) if allowance else np.zeros(len(a))
        near = ~same & (np.abs(b - a) <= far)
    days = matched.day[rows]
    days = matched.day[rows]
    into.count(name, _by_year(days[same]), "equal")
    into.count(name, _by_year(days[near]), "tolerated")
    if near.any():
        into.allowed.setdefault(name, Spread()).add(a[near], b[near], days[near])
    quiet = np.zeros(len(a), dtype=bool)
    if name in PRICES or lone.any():
        quiet = asleep & ~same & ~near & (lone | (a == 0) | (b == 0) | (name in PRICES))
        if name == "pre_close":
            quiet &= lone
        if quiet.any():
            into.count(name, _by_year(days[quiet]), "tolerated")
            into.asleep.setdefault(name, Spread()).add(a[quiet], b[quiet], days[quiet])
    unknown = lone & (name in FLAGS) if nulls else np.zeros(len(a), dtype=bool)
    if nulls and not unknown.any() and lone.mean() > _MOSTLY and lone.sum() > _MOSTLY * matched.day.size:
        unknown = lone
    bad = ~(same | near | quiet | unknown)
    into.count(name, _by_year(days[unknown]), "equal")
    into.count(name, _by_year(days[bad]), "different")
    kept: Ints = rows[bad]
    return kept


def _cells(
    matched: Matched,
    fields: tuple[str, ...],
    rows: Ints,
    marks: Mapping[str, Ints],
    scales: Scales,
    around: Around,
) -> Cells:
    values = {
        "a": _stack(fields, scales, 0, lambda name: matched.a.values(name, matched.rows_a(rows))),
        "b": _stack(fields, scales, 1, lambda name: matched.b.values(name, matched.rows_b(rows))),
    }
    for name, beside in matched.beside(rows, around).items():
        values[name] = _stack(fields, scales, int(name[0] == "b"), beside.values)
    bad = np.zeros((len(fields), len(rows)), dtype=bool)
    for number, name in enumerate(fields):
        bad[number, np.searchsorted(rows, marks[name])] = True
    return Cells(fields, matched.instrument[rows], matched.day[rows], values, bad)


def _stack(fields: Sequence[str], scales: Scales, side: int, read: Callable[[str], Floats]) -> Floats:
    return np.stack([read(name) * scales.get(name, PLAIN)[side] for name in fields])
