"""Storing one interval of one source: fetch, keep the payloads, normalise, check, set aside, write, log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from importlib import import_module

import polars as pl

from quant.core.errors import CheckFailed, InvariantBroken
from quant.warehouse import quarantine, witness
from quant.warehouse.contracts.tables import TableContract, contract
from quant.warehouse.dissent import record_dissent
from quant.warehouse.lake import GOLDEN, VENDOR, Lake, TableRef, WriteResult, table_ref
from quant.warehouse.normalize import Context, Identities
from quant.warehouse.normalize.complete import UNKNOWN_CODE
from quant.warehouse.normalize.context import ROW
from quant.warehouse.normalize.identities import FormerCode
from quant.warehouse.normalize.rows import as_rejected, normalize
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.planning import SyncItem, computed_stamp
from quant.warehouse.reading import Read, read_former_codes, read_vendor
from quant.warehouse.sources.received import finish
from quant.warehouse.sources.registry import open_source, provider
from quant.warehouse.sources.vendor import VendorWorld
from quant.warehouse.sources.world import world_of
from quant.warehouse.sync_log import Ingest, Outcome, record


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one item did. ``version`` is the golden table's, or the source's own table's.

    Of an interval that several sources tell ``contested`` counts the cells by column that they disagree
    about, ``lost`` by source and column those in which a source was not followed, ``delivered`` the rows by
    source; of an agreed one ``waiting`` holds the parts that too few sources have delivered.
    """

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
    contested: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    delivered: Mapping[str, int] = field(default_factory=dict)
    waiting: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of an item, and how many were set aside of them; ``dropped`` ones no longer count. ``rules``
    counts the broken rows by the rule that they break.
    """

    rows: pl.DataFrame
    calls: int
    quarantined: int
    unreadable: int
    facts: Mapping[str, str]
    dropped: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The larger share of broken rows or of payloads that could not be read at all."""
        broken = self.quarantined - self.dropped
        total = self.rows.height + broken
        rows = broken / total if total else 0.0
        return max(rows, self.unreadable / self.calls if self.calls else 0.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source answered for an item, before anything of it is stored as rows."""

    read: Read
    former: Mapping[str, Sequence[FormerCode]]


def ingest_source(item: SyncItem, lake: Lake, by: Ingest, asked: Asked | None = None) -> IngestReport:
    """Store one interval of one source, and of the golden table where that takes the source's rows; ``asked``
    is what the source has answered already.

    Raises CheckFailed ``quarantine.share`` when more rows broke the contract than the source's tolerance
    allows: the table is then unchanged, payloads and quarantined rows are kept.
    """
    if item.fetch and provider(item.source).computed:  # its inputs may have moved since it was planned
        item = replace(item, source_hash=computed_stamp(item.source, lake, item.end))
        stored = _computed(item, lake, by.stamp)
    else:
        stored = fetch(item, lake, by.stamp, asked) if item.fetch else _promoted(item, lake)
    if stored.share > item.source.quarantine_max:
        _log(item, lake, stored, by, "refused")
        raise _beyond_tolerance(item, lake, stored)
    if item.fetch and _may_be_silent(item):
        stored = _witnessed(item, lake, stored, by)
    result = _write(item, lake, stored.rows)
    told = None if item.table.agreed else record_dissent(lake, item.table, item.start, item.end, by.stamp)
    _log(item, lake, stored, by, "ok")
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
        contested=told.contested if told else {},
        lost=told.lost if told else {},
        delivered=told.delivered if told else {},
    )


def ask(item: SyncItem, lake: Lake, world: VendorWorld) -> Asked:
    """Put an item's questions and keep the payloads; no table is written. Others may be asked beside it."""
    source = open_source(item.source, world, lake=lake.store, table=item.table.dataset)
    store = PayloadStore(lake.store)
    former = read_former_codes(item, source, store)
    return Asked(read_vendor(item, source, store), former)


def fetch(item: SyncItem, lake: Lake, stamp: datetime, asked: Asked | None = None) -> Stored:
    """The rows of an item in our columns; what breaks the contract is set aside unless it was released."""
    dataset = item.table.dataset
    asked = asked or ask(item, lake, world_of(item.source, lake))
    read, identities = asked.read, Identities(lake)
    context = Context(item.source, identities, lake.read("instruments"), stamp, item.end, asked.former)
    found = sorted_out(item, read, context, quarantine.decisions(lake, item.table.name, item.source.name))
    identities.save(stamp)
    within = quarantine.Within(item.start, item.end, whole=contract(dataset).time is None)
    quarantine.set_aside(lake, item.table.name, item.source.name, within, found.broken, stamp)
    facts = {**found.facts, **read.facts, **item.source.facts}
    rules = dict(found.broken["rule"].value_counts(sort=True).iter_rows())
    return Stored(found.rows, read.calls, found.aside, read.unreadable.height, facts, found.dropped, rules)


def _computed(item: SyncItem, lake: Lake, stamp: datetime) -> Stored:
    """The rows of a source that is computed from stored tables."""
    from quant.warehouse.contracts.check import check

    chosen = provider(item.source)
    made: Callable[..., pl.DataFrame] = getattr(import_module(chosen.module), chosen.factory)
    rows = made(item.source, lake, item.start, item.end, stamp)
    broken = check(contract(item.table.dataset), rows).bad
    if broken.height:
        raise InvariantBroken(
            "derive.contract",
            f"{broken.height} computed rows of {item.table.name} break its contract",
            found=str(broken.row(0, named=True)),
        )
    return Stored(rows, 0, 0, 0, {item.table.name: "computed", **item.source.facts})


@dataclass(frozen=True, slots=True)
class SortedOut:
    """Canonical ``rows``, and ``broken`` ones as the vendor gave them: all that break the contract, those
    that were ``released`` and stand among the rows too. ``aside`` counts the others, ``dropped`` those of
    them that were dropped.
    """

    rows: pl.DataFrame
    broken: pl.DataFrame
    released: pl.DataFrame
    aside: int
    dropped: int
    facts: Mapping[str, str]


def sorted_out(item: SyncItem, read: Read, context: Context, decided: quarantine.Decisions) -> SortedOut:
    """Normalise what was read and split it by the contract and by what was decided on single rows."""
    from quant.warehouse.contracts.check import check

    dataset, target = item.table.dataset, contract(item.table.dataset)
    normalized = normalize(dataset, read.vendor, context)
    inside = pl.col(target.time).is_between(item.start, item.end) if target.time else pl.lit(value=True)
    verdict = check(target, normalized.rows.filter(inside.fill_null(value=True)), carry=(ROW,))
    rejected = normalized.rejected.filter(
        pl.col("session").is_between(item.start, item.end).fill_null(value=True)
    )
    shown = as_rejected(_coded(verdict.bad, context.identities), target, read.vendor)
    shown = quarantine.with_ids(shown, item.table.name, item.source.name)
    passes = shown[quarantine.ID].is_in(list(decided.released))
    released = _fresh_keys(target, verdict.bad.filter(passes).select(verdict.good.columns), verdict.good)
    unread = quarantine.with_ids(pl.concat([read.unreadable, rejected]), item.table.name, item.source.name)
    broken = pl.concat([unread, shown])
    good = pl.concat([verdict.good, released]).drop(ROW)
    return SortedOut(
        good,
        broken.drop(quarantine.ID),
        released.drop(ROW),
        broken.height - int(passes.sum()),
        int(broken[quarantine.ID].is_in(list(decided.dropped)).sum()),
        normalized.facts,
    )


def _fresh_keys(target: TableContract, rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Rows whose key no stored row has, each key once."""
    key = list(target.key)
    return rows.unique(key, keep="first", maintain_order=True).join(stored, on=key, how="anti")


def _coded(bad: pl.DataFrame, identities: Identities) -> pl.DataFrame:
    if "instrument_id" not in bad.columns or "code" in bad.columns:
        return bad
    return bad.with_columns(identities.codes(bad["instrument_id"]))


def _promoted(item: SyncItem, lake: Lake) -> Stored:
    """The source's stored rows of the interval, for a golden table that lacks them."""
    timed = contract(item.table.dataset).time is not None
    rows = lake.read(
        item.table.dataset,
        layer=VENDOR,
        source=item.source.name,
        start=item.start if timed else None,
        end=item.end if timed else None,
    )
    return Stored(rows, 0, 0, 0, last_facts(lake, item.table.name, item.source.name))


def last_facts(lake: Lake, table: str, source: str) -> dict[str, str]:
    """What was last known about a source's data."""
    log = lake.read("sync_log").filter(
        (pl.col("source") == source) & (pl.col("table") == table) & (pl.col("status") == "ok")
    )
    return dict(json.loads(log.sort("recorded_at")["facts"][-1])) if log.height else {}


def _write(item: SyncItem, lake: Lake, rows: pl.DataFrame) -> WriteResult:
    vendor = table_ref(item.table.dataset, VENDOR, item.source.name)
    note = {"quant": "sync", "source": item.source.name}
    result = write(lake, vendor, rows, item.start, item.end, note) if item.fetch else None
    if item.golden or result is None:
        return write(lake, TableRef(item.table.name, GOLDEN), rows, item.start, item.end, note)
    return result


def write(
    lake: Lake, ref: TableRef, rows: pl.DataFrame, start: date, end: date, note: Mapping[str, str]
) -> WriteResult:
    """Make an interval say what ``rows`` say; a table without intervals as a whole."""
    if ref.contract.time is None:
        return lake.replace(ref, rows, note=note)
    return lake.write_interval(ref, rows, start, end, note=note)


def _may_be_silent(item: SyncItem) -> bool:
    dataset = item.source.datasets.get(item.table.dataset)
    told = dataset is not None and not dataset.empty_allowed
    return told and item.table.dataset in witness.TABLES and provider(item.source).vendor


def _witnessed(item: SyncItem, lake: Lake, stored: Stored, by: Ingest) -> Stored:
    """The rows beside what the source's own bars say of its distributions. Raises CheckFailed
    ``vendor.silent``.
    """
    found = witness.silence(lake, item.table.dataset, item.source.name, stored.rows, item.start, item.end)
    try:
        found.refuse(Identities(lake).codes(found.silent["instrument_id"]))
    except CheckFailed:
        _log(item, lake, stored, by, "refused")
        raise
    return replace(stored, facts={**stored.facts, **found.facts})


def _beyond_tolerance(item: SyncItem, lake: Lake, stored: Stored) -> CheckFailed:
    broken = stored.quarantined - stored.dropped
    most = f", most of them {next(iter(stored.rules))}" if stored.rules else ""
    return CheckFailed(
        "quarantine.share",
        f"{item.table.name} from {item.source.name}, {item.start} to {item.end}: {broken} of "
        f"{broken + stored.rows.height} rows break the contract{most}; the table is unchanged there",
        expected=f"at most {item.source.quarantine_max:.2%} of the rows",
        found=f"{stored.share:.2%}",
        hint=_unlisted(item, lake, stored)
        or f"quant data quarantine {item.table.name} shows the rows and their reasons",
    )


def _unlisted(item: SyncItem, lake: Lake, stored: Stored) -> str | None:
    """What to do where most rows are about codes that no stored table of instruments has."""
    if next(iter(stored.rules), "") != UNKNOWN_CODE or item.source.offers("instruments"):
        return None
    if lake.count("instruments"):
        return (
            f"the instruments of other sources lack these codes: give {item.source.name} a dataset "
            f"instruments, or codes: stocks; quant data quarantine {item.table.name} shows the rows"
        )
    return (
        f"no source of this profile lists instruments: give {item.source.name} a dataset instruments "
        "(of files: the same files with distinct: true and the code alone), or add a source that has one "
        "to the profile's sources:"
    )


def _log(item: SyncItem, lake: Lake, stored: Stored, by: Ingest, status: str) -> None:
    outcome = Outcome(
        start=item.start,
        end=item.end,
        status=status,
        golden=item.golden and status == "ok",
        calls=stored.calls,
        rows=stored.rows.height,
        quarantined=stored.quarantined,
        facts=stored.facts,
    )
    record(lake, item, outcome, by)
    if item.fetch:
        finish(lake.store, item.source.name, item.table.dataset)
