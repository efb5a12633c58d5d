"""Comparing tables that are not bars: distributions, instruments, attributes, reports; by key and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.comparison import Request
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.relation import (
    DEFAULT_TOLERANCES,
    Instruments,
    Relation,
    Tolerance,
    days_of,
)
from quant.warehouse.audit.compare.report import COVERAGE, SUMMARY, AuditReport, findings_frame
from quant.warehouse.audit.compare.systematic import collapse
from quant.warehouse.contracts.tables import PROVENANCE, TableContract

_TAXED: Final = (0.9, 0.8, 0.95)
_NEAR_DAYS: Final = 15
_NOT_COVERED: Final = 0.3
_NOT_COMPARED: Final = (*PROVENANCE, "known_at", "announced", "year")
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A table's key as the relations have it: the instrument first, and the date among the rest if any."""

    key: tuple[str, ...]
    time: str | None
    fields: tuple[str, ...]


def compare_records(
    a: Relation, b: Relation, table: TableContract, instruments: Instruments, request: Request
) -> AuditReport:
    """Compare two relations of any table by its key, cell by cell."""
    shape = _shape(a, b, table, request)
    left, right = (r.frame.unique(shape.key, keep="first", maintain_order=True) for r in (a, b))
    both = left.join(right, on=list(shape.key), how="inner", suffix="_b", maintain_order="left")
    worker = _Records(shape, both, instruments, request)
    for name in shape.fields:
        worker.field(name)
    worker.lone(left, right)
    for side, relation in (("a", a), ("b", b)):
        worker.again(relation.frame, side)
    return worker.report(a, b, left, right)


def _shape(a: Relation, b: Relation, table: TableContract, request: Request) -> _Shape:
    key = tuple(a.key if name == "instrument_id" else name for name in table.key)
    key = tuple(name for name in key if name in a.frame.columns and name in b.frame.columns)
    fields = [n for n in a.frame.columns if n in b.frame.columns and n not in (*key, *_NOT_COMPARED)]
    fields = [n for n in fields if n not in ("code", "instrument_id", "kind", "inferred")]
    time = table.time if table.time in key else next((n for n in key if a.frame[n].dtype == pl.Date), None)
    return _Shape(key, time, tuple(n for n in fields if not request.only or n in request.only))


