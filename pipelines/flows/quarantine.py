"""``quant data quarantine``: rows set aside, and what someone decides about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from quant.core.errors import UsageError
from quant.core.time import to_datetime, utc_now
from quant.pipelines.sources import DataSpecs, data_specs

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync_log import Ingest


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows to list; ``everything`` also those that were decided on."""

    table: str | None = None
    source: str | None = None
    rule: str | None = None
    everything: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows set aside, newest first, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int

    def as_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "total": self.total}


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision did. ``fresh``: rows that were not decided on like this before; ``stored`` rows are in
    their table now, ``waiting`` ones enter it when their interval is fetched again.
    """

    decision: str
    rows: tuple[str, ...]
    fresh: int
    stored: int = 0
    waiting: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def list_rows(desk: Workspace, asked: Asked) -> Listing:
    """Rows that broke a contract or that sources could not agree on."""
    import polars as pl

    from quant.warehouse.contracts.tables import CONTRACTS
    from quant.warehouse.lake import Lake
    from quant.warehouse.quarantine import ID, listed, short

    known = sorted(name for name, table in CONTRACTS.items() if not table.system)
    if asked.table is not None and asked.table not in known:
        raise UsageError(
            "table.unknown", f"no table {asked.table!r}", expected=", ".join(known), found=asked.table
        )
    rows = listed(Lake(desk.lake))
    if asked.source is not None and asked.source not in rows["source"]:
        _refuse_unknown_source(asked.source, data_specs(desk), rows)
    wanted = (("table", asked.table), ("source", asked.source), ("rule", asked.rule))
    for column, value in wanted:
        if value is not None:
            rows = rows.filter(pl.col(column) == value)
    if not asked.everything:
        rows = rows.filter(pl.col("decision").is_null())
    shown = [{**row, ID: short(row[ID])} for row in rows.head(asked.limit).to_dicts()]
    return Listing(shown, rows.height)


def _refuse_unknown_source(name: str, specs: DataSpecs, rows: pl.DataFrame) -> None:
    """A source that neither fills a table nor ever had a row set aside."""
    known = {*specs.sources, *(table.label for table in specs.tables), *rows["source"]}
    if name not in known:
        raise UsageError(
            "source.unknown", f"no source {name!r}", expected=", ".join(sorted(known)), found=name
        )


def show_row(desk: Workspace, row_id: str) -> dict[str, Any]:
    """One row with everything known about it, and where its payload lies."""
    from quant.warehouse.lake import Lake
    from quant.warehouse.payloads import PayloadStore
    from quant.warehouse.quarantine import find, listed

    lake = Lake(desk.lake)
    row = find(listed(lake), [row_id]).row(0, named=True)
    return {
        **row,
        "row": json.loads(row["row_json"]),
        "payload_file": PayloadStore(lake.store).name(row["source"], row["payload"]),
    }


def drop_rows(desk: Workspace, ids: Sequence[str], reason: str) -> Decided:
    """Hide rows for good: they are no longer listed, and do not count against their source's tolerance. Rows
    that were released are taken out of their table again.
    """
    from quant.warehouse.lake import Lake
    from quant.warehouse.quarantine import DROP, ID, RELEASE, decide, find, listed
    from quant.warehouse.sync_log import Ingest

    lake, actor = Lake(desk.lake), _actor(desk)
    with lake.lock.hold("quant data quarantine drop"):
        rows = find(listed(lake), ids)
        stamp = to_datetime(utc_now())
        fresh = decide(lake, rows, DROP, reason=reason, actor=actor, stamp=stamp)
        stored = rows.filter(rows["decision"] == RELEASE)
        if stored.height:
            by = Ingest(f"drop {stamp:%Y%m%dT%H%M%S}", actor, stamp)
            _apply(lake, data_specs(desk), stored, by, release=False)
    _note(desk, DROP, rows[ID].to_list(), reason)
    return Decided(DROP, tuple(rows[ID].to_list()), fresh)


def release_rows(desk: Workspace, ids: Sequence[str], reason: str) -> Decided:
    """Let rows into their table although they break a rule, now and whenever they are fetched again.

    Raises UsageError ``quarantine.release`` for rows that can never be stored.
    """
    from quant.warehouse.lake import Lake
    from quant.warehouse.quarantine import (
        ID,
        RELEASE,
        decide,
        find,
        listed,
        refuse_unreleasable,
        table_of,
    )
    from quant.warehouse.sync_log import Ingest

    lake, specs = Lake(desk.lake), data_specs(desk)
    actor = _actor(desk)
    with lake.lock.hold("quant data quarantine release"):
        rows = find(listed(lake), ids)
        for row in rows.iter_rows(named=True):
            refuse_unreleasable(row, table_of(row))
            _refuse_unknown(row, specs)
        stamp = to_datetime(utc_now())
        fresh = decide(lake, rows, RELEASE, reason=reason, actor=actor, stamp=stamp)
        by = Ingest(f"release {stamp:%Y%m%dT%H%M%S}", actor, stamp)
        stored, waiting = _apply(lake, specs, rows, by, release=True)
    _note(desk, RELEASE, rows[ID].to_list(), reason)
    return Decided(RELEASE, tuple(rows[ID].to_list()), fresh, stored, waiting)


def _apply(lake: Lake, specs: DataSpecs, rows: pl.DataFrame, by: Ingest, *, release: bool) -> tuple[int, int]:
    """Put rows into their tables or take them out; how many went in, how many must wait for a fetch."""
    import polars as pl

    from quant.warehouse.release import release_agreed, release_from_source, withdraw_from_source

    tables = {table.name: table for table in specs.tables}
    stored = waiting = 0
    for (name, source), part in rows.group_by("table", "source", maintain_order=True):
        table, settings = tables[str(name)], specs.sources.get(str(source))
        if settings is None:
            stored += part.height
        elif release:
            done = release_from_source(lake, table, settings, part, by)
            stored, waiting = stored + done.stored, waiting + done.waiting
        else:
            withdraw_from_source(lake, table, settings, part, by)
    for (name,), part in rows.group_by("table", maintain_order=True):
        table = tables[str(name)]
        if table.agreed:
            dates = part.select(pl.coalesce("session", "interval_start")).to_series().unique().sort()
            release_agreed(lake, table, dict(specs.sources), dates.to_list(), by)
    return stored, waiting


def _refuse_unknown(row: dict[str, Any], specs: DataSpecs) -> None:
    table = next((t for t in specs.tables if t.name == row["table"]), None)
    if table is not None and row["source"] in (*table.sources, table.label):
        return
    raise UsageError(
        "quarantine.source",
        f"{row['table']} is no longer filled from {row['source']}",
        expected=", ".join(table.sources) if table else "a table of this profile",
        found=row["source"],
        hint="drop the row, or choose the profile it was fetched with",
    )


def _actor(desk: Workspace) -> dict[str, str]:
    from quant.pipelines.actor import current_actor

    return {key: value for key, value in current_actor(desk.root).as_dict().items() if value is not None}


def _note(desk: Workspace, decision: str, ids: Sequence[str], reason: str) -> None:
    from quant.warehouse.ledger import Ledger

    Ledger(desk.ledger).audit(
        f"data.quarantine.{decision}", "lake", _actor(desk), rows=list(ids), reason=reason
    )
