"""Bringing tables up to date: plan what is missing, then store it item by item.

Every step can be repeated: payloads are stored by digest, intervals are replaced by what they say, the sync
log is written last. After a kill at any moment the same plan item is simply run again. The sources' own
tables are filled first; a golden table that several sources agree on is built from what they have stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from quant.core.time import to_datetime, utc_now
from quant.warehouse.agree import agree
from quant.warehouse.ingest import Asked, IngestReport, ingest_source
from quant.warehouse.lake import Lake
from quant.warehouse.planning import (
    CALENDAR_TABLE,
    NORMALIZE_FORMAT,
    Agreement,
    Item,
    SyncItem,
    SyncPlan,
    calendar_table,
    plan_sync,
)
from quant.warehouse.sync_log import Actor, Ingest

__all__ = [
    "CALENDAR_TABLE",
    "NORMALIZE_FORMAT",
    "Actor",
    "Agreement",
    "IngestReport",
    "Item",
    "SyncItem",
    "SyncPlan",
    "calendar_table",
    "ingest",
    "plan_sync",
    "sync",
]


def ingest(
    item: Item,
    lake: Lake,
    *,
    run: str,
    actor: Actor | None = None,
    now: Callable[[], int] = utc_now,
    asked: Asked | None = None,
) -> IngestReport:
    """Store one item; ``asked`` is what its source has answered already.

    Raises CheckFailed ``quarantine.share`` when a source's rows break the contract beyond its tolerance: its
    table is then unchanged.
    """
    with lake.lock.hold(f"sync {item.table.name}"):
        by = Ingest(run, actor, to_datetime(now()))
        match item:
            case SyncItem():
                return ingest_source(item, lake, by, asked)
            case Agreement():
                return agree(item, lake, by)


def sync(
    plan: SyncPlan, lake: Lake, *, run: str, actor: Actor | None = None, now: Callable[[], int] = utc_now
) -> Iterator[IngestReport]:
    """Store a plan item by item."""
    for item in plan.items:
        yield ingest(item, lake, run=run, actor=actor, now=now)
