"""``quant data sync --dry-run``: what a sync would ask its sources, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake
    from quant.warehouse.sources.vendor import Call
    from quant.warehouse.sync import Item, SyncItem, SyncPlan


@dataclass(frozen=True, slots=True)
class Calls:
    """How many questions an interval costs. ``rows`` and ``minutes`` are None where they cannot be known
    before, as when the instruments are not stored yet.
    """

    number: int
    rows: int | None
    minutes: float | None


@dataclass(frozen=True, slots=True)
class PreviewItem:
    """One interval of one table. An agreed one asks nobody."""

    source: str
    dataset: str
    start: str
    end: str
    sessions: int
    calls: int
    rows: int | None
    minutes: float | None


@dataclass(frozen=True, slots=True)
class SyncPreview:
    """What a sync would do."""

    items: tuple[PreviewItem, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "items": [asdict(i) for i in self.items],
            "calls": sum(i.calls for i in self.items),
            "rows": sum(i.rows or 0 for i in self.items),
            "minutes": round(sum(i.minutes or 0.0 for i in self.items), 2),
        }


def preview(desk: Workspace, request: SyncRequest) -> SyncPreview:
    """What is missing, and what it takes to fetch it. Nobody is asked."""
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    items = plan_sync(desk, request, data_specs(desk), lake=lake).items
    return SyncPreview(tuple(_item(item, calls_of(item, lake)) for item in items))


def _item(item: Item, calls: Calls) -> PreviewItem:
    return PreviewItem(
        item.label,
        item.table.name,
        item.start.isoformat(),
        item.end.isoformat(),
        len(calendar(item.market).sessions(item.start, item.end)),
        calls.number,
        calls.rows,
        calls.minutes,
    )


def within_calls(planned: SyncPlan, lake: Lake, most: int) -> tuple[SyncPlan, int]:
    """The beginning of a plan that needs at most so many calls, and how many intervals are left for later.

    Raises UsageError when not even the first interval fits.
    """
    kept: list[Item] = []
    cut: list[Item] = []
    used = 0
    for item in planned.items:
        calls = calls_of(item, lake).number
        if cut and (item.fetch or any(c.table.name == item.table.name for c in cut)):
            cut.append(item)
        elif used + calls > most:
            if not used:
                raise UsageError(
                    "sync.max_calls",
                    f"{item.table.name} from {item.label} needs {calls} calls for "
                    f"{item.start} to {item.end} alone",
                    expected=f"--max-calls {calls} or more",
                    found=str(most),
                    hint="allow more calls, or cut the interval with --start and --end",
                )
            cut.append(item)
        else:
            kept.append(item)
            used += calls
    return replace(planned, items=tuple(kept)), len(cut)


def calls_of(item: Item, lake: Lake) -> Calls:
    """What fetching an interval costs."""
    from quant.warehouse.sync import Agreement

    if isinstance(item, Agreement) or not item.fetch:
        return Calls(0, None, 0.0)
    from quant.warehouse.sources.registry import plan_calls, provider
    from quant.warehouse.sources.world import world_of

    if provider(item.source).computed:
        return Calls(0, _expected_rows(item, lake), 0.0)
    if not provider(item.source).vendor:
        return Calls(1, _expected_rows(item, lake), 0.0)
    calls = plan_calls(item.source, world_of(item.source, lake), item.table.dataset, item.start, item.end)
    if not calls:
        return Calls(0, None, None)
    limits = item.source.limits
    minutes = len(calls) / limits.per_minute if limits.per_minute else 0.0
    return Calls(len(calls), _told_rows(item, lake, calls), round(minutes, 2))


def _told_rows(item: SyncItem, lake: Lake, calls: Sequence[Call]) -> int | None:
    """The rows that the calls themselves promise. A call of which at least one row is certain promises no
    number, and of instruments that nobody has listed yet none can be counted.
    """
    rows = sum(call.rows for call in calls)
    if not lake.count("instruments") and not item.source.codes:
        return None
    return rows if rows > len(calls) else _expected_rows(item, lake)


def _expected_rows(item: SyncItem, lake: Lake) -> int | None:
    """One row an instrument and session, for tables with such a key."""
    from quant.warehouse.contracts.tables import contract

    if contract(item.table.dataset).key != ("instrument_id", "session"):
        return None
    listed = lake.count("instruments")
    return listed * len(calendar(item.source.calendar).sessions(item.start, item.end)) or None
