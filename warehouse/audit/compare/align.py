"""Bringing two sets of rows together by instrument and session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.relation import Bools, Floats, Instruments, Ints, days_of, numeric

LOOK: Final = 30
"""How many sessions back or ahead a neighbouring bar is looked for."""


@dataclass(frozen=True, slots=True)
class Side:
    """One relation's rows with dense keys: ``instrument`` numbers and ``day`` since 1970-01-01."""

    frame: pl.DataFrame
    instrument: Ints
    day: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame, instruments: Instruments) -> Side:
        return cls(frame, instruments.numbers(frame[instruments.column]), days_of(frame["session"]))

    def values(self, name: str, rows: Ints | slice) -> Floats:
        """A field at given rows as float64, NaN where unknown or -1."""
        column = self.frame[name]
        if isinstance(rows, slice):
            return numeric(column)
        found = numeric(column.gather(np.maximum(rows, 0)))
        return np.where(rows < 0, np.nan, found) if rows.size and rows.min() < 0 else found

    def traded(self) -> Bools | None:
        """Rows with a volume; None where volumes are unknown."""
        if "volume" not in self.frame.columns:
            return None
        known: Bools = (self.frame["volume"].fill_null(1) != 0).to_numpy()
        return known

    def moved(self, days: Ints) -> Side:
        """The same rows on other days."""
        return Side(self.frame, self.instrument, days)


class Grid:
    """Row number by instrument and day, -1 for none; the first row of a key counts."""

    def __init__(self, side: Side, days: Ints, count: int, keep: Bools | None = None) -> None:
        self.days = days
        numbers = np.arange(len(side.day)) if keep is None else np.flatnonzero(keep)
        place = side.instrument[numbers] * len(days) + _places(days, side.day[numbers])
        self.rows = np.full((count, len(days)), -1, dtype=np.int32)
        flat = self.rows.reshape(-1)
        flat[place[::-1]] = numbers[::-1]
        self.again: Ints = numbers[flat[place] != numbers]
        """Rows whose key an earlier row has."""

    def neighbour(self, instrument: Ints, day: Ints, step: int) -> Ints:
        """The row of the nearest earlier (``step`` -1) or later (1) bar within ``LOOK`` days of the grid."""
        at = np.searchsorted(self.days, day, side="left" if step < 0 else "right") - (step > 0)
        found = np.full(len(at), -1, dtype=np.int64)
        for k in range(1, LOOK + 1):
            column = at + k * step
            ok = (column >= 0) & (column < len(self.days)) & (found < 0)
            if not ok.any():
                break
            found[ok] = self.rows[instrument[ok], column[ok]]
        return found


Around = tuple[Side | None, Side | None]
"""The rows of both sides just before and after a piece."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Which rows of the two sides belong together: ``ia[i]`` and ``ib[i]``, and who stands alone."""

    a: Side
    b: Side
    ia: Ints | slice
    ib: Ints | slice
    only_a: Ints
    only_b: Ints
    again_a: Ints
    again_b: Ints
    instrument: Ints
    day: Ints
    count: int

    def beside(self, rows: Ints, around: Around) -> dict[str, Neighbours]:
        """The bars before (prev) and after (next) given matched rows on either side, as ``a_prev``."""
        instrument, day = self.instrument[rows], self.day[rows]
        wanted = np.zeros(self.count, dtype=bool)
        wanted[instrument] = True
        found = {}
        for name, side, near in (("a", self.a, around[0]), ("b", self.b, around[1])):
            here = Traded.of(side, wanted)
            there = Traded.of(near, wanted) if near is not None and len(near.day) else None
            for word, step in (("prev", -1), ("next", 1)):
                found[f"{name}_{word}"] = Neighbours.of(here, there, instrument, day, step)
        return found

    def rows_a(self, picked: Ints) -> Ints:
        return picked if isinstance(self.ia, slice) else self.ia[picked]

    def rows_b(self, picked: Ints) -> Ints:
        return picked if isinstance(self.ib, slice) else self.ib[picked]

    def columns(self, name: str) -> tuple[pl.Series, pl.Series]:
        """A field of both sides, row by row."""
        a, b = self.a.frame[name], self.b.frame[name]
        return (
            a if isinstance(self.ia, slice) else a.gather(self.ia),
            b if isinstance(self.ib, slice) else b.gather(self.ib),
        )

    def floats(self, name: str) -> tuple[Floats, Floats]:
        return self.a.values(name, self.ia), self.b.values(name, self.ib)


