"""Daily schedules: one for each market and time of day that the specs name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from quant.assets import DeclaredTable, Warehouse, golden_key, vendor_key
from quant.assets.keys import op_name
from quant.core.market.calendar import ALWAYS, calendar
from quant.warehouse.sync import Item, plan_sync

ZONES: Final = {ALWAYS: "UTC"}
"""The clock of a market's schedules, where it is not Shanghai's."""


def daily_schedules(tables: Sequence[DeclaredTable], warehouse: Warehouse) -> list[Any]:
    """Schedules, stopped until someone starts them in the UI. On a session's evening each asks for one run a
    table, of the years that lack something; on other days it skips.
    """
    times: dict[tuple[str, str], list[DeclaredTable]] = {}
    for table in tables:
        if table.cron:
            times.setdefault((table.clock or table.market, table.cron), []).append(table)
    names: dict[str, tuple[str, str]] = {}
    for market, cron in times:
        name = schedule_name(market, cron)
        names[name if name not in names else f"{name}_{len(names) + 1}"] = (market, cron)
    return [_schedule(name, *when, times[when], warehouse) for name, when in names.items()]


def zone_of(market: str) -> str:
    """The time zone of a market's schedules."""
    return ZONES.get(market, "Asia/Shanghai")


def schedule_name(market: str, cron: str) -> str:
    """``xshg_1800`` for 18:00, ``always_0010`` where trading never stops; the numbers of the fields where
    minute or hour is not one number.
    """
    place = "always" if market == ALWAYS else market.lower()
    minute, hour = cron.split()[:2]
    if minute.isdigit() and hour.isdigit():
        return f"{place}_{int(hour):02d}{int(minute):02d}"
    return "_".join([place, *re.findall(r"\w+", cron)])


def _schedule(
    name: str, market: str, cron: str, tables: Sequence[DeclaredTable], warehouse: Warehouse
) -> dg.ScheduleDefinition:
    keys = [key for table in tables for key in asset_keys(table)]

    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        moment = context.scheduled_execution_time
        yield from _requests(moment, market, tables, warehouse)

    return dg.ScheduleDefinition(
        name=name,
        cron_schedule=cron,
        execution_timezone=zone_of(market),
        job=dg.define_asset_job(f"{name}_tables", selection=dg.AssetSelection.assets(*keys)),
        execution_fn=evaluate,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"{', '.join(t.name for t in tables)}: on sessions of {market}, "
        f"cron {cron} {zone_of(market)}.",
    )


def _requests(
    moment: datetime, market: str, tables: Sequence[DeclaredTable], warehouse: Warehouse
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    today, dates = moment.astimezone(ZoneInfo(zone_of(market))).date(), calendar(market)
    if not dates.first <= today <= dates.last or not dates.is_session(today):
        yield dg.SkipReason(f"{today} is not a session of {market}")
        return
    span = warehouse.span()
    plan = plan_sync(
        [t.settings for t in tables],
        warehouse.sources,
        warehouse.lake,
        span.hull.start,
        min(today, span.hull.end),
        scope=span,
    )
    missing = plan.by_table()
    wanted = [table for table in tables if table.name in missing]
    if not wanted:
        yield dg.SkipReason("nothing is missing")
    for table in wanted:
        yield run_request(table, missing[table.name], f"{table.name} {today}")


def run_request(table: DeclaredTable, items: Sequence[Item], run_key: str) -> dg.RunRequest:
    """A run that stores what a table lacks, of the years that lack something."""
    years = (min(i.start for i in items).year, max(i.end for i in items).year)
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=asset_keys(table),
        tags=range_tags(years) if table.contract.partitioned else {},
        run_config={"ops": {op_name(table.name): {"config": {"restate": False}}}},
    )


def asset_keys(table: DeclaredTable) -> list[dg.AssetKey]:
    """All assets of a table."""
    return [
        *(vendor_key(s.name, table.settings.dataset) for s in table.sources),
        golden_key(table.name),
    ]


def range_tags(years: tuple[int, int]) -> dict[str, str]:
    """How a run says which year partitions it covers."""
    return {ASSET_PARTITION_RANGE_START_TAG: str(years[0]), ASSET_PARTITION_RANGE_END_TAG: str(years[1])}
