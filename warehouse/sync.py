"""Bringing tables up to date: which intervals are missing, and how one of them is stored.

Every step can be repeated: payloads are stored by digest, intervals are replaced by what they say, the sync
log is written last. After a kill at any moment the same plan item is simply run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, SpecError
from quant.core.hashing import fingerprint
from quant.core.market.calendar import calendar
from quant.core.time import to_datetime, utc_now
from quant.warehouse.contracts.tables import INSTANT, contract, datasets
from quant.warehouse.coverage import Interval, by_year, logged, missing
from quant.warehouse.lake import GOLDEN, VENDOR, Lake, TableRef, WriteResult, table_ref
from quant.warehouse.normalize import Context, Identities
from quant.warehouse.normalize.context import ROW
from quant.warehouse.normalize.rows import as_rejected, normalize
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.reading import read_former_codes, read_vendor
from quant.warehouse.sources.exchange_calendar import CALENDAR_SOURCE
from quant.warehouse.sources.received import finish
from quant.warehouse.sources.registry import open_source, provider, revision
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sources.world import world_of

NORMALIZE_FORMAT: Final = 1
"""Raised when normalisation changes its meaning: stored intervals are then fetched again."""
CALENDAR_TABLE: Final = TableSettings("calendar", "calendar", (CALENDAR_SOURCE.name,))
Actor = Mapping[str, str]


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


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """Everything that is missing between two dates, in the order in which it must be stored."""

    start: date
    end: date
    items: tuple[SyncItem, ...]

    def by_table(self) -> dict[str, tuple[SyncItem, ...]]:
        """The items of each table: one run per table and sync."""
        names = dict.fromkeys(item.table.name for item in self.items)
        return {name: tuple(item for item in self.items if item.table.name == name) for name in names}


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one item did. ``version`` is the golden table's, or the source's own table's."""

    table: str
    source: str
    start: date
    end: date
    calls: int
    rows: int
    quarantined: int
    changed: bool
    version: int
    facts: Mapping[str, str]


def plan_sync(
    tables: Sequence[TableSettings],
    sources: Mapping[str, SourceSettings],
    lake: Lake,
    start: date,
    end: date,
    *,
    restate: bool = False,
) -> SyncPlan:
    """What is missing between ``start`` and ``end``; with ``restate`` everything, stored or not.

    The calendar is planned too. Raises SpecError for a table whose source does not exist or does not offer
    its dataset.
    """
    known = {**sources, CALENDAR_SOURCE.name: CALENDAR_SOURCE}
    wanted = [*tables] if any(t.dataset == "calendar" for t in tables) else [CALENDAR_TABLE, *tables]
    order = {table.name: i for i, table in enumerate(datasets())}
    log = lake.read("sync_log").filter(pl.col("status") == "ok")
    items: list[SyncItem] = []
    for table in sorted(wanted, key=lambda t: order[contract(t.dataset).name]):
        for name in table.sources:
            source = _source(known, table, name)
            items += _missing_items(table, source, log, Interval(start, end), restate=restate)
    return SyncPlan(start, end, tuple(items))


def ingest(
    item: SyncItem, lake: Lake, *, run: str, actor: Actor | None = None, now: Callable[[], int] = utc_now
) -> IngestReport:
    """Store one item: fetch, keep the payloads, normalise, check, set aside, write, log.

    Raises CheckFailed ``quarantine.share`` when more rows broke the contract than the source's tolerance
    allows: the table is then unchanged, payloads and quarantined rows are kept.
    """
    with lake.lock.hold(f"sync {item.table.name}"):
        stamp = to_datetime(now())
        stored = _fetch(item, lake, stamp) if item.fetch else _promote(item, lake)
        _refuse_beyond_tolerance(item, stored, lake, run, actor, stamp)
        result = _write(item, lake, stored.rows)
        _log(item, lake, stored, run, actor, stamp, "ok")
        if item.golden:
            lake.content_hash(item.table.name)  # kept beside the lake: the next reader need not hash
        return IngestReport(
            item.table.name,
            item.source.name,
            item.start,
            item.end,
            stored.calls,
            stored.rows.height,
            stored.quarantined,
            result.changed,
            result.version,
            stored.facts,
        )


