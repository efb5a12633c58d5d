"""Copies of lake tables on a ClickHouse server.

Each copy is of exactly one version. A load builds the next copy beside the one in use: partitions whose files
have not changed are attached from it, the others are inserted from the lake; then both exchange names. The
copy's comment says which load made it, and ``_loads`` what that load put into each partition, so that a load
killed at any moment leaves the old copy as it was and the next load begins again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from quant.core.errors import CheckFailed, UsageError
from quant.core.hashing import digest
from quant.core.time import to_datetime, utc_now
from quant.warehouse.contracts.columns import ColumnContract
from quant.warehouse.engines.clickhouse import column_type
from quant.warehouse.engines.server import ServerSettings, connection, ref_label
from quant.warehouse.engines.tables import unknown_table
from quant.warehouse.lake import GOLDEN, TableRef, delta
from quant.warehouse.lake.delta import MONTH, DataFile, Snapshot

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake

LOADS: Final = "_loads"
NEXT: Final = "__next"
BATCH_ROWS: Final = 524_288
COPY_FORMAT: Final = 1
_MARK: Final = "quant "
_LONG: Final = frozenset(
    ("code", "name", "value", "row", "row_json", "reason", "facts", "actor", "detail", "losers", "votes")
) | {"run", "value_a", "value_b"}
"""Texts that hardly repeat: all others are kept as dictionaries."""
Progress = Callable[[str, int, int], None]
"""Told a table, and how many of how many rows or tables are done."""


def silent(_table: str, _done: int, _total: int) -> None:
    """No progress wanted."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A copy on the server: the version it is of, and by partition the files and rows that were put in."""

    load: str
    table_id: str
    version: int
    layout: str
    partitions: dict[str, tuple[str, int]]

    @property
    def rows(self) -> int:
        return sum(rows for _, rows in self.partitions.values())


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load did with one table."""

    table: str
    version: int
    rows: int
    changed: bool
    partitions_loaded: int
    partitions_kept: int


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """How far a copy is behind; ``server_version`` is None for a table that was never loaded."""

    table: str
    lake_version: int
    server_version: int | None
    rows: int

    @property
    def current(self) -> bool:
        return self.server_version == self.lake_version


# -- names and definitions


def server_name(ref: TableRef) -> str:
    """What the server calls a table."""
    return f"{ref.source}__{ref.table}" if ref.source else ref.table


def definition(ref: TableRef, name: str, column: str | None) -> str:
    """The CREATE TABLE of a copy. Golden and vendor rows are unique by key, so a ReplacingMergeTree drops
    what others insert twice; logs keep every row.
    """
    table = ref.contract
    types = {each.name: _stored_type(each) for each in table.columns}
    columns = ",\n  ".join(f"`{each}` {kind}" for each, kind in types.items())
    newest = "recorded_at" if "recorded_at" in table.names else ""
    engine = "MergeTree" if table.system else f"ReplacingMergeTree({newest})"
    order = ", ".join(f"`{key}`" for key in table.key)
    nullable = any(table.column(key).nullable for key in table.key)
    return (
        f"create table `{name}` (\n  {columns}\n)\nengine = {engine}\n"
        f"partition by {partition_expression(ref, column)}\norder by ({order})"
        + ("\nsettings allow_nullable_key = 1" if nullable else "")
    )


def _stored_type(column: ColumnContract) -> str:
    inner = column_type(column)
    if column.nullable:
        inner = f"Nullable({inner})"
    dictionary = isinstance(column.dtype, pl.String) and column.name not in _LONG
    return f"LowCardinality({inner})" if dictionary else inner


def partition_expression(ref: TableRef, column: str | None) -> str:
    """What rows of a copy are partitioned by; ``tuple()`` for a table without partitions."""
    if column is None:
        return "tuple()"
    return f"{'toYYYYMM' if column == MONTH else 'toYear'}(`{ref.contract.time}`)"


# -- what is there


def loaded(client: Any, ref: TableRef) -> Loaded | None:
    """The copy of a table that is in use; None where there is none of ours."""
    found = client.query(
        "select comment from system.tables where database = currentDatabase() and name = {name:String}",
        parameters={"name": server_name(ref)},
    ).result_rows
    text = str(found[0][0]) if found else ""
    if not text.startswith(_MARK):
        return None
    about = json.loads(text[len(_MARK) :])
    if about.get("format") != COPY_FORMAT:
        return None
    rows = client.query(
        f"select partition, files, rows from `{LOADS}` "
        "where load = {load:String} and table = {name:String}",
        parameters={"load": about["load"], "name": server_name(ref)},
    ).result_rows
    parts = {str(p): (str(files), int(count)) for p, files, count in rows}
    return Loaded(about["load"], about["table_id"], int(about["version"]), about["layout"], parts)


def status(lake: Lake, settings: ServerSettings, labels: Sequence[str] = ()) -> list[CopyStatus]:
    """How far the server's copies are behind the lake: of the given tables, or of all that are golden or on
    the server.
    """
    with connection(settings) as client:
        found = []
        for ref in chosen(lake, labels, everything=True):
            version = lake.version(ref.table, layer=ref.layer, source=ref.source)
            held = loaded(client, ref)
            if version is not None and (labels or held is not None or ref.layer == GOLDEN):
                rows = held.rows if held else 0
                found.append(CopyStatus(ref_label(ref), version, held.version if held else None, rows))
        return found


def chosen(lake: Lake, labels: Sequence[str], *, everything: bool = False) -> list[TableRef]:
    """The lake's tables with the given names; with none, the golden ones, or all. Raises UsageError."""
    known = {ref_label(ref): ref for ref in lake.refs()}
    for label in labels:
        if label not in known:
            raise unknown_table(label, lake)
    if labels:
        return [known[label] for label in dict.fromkeys(labels)]
    return [ref for ref in known.values() if everything or ref.layer == GOLDEN]


