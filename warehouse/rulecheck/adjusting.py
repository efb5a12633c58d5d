"""Whether a series is adjusted: by its source's word, by its own prints at the limits, by other sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from quant.core.money import PRICE_SCALE

_NEAR: Final = 3
_FEWEST: Final = 10
_EXACT: Final = 0.75
_OVER: Final = 0.1
_PEAK: Final = 0.2
_FALL: Final = 0.12
_MOST: Final = 0.7
_APART: Final = 0.005
_SHARE: Final = 0.02
_GAP: Final = 0.001
_ROUNDED: Final = 2
_AGAIN: Final = 4
_OFF: Final = 0.55
_EXACT_SINCE: Final = date(2001, 1, 1)
"""Before, prints of Shenzhen lie around the computed limits although they are as traded."""
_SAID: Final = {"pre": "its source says pre-adjusted", "post": "its source says post-adjusted"}


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What shows that a series is adjusted, and by how many ticks rounding can move a print over its limit:
    two (of the print and of its base), four where amount by volume shows that prices were rounded again, and
    as many more as one raw tick is adjusted ones.
    """

    shown: str
    ticks: int


def adjusted_codes(bars: pl.DataFrame, claim: str, others: Mapping[str, pl.DataFrame]) -> dict[str, Adjusted]:
    """The adjusted series by code. Shown by the source's own word; by another source whose stated references
    have the gaps of ex-dates and whose closes are others; by known ex-dates that leave no gap; or, where no
    stated reference has a gap, by highs and lows since 2001 that scatter around the limits instead of meeting
    them: at least ten within three ticks, from a fifth to three quarters of them on the limit, a tenth
    beyond, and hardly any farther out. Limits that are wrong leave no such peak, and prints far beyond.
    """
    shown: dict[str, list[str]] = {}
    ratios: dict[str, float] = {}
    if claim in _SAID:
        shown = {code: [_SAID[claim]] for code in bars["code"].unique().to_list()}
    else:
        for each in (_scattered(bars), _ignored(bars)):
            for code, text in each.items():
                shown.setdefault(code, []).append(text)
    for name, other in others.items():
        for row in _ratios(bars, other).iter_rows(named=True):
            gapped = row["gaps"] > row["own"]
            if row["apart"] < _SHARE or not (gapped or row["code"] in shown):
                continue
            text = (
                f"closes are {row['low']:.3g} to {row['high']:.3g} of those of {name} on {row['bars']} bars"
            )
            shown.setdefault(row["code"], []).append(text)
            ratios[row["code"]] = max(ratios.get(row["code"], 1.0), row["high"])
    again = _rounded_again(bars)
    found = {}
    for code, texts in shown.items():
        if code in again:
            texts.append(f"amount / volume lies outside low to high on {again[code]} bars")
        room = _AGAIN if code in again else _ROUNDED
        found[code] = Adjusted("; ".join(texts), room + round(ratios.get(code, 1.0)) - 1)
    return found


def _scattered(bars: pl.DataFrame) -> dict[str, str]:
    near, exact, over, far = [], [], [], []
    for price, limit, way in (("high", "up", 1), ("low", "down", -1)):
        off = (pl.col(price) - pl.col(limit)) * way
        close = off.abs() <= _NEAR * pl.col("tick")
        near.append(_count(close))
        exact.append(_count(off == 0))
        over.append(_count(close & (off > 0)))
        far.append(_count(off > _AGAIN * pl.col("tick")))
    plain = (pl.col("session") >= _EXACT_SINCE) & (pl.col("by") != "event")
    counts = bars.filter(plain).group_by("code").agg(
        near=pl.sum_horizontal(near), exact=pl.sum_horizontal(exact), over=pl.sum_horizontal(over),
        far=pl.sum_horizontal(far), gaps=_is_gap().sum(),
    )  # fmt: skip
    some = counts.filter(
        (pl.col("gaps") == 0)
        & (pl.col("near") >= _FEWEST)
        & (pl.col("exact") < _EXACT * pl.col("near"))
        & (pl.col("exact") >= _PEAK * pl.col("near"))
        & (pl.col("over") >= _OVER * pl.col("near"))
        & (pl.col("far") <= pl.col("over") * _PEAK)
    )
    return {
        code: f"of {near} highs and lows within {_NEAR} ticks of a limit {exact} are on it and {over} beyond"
        for code, near, exact, over in some.select("code", "near", "exact", "over").iter_rows()
    }


def _ignored(bars: pl.DataFrame) -> dict[str, str]:
    """Codes that hardly ever fall on known ex-dates: their lows stay above where the price had to go."""
    fall = (pl.col("prev") - pl.col("after")) > _FALL * pl.col("prev")
    half = (pl.col("prev") + pl.col("after")) / 2
    counts = bars.filter((pl.col("by") == "event") & fall).group_by("code").agg(
        events=pl.len(), level=(pl.col("low") > half).sum()
    )  # fmt: skip
    some = counts.filter((pl.col("level") > 1) & (pl.col("level") >= _MOST * pl.col("events")))
    return {
        code: f"no gap on {level} of {events} ex-dates of more than {_FALL:.0%}"
        for code, events, level in some.iter_rows()
    }


def _count(test: pl.Expr) -> pl.Expr:
    return test.fill_null(value=False).sum()


def _ratios(bars: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """How the closes of each code relate to another source's, and how many ex-dates either shows."""
    theirs = other.select("code", "session", raw="close", gaps=_is_gap())
    both = bars.select("code", "session", "close", own=_is_gap()).join(theirs, on=["code", "session"])
    ratio = pl.col("close") / pl.col("raw")
    return both.group_by("code").agg(
        bars=pl.len(), low=ratio.min(), high=ratio.max(), gaps=pl.col("gaps").sum(), own=pl.col("own").sum(),
        apart=((ratio - 1).abs() > _APART).mean(),
    ).sort("code")  # fmt: skip


def _rounded_again(bars: pl.DataFrame) -> dict[str, int]:
    """Codes with bars whose average price lies outside low to high by more than rounding once could do."""
    if not {"amount", "volume"} <= set(bars.columns):
        return {}
    average = pl.col("amount").cast(pl.Float64) / pl.col("volume").cast(pl.Float64) * PRICE_SCALE
    off = pl.max_horizontal(average - pl.col("high"), pl.col("low") - average) > _OFF * pl.col("tick")
    counts = bars.filter(off.fill_null(value=False)).group_by("code").len().filter(pl.col("len") > 1)
    return {str(code): int(count) for code, count in counts.iter_rows()}


def _is_gap() -> pl.Expr:
    """A reference that is not the close before, by more than rounding."""
    off = (pl.col("stated") - pl.col("prev")).abs()
    return (off > 2 * pl.col("tick") + _GAP * pl.col("prev")).fill_null(value=False)
