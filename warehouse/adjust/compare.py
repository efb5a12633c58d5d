"""A vendor's adjustment factors against those computed from events: where they step apart, and why."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from quant.warehouse.adjust.factors import factors_from_events

NEARBY_DAYS: Final = 10
"""Calendar days by which a vendor's step may lie beside the ex-date and still be that event's."""
DRIFTING: Final = 0.5
"""Share of an instrument's sessions with a step from which on its factors are no ratio factors at all."""
_SMALLEST: Final = 2e-5
_REFORM: Final = (date(2005, 6, 1), date(2008, 12, 31))
"""When holders of traded shares were compensated with shares that set no reference price."""
COLUMNS: Final = ("instrument_id", "session", "ours", "theirs", "relative", "cause", "verdict", "detail")


def compare_factors(
    bars: pl.DataFrame, events: pl.DataFrame, factors: pl.DataFrame, *, digits: int | None = None
) -> pl.DataFrame:
    """Findings, one a step on which a vendor's ``factors`` (instrument_id, session, factor) differ from those
    of the events: COLUMNS, with ``ours`` and ``theirs`` the growth of the factor over the session.

    Only growth is compared, so a factor based on another day says the same. ``digits`` are the decimals to
    which the vendor rounds its factors; without it they are read off the factors. A column ``rounding`` of
    ``factors`` is the relative error of each, where they were divided out of rounded prices.

    Causes: ``rounding`` (of the factor or of the reference price: tolerated), ``late`` and ``early`` (the
    step lies on another session), ``missing_event``, ``extra_event``, ``after_tax`` (less cash than paid),
    ``cash_ignored``, ``bonus_ignored``, ``rights_ignored``, ``share_reform`` (shares alone between 2005 and
    2008, which the vendor does not adjust for: rightly, if they were compensation), ``additive`` (no ratio
    factors: one finding an instrument), ``unknown``.
    """
    mine = factors_from_events(bars, events)
    theirs = _steps(factors, _digits(factors) if digits is None else digits)
    sessions = bars.select("instrument_id", "session")
    theirs = theirs.join(sessions, on=["instrument_id", "session"], how="semi")
    drifting = _drifting(theirs)
    ours = _on_bars(mine.steps, sessions).join(drifting, on="instrument_id", how="anti")
    theirs = theirs.join(drifting, on="instrument_id", how="anti")
    both = ours.join(theirs, on=["instrument_id", "session"], how="full", coalesce=True).with_columns(
        pl.col("ours").fill_null(1.0), pl.col("theirs").fill_null(1.0)
    )
    both = both.with_columns(
        relative=pl.col("theirs") / pl.col("ours") - 1,
        slack=pl.col("slack").fill_null(pl.col("slack").max().over("instrument_id")).fill_null(0.0),
    )
    apart = both.filter(pl.col("relative").abs() > 1e-9)
    causes = _caused(apart, _variants(mine.steps, events, sessions))
    found = pl.concat([causes, _additive(drifting)], how="diagonal_relaxed")
    return found.select(COLUMNS).sort("instrument_id", "session")


def _digits(factors: pl.DataFrame) -> int:
    """The decimals, three to nine, that show half of the factors: some vendors print a few more of some."""
    value = factors["factor"].drop_nulls()
    for digits in range(3, 9):
        shown = ((value - value.round(digits)).abs() <= value * 1e-12).sum()
        if shown * 2 >= value.len():
            return digits
    return 9


