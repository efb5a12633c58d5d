"""Sensors: a vendor's new day is there; stored rows were restated. Both stopped until someone starts them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import dagster as dg

from quant.assets import DeclaredFactor, DeclaredTable, Warehouse, factor_key
from quant.core.hashing import fingerprint
from quant.pipelines.dagster.schedules import asset_keys, run_request
from quant.warehouse.lake import Lake
from quant.warehouse.lake.layout import TableRef, history_ref
from quant.warehouse.sync import plan_sync

EVERY_SECONDS: Final = 300
NEW_DAY: Final = "new_day"
RESTATEMENT: Final = "restatement"


def sensors(
    tables: Sequence[DeclaredTable], factors: Sequence[DeclaredFactor], warehouse: Warehouse
) -> list[dg.SensorDefinition]:
    """One that looks for new days of every fetched table, one that looks for restated rows."""
    fetched = [table for table in tables if table.cron]
    found = [_new_day(fetched, warehouse)] if fetched else []
    return [*found, _restatement(tables, factors, warehouse)] if factors else found


def _new_day(tables: Sequence[DeclaredTable], warehouse: Warehouse) -> dg.SensorDefinition:
    keys = [key for table in tables for key in asset_keys(table)]

    def evaluate(_context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from new_days(tables, warehouse)

    return dg.SensorDefinition(
        name=NEW_DAY,
        evaluation_fn=evaluate,
        job=dg.define_asset_job(f"{NEW_DAY}_tables", selection=dg.AssetSelection.assets(*keys)),
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Asks for one run a table as soon as a session can be known that is not stored, or a "
        "source's files have changed.",
    )


def new_days(
    tables: Sequence[DeclaredTable], warehouse: Warehouse
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run for each table that lacks something now; the same lack is asked for once."""
    span = warehouse.span()
    settings = [table.settings for table in tables]
    start, end = span.hull.start, span.hull.end
    missing = plan_sync(settings, warehouse.sources, warehouse.lake, start, end, scope=span).by_table()
    wanted = [table for table in tables if table.name in missing]
    if not wanted:
        yield dg.SkipReason(f"every session up to {end} is stored")
    for table in wanted:
        items = missing[table.name]
        said = fingerprint([[i.label, i.source_hash, i.start, i.end] for i in items])
        yield run_request(table, items, f"{table.name} {said[:16]}")


def _restatement(
    tables: Sequence[DeclaredTable], factors: Sequence[DeclaredFactor], warehouse: Warehouse
) -> dg.SensorDefinition:
    keys = [factor_key(factor.name) for factor in factors]

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        before = json.loads(context.cursor) if context.cursor else None
        seen = restated(warehouse.lake, [table.name for table in tables], before or {})
        cursor = json.dumps({name: upto for name, (upto, _) in seen.items()}, sort_keys=True)
        news = {name: rows for name, (_, rows) in seen.items() if rows}
        if before is None or not news:
            reason = "looking from now on" if before is None else "no stored row was restated"
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        return dg.SensorResult(run_requests=_recompute(factors, news, cursor), cursor=cursor)

    return dg.SensorDefinition(
        name=RESTATEMENT,
        evaluation_fn=evaluate,
        job=dg.define_asset_job(f"{RESTATEMENT}_factors", selection=dg.AssetSelection.assets(*keys)),
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Computes the factors again that read a table of which stored rows were changed. "
        "quant run recall lists the past decisions that would differ.",
    )


def _recompute(
    factors: Sequence[DeclaredFactor], news: Mapping[str, int], cursor: str
) -> list[dg.RunRequest]:
    touched = [factor for factor in factors if set(factor.tables) & set(news)]
    if not touched:
        return []
    told = ", ".join(f"{name}: {rows}" for name, rows in sorted(news.items()))
    keys = [factor_key(factor.name) for factor in touched]
    return [
        dg.RunRequest(run_key=fingerprint([cursor]), asset_selection=keys, tags={"quant/restated_rows": told})
    ]


def restated(lake: Lake, names: Sequence[str], before: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """For each golden table that ever changed a row: up to when its history was read, and how many rows it
    has gained since ``before`` said.
    """
    found: dict[str, tuple[str, int]] = {}
    for name in names:
        ref = history_ref(TableRef(name))
        stamps = lake.scan(ref, None, None, None).select("superseded_at").collect().to_series()
        if not stamps.len():
            continue
        last = stamps.max()
        assert isinstance(last, datetime)
        since = before.get(name)
        rows = stamps.len() if since is None else int((stamps > datetime.fromisoformat(since)).sum())
        found[name] = (last.isoformat(), rows)
    return found
