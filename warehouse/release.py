"""Putting released rows into their tables at once: from the payloads that are kept, without asking anyone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from quant.warehouse import quarantine
from quant.warehouse.agree import agree
from quant.warehouse.contracts.tables import contract
from quant.warehouse.ingest import sorted_out, write
from quant.warehouse.lake import GOLDEN, VENDOR, Lake, TableRef, table_ref
from quant.warehouse.normalize import Context, Identities
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.planning import Agreement, SyncItem, settings_hash, stamp_of
from quant.warehouse.reading import read_vendor
from quant.warehouse.sources.port import Payload, Source
from quant.warehouse.sources.registry import open_source
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sources.world import world_of
from quant.warehouse.sync_log import Ingest


@dataclass(frozen=True, slots=True)
class Released:
    """``stored`` rows are in their table now; ``waiting`` ones enter it when their interval is fetched again,
    because what is kept of it does not suffice to read them.
    """

    stored: int
    waiting: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """A source that fetches nothing: it gives payloads that are stored already."""

    source: Source
    payloads: tuple[Payload, ...]

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]:
        del dataset, start, end
        yield from self.payloads

    def parse(self, payload: Payload) -> pl.DataFrame:
        return self.source.parse(payload)


def release_from_source(
    lake: Lake, table: TableSettings, source: SourceSettings, rows: pl.DataFrame, by: Ingest
) -> Released:
    """Store released rows of one source's table, and of the golden one where it takes them."""
    days = _days(rows)
    item = SyncItem(table, source, stamp_of(source, table.dataset), days[0], days[-1], True, False)
    found = _read_again(lake, item, rows, by)
    wanted = set(rows[quarantine.ID].to_list())
    if found.height:
        _change(lake, item, found, add=True)
        if not table.agreed and table.prefer == source.name:
            _change(lake, item, found, add=True, golden=True)
    return Released(found.height, len(wanted) - found.height)


def withdraw_from_source(
    lake: Lake, table: TableSettings, source: SourceSettings, rows: pl.DataFrame, by: Ingest
) -> None:
    """Take released rows out of one source's table again, and of the golden one where it took them."""
    days = _days(rows)
    item = SyncItem(table, source, stamp_of(source, table.dataset), days[0], days[-1], True, False)
    found = _read_again(lake, item, rows, by)
    if found.height:
        _change(lake, item, found, add=False)
        if not table.agreed and table.prefer == source.name:
            _change(lake, item, found, add=False, golden=True)


def release_agreed(
    lake: Lake, table: TableSettings, sources: dict[str, SourceSettings], dates: list[date], by: Ingest
) -> None:
    """Agree these dates again: rows on which nobody could agree are taken as the preferred source has them
    when they were released, and what sources released votes.
    """
    hashes = {name: settings_hash(sources[name]) for name in table.sources}
    market = sources[table.prefer].calendar
    timed = contract(table.dataset).time is not None
    spans = [(day, day) for day in dates] if timed else [(dates[0], dates[-1])]
    for start, end in spans:
        agree(Agreement(table, market, hashes, start, end), lake, by)


def _read_again(lake: Lake, item: SyncItem, rows: pl.DataFrame, by: Ingest) -> pl.DataFrame:
    store, source = PayloadStore(lake.store), item.source
    kept = tuple(store.get(source.name, digest) for digest in rows["payload"].unique().sort().to_list())
    opened: Any = open_source(source, world_of(source, lake), lake=lake.store, table=item.table.dataset)
    read = read_vendor(item, _Kept(opened, kept), store)
    context = Context(source, Identities(lake), lake.read("instruments"), by.stamp, item.end)
    only = quarantine.Decisions(frozenset(rows[quarantine.ID].to_list()), frozenset())
    return sorted_out(item, read, context, only).released


def _change(lake: Lake, item: SyncItem, rows: pl.DataFrame, *, add: bool, golden: bool = False) -> None:
    """Add rows to what is stored of their days, where their key is not there yet, or take them out."""
    table = contract(item.table.dataset)
    ref = TableRef(table.name, GOLDEN) if golden else table_ref(table.name, VENDOR, item.source.name)
    note = {"quant": "release", "source": item.source.name}
    timed = table.time is not None
    days = rows[table.time].unique().sort().to_list() if table.time is not None else [item.start]
    for day in days:
        mine = rows.filter(pl.col(table.time) == day) if table.time is not None else rows
        there = lake.read(
            table.name,
            layer=ref.layer,
            source=ref.source,
            start=day if timed else None,
            end=day if timed else None,
        )
        key = list(table.key)
        if add:
            fresh = mine.join(there, on=key, how="anti", nulls_equal=True)
            after = pl.concat([there, fresh.select(there.columns)])
        else:
            after = there.join(mine, on=key, how="anti", nulls_equal=True)
        write(lake, ref, after, day, day, note)


def _days(rows: pl.DataFrame) -> list[date]:
    """The dates of rows; those of their interval where they have none."""
    dated = rows["session"].drop_nulls().unique().sort().to_list()
    return dated or [rows["interval_start"].min(), rows["interval_end"].max()]
