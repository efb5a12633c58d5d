"""Which intervals of which tables are missing, and in which order they must be stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import polars as pl

from quant.core.errors import QuantError, SpecError
from quant.core.hashing import fingerprint
from quant.core.market.calendar import calendar
from quant.core.time import EXCHANGE_ZONES
from quant.warehouse.adjust.derived import derived_stamp
from quant.warehouse.arbitrate import ArbitrationSettings, refuse_unsound, voted_columns
from quant.warehouse.contracts.tables import contract, datasets
from quant.warehouse.coverage import (
    Interval,
    by_year,
    hull,
    logged,
    missing,
    overlap,
    settled,
    standing,
)
from quant.warehouse.lake import Lake
from quant.warehouse.scope import Scope, clipped, market_of
from quant.warehouse.sources.exchange_calendar import CALENDAR_SOURCE, CALENDAR_SOURCES
from quant.warehouse.sources.registry import provider, revision
from quant.warehouse.sources.settings import SourceSettings, TableSettings

NORMALIZE_FORMAT: Final = 1
"""Raised when normalisation changes its meaning: stored intervals are then fetched again."""
AGREE_FORMAT: Final = 1
"""Raised when arbitration changes its meaning: golden intervals are then agreed again."""
CALENDAR_TABLE: Final = TableSettings("calendar", "calendar", (CALENDAR_SOURCE.name,))
"""The calendar of a workspace whose sources all follow Shanghai's."""


@dataclass(frozen=True, slots=True)
class SyncItem:
    """One interval of one table from one source. ``fetch`` is False when the source's rows are stored and
    only the golden table lacks them; ``golden`` says whether the golden table takes them.
    """

    table: TableSettings
    source: SourceSettings
    source_hash: str
    start: date
    end: date
    fetch: bool
    golden: bool

    @property
    def label(self) -> str:
        """Who the rows come from."""
        return self.source.name

    @property
    def market(self) -> str:
        """The calendar of its sessions."""
        return self.source.calendar

    @property
    def settings(self) -> str:
        return settings_hash(self.source)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One interval of a golden table that is agreed from what its sources have stored. ``hashes`` holds the
    settings that each source's rows must have been stored with to count: a source that cannot be reached
    votes with what it said last, one whose settings were mended does not vote with what was read by the old.
    """

    table: TableSettings
    market: str
    hashes: Mapping[str, str]
    start: date
    end: date
    fetch: bool = False
    golden: bool = True

    @property
    def label(self) -> str:
        return self.table.label

    @property
    def source_hash(self) -> str:
        """What was agreed depends on the rules and on who votes."""
        return agreement_hash(self.table)

    @property
    def settings(self) -> str:
        return self.source_hash


Item = SyncItem | Agreement


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Everything that is missing between two dates, in the order in which it must be stored."""

    start: date
    end: date
    items: tuple[Item, ...]

    def by_table(self) -> dict[str, tuple[Item, ...]]:
        """The items of each table: one run per table and sync."""
        names = dict.fromkeys(item.table.name for item in self.items)
        return {name: tuple(item for item in self.items if item.table.name == name) for name in names}


def plan_sync(
    tables: Sequence[TableSettings],
    sources: Mapping[str, SourceSettings],
    lake: Lake,
    start: date,
    end: date,
    *,
    restate: bool = False,
    only: Collection[str] | None = None,
    scope: Scope | None = None,
) -> SyncPlan:
    """What is missing between ``start`` and ``end``, of each source inside of its own market's ``scope``;
    with ``restate`` everything, stored or not, ``only`` of these sources where they are named.

    The calendars of the sources are planned too. Raises SpecError for a table whose source does not exist or
    does not offer its dataset, or whose rules can never be kept.
    """
    known = {**sources, **{source.name: source for source in CALENDAR_SOURCES.values()}}
    named = any(t.dataset == "calendar" for t in tables)
    wanted = [*tables] if named else [calendar_table(sources.values()), *tables]
    order = {table.name: i for i, table in enumerate(datasets())}
    log = lake.read("sync_log").filter(pl.col("status") == "ok")
    items: list[Item] = []
    due: dict[str, date] = {}
    for table in sorted(wanted, key=lambda t: order[contract(t.dataset).name]):
        voters = [_source(known, table, name) for name in table.sources]
        _refuse_unsound(table)
        mine = log.filter(pl.col("table") == table.name)
        asked: list[Interval] = []
        fetched: list[SyncItem] = []
        for source in voters:
            own = Interval(start, end)
            dates = clipped(scope.of(source, table.dataset), own) if scope else own
            if dates is None:
                continue
            asked.append(dates)
            again = restate and (only is None or source.name in only)
            for span, stamp in _spans(table, source, lake, mine, dates):
                moved = provider(source).computed and _moved(table, due, span)
                fetched += _missing_items(table, source, stamp, mine, span, restate=again or moved)
        planned: list[Item] = [*fetched]
        if table.agreed and asked:
            planned += _agreements(table, voters, mine, hull(asked), fetched)
        if planned:
            due[table.name] = min(item.start for item in planned)
        items += planned
    return SyncPlan(start, end, tuple(items))


