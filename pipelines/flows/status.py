"""``quant data status``: what is stored, how far it reaches, what is late, what was spent and set aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from quant.core.errors import QuantError
from quant.core.market.calendar import Calendar, calendar
from quant.pipelines.flows.sync import SyncRequest, sync_scope
from quant.pipelines.sources import DataSpecs, data_specs

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.workspace import Workspace
    from quant.warehouse.coverage import Interval
    from quant.warehouse.lake import Lake
    from quant.warehouse.scope import Scope
    from quant.warehouse.sources.settings import SourceSettings, TableSettings


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One golden table as it is stored."""

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


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a table of a source, or the golden one, reaches in the profile's range.

    ``first`` to ``last`` is what was asked for and answered; ``missing`` sessions were not. ``newest`` is the
    session of the newest row of a table with a row for every session, and ``behind`` counts the sessions
    after it (after ``last`` for other tables) that could be known by now: a file that no longer grows is
    behind, though all of it is stored. Both None for a table without intervals. ``aside``: rows set aside
    and undecided.
    """

    table: str
    source: str
    golden: bool
    rows: int
    first: str | None
    last: str | None
    newest: str | None
    sessions: int | None
    missing: int | None
    behind: int | None
    synced_at: str | None
    status: str | None
    aside: int
    schedule: str | None


@dataclass(frozen=True, slots=True)
class Spending:
    """Calls of a vendor's account; None where its secret cannot be read here."""

    source: str
    provider: str
    minute: int | None
    per_minute: int | None
    day: int | None
    per_day: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that ``quant data status`` shows."""

    tables: tuple[TableStatus, ...]
    reach: tuple[Reach, ...]
    quota: tuple[Spending, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "tables": [t.as_dict() for t in self.tables],
            "reach": [asdict(r) for r in self.reach],
            "quota": [asdict(q) for q in self.quota],
        }


def status(desk: Workspace) -> Status:
    """What the lake holds against what the profile asks for."""
    from quant.warehouse.lake import Lake

    specs, lake = data_specs(desk), Lake(desk.lake)
    return Status(
        tuple(table_status(desk, markets=_markets(specs))),
        tuple(_reaches(specs, lake)),
        tuple(spending(source) for source in specs.sources.values() if _metered(source)),
    )


def _markets(specs: DataSpecs) -> dict[str, str]:
    """The calendar of each table."""
    from quant.warehouse.planning import calendar_table
    from quant.warehouse.scope import market_of
    from quant.warehouse.sources.exchange_calendar import CALENDAR_SOURCES

    known = {**specs.sources, **{source.name: source for source in CALENDAR_SOURCES.values()}}
    tables = [calendar_table(specs.sources.values()), *specs.tables]
    return {table.name: market_of(known[name] for name in table.sources) for table in tables}


def table_status(desk: Workspace, *, markets: Mapping[str, str] | None = None) -> list[TableStatus]:
    """Golden tables of the lake; ``markets`` are their calendars."""
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    catalog = DeltaCatalog(lake, markets=markets or {})
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


def spending(source: SourceSettings) -> Spending:
    """What was asked of a vendor in the last minute and today."""
    from quant.warehouse.sources.quota import Quota, account_of, quota_path
    from quant.warehouse.sources.world import world_of

    limits = source.limits
    try:
        account = account_of(source, world_of(source).secret())
        spent = Quota(quota_path(source.limits.book)).spent(account, source.timezone)
    except QuantError:
        return Spending(source.name, source.provider, None, limits.per_minute, None, limits.per_day)
    return Spending(source.name, source.provider, spent.minute, limits.per_minute, spent.day, limits.per_day)


def _metered(source: SourceSettings) -> bool:
    from quant.warehouse.sources.registry import provider

    return provider(source).vendor


@dataclass(frozen=True, slots=True)
class _Scope:
    """One table and what is known about all of its rows: its part of the sync log, oldest first, the dates
    that the profile asks for by market, undecided rows set aside by table and source, and its schedule.
    """

    lake: Lake
    table: TableSettings
    log: pl.DataFrame
    dates: Scope
    aside: Mapping[tuple[str, str], int]
    cron: str | None


def _reaches(specs: DataSpecs, lake: Lake) -> Iterator[Reach]:
    import polars as pl

    from quant.warehouse.quarantine import listed

    log = lake.read("sync_log").sort("recorded_at")
    open_ = listed(lake).filter(pl.col("decision").is_null()).group_by("table", "source").len()
    aside = {(table, source): count for table, source, count in open_.iter_rows()}
    dates = sync_scope(SyncRequest(), specs)
    for table in specs.tables:
        if not specs.is_offered(table):
            continue
        schedules = [specs.table_specs[table.name].schedule]
        schedules += [specs.source_specs[name].schedule for name in table.sources]
        cron = next((each.cron for each in schedules if each is not None), None)
        scope = _Scope(lake, table, log.filter(pl.col("table") == table.name), dates, aside, cron)
        for name in table.sources:
            yield _source_reach(scope, specs.sources[name])
        yield _golden_reach(scope, [specs.sources[name] for name in table.sources])


def _source_reach(scope: _Scope, source: SourceSettings) -> Reach:
    import polars as pl

    from quant.warehouse.coverage import logged
    from quant.warehouse.planning import stored_of

    mine = scope.log.filter(pl.col("source") == source.name)
    good = mine.filter(pl.col("status") == "ok")
    wanted = scope.dates.of(source, scope.table.dataset)
    try:
        held = stored_of(scope.table, source, scope.lake, good, wanted) if wanted else []
    except QuantError:  # a folder that is gone: what was stored from it still counts
        held = logged(good.filter(pl.col("source_hash") == good["source_hash"][-1])) if good.height else []
    rows = scope.lake.count(scope.table.dataset, layer="vendor", source=source.name)
    return _measured(scope, source.name, rows, held, mine, _Asked(wanted, source.calendar, golden=False))


def _golden_reach(scope: _Scope, sources: Sequence[SourceSettings]) -> Reach:
    import polars as pl

    from quant.warehouse.coverage import hull, standing
    from quant.warehouse.scope import market_of

    made = pl.col("golden") & (pl.col("source") == scope.table.label)
    held = standing(scope.log.filter(pl.col("status") == "ok"), made, pl.col("golden"))
    rows = scope.lake.count(scope.table.name)
    takes = sources if scope.table.agreed else sources[:1]
    spans = [scope.dates.of(source, scope.table.dataset) for source in takes]
    known = [span for span in spans if span is not None]
    asked = _Asked(hull(known) if known else None, market_of(takes), golden=True)
    return _measured(scope, scope.table.label, rows, held, scope.log.filter(made), asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a table is measured against: the wanted dates, None for none, and their calendar."""

    wanted: Interval | None
    market: str
    golden: bool