# -- making


def init(
    lake: Lake, settings: ServerSettings, labels: Sequence[str] = (), *, everything: bool = False
) -> list[str]:
    """Create the database, the log of loads and empty copies; what is there stays. The tables' names."""
    with connection(settings, database=False) as client:
        client.command(f"create database if not exists `{settings.database}`")
    with connection(settings) as client:
        client.command(
            f"create table if not exists `{LOADS}` (load String, table LowCardinality(String), "
            "version Int64, partition LowCardinality(String), files String, rows UInt64, "
            "loaded_at DateTime64(6, 'UTC')) "
            "engine = MergeTree order by (table, load, partition)"
        )
        refs = chosen(lake, labels, everything=everything)
        for ref in refs:
            text = definition(ref, server_name(ref), partitioned_by(lake, ref))
            client.command(text.replace("create table ", "create table if not exists ", 1))
        return [server_name(ref) for ref in refs]


def partitioned_by(lake: Lake, ref: TableRef) -> str | None:
    """The partition column of a lake table, stored or to be."""
    found = delta.open_table(lake.path(ref))
    return found.partition_column if found is not None else delta.partition_column(ref.contract)


def load(
    lake: Lake,
    settings: ServerSettings,
    labels: Sequence[str] = (),
    *,
    everything: bool = False,
    again: bool = False,
    progress: Progress = silent,
) -> Iterator[LoadResult]:
    """Bring the server's copies to the lake's latest versions, a table at a time; ``again`` loads partitions
    that have not changed too. Repeating it changes nothing; after a kill it begins the table again.
    """
    refs = chosen(lake, labels, everything=everything)
    with lake.lock.hold("quant warehouse load"), connection(settings) as client:
        require_log(client)
        for ref in refs:
            yield _load_table(client, lake, ref, progress, again=again)


def require_log(client: Any) -> None:
    """Raises UsageError for a database that was not made for copies."""
    if not client.query(f"exists table `{LOADS}`").result_rows[0][0]:
        raise UsageError(
            "server.empty",
            f"the database {client.database} was not made for copies of a lake",
            expected=f"a table {LOADS}",
            found="none",
            hint="quant warehouse init",
        )