def calendar_table(sources: Iterable[SourceSettings]) -> TableSettings:
    """The calendar of a workspace: the sessions of every market that its sources follow."""
    markets = sorted({source.calendar for source in sources} & {*CALENDAR_SOURCES}, reverse=True)
    names = tuple(CALENDAR_SOURCES[market].name for market in markets)
    if len(names) < 2:
        return replace(CALENDAR_TABLE, sources=names or CALENDAR_TABLE.sources)
    return replace(CALENDAR_TABLE, sources=names, arbitrate=ArbitrationSettings())


def stamp_of(source: SourceSettings, dataset: str) -> str:
    """What the rows of a source depend on besides the vendor's answers."""
    return fingerprint([NORMALIZE_FORMAT, source.fingerprint, revision(source, dataset)])


def computed_stamp(source: SourceSettings, lake: Lake, end: date) -> str:
    """What the rows of a computed source up to ``end`` depend on: the tables they come from, by content."""
    return fingerprint([NORMALIZE_FORMAT, source.fingerprint, derived_stamp(lake, end)])


def stored_of(
    table: TableSettings, source: SourceSettings, lake: Lake, log: pl.DataFrame, wanted: Interval
) -> list[Interval]:
    """The intervals of a source that are stored as they would be now; ``log`` are good rows of the table."""
    mine = log.filter(pl.col("source") == source.name)
    if not provider(source).computed:
        return logged(mine.filter(pl.col("source_hash") == _stamp(table, source)))
    found: list[Interval] = []
    for span, stamp in _spans(table, source, lake, log, wanted):
        found += overlap(logged(mine.filter(pl.col("source_hash") == stamp)), span)
    return found


def settings_hash(source: SourceSettings) -> str:
    """What the rows of a source depend on besides what the vendor holds."""
    return fingerprint([NORMALIZE_FORMAT, source.fingerprint])


def _stamp(table: TableSettings, source: SourceSettings) -> str:
    """``stamp_of``; where one of several sources cannot be looked at (its folder is gone), one that nothing
    was stored with: its fetch fails and says why, and the other sources go on.
    """
    try:
        return stamp_of(source, table.dataset)
    except QuantError:
        if not table.agreed:
            raise
        return fingerprint([NORMALIZE_FORMAT, source.fingerprint, None])


def agreement_hash(table: TableSettings) -> str:
    """What agreed rows depend on besides the sources' rows."""
    rules = table.arbitrate.as_plain() if table.arbitrate else None
    return fingerprint([AGREE_FORMAT, rules, list(table.sources)])


def _source(known: Mapping[str, SourceSettings], table: TableSettings, name: str) -> SourceSettings:
    if table.name != table.dataset:
        raise SpecError(
            "table.name",
            f"table {table.name} must be named after its dataset",
            expected=table.dataset,
            found=table.name,
        )
    source = known.get(name)
    if source is None:
        raise SpecError(
            "table.source",
            f"table {table.name} names a source that does not exist",
            expected=", ".join(sorted(known)),
            found=name,
        )
    source.dataset(table.dataset)
    if provider(source).computed and not source.offers(table.dataset):
        raise SpecError(
            "source.dataset",
            f"source {name} does not compute {table.dataset}",
            expected="the table adjustment_factors",
            found=table.name,
            hint=f"remove {name} from the table's from:",
        )
    return source


def _refuse_unsound(table: TableSettings) -> None:
    if table.arbitrate is None:
        return
    columns = contract(table.dataset)
    nullable = {name: columns.column(name).nullable for name in voted_columns(columns)}
    refuse_unsound(table.name, table.arbitrate, table.sources, nullable)