def _measured(
    scope: _Scope, source: str, rows: int, held: list[Interval], log: pl.DataFrame, asked: _Asked
) -> Reach:
    from quant.warehouse.contracts.tables import contract
    from quant.warehouse.coverage import missing, overlap

    dates, wanted, golden = calendar(asked.market), asked.wanted, asked.golden
    inside = held if scope.dates.recent or wanted is None else overlap(held, wanted)
    timed = contract(scope.table.dataset).time is not None and wanted is not None
    gaps = missing(wanted, held, dates) if wanted else []
    lacking = sum(len(dates.sessions(gap.start, gap.end)) for gap in gaps)
    run = log.row(-1, named=True) if log.height else None
    newest = _newest(scope, None if golden else source) if rows else None
    return Reach(
        table=scope.table.name,
        source=source,
        golden=golden,
        rows=rows,
        first=_text(min((each.start for each in inside), default=None)),
        last=_text(max((each.end for each in inside), default=None)),
        newest=_text(newest),
        sessions=len(dates.sessions(wanted.start, wanted.end)) - lacking if timed and wanted else None,
        missing=lacking if timed else None,
        behind=_behind(held, newest, wanted, dates) if timed and wanted else None,
        synced_at=run["recorded_at"].isoformat() if run else None,
        status=run["status"] if run else None,
        aside=scope.aside.get((scope.table.name, source), 0) if not golden or scope.table.agreed else 0,
        schedule=scope.cron,
    )


def _newest(scope: _Scope, source: str | None) -> date | None:
    """The session of the newest row of a table with a row for every session; None for other tables."""
    import polars as pl

    from quant.warehouse.contracts.tables import contract
    from quant.warehouse.lake import table_ref

    name = scope.table.dataset if source is not None else scope.table.name
    if contract(name).key != ("instrument_id", "session"):
        return None
    rows = scope.lake.scan(table_ref(name, source=source), None, None, None)
    found = rows.select(pl.col("session").max()).collect().item()
    return found if isinstance(found, date) else None


def _behind(held: list[Interval], newest: date | None, wanted: Interval, dates: Calendar) -> int | None:
    """The sessions after the newest row, else after the last one asked for, that could be known by now."""
    if not held:
        return None
    last = min(newest or date.max, max(each.end for each in held))
    later = dates.sessions(last, wanted.end) if last < wanted.end else ()
    return len([day for day in later if day > last])


def _text(value: date | None) -> str | None:
    return value.isoformat() if value else None