def _load_table(client: Any, lake: Lake, ref: TableRef, progress: Progress, *, again: bool) -> LoadResult:
    base = delta.open_table(lake.path(ref))
    assert base is not None
    label, held = ref_label(ref), loaded(client, ref)
    layout = digest(definition(ref, server_name(ref), base.partition_column))
    usable = held is not None and not again and (held.table_id, held.layout) == (base.table_id, layout)
    known = held.partitions if held is not None and usable else {}
    wanted = {p: (_fingerprint(files), _rows(base, p)) for p, files in base.partitions().items()}
    if held is not None and usable and known == wanted and held.version == base.version:
        return LoadResult(label, base.version, base.rows, False, 0, len(wanted))
    kept = [partition for partition in wanted if known.get(partition) == wanted[partition]]
    fresh = [partition for partition in wanted if partition not in kept]
    _build(client, lake, ref, base, kept, fresh, progress)
    _publish(client, ref, base, wanted, layout)
    return LoadResult(label, base.version, base.rows, True, len(fresh), len(kept))


def _build(
    client: Any,
    lake: Lake,
    ref: TableRef,
    base: Snapshot,
    kept: Sequence[str],
    fresh: Sequence[str],
    progress: Progress,
) -> None:
    """The next copy, beside the one in use."""
    name, following = server_name(ref), server_name(ref) + NEXT
    client.command(f"drop table if exists `{following}` sync")
    client.command(definition(ref, following, base.partition_column))
    for partition in kept:
        client.command(f"alter table `{following}` attach partition {partition or 'tuple()'} from `{name}`")
    total, done = sum(_rows(base, partition) for partition in fresh), 0
    progress(ref_label(ref), 0, total)
    for rows in _batches(lake, ref, base, fresh):
        client.insert_arrow(following, rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        done += rows.height
        progress(ref_label(ref), done, total)
    found = int(client.query(f"select count() from `{following}`").result_rows[0][0])
    if found != base.rows:
        raise CheckFailed(
            "server.rows",
            f"the server took another number of rows of {ref_label(ref)}; its copy is as it was",
            expected=str(base.rows),
            found=str(found),
        )


def _batches(lake: Lake, ref: TableRef, base: Snapshot, partitions: Sequence[str]) -> Iterator[pl.DataFrame]:
    folder, table, parts = lake.path(ref), ref.contract, base.partitions()
    for partition in partitions:
        group: list[DataFile] = []
        for file in parts[partition]:
            if group and sum(each.rows for each in group) + file.rows > BATCH_ROWS:
                yield delta.scan(folder, group, table).collect()
                group = []
            group.append(file)
        yield delta.scan(folder, group, table).collect()


def _publish(
    client: Any, ref: TableRef, base: Snapshot, wanted: dict[str, tuple[str, int]], layout: str
) -> None:
    """Say what was loaded, then let the next copy take the place of the one in use."""
    name, following = server_name(ref), server_name(ref) + NEXT
    load_id, now = uuid.uuid4().hex, to_datetime(utc_now())
    rows = [[load_id, name, base.version, p, files, count, now] for p, (files, count) in wanted.items()]
    if rows:
        client.insert(LOADS, rows, ["load", "table", "version", "partition", "files", "rows", "loaded_at"])
    about = {
        "format": COPY_FORMAT,
        "load": load_id,
        "table_id": base.table_id,
        "version": base.version,
        "layout": layout,
    }
    client.command(f"alter table `{following}` modify comment '{_MARK}{json.dumps(about)}'")
    if client.query(f"exists table `{name}`").result_rows[0][0]:
        client.command(f"exchange tables `{name}` and `{following}`")
        client.command(f"drop table if exists `{following}` sync")
    else:
        client.command(f"rename table `{following}` to `{name}`")


def _fingerprint(files: Sequence[DataFile]) -> str:
    return digest("\n".join(sorted(file.path for file in files)))


def _rows(base: Snapshot, partition: str) -> int:
    return sum(file.rows for file in base.files.values() if file.partition == partition)