def _spans(
    table: TableSettings, source: SourceSettings, lake: Lake, log: pl.DataFrame, wanted: Interval
) -> list[tuple[Interval, str]]:
    """The parts of an interval whose rows depend on one stamp: a computed year on its inputs up to then."""
    if provider(source).computed:
        return [(year, computed_stamp(source, lake, year.end)) for year in by_year(wanted)]
    if contract(table.dataset).time is None:  # such a table is stored as a whole
        wanted = hull([wanted, *logged(log.filter(pl.col("source") == source.name))])
    return [(wanted, _stamp(table, source))]


def _moved(table: TableSettings, due: Mapping[str, date], span: Interval) -> bool:
    """Whether the plan stores something before ``span`` ends that its rows are computed from."""
    return any(due[name] <= span.end for name in contract(table.dataset).after if name in due)


def _missing_items(
    table: TableSettings,
    source: SourceSettings,
    stamp: str,
    log: pl.DataFrame,
    wanted: Interval,
    *,
    restate: bool,
) -> list[SyncItem]:
    mine = log.filter(pl.col("source") == source.name)
    current = mine.filter(pl.col("source_hash") == stamp)
    preferred = source.name == table.prefer and not table.agreed
    parts = _gaps(table, source, wanted, [] if restate else _held(table, source, current, wanted))
    items = [SyncItem(table, source, stamp, p.start, p.end, fetch=True, golden=preferred) for p in parts]
    if preferred:
        made = (pl.col("source") == source.name) & (pl.col("source_hash") == stamp) & pl.col("golden")
        taken = [] if restate else standing(log, made, pl.col("golden"))
        stored = [Interval(p.start, p.end) for p in parts]
        gaps = _gaps(table, source, wanted, [*taken, *stored])
        items += [SyncItem(table, source, stamp, p.start, p.end, fetch=False, golden=True) for p in gaps]
    return items


def _held(
    table: TableSettings, source: SourceSettings, log: pl.DataFrame, wanted: Interval
) -> list[Interval]:
    """The intervals that need not be fetched again."""
    if contract(table.dataset).every_day and provider(source).vendor:
        return settled(log, wanted, EXCHANGE_ZONES.get(source.calendar, source.timezone))
    return logged(log)


def _agreements(
    table: TableSettings,
    voters: Sequence[SourceSettings],
    log: pl.DataFrame,
    wanted: Interval,
    fetched: Sequence[SyncItem],
) -> list[Agreement]:
    """The intervals of an agreed table that some source's rows were stored in since they were agreed, or are
    about to be.
    """
    hashes = {source.name: settings_hash(source) for source in voters}
    made = pl.col("golden") & (pl.col("source") == table.label)
    made &= pl.col("source_hash") == agreement_hash(table)
    agreed = standing(log, made, pl.col("golden") | pl.col("source").is_in(list(hashes)))
    market = market_of(voters)
    if contract(table.dataset).time is None:
        whole = hull([wanted, *logged(log)])
        if not fetched and any(a.start <= wanted.start and a.end >= wanted.end for a in agreed):
            return []
        return [Agreement(table, market, hashes, whole.start, whole.end)]
    dates = calendar(market)
    stale = [Interval(item.start, item.end) for item in fetched]
    every_day = contract(table.dataset).every_day
    gaps = [*missing(wanted, agreed, dates, every_day=every_day), *stale]
    parts = [part for gap in _joined(gaps) for part in by_year(gap)]
    told = [part for part in parts if every_day or dates.sessions(part.start, part.end)]
    return [Agreement(table, market, hashes, part.start, part.end) for part in told]


def _joined(intervals: Sequence[Interval]) -> list[Interval]:
    """Intervals in order, those that overlap as one."""
    found: list[Interval] = []
    for each in sorted(intervals):
        if found and each.start <= found[-1].end:
            found[-1] = Interval(found[-1].start, max(found[-1].end, each.end))
        else:
            found.append(each)
    return found


def _gaps(
    table: TableSettings, source: SourceSettings, wanted: Interval, covered: Sequence[Interval]
) -> list[Interval]:
    if contract(table.dataset).time is None:
        inside = any(c.start <= wanted.start and c.end >= wanted.end for c in covered)
        return [] if inside else [wanted]
    every_day = contract(table.dataset).every_day
    gaps = missing(wanted, covered, calendar(source.calendar), every_day=every_day)
    if not provider(source).by_year:
        return gaps
    parts = [part for gap in gaps for part in by_year(gap)]
    dates = calendar(source.calendar)  # a year's last gap may be its holidays alone
    return [part for part in parts if every_day or dates.sessions(part.start, part.end)]