class _Records:
    def __init__(self, shape: _Shape, both: pl.DataFrame, instruments: Instruments, request: Request) -> None:
        self.shape, self.both, self.instruments, self.request = shape, both, instruments, request
        self.instrument = _numbers(both, instruments)
        self.day = _days(both, shape.time)
        self.found: list[Found] = []
        self.rows: list[dict[str, Any]] = []

    def field(self, name: str) -> None:
        one, two = self.both[name], self.both[f"{name}_b"]
        if one.null_count() == len(one) or two.null_count() == len(two):
            return
        known = (one.is_not_null() & two.is_not_null()).to_numpy()
        tolerance = {**DEFAULT_TOLERANCES, **self.request.tolerances}.get(name, Tolerance())
        near = np.zeros(len(one), dtype=bool)
        if one.dtype.is_numeric() and two.dtype.is_numeric():
            x = one.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            y = two.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            with np.errstate(invalid="ignore"):
                equal = x == y
                room = np.maximum(tolerance.abs, tolerance.rel * np.maximum(np.abs(x), np.abs(y)))
                near = ~equal & (np.abs(x - y) <= room + 1e-12 * np.abs(x))
            bad = np.flatnonzero(known & ~equal & ~near)
            self._numbers_differ(name, x, y, bad)
        else:
            equal = one.cast(pl.String).eq_missing(two.cast(pl.String)).to_numpy()
            bad = np.flatnonzero(known & ~equal)
            self._words_differ(name, one, two, bad)
        self._count(name, known, near & known)

    def _numbers_differ(self, name: str, x: np.ndarray, y: np.ndarray, bad: np.ndarray) -> None:
        for row in bad.tolist():
            why, suspect = _why(name, float(x[row]), float(y[row]))
            ratio = f", ratio {y[row] / x[row]:.6g}" if x[row] else ""
            self._add(
                why,
                name,
                row,
                f"{x[row]:.10g} against {y[row]:.10g}{ratio}",
                suspect,
                float(x[row]),
                float(y[row]),
            )

    def _words_differ(self, name: str, one: pl.Series, two: pl.Series, bad: np.ndarray) -> None:
        for row in bad.tolist():
            self._add(f"wrong_{name}", name, row, f"{one[row]} against {two[row]}", "", None, None)

    def _add(
        self, why: str, name: str, row: int, detail: str, suspect: str, x: float | None, y: float | None
    ) -> None:
        off = abs(y - x) if x is not None and y is not None else None
        size = max(abs(x), abs(y)) if x is not None and y is not None else 0.0
        day = int(self.day[row])
        self.found.append(Found(
            why, name, int(self.instrument[row]), day, day, 1, detail, suspect, None, x, y, off,
            off / size if off is not None and size else None,
        ))  # fmt: skip

    def _count(self, name: str, known: np.ndarray, near: np.ndarray) -> None:
        years = self.day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
        kinds = {id(f): f.nature for f in self.found}
        own = [f for f in self.found if f.field == name]
        for year in np.unique(years[known]).tolist():
            at = known & (years == year)
            mine = [f for f in own if _year(f.first) == year]
            defects = sum(kinds[id(f)] == "defect" for f in mine)
            explained = sum(kinds[id(f)] == "convention" for f in mine)
            tolerated = int((near & at).sum())
            cells = int(at.sum())
            self.rows.append({
                "field": name, "year": int(year) if self.shape.time else None, "cells": cells,
                "tolerated": tolerated, "explained": explained, "defects": defects,
                "open": len(mine) - defects - explained, "equal": cells - tolerated - len(mine),
            })  # fmt: skip

    def lone(self, left: pl.DataFrame, right: pl.DataFrame) -> None:
        """Rows of two whole sides that only one has: the same on another date, not covered, or lost."""
        key = list(self.shape.key)
        lone_a, lone_b = left.join(right, on=key, how="anti"), right.join(left, on=key, how="anti")
        moved_a, moved_b = self._moved(lone_a, lone_b)
        for side, own, whole, others, moved in (
            ("a", lone_a, left, right, moved_a),
            ("b", lone_b, right, left, moved_b),
        ):
            numbers, days = _numbers(own, self.instruments), _days(own, self.shape.time)
            outside = self._outside(whole, others, numbers, days)
            if outside.any():
                text = f"{int(outside.sum())} rows only in {{{side}}}: not covered by the other"
                first, last = int(days[outside].min()), int(days[outside].max())
                self.found.append(Found("coverage", "row", -1, first, last, int(outside.sum()), text))
            other = "b" if side == "a" else "a"
            self.found += [
                Found("missing_row", "row", n, d, d, 1, f"{{{other}}} has no row", other)
                for row, (n, d) in enumerate(zip(numbers.tolist(), days.tolist(), strict=True))
                if row not in moved and not outside[row]
            ]

    def _outside(
        self, whole: pl.DataFrame, others: pl.DataFrame, numbers: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Lone rows of instruments that the other side lacks, if it lacks many or they have no dates, or of
        dates before or after all of its own.
        """
        outside = np.zeros(len(numbers), dtype=bool)
        if self.instruments.column not in whole.columns:
            return outside
        if not others.height:
            return ~outside
        ours, theirs = (np.unique(_numbers(f, self.instruments)) for f in (whole, others))
        absent = np.setdiff1d(ours, theirs)
        if self.shape.time is None:
            return np.isin(numbers, absent)
        if len(absent) > _NOT_COVERED * len(ours):
            outside |= np.isin(numbers, absent)
        known = _days(others, self.shape.time)
        outside |= (days < known.min() - _NEAR_DAYS) | (days > known.max() + _NEAR_DAYS)
        return outside

    def _moved(self, left: pl.DataFrame, right: pl.DataFrame) -> tuple[set[int], set[int]]:
        """Lone rows that are the same on a near date."""
        time = self.shape.time
        if time is None or not left.height or not right.height or len(self.shape.key) != 2:
            return set(), set()
        ours, theirs = set(), set()
        days_a, days_b = _days(left, time), _days(right, time)
        who_a, who_b = _numbers(left, self.instruments), _numbers(right, self.instruments)
        shown = [n for n in self.shape.fields if left[n].dtype.is_numeric()]
        values_a, values_b = (_stack(frame, shown) for frame in (left, right))
        for i in range(left.height):
            near = np.flatnonzero((who_b == who_a[i]) & (np.abs(days_b - days_a[i]) <= _NEAR_DAYS))
            for j in near.tolist():
                if (
                    j not in theirs
                    and shown
                    and np.allclose(values_a[:, i], values_b[:, j], rtol=1e-6, equal_nan=True)
                ):
                    ours.add(i)
                    theirs.add(j)
                    first, last = sorted((int(days_a[i]), int(days_b[j])))
                    text = f"{_text(days_a[i])} in {{a}}, {_text(days_b[j])} in {{b}}"
                    self.found.append(Found("shifted_ex_date", time, int(who_a[i]), first, last, 1, text))
                    break
        return ours, theirs

    def again(self, frame: pl.DataFrame, side: str) -> None:
        """Keys that one side has more than once."""
        twice = frame.filter(~pl.struct(self.shape.key).is_first_distinct())
        for n, d in zip(
            _numbers(twice, self.instruments).tolist(), _days(twice, self.shape.time).tolist(), strict=True
        ):
            self.found.append(
                Found("duplicated_row", "row", n, d, d, 1, "the key occurs more than once", side)
            )

    def report(self, a: Relation, b: Relation, left: pl.DataFrame, right: pl.DataFrame) -> AuditReport:
        counts = np.bincount(self.instrument, minlength=len(self.instruments))
        cash = (
            int((self.both["cash_per_share"] > 0).sum())
            if "cash_per_share" in self.both.columns
            else self.both.height
        )
        dated = self.shape.time is not None
        found = collapse(self.found, counts, {}, self.instruments, {"after_tax_cash": cash}, dated=dated)
        base = {"table": self.request.table, "a": a.name, "b": b.name}
        lost = sum(f.cells for f in self.found if f.cause == "missing_row")
        wrong = sum(f.cells for f in self.found if f.cause in ("shifted_ex_date", "duplicated_row"))
        year = _year(int(self.day.max())) if dated and len(self.day) else None
        rows = [*({**base, **row} for row in self.rows), {
            **base, "field": "row", "year": year, "cells": self.both.height + lost + wrong,
            "equal": self.both.height, "tolerated": 0, "explained": 0, "defects": wrong, "open": lost,
        }]  # fmt: skip
        parts = [[f for f in found if (f.cause in COVERAGE) == aside] for aside in (False, True)]
        names = (self.request.table, a.name, b.name, self.request.audit, self.request.stamp)
        shown, aside = (findings_frame(part, self.instruments, *names, dated=dated) for part in parts)
        matched: Mapping[str, Any] = {
            **base, "matched": self.both.height, "instruments": int((counts > 0).sum()),
            "only_a": left.height - self.both.height, "only_b": right.height - self.both.height,
        }  # fmt: skip
        return AuditReport(
            self.request.table, pl.DataFrame(rows, schema=SUMMARY), shown, aside, (), (matched,)
        )


def _why(name: str, x: float, y: float) -> tuple[str, str]:
    """The class of two numbers, and whom it speaks against."""
    small, large, who = (y, x, "b") if abs(y) < abs(x) else (x, y, "a")
    if small > 0:
        if name == "cash_per_share" and any(abs(small - share * large) <= 6e-4 * large for share in _TAXED):
            return "after_tax_cash", who
        if name in ("cash_per_share", "bonus_ratio") and abs(large - 10 * small) <= 1e-6 * large:
            return "per_ten_shares", "b" if who == "a" else "a"
    return f"wrong_{name}", ""


def _numbers(frame: pl.DataFrame, instruments: Instruments) -> np.ndarray:
    if instruments.column not in frame.columns or not frame.height:
        return np.zeros(frame.height, dtype=np.int64)
    return instruments.numbers(frame[instruments.column])


def _days(frame: pl.DataFrame, time: str | None) -> np.ndarray:
    if time is None or not frame.height:
        return np.zeros(frame.height, dtype=np.int64)
    return days_of(frame[time])


def _stack(frame: pl.DataFrame, names: Sequence[str]) -> np.ndarray:
    columns = [frame[n].cast(pl.Float64).fill_null(float("nan")).to_numpy() for n in names]
    return np.stack(columns) if columns else np.empty((0, frame.height))


def _year(day: int) -> int:
    return date.fromordinal(_EPOCH.toordinal() + day).year


def _text(day: Any) -> str:
    return date.fromordinal(_EPOCH.toordinal() + int(day)).isoformat()
