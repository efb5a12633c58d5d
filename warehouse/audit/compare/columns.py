"""Whether a relation has its prices in each other's columns, and which side can be the wrong one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.align import Matched
from quant.warehouse.audit.compare.relation import OHLC, Floats, Ints

_MOST: Final = 0.9
_LITTLE: Final = 0.5
_FEWEST: Final = 10
_NEAR: Final = 0.1
_CLEAR: Final = 1.1

Crossed = Mapping[str, str]
"""Column of b -> the column of a whose values stand in it."""


def crossed_columns(matched: Matched, fields: Sequence[str], rows: Ints) -> Crossed:
    """The price columns of b that hold another one's values; empty unless all of them find their place."""
    names = [n for n in OHLC if n in fields]
    if len(names) < 2 or len(rows) < _FEWEST:
        return {}
    a = {n: matched.a.values(n, matched.rows_a(rows)) for n in names}
    b = {n: matched.b.values(n, matched.rows_b(rows)) for n in names}
    moving = np.ptp(np.stack([a[n] for n in names]), axis=0) > 0
    if moving.sum() < _FEWEST:
        return {}
    place = {}
    for name in names:
        shares = {n: float((np.abs(b[name] - a[n]) <= 1e-9 * np.abs(a[n]))[moving].mean()) for n in names}
        best = max(shares, key=lambda n: shares[n])
        if best != name and (shares[best] < _MOST or shares[name] > max(_LITTLE, shares[best] - _NEAR)):
            best = name
        place[name] = best
    wrong = {name: best for name, best in place.items() if name != best}
    return wrong if set(wrong) == set(wrong.values()) else {}


def crossed_side(matched: Matched, crossed: Crossed, rows: Ints) -> str:
    """The side that cannot be right: its high is below its low, or its opens lie further from the close
    before; "" where neither shows.
    """
    a, b = (
        {n: side.values(n, at) for n in OHLC if n in side.frame.columns}
        for side, at in ((matched.a, matched.rows_a(rows)), (matched.b, matched.rows_b(rows)))
    )
    if {"high", "low"} <= set(crossed):
        wrong_a, wrong_b = (float((x["high"] < x["low"] - 1e-9).mean()) for x in (a, b))
        if max(wrong_a, wrong_b) > 2 * min(wrong_a, wrong_b):
            return "a" if wrong_a > wrong_b else "b"
    if not {"open", "close"} <= set(a):
        return ""
    order = np.lexsort((matched.day[rows], matched.instrument[rows]))
    next_to = np.diff(matched.instrument[rows][order]) == 0
    gap_a, gap_b = (_gap(x["open"][order], x["close"][order], next_to) for x in (a, b))
    if max(gap_a, gap_b) < _CLEAR * min(gap_a, gap_b):
        return ""
    return "a" if gap_a > gap_b else "b"


def _gap(opens: Floats, closes: Floats, next_to: np.ndarray) -> float:
    """How far opens lie from the close before, typically."""
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.abs(np.log(opens[1:] / closes[:-1]))[next_to]
    gap = gap[np.isfinite(gap)]
    return float(gap.mean()) if gap.size else 0.0