def sync(
    plan: SyncPlan, lake: Lake, *, run: str, actor: Actor | None = None, now: Callable[[], int] = utc_now
) -> Iterator[IngestReport]:
    """Store a plan item by item."""
    for item in plan.items:
        yield ingest(item, lake, run=run, actor=actor, now=now)


@dataclass(frozen=True, slots=True)
class _Stored:
    rows: pl.DataFrame
    calls: int
    quarantined: int
    unreadable: int
    facts: Mapping[str, str]

    @property
    def share(self) -> float:
        """The larger share of broken rows or of payloads that could not be read at all."""
        total = self.rows.height + self.quarantined
        rows = self.quarantined / total if total else 0.0
        return max(rows, self.unreadable / self.calls if self.calls else 0.0)


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
    provider(source)
    return source


def _missing_items(
    table: TableSettings, source: SourceSettings, log: pl.DataFrame, wanted: Interval, *, restate: bool
) -> list[SyncItem]:
    stamp = fingerprint([NORMALIZE_FORMAT, source.fingerprint, revision(source, table.dataset)])
    mine = (
        log.filter(
            (pl.col("table") == table.name)
            & (pl.col("source") == source.name)
            & (pl.col("source_hash") == stamp)
        )
        if not restate
        else log.clear()
    )
    preferred = source.name == table.prefer
    fetched, taken = logged(mine), logged(mine.filter("golden"))
    parts = _gaps(table, source, wanted, fetched)
    items = [SyncItem(table, source, stamp, p.start, p.end, fetch=True, golden=preferred) for p in parts]
    if preferred:
        stored = [Interval(p.start, p.end) for p in parts]
        gaps = _gaps(table, source, wanted, [*taken, *stored])
        items += [SyncItem(table, source, stamp, p.start, p.end, fetch=False, golden=True) for p in gaps]
    return items


def _gaps(
    table: TableSettings, source: SourceSettings, wanted: Interval, covered: Sequence[Interval]
) -> list[Interval]:
    if contract(table.dataset).time is None:
        inside = any(c.start <= wanted.start and c.end >= wanted.end for c in covered)
        return [] if inside else [wanted]
    gaps = missing(wanted, covered, calendar(source.calendar))
    if not provider(source).by_year:
        return gaps
    dates = calendar(source.calendar)
    return [part for gap in gaps for part in by_year(gap) if dates.sessions(part.start, part.end)]


def _fetch(item: SyncItem, lake: Lake, stamp: datetime) -> _Stored:
    from quant.warehouse.contracts.check import check

    dataset, world = item.table.dataset, world_of(item.source, lake)
    source = open_source(item.source, world, lake=lake.root, table=dataset)
    target, store = contract(dataset), PayloadStore(lake.root)
    identities = Identities(lake)
    former = read_former_codes(item, source, store)
    context = Context(item.source, identities, lake.read("instruments"), stamp, item.end, former)
    read = read_vendor(item, source, store)
    normalized = normalize(dataset, read.vendor, context)
    inside = pl.col(target.time).is_between(item.start, item.end) if target.time else pl.lit(value=True)
    verdict = check(target, normalized.rows.filter(inside.fill_null(value=True)), carry=(ROW,))
    identities.save(stamp)
    rejected = normalized.rejected.filter(
        pl.col("session").is_between(item.start, item.end).fill_null(value=True)
    )
    broken = pl.concat(
        [read.unreadable, rejected, as_rejected(_coded(verdict.bad, identities), target, read.vendor)]
    )
    _quarantine(item, lake, broken, stamp)
    facts = {**normalized.facts, **read.facts, **item.source.facts}
    return _Stored(verdict.good.drop(ROW), read.calls, broken.height, read.unreadable.height, facts)


