"""Cells by pair, field and year: equal, tolerated, explained, wrong or open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.absence import Presence
from quant.warehouse.audit.compare.causes import Kind
from quant.warehouse.audit.compare.cells import Comparison, years_of
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.relation import Ints
from quant.warehouse.audit.compare.report import SUMMARY

_COLUMN: Final = {"rounding": "tolerated", "convention": "explained", "defect": "defects", "unknown": "open"}
_ABSENT: Final = (
    *("missing_row", "missing_day", "non_session", "extra_row", "duplicated_row"),
    *("truncated_history", "suspended_rows"),
)
_DATES: Final = frozenset({"shifted_day", "time_zone"})

Told = Sequence[tuple[str, Kind, Ints]]


def summarised(
    base: Mapping[str, Any],
    fields: Sequence[str],
    comparison: Comparison,
    presence: Presence,
    told: Told,
    found: Sequence[Found],
    undone: Mapping[str, Kind],
) -> pl.DataFrame:
    """The summary of two relations. ``undone`` are fields whose unit was undone before comparing: cells that
    agree only so are not equal.
    """
    named: dict[tuple[str, int], dict[str, int]] = {}
    for name, kind, days in told:
        for year, count in zip(*np.unique(years_of(days), return_counts=True), strict=True):
            own = named.setdefault((name, int(year)), {})
            own[_COLUMN[kind]] = own.get(_COLUMN[kind], 0) + int(count)
    rows: list[dict[str, Any]] = []
    for (name, year), counts in sorted(
        comparison.counts.items(), key=lambda item: (fields.index(item[0][0]), item[0][1])
    ):
        own = named.get((name, year), {})
        split = {key: own.get(key, 0) for key in ("explained", "defects", "open")}
        tolerated = counts.tolerated + own.get("tolerated", 0)
        rest = max(counts.cells - tolerated - sum(split.values()), 0)
        if name in undone:
            split[_COLUMN[undone[name]]] += rest + tolerated
            rest = tolerated = 0
        rows.append({
            **base, "field": name, "year": year, "cells": counts.cells, "equal": rest,
            "tolerated": tolerated, **split,
        })  # fmt: skip
    return pl.DataFrame([*rows, *_bars(base, presence, found)], schema=SUMMARY)


def _bars(base: Mapping[str, Any], presence: Presence, found: Sequence[Found]) -> list[dict[str, Any]]:
    """Rows as cells of a field called bar."""
    years: dict[int, dict[str, int]] = {}

    def of(day: int) -> dict[str, int]:
        year = int(years_of(np.array([day]))[0])
        return years.setdefault(year, dict.fromkeys(("equal", "explained", "defects", "open"), 0))

    moved = any(one.cause in _DATES and one.field == "session" and one.instrument < 0 for one in found)
    for (_, day), count in presence.matched.items():
        of(day)["defects" if moved else "equal"] += count
    for one in found:
        if one.cause in _ABSENT:
            of(one.first)[_COLUMN[one.nature]] += one.cells
    return [
        {**base, "field": "bar", "year": year, "cells": sum(own.values()), "tolerated": 0, **own}
        for year, own in sorted(years.items())
    ]