def _steps(factors: pl.DataFrame, digits: int) -> pl.DataFrame:
    """The sessions on which a factor changed: its growth, and how much of it rounding may be."""
    before = pl.col("factor").shift(1).over("instrument_id")
    error = pl.lit(0.5 * 10.0**-digits) / pl.col("factor")
    if "rounding" in factors.columns:
        error = pl.col("rounding")
    return (
        factors.filter(pl.col("factor").is_not_null())
        .sort("instrument_id", "session")
        .with_columns(error=error)
        .with_columns(
            theirs=pl.col("factor") / before,
            slack=pl.col("error") + pl.col("error").shift(1).over("instrument_id"),
        )
        .with_columns(moves=(pl.col("theirs") - 1).abs() > pl.max_horizontal("slack", pl.lit(1e-9)))
        .select("instrument_id", "session", "theirs", "slack", "moves")
        .filter(pl.col("theirs").is_not_null())
    )


def _drifting(theirs: pl.DataFrame) -> pl.DataFrame:
    return (
        theirs.group_by("instrument_id")
        .agg(pl.col("moves").mean().alias("share"), pl.len().alias("sessions"), pl.col("session").min())
        .filter((pl.col("share") > DRIFTING) & (pl.col("sessions") >= 5))
    )


def _on_bars(steps: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Steps on the first bar on or after the ex-date; several on one bar are one."""
    bars = sessions.sort("session")
    placed = steps.sort("ex_session").join_asof(
        bars, left_on="ex_session", right_on="session", by="instrument_id", strategy="forward",
        check_sortedness=False,
    )  # fmt: skip
    return placed.group_by("instrument_id", "session").agg(pl.col("step").product().alias("ours"))


def _variants(steps: pl.DataFrame, events: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """What a step would be by other rules, as columns beside the session it acts on."""
    number = {
        n: (pl.col(n).cast(pl.Float64).fill_null(0.0) if n in events.columns else pl.lit(0.0)).alias(n)
        for n in ("cash_per_share", "bonus_ratio", "rights_ratio", "rights_price")
    }
    rows = steps.join(
        events.select("instrument_id", "ex_session", *number.values()), on=["instrument_id", "ex_session"]
    )
    close = pl.col("prev_close").cast(pl.Float64)
    cash, bonus = pl.col("cash_per_share"), pl.col("bonus_ratio")
    rights, paid = pl.col("rights_ratio"), pl.col("rights_ratio") * pl.col("rights_price")
    shares = 1 + bonus + rights
    variants = {
        "unrounded": close / ((close - cash + paid) / shares),
        "after_tax": close / _to_cent((close - cash * 0.8 + paid) / shares),
        "after_tax_10": close / _to_cent((close - cash * 0.9 + paid) / shares),
        "cash_ignored": close / _to_cent((close + paid) / shares),
        "bonus_ignored": close / _to_cent((close - cash + paid) / (1 + rights)),
        "rights_ignored": close / _to_cent((close - cash) / (1 + bonus)),
        "tick": (0.0101 / pl.col("reference").cast(pl.Float64)),
    }
    bars = sessions.sort("session")
    placed = rows.sort("ex_session").join_asof(
        bars, left_on="ex_session", right_on="session", by="instrument_id", strategy="forward",
        check_sortedness=False,
    )  # fmt: skip
    return placed.group_by("instrument_id", "session").agg(
        *(e.product().alias(n) for n, e in variants.items() if n != "tick"),
        variants["tick"].sum().alias("tick"),
        ((cash == 0) & (rights == 0)).all().alias("shares_alone"),
    )


def _to_cent(value: pl.Expr) -> pl.Expr:
    return (value * 100 + 1e-6).round(0) / 100


def _caused(apart: pl.DataFrame, variants: pl.DataFrame) -> pl.DataFrame:
    rows = apart.join(variants, on=["instrument_id", "session"], how="left")
    slack = pl.max_horizontal(pl.col("slack") * 2, pl.lit(1e-9))
    near = slack + pl.max_horizontal((pl.col("ours") - 1).abs() * 0.02, pl.lit(_SMALLEST))
    still = (pl.col("theirs") - 1).abs() <= slack
    same = {n: ((pl.col("theirs") / pl.col(n) - 1).abs() <= slack + pl.lit(_SMALLEST)).fill_null(value=False)
            for n in ("unrounded", "after_tax", "after_tax_10", "cash_ignored", "bonus_ignored",
                      "rights_ignored")}  # fmt: skip
    moved = _moved(apart)
    rows = rows.join(moved, on=["instrument_id", "session"], how="left")
    within_tick = (pl.col("relative").abs() <= slack + pl.col("tick")).fill_null(value=False)
    cause = (
        pl.when(pl.col("relative").abs() <= slack).then(pl.lit("rounding"))
        .when(pl.col("shifted").is_not_null()).then(pl.col("shifted"))
        .when(pl.col("ours") == 1).then(pl.lit("extra_event"))
        .when(same["unrounded"]).then(pl.lit("rounding"))
        .when(same["rights_ignored"] & ~still).then(pl.lit("rights_ignored"))
        .when(same["bonus_ignored"] & ~still).then(pl.lit("bonus_ignored"))
        .when(same["cash_ignored"] & ~still).then(pl.lit("cash_ignored"))
        .when(same["after_tax"] | same["after_tax_10"]).then(pl.lit("after_tax"))
        .when(still & pl.col("shares_alone") & pl.col("session").is_between(*_REFORM))
        .then(pl.lit("share_reform"))
        .when(still).then(pl.lit("missing_event"))
        .when(within_tick | (pl.col("relative").abs() <= near)).then(pl.lit("rounding"))
        .otherwise(pl.lit("unknown"))
    )  # fmt: skip
    said = rows.with_columns(cause=cause).with_columns(
        verdict=pl.when(pl.col("cause") == "rounding").then(pl.lit("tolerated")).otherwise(pl.lit("open")),
        detail=pl.format("growth {} by the events, {} by the vendor", pl.col("ours").round(6),
                         pl.col("theirs").round(6)),
    )  # fmt: skip
    return said.filter(pl.col("cause") != "").select(COLUMNS)


def _moved(apart: pl.DataFrame) -> pl.DataFrame:
    """Steps that both have, but on different sessions: the event's row says late or early, the vendor's row
    is then explained ("").
    """
    size = apart.filter((pl.col("ours") - 1).abs() > _SMALLEST).filter((pl.col("theirs") - 1).abs() <= 1e-9)
    lone = apart.filter(pl.col("ours") == 1).select(
        "instrument_id", at="session", grown="theirs", loose="slack"
    )
    pairs = (
        size.join(lone, on="instrument_id")
        .with_columns(days=(pl.col("at") - pl.col("session")).dt.total_days())
        .filter(pl.col("days").abs() <= NEARBY_DAYS)
        .filter(
            (pl.col("grown") - pl.col("ours")).abs() <= pl.col("loose") * 2 + (pl.col("ours") - 1).abs() * 0.2
        )
        .sort(pl.col("days").abs())
        .unique("at", keep="first", maintain_order=True)
        .unique(["instrument_id", "session"], keep="first", maintain_order=True)
    )
    late = pl.when(pl.col("days") > 0).then(pl.lit("late")).otherwise(pl.lit("early"))
    events = pairs.select("instrument_id", "session", late.alias("shifted"))
    answers = pairs.select("instrument_id", pl.col("at").alias("session"), pl.lit("").alias("shifted"))
    return pl.concat([events, answers]).unique(
        ["instrument_id", "session"], keep="first", maintain_order=True
    )


def _additive(drifting: pl.DataFrame) -> pl.DataFrame:
    return drifting.select(
        "instrument_id",
        "session",
        pl.lit(None, pl.Float64).alias("ours"),
        pl.lit(None, pl.Float64).alias("theirs"),
        pl.lit(None, pl.Float64).alias("relative"),
        pl.lit("additive").alias("cause"),
        pl.lit("open").alias("verdict"),
        pl.format("the factor changes on {}% of {} sessions", (pl.col("share") * 100).round(0), "sessions")
        .alias("detail"),
    )  # fmt: skip
