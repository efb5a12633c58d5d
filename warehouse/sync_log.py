"""The log of what was synchronised: written last, so that what a kill left undone is planned again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.planning import Item

Actor = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ingest:
    """On whose behalf something is stored, and when."""

    run: str
    actor: Actor | None
    stamp: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was stored of an interval; ``golden``: whether the golden table took it in."""

    start: date
    end: date
    status: str
    golden: bool
    calls: int
    rows: int
    quarantined: int
    facts: Mapping[str, str]


def record(lake: Lake, item: Item, outcome: Outcome, by: Ingest) -> None:
    """Append a row. Its instant is after that of the table's last one even when the clock was set back: which
    rows are newer decides what must be agreed again.
    """
    row = {
        "run": by.run,
        "source": item.label,
        "source_hash": item.source_hash,
        "table": item.table.name,
        "start": outcome.start,
        "end": outcome.end,
        "status": outcome.status,
        "golden": outcome.golden,
        "calls": outcome.calls,
        "rows": outcome.rows,
        "quarantined": outcome.quarantined,
        "facts": json.dumps(dict(outcome.facts), sort_keys=True, ensure_ascii=False),
        "actor": json.dumps(dict(by.actor or {}), sort_keys=True, ensure_ascii=False),
        "recorded_at": _after_the_last(lake, item.table.name, by.stamp),
        "settings": item.settings,
    }
    ref = table_ref("sync_log")
    lake.append(ref, pl.DataFrame([row], schema=ref.contract.schema))


def _after_the_last(lake: Lake, table: str, stamp: datetime) -> datetime:
    log = lake.read("sync_log", columns=["table", "recorded_at"]).filter(pl.col("table") == table)
    last = log["recorded_at"].max()
    if isinstance(last, datetime) and last >= stamp:
        return last + timedelta(microseconds=1)
    return stamp
