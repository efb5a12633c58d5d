"""Rules over several rows of a table: prices that follow each other, time, repetition, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from quant.core.time import EXCHANGE_ZONES
from quant.warehouse.adjust import factors_from_events
from quant.warehouse.audit.absence import absences
from quant.warehouse.audit.judging import RULE, Found, Listing
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.contracts.units import explained, unit_rules

CENT: Final = 0.0051
"""Half a cent and a little: prices this close are the same."""
_TRADED_CELLS: Final = ("open", "high", "low", "close", "pre_close", "amount", "price", "factor", "rate")
_STALE: Final = ("open", "high", "low", "close", "volume", "amount")
_KEY: Final = ("instrument_id", "session")


def pre_close_chain(_table: TableContract, rows: pl.DataFrame, listing: Listing) -> Found:
    """The reference price of a session is the close before it, and on an ex-date the one that follows from
    the events, or from the factor where only factors are known.

    ``chain.unexplained``: neither an event nor a factor says why it differs; ``chain.wrong``: it is not the
    price that follows from them; ``chain.ignored``: it is the plain close although there was an event.
    Without events and factors only a rise is a fault: no distribution raises the price.
    """
    traded = rows.filter((pl.col("volume") > 0) & pl.col("close").is_not_null()).sort(_KEY)
    traded = traded.with_columns(before=pl.col("close").shift(1).over("instrument_id").cast(pl.Float64))
    judged = traded.filter(pl.col("before").is_not_null() & pl.col("pre_close").is_not_null())
    judged = _expected(judged, traded, listing)
    given = pl.col("pre_close").cast(pl.Float64)
    plain = (given - pl.col("before")).abs() <= CENT
    fits = (given - pl.col("expected")).abs() <= pl.col("margin")
    if listing.events is None and listing.factors is None:
        fits |= given < pl.col("before")
    moved = (pl.col("expected") - pl.col("before")).abs() > CENT
    rule = (
        pl.when(plain & moved & ~fits)
        .then(pl.lit("chain.ignored"))
        .when(~fits & moved)
        .then(pl.lit("chain.wrong"))
        .when(~fits & ~plain)
        .then(pl.lit("chain.unexplained"))
    )
    bad = judged.with_columns(rule.alias(RULE)).filter(pl.col(RULE).is_not_null())
    shown = bad.select(*_KEY, "before", "pre_close", "expected", RULE)
    return Found(bad.height, judged.height, shown, "reference prices do not follow from the close before")


def _expected(judged: pl.DataFrame, traded: pl.DataFrame, listing: Listing) -> pl.DataFrame:
    """Columns expected and margin: the reference price, and how exactly it is known."""
    plain = judged.with_columns(expected=pl.col("before"), margin=pl.lit(CENT))
    if listing.events is not None:
        steps = factors_from_events(traded, listing.events).steps.sort("ex_session")
        days = traded.select(_KEY).sort("session")
        on = steps.join_asof(
            days, left_on="ex_session", right_on="session", by="instrument_id", strategy="forward",
            check_sortedness=False,
        )  # fmt: skip
        last = on.sort("ex_session").group_by(_KEY).agg(pl.col("reference").last().cast(pl.Float64))
        return plain.join(last, on=_KEY, how="left", maintain_order="left").with_columns(
            expected=pl.coalesce("reference", "expected")
        )
    if listing.factors is not None:
        factors = traded.select(_KEY).join(listing.factors.select(*_KEY, "factor"), on=_KEY, how="left")
        factors = factors.sort(_KEY).with_columns(
            step=pl.col("factor") / pl.col("factor").shift(1).over("instrument_id")
        )
        known = plain.join(factors, on=_KEY, how="left", maintain_order="left")
        return known.with_columns(
            expected=pl.col("before") / pl.col("step").fill_null(1.0),
            margin=pl.lit(2 * CENT)
            + pl.when(pl.col("step") != 1).then(pl.col("before") * 0.001 / pl.col("factor")).otherwise(0.0),
        )
    return plain


def time_order(table: TableContract, rows: pl.DataFrame, listing: Listing) -> Found:
    """Time runs forward: ``time.backwards`` (a later row of an instrument has an earlier instant),
    ``time.session`` (the instant lies on another date of the exchange), ``time.known`` (known before it
    happened), ``time.future`` (recorded before it happened).
    """
    names = [name for name in ("instrument_id", "session", "seq") if name in rows.columns]
    ordered = rows.sort(names) if table.time in rows.columns else rows
    rules: dict[str, pl.Expr] = {}
    if "ts" in rows.columns:
        ts = pl.col("ts")
        earlier = ts < ts.shift(1).over("instrument_id")
        zone = EXCHANGE_ZONES.get(listing.mic, "Asia/Shanghai")
        rules["time.backwards"] = earlier
        if table.key == _KEY:
            rules["time.backwards"] = ts <= ts.shift(1).over("instrument_id")
            rules["time.session"] = ts.dt.convert_time_zone(zone).dt.date() != pl.col("session")
            rules["time.known"] = pl.col("known_at") < ts
        rules["time.future"] = pl.col("recorded_at") < ts
    rule = pl.lit(None, pl.String)
    for name, broken in reversed(rules.items()):
        rule = pl.when(broken.fill_null(value=False)).then(pl.lit(name)).otherwise(rule)
    bad = ordered.with_columns(rule.alias(RULE)).filter(pl.col(RULE).is_not_null())
    return Found(bad.height, rows.height, bad, "rows have instants out of order")


def duplicate_rate(table: TableContract, rows: pl.DataFrame, _listing: Listing) -> Found:
    """Rows that only repeat another: ``row.key`` (a key twice), ``row.stale`` (the bar of the session before
    under a new date), ``row.copied`` (the bar of another instrument).
    """
    rule: pl.Expr = pl.when(~pl.struct(table.key).is_first_distinct()).then(pl.lit("row.key"))
    marked = rows
    said = [name for name in _STALE if name in rows.columns]
    if len(said) == len(_STALE) and table.key == _KEY:
        marked = rows.sort(_KEY).with_columns(pl.struct(said).hash().alias("said"))
        traded = pl.col("volume") > 0
        moves = pl.col("high") > pl.col("low")
        rule = (
            pl.when(~pl.struct(table.key).is_first_distinct())
            .then(pl.lit("row.key"))
            .when(traded & (pl.col("said") == pl.col("said").shift(1).over("instrument_id")))
            .then(pl.lit("row.stale"))
            .when(traded & moves & ~pl.struct("session", "said").is_first_distinct())
            .then(pl.lit("row.copied"))
        )
    bad = marked.with_columns(rule.alias(RULE)).filter(pl.col(RULE).is_not_null())
    return Found(bad.height, rows.height, bad.drop("said", strict=False), "rows repeat another row")


def missing_rate(table: TableContract, rows: pl.DataFrame, _listing: Listing) -> Found:
    """Rows of sessions with trades in which a price or the amount is not given: ``null.<column>``."""
    wanted = [name for name in _TRADED_CELLS if name in table.names]
    traded = rows.filter(pl.col("volume") > 0) if "volume" in table.names else rows
    rule = pl.lit(None, pl.String)
    for name in reversed(wanted):
        rule = pl.when(pl.col(name).is_null()).then(pl.lit(f"null.{name}")).otherwise(rule)
    bad = traded.with_columns(rule.alias(RULE)).filter(pl.col(RULE).is_not_null())
    return Found(bad.height, traded.height, bad, "rows with trades lack a price or the amount")


def price_consistency(_table: TableContract, rows: pl.DataFrame, _listing: Listing) -> Found:
    """Amount / volume is a price of the session; ``unit.<…>`` names the unit that explains why it is not."""
    traded = rows.filter((pl.col("volume") > 0) & (pl.col("amount") > 0))
    fits = unit_rules()[0]
    outside = traded.filter(~fits.expression.fill_null(value=True))
    named = explained(outside.with_columns(rule=pl.lit(fits.name), reason=pl.lit(fits.reason)))
    bad = named.drop("reason")
    return Found(bad.height, traded.height, bad, "rows have an amount that does not fit volume and prices")


def absence(_table: TableContract, rows: pl.DataFrame, listing: Listing) -> Found:
    """Rows that are missing for a reason nobody knows: neither suspended, nor outside the listing."""
    found = absences(
        rows, listing.instruments, listing.mic, listing.attributes, start=listing.start, end=listing.end
    )
    unknown = found.filter(pl.col("reason") == "unknown")
    expected = rows.select(_KEY).unique().height + unknown.height
    shown = unknown.with_columns(pl.lit("rows.unknown").alias(RULE))
    return Found(unknown.height, expected, shown, "rows are missing for an unknown reason")


SERIES_CHECKS: Final[dict[str, Callable[[TableContract, pl.DataFrame, Listing], Found]]] = {
    "pre_close_chain": pre_close_chain,
    "time_order": time_order,
    "duplicate_rate": duplicate_rate,
    "missing_rate": missing_rate,
    "price_consistency": price_consistency,
    "absence": absence,
}
NEEDS: Final = {
    "pre_close_chain": ("pre_close", "close", "volume"),
    "time_order": ("ts", "instrument_id"),
    "missing_rate": ("instrument_id",),
    "price_consistency": ("amount", "volume", "low", "high"),
    "absence": ("instrument_id", "session"),
}
"""The columns that a check is about: a dataset without them cannot be asked."""
