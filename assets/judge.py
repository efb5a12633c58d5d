"""A step's asset checks: the rules of a table over its golden rows, a year at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import dagster as dg
import polars as pl

from quant.assets.comparing import compare_sources, compare_with_events
from quant.assets.declared import CROSS_SOURCE, FACTORS_VS_EVENTS, DeclaredTable
from quant.assets.keys import golden_key
from quant.assets.metadata import check_metadata
from quant.assets.warehouse import Warehouse
from quant.core.market.calendar import ALWAYS
from quant.core.market.sessions import calendar_name
from quant.warehouse.audit import CheckResult, Listing, TableRule, combined, run_check
from quant.warehouse.coverage import Interval
from quant.warehouse.quarantine import listed

EXCUSABLE: Final = ("contract", "ohlc_order", "within_limits")
"""Checks that a row may fail which someone has released."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run judges: the ``years`` of its partitions (None = all that is stored), and the dates that it
    ``stored`` itself, which are all that sources are compared on. ``run`` is its id.
    """

    years: tuple[int, int] | None
    stored: Interval | None
    run: str


def judge(
    warehouse: Warehouse, table: DeclaredTable, rules: list[TableRule], about: Judged
) -> Iterator[dg.AssetCheckResult]:
    """Judge a golden table by ``rules``. A table of which nothing is stored is not judged."""
    scope = _scope(warehouse, table, about.years)
    if not rules or scope is None or not warehouse.lake.exists(table.name):
        return
    for rule in [rule for rule in rules if rule.check == CROSS_SOURCE]:
        compared = compare_sources(warehouse, table, rule, about.stored or scope, about.run)
        yield from [compared] if compared is not None else []
    for rule in [rule for rule in rules if rule.check == FACTORS_VS_EVENTS]:
        told = compare_with_events(warehouse, table, rule, about.stored or scope, about.run)
        yield from [told] if told is not None else []
    rules = [rule for rule in rules if rule.check not in (CROSS_SOURCE, FACTORS_VS_EVENTS)]
    parts = [_judge_part(warehouse, table, rules, part) for part in _parts(table, scope)]
    for i, rule in enumerate(rules):
        result = combined(rule, [part[i] for part in parts])
        warehouse.observer.checked(table.name, rule, result)
        yield dg.AssetCheckResult(
            check_name=rule.check,
            asset_key=golden_key(table.name),
            passed=result.passed,
            severity=_severity(rule),
            description=result.detail,
            metadata={
                **check_metadata(rule, result),
                "from": scope.start.isoformat(),
                "to": scope.end.isoformat(),
            },
        )


def _judge_part(
    warehouse: Warehouse, table: DeclaredTable, rules: list[TableRule], part: Interval
) -> list[CheckResult]:
    lake, timed = warehouse.lake, table.contract.time is not None
    rows = lake.read(table.name, start=part.start if timed else None, end=part.end if timed else None)
    excused = _without_released(warehouse, table, rows)
    listing = _listing(warehouse, table, {rule.check for rule in rules}, part)
    return [
        run_check(rule, table.settings.dataset, excused if rule.check in EXCUSABLE else rows, listing)
        for rule in rules
    ]


def _without_released(warehouse: Warehouse, table: DeclaredTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows but those that someone released although they break a rule: they are no news."""
    lake, time = warehouse.lake, table.contract.time
    decided = lake.read("quarantine_decisions", columns=["table", "decision"])
    mine = decided.filter((pl.col("table") == table.name) & (pl.col("decision") == "release"))
    if not mine.height or "instrument_id" not in rows.columns:
        return rows
    released = listed(lake).filter((pl.col("table") == table.name) & (pl.col("decision") == "release"))
    named = released.join(lake.read("identities", columns=["code", "instrument_id"]), on="code")
    if time is None:
        return rows.join(named, on="instrument_id", how="anti")
    named = named.rename({"session": time}) if time != "session" else named
    return rows.join(named, on=["instrument_id", time], how="anti")


def _listing(warehouse: Warehouse, table: DeclaredTable, checks: set[str], part: Interval) -> Listing:
    """What the checks need to know besides the rows; a table that is not stored is not known."""
    lake, chain = warehouse.lake, "pre_close_chain" in checks
    events = lake.read("corporate_actions") if chain and lake.exists("corporate_actions") else None
    factors = lake.exists("adjustment_factors") and chain and events is None
    told = "absence" in checks and lake.exists("instrument_attributes")
    return Listing(
        _instruments(warehouse, table),
        part.start,
        part.end,
        table.market,
        events=events,
        factors=lake.read("adjustment_factors", start=part.start, end=part.end) if factors else None,
        attributes=lake.read("instrument_attributes") if told else None,
    )


def _instruments(warehouse: Warehouse, table: DeclaredTable) -> pl.DataFrame:
    """Instruments of the table's markets with their listing dates; where one is unknown, the first session of
    all their rows.
    """
    known = warehouse.lake.read("instruments", columns=["instrument_id", "mic", "list_date", "delist_date"])
    found = known.filter(_of_its_markets(known["mic"], warehouse, table)).drop("mic")
    time = table.contract.time
    if time is None or not found["list_date"].null_count() or "instrument_id" not in table.contract.names:
        return found
    held = warehouse.lake.read(table.name, columns=["instrument_id", time])
    first = held.group_by("instrument_id").agg(pl.col(time).min().alias("first"))
    listed = pl.coalesce("list_date", "first").alias("list_date")
    return found.join(first, on="instrument_id", how="left").with_columns(listed).drop("first")


def _of_its_markets(mics: pl.Series, warehouse: Warehouse, table: DeclaredTable) -> pl.Series:
    """Which instruments a table can hold where some sources of the workspace follow exchanges and others
    markets that never close.
    """
    kinds = {source.calendar == ALWAYS for source in warehouse.sources.values()}
    mine = {source.calendar == ALWAYS for source in table.sources}
    always = [mic for mic in mics.unique().to_list() if calendar_name(mic) == ALWAYS]
    return pl.Series([len(kinds) < 2]) | mics.is_in(always).is_in(list(mine))


def _parts(table: DeclaredTable, scope: Interval) -> list[Interval]:
    """The scope by year, so that a check needs the memory of one year."""
    if not table.contract.partitioned:
        return [scope]
    return [
        Interval(max(scope.start, date(year, 1, 1)), min(scope.end, date(year, 12, 31)))
        for year in range(scope.start.year, scope.end.year + 1)
    ]


def _scope(warehouse: Warehouse, table: DeclaredTable, years: tuple[int, int] | None) -> Interval | None:
    """The dates that are judged: inside what is stored, so that a year not synced yet is no gap."""
    log = warehouse.lake.read("sync_log").filter(
        (pl.col("status") == "ok")
        & pl.col("golden")
        & (pl.col("table") == table.name)
        & (pl.col("source") == table.settings.label)
    )
    start, end = log["start"].min(), log["end"].max()
    if not isinstance(start, date) or not isinstance(end, date):
        return None
    if years:
        start, end = max(start, date(years[0], 1, 1)), min(end, date(years[1], 12, 31))
    return Interval(start, end) if start <= end else None


def _severity(rule: TableRule) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN
