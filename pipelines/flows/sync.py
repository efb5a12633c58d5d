"""``quant data sync``: what is missing is planned here and executed as Dagster runs, one a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from quant.core.errors import CheckFailed, Fault, QuantError, UsageError
from quant.core.market.calendar import ALWAYS, calendar
from quant.core.time import EXCHANGE_ZONES, parse_date, to_datetime, utc_now
from quant.pipelines.sources import DataSpecs, data_specs
from quant.pipelines.unreported import Unreported

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake
    from quant.warehouse.scope import Scope
    from quant.warehouse.sources.settings import TableSettings
    from quant.warehouse.sync import IngestReport, SyncPlan

CLOSE_KNOWN_HOUR = 18
SKEW = timedelta(minutes=5)
"""A day of UTC counts as over this long after midnight: clocks differ, and candles close a little later."""
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
    """Which tables, and between which sessions; empty means all of the profile, from its start to today.

    ``restate``: fetch again what is stored, of the ``only`` sources where they are named. ``max_calls``: stop
    before the interval with which more calls would be made.
    """

    tables: tuple[str, ...] = ()
    start: str | date | None = None
    end: str | date | None = None
    restate: bool = False
    only: tuple[str, ...] = ()
    max_calls: int | None = None


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
    disagreements: int = 0


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
    """Everything a sync did; ``ok`` is False when a table failed or a check of severity error did. ``left``
    intervals were not begun because of the limit on calls.
    """

    tables: tuple[TableOutcome, ...]
    checks: tuple[CheckOutcome, ...] = field(default=())
    failures: tuple[TableFailure, ...] = field(default=())
    left: int = 0

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
            "left": self.left,
        }


def plan_sync(
    desk: Workspace, request: SyncRequest, specs: DataSpecs, *, lake: Lake | None = None
) -> SyncPlan:
    """The missing intervals of the request."""
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import plan_sync as plan_tables

    lake = lake or Lake(desk.lake)
    scope = sync_scope(request, specs)
    wanted = [t for t in specs.pick(request.tables) if request.tables or specs.is_offered(t)]
    if request.tables:  # no row can be stored before its instrument has an id
        wanted = [t for t in specs.tables if t not in wanted and _must_come_first(t, wanted, lake)] + wanted
    for name in request.only:
        if name not in {source for table in wanted for source in table.sources}:
            raise UsageError(
                "source.unknown",
                f"{', '.join(request.tables) or 'no table'} is not filled from {name!r}",
                expected=", ".join(sorted({source for table in wanted for source in table.sources})),
                found=name,
            )
    only = request.only or None
    start, end = scope.hull.start, scope.hull.end
    return plan_tables(
        wanted, specs.sources, lake, start, end, restate=request.restate, only=only, scope=scope
    )


def _must_come_first(table: TableSettings, wanted: Sequence[TableSettings], lake: Lake) -> bool:
    """Whether a table is that of the instruments and lacks those of a source that is about to be asked."""
    if table.name != MASTER:
        return False
    asked = {name for each in wanted for name in each.sources} & {*table.sources}
    listed = all(lake.exists(MASTER, layer="vendor", source=name) for name in asked)
    return not (listed and lake.exists(MASTER))


def sync_scope(request: SyncRequest, specs: DataSpecs) -> Scope:
    """The request's dates, else the profile's, else the years before the last known session: for each
    calendar that the wanted tables' sources follow.

    Raises UsageError when the end is before the start in all of them.
    """
    from quant.warehouse.coverage import Interval
    from quant.warehouse.scope import Scope

    names = {name for table in specs.pick(request.tables) for name in table.sources}
    markets = {specs.sources[name].calendar for name in names if name in specs.sources} or specs.calendars
    start = parse_date(request.start) if request.start else specs.start
    end = parse_date(request.end) if request.end else specs.end
    asked = {market: _asked(market, start, end) for market in sorted(markets)}
    spans = {market: Interval(*dates) for market, dates in asked.items() if dates[0] <= dates[1]}
    if not spans:
        raise UsageError(
            "sync.range",
            "the sync ends before it starts",
            expected="start <= end",
            found=", ".join(f"{first} to {last}" for first, last in asked.values()),
            hint="check --start and --end, or the profile's from and to"
            + (f"; of {ALWAYS} markets only days that are over are fetched" if ALWAYS in asked else ""),
        )
    return Scope(spans, recent=start is None)


def _asked(market: str, start: date | None, end: date | None) -> tuple[date, date]:
    dates, known = calendar(market), last_known_session(market)
    always = market == ALWAYS
    last = known if end is None else min(end, known if always else dates.last)
    back = 365 if always else 10 * 243
    return (max(start, dates.first) if start else dates.offset(last, -back)), last


def last_known_session(market: str = "XSHG") -> date:
    """The newest session whose bars can be known now: of an exchange today's from 18:00 local time, else the
    one before; of a market that never closes the last day of UTC that is over.
    """
    from zoneinfo import ZoneInfo

    dates, now = calendar(market), to_datetime(utc_now())
    if market == ALWAYS:
        return dates.previous((now - SKEW).date())
    local = now.astimezone(ZoneInfo(EXCHANGE_ZONES[market]))
    today = min(local.date(), dates.last)
    if dates.is_session(today) and (local.date() > today or local.hour >= CLOSE_KNOWN_HOUR):
        return today
    return dates.previous(today)


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
        left = 0
        if request.max_calls is not None:
            from quant.pipelines.flows.preview import within_calls

            planned, left = within_calls(planned, lake, request.max_calls)
        if not planned.items and not Unreported.of(desk).read():
            return SyncOutcome((), left=left)
        report("start dagster")
        from quant.pipelines.dagster import materialize_plan

        outcome = replace(materialize_plan(desk, specs, planned, lake=lake, progress=report), left=left)
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
                sum(sum(p.contested.values()) for p in parts),
            )
        )
    return tuple(lines)
