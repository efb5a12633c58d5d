"""``quant data sync``: what is missing is planned here and executed as Dagster runs, one a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from quant.core.errors import CheckFailed, Fault, QuantError, UsageError
from quant.core.market.calendar import calendar
from quant.core.time import parse_date, to_datetime, utc_now
from quant.pipelines.sources import DataSpecs, data_specs
from quant.pipelines.unreported import Unreported

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import IngestReport, SyncPlan

CLOSE_KNOWN_HOUR = 18
MASTER = "instruments"
SEVERITY = (1, 6, 5, 3, 4)
"""Exit codes, the most severe for the user first."""


class Progress(Protocol):
    """Stages and counts of a long flow."""

    def __call__(self, stage: str, /) -> None: ...
    def count(self, done: int, total: int, unit: str = "", /) -> None: ...


class Quiet:
    """A progress reporter that says nothing."""

    def __call__(self, _stage: str) -> None:
        return None

    def count(self, _done: int, _total: int, _unit: str = "") -> None:
        return None


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Which tables, and between which sessions; empty means all of the profile, from its start to today."""

    tables: tuple[str, ...] = ()
    start: str | date | None = None
    end: str | date | None = None


@dataclass(frozen=True, slots=True)
class PreviewItem:
    source: str
    dataset: str
    start: str
    end: str
    sessions: int
    calls: int


@dataclass(frozen=True, slots=True)
class SyncPreview:
    """What a sync would do."""

    items: tuple[PreviewItem, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"items": [asdict(i) for i in self.items]}


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What one table got from one source."""

    table: str
    source: str
    start: str
    end: str
    calls: int
    rows: int
    quarantined: int
    version: int


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One asset check of one table."""

    table: str
    name: str
    passed: bool
    severity: str
    detail: str


@dataclass(frozen=True, slots=True)
class TableFailure:
    """Why an interval of a table could not be stored."""

    table: str
    exit_code: int
    fault: Fault

    @classmethod
    def of(cls, table: str, error: QuantError) -> TableFailure:
        return cls(table, error.exit_code, error.fault)

    def as_dict(self) -> dict[str, Any]:
        return {"table": self.table, **self.fault.as_dict()}


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """Everything a sync did; ``ok`` is False when a table failed or a check of severity error did."""

    tables: tuple[TableOutcome, ...]
    checks: tuple[CheckOutcome, ...] = field(default=())
    failures: tuple[TableFailure, ...] = field(default=())

    @property
    def failed_checks(self) -> tuple[CheckOutcome, ...]:
        return tuple(c for c in self.checks if not c.passed)

    @property
    def checks_passed(self) -> int:
        return sum(c.passed for c in self.checks)

    @property
    def ok(self) -> bool:
        return not self.exit_code

    @property
    def exit_code(self) -> int:
        """The exit code of the most severe thing that happened; 0 when all went well."""
        codes = {f.exit_code for f in self.failures}
        if any(not c.passed and c.severity == "error" for c in self.checks):
            codes.add(CheckFailed.exit_code)
        return next((code for code in SEVERITY if code in codes), max(codes, default=0))

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "tables": [asdict(t) for t in self.tables],
            "checks": [asdict(c) for c in self.checks],
            "failures": [f.as_dict() for f in self.failures],
        }


@dataclass(frozen=True, slots=True)
class TableStatus:
    table: str
    layer: str
    version: int
    rows: int
    start: str | None
    end: str | None
    content_hash: str
    facts: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan_sync(
    desk: Workspace, request: SyncRequest, specs: DataSpecs, *, lake: Lake | None = None
) -> SyncPlan:
    """The missing intervals of the request."""
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import plan_sync as plan_tables

    lake = lake or Lake(desk.lake)
    start, end = sync_range(request, specs)
    wanted = [t for t in specs.pick(request.tables) if request.tables or specs.is_offered(t)]
    if request.tables and not lake.exists(MASTER):  # no row can be stored before its instrument has an id
        wanted = [t for t in specs.tables if t.name == MASTER and t not in wanted] + wanted
    return plan_tables(wanted, specs.sources, lake, start, end)


def sync_range(request: SyncRequest, specs: DataSpecs) -> tuple[date, date]:
    """The request's dates, else the profile's, else the ten years before the last known session.

    Raises UsageError when the end is before the start.
    """
    dates = calendar("XSHG")
    start = parse_date(request.start) if request.start else specs.start
    end = parse_date(request.end) if request.end else specs.end
    last = last_known_session() if end is None else min(end, dates.last)
    first = max(start, dates.first) if start else dates.offset(last, -10 * 243)
    if first > last:
        raise UsageError(
            "sync.range",
            "the sync ends before it starts",
            expected="start <= end",
            found=f"{first} to {last}",
            hint="check --start and --end, or the profile's from and to",
        )
    return first, last