def _coded(bad: pl.DataFrame, identities: Identities) -> pl.DataFrame:
    if "instrument_id" not in bad.columns or "code" in bad.columns:
        return bad
    return bad.with_columns(identities.codes(bad["instrument_id"]))


def _promote(item: SyncItem, lake: Lake) -> _Stored:
    """The source's stored rows of the interval, for a golden table that lacks them."""
    timed = contract(item.table.dataset).time is not None
    rows = lake.read(
        item.table.dataset,
        layer=VENDOR,
        source=item.source.name,
        start=item.start if timed else None,
        end=item.end if timed else None,
    )
    log = (
        lake.read("sync_log")
        .filter((pl.col("source") == item.source.name) & (pl.col("table") == item.table.name))
        .sort("recorded_at")
    )
    return _Stored(rows, 0, 0, 0, json.loads(log["facts"][-1]) if log.height else {})


def _write(item: SyncItem, lake: Lake, rows: pl.DataFrame) -> WriteResult:
    vendor = table_ref(item.table.dataset, VENDOR, item.source.name)
    result = _store(lake, vendor, rows, item) if item.fetch else None
    if item.golden or result is None:
        return _store(lake, TableRef(item.table.name, GOLDEN), rows, item)
    return result


def _store(lake: Lake, ref: TableRef, rows: pl.DataFrame, item: SyncItem) -> WriteResult:
    note = {"quant": "sync", "source": item.source.name}
    if ref.contract.time is None:
        return lake.merge(ref, rows, note=note)
    return lake.write_interval(ref, rows, item.start, item.end, note=note)


def _quarantine(item: SyncItem, lake: Lake, broken: pl.DataFrame, stamp: datetime) -> None:
    """What an item set aside replaces what it set aside before."""
    ref = table_ref("quarantine")
    equal = {"table": item.table.name, "source": item.source.name}
    bounds = {"interval_start": item.start, "interval_end": item.end}
    rows = broken.with_columns(
        *(pl.lit(value).alias(name) for name, value in {**equal, **bounds}.items()),
        pl.lit(stamp).cast(INSTANT).alias("recorded_at"),
    ).select(ref.contract.names)
    lake.replace_where(ref, rows, {**equal, **bounds})


def _refuse_beyond_tolerance(
    item: SyncItem, stored: _Stored, lake: Lake, run: str, actor: Actor | None, stamp: datetime
) -> None:
    if stored.share <= item.source.quarantine_max:
        return
    _log(item, lake, stored, run, actor, stamp, "refused")
    raise CheckFailed(
        "quarantine.share",
        f"{item.table.name} from {item.source.name}: {stored.quarantined} of "
        f"{stored.quarantined + stored.rows.height} rows break the contract; the table is unchanged",
        expected=f"at most {item.source.quarantine_max:.2%} of the rows",
        found=f"{stored.share:.2%}",
        hint=f"quant data quarantine {item.table.name} shows the rows and their reasons",
    )


def _log(
    item: SyncItem, lake: Lake, stored: _Stored, run: str, actor: Actor | None, stamp: datetime, status: str
) -> None:
    row = {
        "run": run,
        "source": item.source.name,
        "source_hash": item.source_hash,
        "table": item.table.name,
        "start": item.start,
        "end": item.end,
        "status": status,
        "golden": item.golden and status == "ok",
        "calls": stored.calls,
        "rows": stored.rows.height,
        "quarantined": stored.quarantined,
        "facts": json.dumps(dict(stored.facts), sort_keys=True, ensure_ascii=False),
        "actor": json.dumps(dict(actor or {}), sort_keys=True, ensure_ascii=False),
        "recorded_at": stamp,
    }
    ref = table_ref("sync_log")
    lake.append(ref, pl.DataFrame([row], schema=ref.contract.schema))
    if item.fetch:
        finish(lake.root, item.source.name, item.table.dataset)