@dataclass(frozen=True, slots=True)
class Traded:
    """The traded rows of some instruments of a side."""

    side: Side
    grid: Grid

    @classmethod
    def of(cls, side: Side, wanted: Bools) -> Traded:
        keep, traded = wanted[side.instrument], side.traded()
        days = _days(side.day)
        return cls(side, Grid(side, days, len(wanted), keep if traded is None else keep & traded))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The traded bars beside some rows: ``rows`` of ``side``, or where -1 ``near_rows`` of ``near``."""

    side: Side
    rows: Ints
    near: Side | None
    near_rows: Ints

    @classmethod
    def of(cls, side: Traded, near: Traded | None, instrument: Ints, day: Ints, step: int) -> Neighbours:
        rows = side.grid.neighbour(instrument, day, step)
        none = np.full(len(rows), -1, dtype=np.int64)
        if near is None:
            return cls(side.side, rows, None, none)
        beyond = near.grid.neighbour(instrument, day, step)
        return cls(side.side, rows, near.side, np.where(rows < 0, beyond, -1))

    def values(self, name: str) -> Floats:
        """A field of the neighbouring bars, NaN where there is none."""
        found = self.side.values(name, self.rows)
        if self.near is None:
            return found
        beyond: Floats = np.where(self.near_rows < 0, found, self.near.values(name, self.near_rows))
        return beyond


def match(a: Side, b: Side, count: int) -> Matched:
    """Pair rows of equal instrument and day, in the order of ``a``."""
    none = np.empty(0, dtype=np.int64)
    if _same(a.instrument, b.instrument) and _same(a.day, b.day) and _unique(a, count):
        whole = slice(None)
        return Matched(a, b, whole, whole, none, none, none, none, a.instrument, a.day, count)
    days = _days(a.day, b.day)
    grid = Grid(b, days, count)
    partner = grid.rows.reshape(-1)[a.instrument * len(days) + _places(days, a.day)]
    again = none if _unique(a, count) else Grid(a, days, count).again
    if again.size:
        partner = partner.copy()
        partner[again] = -2
    there = partner >= 0
    ia: Ints | slice = slice(None) if there.all() else np.flatnonzero(there)
    ib = partner[ia].astype(np.int64)
    lone = np.ones(len(b.day), dtype=bool)
    lone[ib] = False
    lone[grid.again] = False
    only_a, only_b = np.flatnonzero(partner == -1), np.flatnonzero(lone)
    return Matched(a, b, ia, ib, only_a, only_b, again, grid.again, a.instrument[ia], a.day[ia], count)


def _places(days: Ints, day: Ints) -> Ints:
    """Where each day stands among the sorted days, all of which are known."""
    if not len(days):
        return np.empty(0, dtype=np.int64)
    table = np.zeros(int(days[-1] - days[0]) + 1, dtype=np.int64)
    table[days - days[0]] = np.arange(len(days))
    places: Ints = table[day - days[0]]
    return places


def _days(*columns: Ints) -> Ints:
    """The distinct days of all columns in order, counted rather than sorted."""
    known = [column for column in columns if len(column)]
    if not known:
        return np.empty(0, dtype=np.int64)
    low, high = min(int(c.min()) for c in known), max(int(c.max()) for c in known)
    seen = np.zeros(high - low + 1, dtype=bool)
    for column in known:
        seen[column - low] = True
    return np.flatnonzero(seen) + low


def _unique(side: Side, count: int) -> bool:
    """Whether no instrument has a day twice."""
    if _ordered(side):
        return True
    if not len(side.day):
        return True
    low = int(side.day.min())
    span = int(side.day.max()) - low + 1
    seen = np.zeros(count * span, dtype=bool)
    seen[side.instrument * span + (side.day - low)] = True
    return int(seen.sum()) == len(side.day)


def _same(x: Ints, y: Ints) -> bool:
    return len(x) == len(y) and bool((x == y).all())


def _ordered(side: Side) -> bool:
    """Whether the rows are strictly ordered by instrument and day or by day and instrument: no key twice."""
    if len(side.day) < 2:
        return True
    step_i, step_d = np.diff(side.instrument), np.diff(side.day)
    by_instrument: Bools = (step_i > 0) | ((step_i == 0) & (step_d > 0))
    by_day: Bools = (step_d > 0) | ((step_d == 0) & (step_i > 0))
    return bool(by_instrument.all() or by_day.all())