def last_known_session() -> date:
    """The newest session whose bars can be known now: today's from 18:00 local time, else the one before."""
    from zoneinfo import ZoneInfo

    dates = calendar("XSHG")
    local = to_datetime(utc_now()).astimezone(ZoneInfo("Asia/Shanghai"))
    today = min(local.date(), dates.last)
    if dates.is_session(today) and (local.date() > today or local.hour >= CLOSE_KNOWN_HOUR):
        return today
    return dates.previous(today)


def plan(desk: Workspace, request: SyncRequest) -> SyncPreview:
    """``--dry-run``."""
    dates = calendar("XSHG")
    items = plan_sync(desk, request, data_specs(desk)).items
    return SyncPreview(
        tuple(
            PreviewItem(
                i.label,
                i.table.name,
                i.start.isoformat(),
                i.end.isoformat(),
                len(dates.sessions(i.start, i.end)),
                int(i.fetch),
            )
            for i in items
        )
    )


def sync(desk: Workspace, request: SyncRequest, *, progress: Progress | None = None) -> SyncOutcome:
    """Bring tables up to date; materialises the Dagster assets of what was missing.

    Raises StateConflict ``workspace.locked`` while another sync is running, from wherever it was started.
    """
    from quant.warehouse.lake import Lake

    report = progress or Quiet()
    report("plan")
    specs, lake = data_specs(desk), Lake(desk.lake)
    with lake.lock.hold("quant data sync"):
        planned = plan_sync(desk, request, specs, lake=lake)
        if not planned.items and not Unreported.of(desk).read():
            return SyncOutcome(())
        report("start dagster")
        from quant.pipelines.dagster import materialize_plan

        outcome = materialize_plan(desk, specs, planned, lake=lake, progress=report)
    _note(desk, outcome)
    return outcome


def _note(desk: Workspace, outcome: SyncOutcome) -> None:
    from quant.pipelines.actor import current_actor
    from quant.warehouse.ledger import Ledger

    names = sorted({t.table for t in outcome.tables})
    actor = current_actor(desk.root).as_dict()
    Ledger(desk.ledger).audit("data.sync", "lake", actor, tables=names, ok=outcome.ok)


def outcome_of(reports: list[IngestReport]) -> tuple[TableOutcome, ...]:
    """A line per table and source from the reports of its intervals."""
    groups: dict[tuple[str, str], list[IngestReport]] = {}
    for report in reports:
        groups.setdefault((report.table, report.source), []).append(report)
    lines = []
    for (table, source), parts in groups.items():
        total = Counter({"calls": 0})
        for part in parts:
            total.update(calls=part.calls, rows=part.rows, quarantined=part.quarantined)
        lines.append(
            TableOutcome(
                table,
                source,
                min(p.start for p in parts).isoformat(),
                max(p.end for p in parts).isoformat(),
                total["calls"],
                total["rows"],
                total["quarantined"],
                parts[-1].version,
            )
        )
    return tuple(lines)


def table_status(desk: Workspace) -> list[TableStatus]:
    """Golden tables of the lake."""
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    catalog = DeltaCatalog(lake)
    states = [s for s in (catalog.table(name) for name in lake.tables()) if s is not None]
    return [
        TableStatus(
            s.name,
            "golden",
            s.version,
            lake.count(s.name, version=s.version),
            _text(s.start),
            _text(s.end),
            s.content_hash,
            dict(s.facts),
        )
        for s in states
    ]


def collect_garbage(desk: Workspace, *, dry_run: bool) -> list[str]:
    """Compact and vacuum; versions that a run has pinned stay readable."""
    from quant.pipelines.actor import current_actor
    from quant.warehouse.lake import Lake
    from quant.warehouse.lake.upkeep import compact, gc
    from quant.warehouse.ledger import Ledger

    lake = Lake(desk.lake)
    if not dry_run:
        compact(lake)
    removed = [str(r) for r in gc(lake, dry_run=dry_run)]
    if not dry_run:
        Ledger(desk.ledger).audit("data.gc", "lake", current_actor(desk.root).as_dict(), removed=len(removed))
    return removed


def _text(value: date | None) -> str | None:
    return value.isoformat() if value else None
