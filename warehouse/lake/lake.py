"""The lake: canonical tables as Delta tables, read at versions, written by intervals."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from quant.core.errors import UsageError
from quant.core.hashing import digest
from quant.warehouse.contracts.tables import TableContract, datasets
from quant.warehouse.files import write_atomic
from quant.warehouse.lake import delta, history, upkeep
from quant.warehouse.lake.content import CONTENT_FORMAT, partition_hash, table_hash
from quant.warehouse.lake.layout import GOLDEN, VENDOR, TableRef, table_ref
from quant.warehouse.lock import WriterLock

HASHES_KEPT = 256
CROWD = 64
"""Files in one partition at which a write compacts it: a log of one-row files would get slow to read."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """``version`` after the write; ``changed`` is False when the lake already said the same."""

    version: int
    changed: bool
    rows: int


class Lake:
    """Tables below ``root``. Reading needs no lock; writing takes the workspace's writer lock."""

    def __init__(self, root: Path, *, lock: WriterLock | None = None) -> None:
        self.root = Path(root).absolute()
        self.lock = lock or WriterLock(self.root.parent / "writer.lock")

    # -- reading

    def path(self, ref: TableRef) -> Path:
        return self.root / ref.relative

    def exists(self, table: str, *, layer: str | None = None, source: str | None = None) -> bool:
        return delta.open_table(self.path(table_ref(table, layer, source))) is not None

    def version(self, table: str, *, layer: str | None = None, source: str | None = None) -> int | None:
        """The latest version, None where there is no table."""
        found = delta.open_table(self.path(table_ref(table, layer, source)))
        return None if found is None else int(found.version())

    def read(
        self,
        table: str,
        *,
        layer: str | None = None,
        source: str | None = None,
        version: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
    ) -> pl.DataFrame:
        """Rows with ``start <= time <= end`` at a version (None = latest), in file order; with ``as_of`` as
        they were known at that instant.

        A table that does not exist reads as no rows, unless a version is asked for. Raises UsageError for
        unknown tables, versions and columns.
        """
        ref = table_ref(table, layer, source)
        if as_of is not None:
            rows = history.read_as_of(self, ref, version, start, end, as_of).lazy()
        else:
            rows = self.scan(ref, version, start, end)
        if columns is not None:
            unknown = sorted(set(columns) - set(ref.contract.names))
            if unknown:
                raise UsageError(
                    "column.unknown",
                    f"{table} has no column {', '.join(unknown)}",
                    expected=", ".join(ref.contract.names),
                    found=", ".join(unknown),
                )
            rows = rows.select(columns)
        try:
            return rows.collect()
        except FileNotFoundError as error:
            raise UsageError(
                "table.removed",
                f"version {version} of {ref} was removed by gc",
                expected="the latest version, or one that a run has pinned",
                found=str(version),
            ) from error

    def scan(self, ref: TableRef, version: int | None, start: date | None, end: date | None) -> pl.LazyFrame:
        """Rows with ``start <= time <= end`` at a version (None = latest), before they are collected."""
        found = delta.open_table(self.path(ref), version)
        table = ref.contract
        if found is None:
            if version is not None:
                raise UsageError("table.version", f"{ref} has no version {version}: it does not exist")
            return pl.DataFrame(schema=table.schema).lazy()
        years = _years(table, start, end)
        groups = delta.files(self.path(ref), found, years)
        rows = delta.scan([name for names in groups.values() for name in names], table)
        inside = delta.between(table.time, start, end) if table.time else None
        return rows if inside is None else rows.filter(inside)

    def at(self, versions: Mapping[str, int], as_of: datetime | None = None) -> PinnedLake:
        """The golden tables as they were: a reader for one run."""
        return PinnedLake(self, dict(versions), as_of)

    def refs(self) -> list[TableRef]:
        """Every table that exists: golden, system, vendor."""
        found = []
        for log in sorted(self.root.glob("*/**/_delta_log")):
            parts = log.parent.relative_to(self.root).parts
            with contextlib.suppress(UsageError):
                found.append(table_ref(parts[-1], parts[0], parts[1] if len(parts) == 3 else None))
        return sorted(found, key=lambda ref: (ref.layer == VENDOR, str(ref)))

    def tables(self) -> list[str]:
        """The golden tables that exist, in the order in which they are filled."""
        there = {ref.table for ref in self.refs() if ref.layer == GOLDEN}
        return [table.name for table in datasets() if table.name in there]

    def count(
        self, table: str, *, version: int | None = None, layer: str | None = None, source: str | None = None
    ) -> int:
        """How many rows a table has. Raises UsageError for a version that does not exist."""
        found = delta.open_table(self.path(table_ref(table, layer, source)), version)
        if found is None and version is not None:
            raise UsageError("table.version", f"{table} has no version {version}: it does not exist")
        return 0 if found is None else delta.count(found)

    # -- hashes

    def content_hash(
        self,
        table: str,
        version: int | None = None,
        *,
        layer: str | None = None,
        source: str | None = None,
        as_of: datetime | None = None,
    ) -> str:
        """The hash of what the table says at a version; kept beside the lake, so it is computed once."""
        ref = table_ref(table, layer, source)
        found = delta.open_table(self.path(ref), version)
        if found is None:
            raise UsageError("table.absent", f"{ref} does not exist", hint=f"quant data sync {table}")
        sidecar = self.root / "hashes" / f"{str(ref).replace('/', '.')}.json"
        known = _load_hashes(sidecar, str(found.metadata().id))
        number = int(found.version())
        key = str(number) if as_of is None else f"{number}@{as_of.astimezone(UTC).isoformat()}"
        if key not in known["versions"]:
            known["versions"][key] = (
                self._hash(ref, found, known["partitions"])
                if as_of is None
                else history.hash_as_of(self, ref, number, as_of)
            )
            _save_hashes(sidecar, known)
        return known["versions"][key]

    def _hash(self, ref: TableRef, found: DeltaTable, cache: dict[str, str]) -> str:
        table = ref.contract
        partitions = {}
        for partition, names in delta.files(self.path(ref), found).items():
            key = digest("\n".join(Path(name).name for name in names))
            if key not in cache:
                rows = delta.scan(names, table).select(table.content).collect()
                cache[key] = partition_hash(table, rows) if rows.height else ""
            if cache[key]:
                partitions[partition] = cache[key]
        return table_hash(table, partitions)

    # -- writing

    def write_interval(
        self,
        ref: TableRef,
        rows: pl.DataFrame,
        start: date,
        end: date,
        *,
        note: Mapping[str, str] | None = None,
    ) -> WriteResult:
        """Make the rows with ``start <= time <= end`` exactly ``rows``, in one commit.

        An interval that already says the same is left alone. Raises UsageError when a row lies outside.
        """
        table = ref.contract
        assert table.time is not None, f"{table.name} has no intervals"
        _refuse_outside(table, rows, start, end)
        with self.lock.hold(f"write {ref}"):
            before = self.scan(ref, None, start, end).collect()
            if _same(table, before, rows):
                return WriteResult(self._require(ref), changed=False, rows=rows.height)
            rows = history.supersede(self, ref, before, rows)
            predicate = f"{table.time} >= '{start.isoformat()}' AND {table.time} <= '{end.isoformat()}'"
            return self._commit(ref, rows, before.height, predicate, note)

    def merge(
        self, ref: TableRef, rows: pl.DataFrame, *, note: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Add ``rows`` to a table without intervals; a row with a known key replaces the old one."""
        table = ref.contract
        with self.lock.hold(f"write {ref}"):
            before = self.scan(ref, None, None, None).collect()
            kept = before.join(rows, on=table.key, how="anti", nulls_equal=True)
            same = before.join(rows, on=table.key, how="semi", nulls_equal=True)
            if _same(table, same, rows):
                return WriteResult(self._require(ref), changed=False, rows=rows.height)
            rows = history.supersede(self, ref, same, rows)
            merged = pl.concat([kept.select(table.names), rows.select(table.names)])
            return self._commit(ref, merged, before.height, None, note)

    def replace(
        self, ref: TableRef, rows: pl.DataFrame, *, note: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Make a table without intervals exactly ``rows``, in one commit; one that already says the same is
        left alone.
        """
        table = ref.contract
        with self.lock.hold(f"write {ref}"):
            before = self.scan(ref, None, None, None).collect()
            if _same(table, before, rows):
                return WriteResult(self._require(ref), changed=False, rows=rows.height)
            rows = history.supersede(self, ref, before, rows)
            return self._commit(ref, rows, before.height, None, note)

    def append(
        self, ref: TableRef, rows: pl.DataFrame, *, note: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Add rows to a log."""
        with self.lock.hold(f"write {ref}"):
            return self._commit(ref, rows, 0, None, note)

    def replace_where(
        self,
        ref: TableRef,
        rows: pl.DataFrame,
        equal: Mapping[str, str | date],
        *,
        between: tuple[str, date, date] | None = None,
    ) -> WriteResult:
        """Make the rows whose columns equal ``equal``, and of which one lies ``between`` two dates, exactly
        ``rows``, in one commit; rows that say the same are left alone.
        """
        with self.lock.hold(f"write {ref}"):
            matches = [pl.col(name) == pl.lit(value) for name, value in equal.items()]
            terms = [f"{name} = '{_quoted(str(value))}'" for name, value in equal.items()]
            if between is not None:
                name, start, end = between
                matches.append(pl.col(name).is_between(start, end))
                terms.append(f"{name} >= '{start.isoformat()}' AND {name} <= '{end.isoformat()}'")
            before = self.scan(ref, None, None, None).filter(pl.all_horizontal(matches)).collect()
            if not (before.height or rows.height) or _same(ref.contract, before, rows):
                return WriteResult(self._require(ref), changed=False, rows=rows.height)
            return self._commit(ref, rows, before.height, " AND ".join(terms), None)

    # -- upkeep

    def pin(self, run_id: str, versions: Mapping[str, int]) -> None:
        """Keep golden table versions readable for a run. Raises UsageError for one that does not exist."""
        upkeep.pin(self, run_id, versions)

    def unpin(self, run_id: str) -> None:
        """Let go of a run's versions; unknown runs are fine."""
        upkeep.unpin(self, run_id)

    def pins(self) -> dict[str, dict[str, int]]:
        """Pinned versions by run."""
        return upkeep.pins(self)

    def compact(self, *, min_files: int = 2) -> list[str]:
        """Rewrite crowded partitions; the tables that were rewritten. What a table says does not change."""
        return upkeep.compact(self, min_files=min_files)

    def gc(self, *, keep_hours: int = 168, dry_run: bool = False) -> list[str]:
        """Remove files that neither a latest nor a pinned version needs, older than ``keep_hours``; their
        paths below the lake.
        """
        return upkeep.gc(self, keep_hours=keep_hours, dry_run=dry_run)

    def _commit(
        self,
        ref: TableRef,
        rows: pl.DataFrame,
        replaced: int,
        predicate: str | None,
        note: Mapping[str, str] | None,
    ) -> WriteResult:
        path, stored = self.path(ref), delta.with_year(ref.contract, rows)
        notes = dict(note or {})
        if not (path / "_delta_log").is_dir():
            delta.create_table(path, ref.contract)
        if not replaced:
            delta.append(path, stored, notes)
        elif not rows.height and predicate is not None:
            delta.delete(path, predicate, notes)
        else:
            delta.overwrite(path, stored, predicate, notes)
        return WriteResult(self._settled(ref), changed=True, rows=rows.height)

    def _settled(self, ref: TableRef) -> int:
        """The version after a write; a partition of very many small files is rewritten first."""
        found = delta.open_table(self.path(ref))
        assert found is not None
        if len(found.file_uris()) < CROWD or not upkeep.compact_table(self, ref, min_files=CROWD):
            return int(found.version())
        return self._require(ref)

    def _require(self, ref: TableRef) -> int:
        path = self.path(ref)
        found = delta.open_table(path) or delta.create_table(path, ref.contract)
        return int(found.version())


@dataclass(frozen=True, slots=True)
class PinnedLake:
    """Golden tables at fixed versions; tables that are not pinned read as no rows."""

    lake: Lake
    versions: dict[str, int]
    as_of: datetime | None = None

    def read(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        version = self.versions.get(table)
        if version is None:
            empty = pl.DataFrame(schema=table_ref(table).contract.schema)
            return empty.select(columns) if columns is not None else empty
        return self.lake.read(
            table, version=version, start=start, end=end, columns=columns, as_of=self.as_of
        )


def _years(table: TableContract, start: date | None, end: date | None) -> list[int] | None:
    if not table.partitioned or (start is None and end is None):
        return None
    return list(range(start.year if start else 1900, (end.year if end else 2200) + 1))


def _refuse_outside(table: TableContract, rows: pl.DataFrame, start: date, end: date) -> None:
    outside = rows.filter(~pl.col(table.time or "").is_between(start, end))
    if outside.height:
        raise UsageError(
            "interval.outside",
            f"{outside.height} rows of {table.name} lie outside the interval",
            expected=f"{start} to {end}",
            found=str(outside[table.time or ""][0]),
        )


def _same(table: TableContract, before: pl.DataFrame, rows: pl.DataFrame) -> bool:
    """Whether two sets of rows say the same: provenance other than the source does not count."""
    if before.height != rows.height:
        return False
    said = [*table.content, *(["source"] if "source" in table.names else [])]
    return before.select(said).sort(table.key).equals(rows.select(said).sort(table.key))


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _load_hashes(sidecar: Path, table_id: str) -> dict[str, dict[str, str]]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        known = json.loads(sidecar.read_text(encoding="utf-8"))
        if known["id"] == table_id and known["format"] == CONTENT_FORMAT:
            return {
                "about": {"id": table_id},
                "versions": known["versions"],
                "partitions": known["partitions"],
            }
    return {"about": {"id": table_id}, "versions": {}, "partitions": {}}


def _save_hashes(sidecar: Path, known: dict[str, dict[str, str]]) -> None:
    text = json.dumps(
        {
            "id": known["about"]["id"],
            "format": CONTENT_FORMAT,
            "versions": dict(list(known["versions"].items())[-HASHES_KEPT:]),
            "partitions": dict(list(known["partitions"].items())[-HASHES_KEPT:]),
        }
    )
    with contextlib.suppress(OSError):  # a read-only lake can still be hashed
        write_atomic(sidecar, text.encode(), durable=False)
