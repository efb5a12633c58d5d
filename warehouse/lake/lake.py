"""The lake: canonical tables as Delta tables, read at versions, written by intervals."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from quant.core.errors import InvariantBroken, TransientError, UsageError
from quant.warehouse.contracts.tables import TableContract, datasets
from quant.warehouse.lake import delta, hashes, history, superseded, upkeep
from quant.warehouse.lake.delta import CommitTaken, Snapshot
from quant.warehouse.lake.layout import FEATURES, GOLDEN, SYSTEM, VENDOR, TableRef, named_refs, table_ref
from quant.warehouse.lake.pinned import PinnedLake
from quant.warehouse.lock import WriterLock
from quant.warehouse.store import Address, LocalFolder, Storage, lock_file, open_storage

CROWD = 64
"""Small files side by side in one partition at which a write joins them: one-row files are slow to read."""
PATIENCE_SECONDS = 120.0
"""How long a write tries to get its commit in between those of other machines."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """``version`` after the write; ``changed`` is False when the lake already said the same."""

    version: int
    changed: bool
    rows: int


class Lake:
    """Tables below a root: a folder, or ``s3://bucket/prefix``. Reading needs no lock; writing takes the
    workspace's writer lock, and commits so that writers on other machines lose nothing.
    """

    def __init__(self, root: Path | str | Address, *, lock: WriterLock | None = None) -> None:
        self.store = open_storage(root)
        self.lock = lock or WriterLock(lock_file(root, self.store))

    @property
    def root(self) -> Path:
        """The folder of a local lake."""
        if not isinstance(self.store, LocalFolder):
            raise InvariantBroken("lake.root", f"{self.store.uri} is no folder of this machine")
        return self.store.root

    # -- reading

    def path(self, ref: TableRef) -> Storage:
        """Where a table lies."""
        return self.store.below(*ref.relative.parts)

    def exists(self, table: str, *, layer: str | None = None, source: str | None = None) -> bool:
        return delta.open_table(self.path(table_ref(table, layer, source))) is not None

    def version(self, table: str, *, layer: str | None = None, source: str | None = None) -> int | None:
        """The latest version, None where there is no table."""
        found = delta.open_table(self.path(table_ref(table, layer, source)))
        return None if found is None else found.version

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
        if columns is not None:
            unknown = sorted(set(columns) - set(ref.contract.names))
            if unknown:
                raise UsageError(
                    "column.unknown",
                    f"{table} has no column {', '.join(unknown)}",
                    expected=", ".join(ref.contract.names),
                    found=", ".join(unknown),
                )
        try:
            if as_of is not None:
                rows = history.read_as_of(self, ref, version, start, end, as_of, columns).lazy()
            else:
                rows = self.scan(ref, version, start, end)
            return (rows if columns is None else rows.select(columns)).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            if version is None or not self._removed(ref, version):
                raise
            raise UsageError(
                "table.removed",
                f"version {version} of {ref} was removed by gc",
                expected="the latest version, or one that a run has pinned",
                found=str(version),
            ) from error

    def scan(self, ref: TableRef, version: int | None, start: date | None, end: date | None) -> pl.LazyFrame:
        """Rows with ``start <= time <= end`` at a version (None = latest), before they are collected; of a
        history also those that are not written there yet.
        """
        if ref.past and version is None:
            return superseded.past(self, ref, start, end)
        return self.scan_files(ref, version, start, end)

    def scan_files(
        self, ref: TableRef, version: int | None, start: date | None, end: date | None
    ) -> pl.LazyFrame:
        """``scan`` of a table's own files."""
        folder, table = self.path(ref), ref.contract
        found = delta.open_table(folder, version)
        if found is None:
            if version is not None:
                raise UsageError("table.version", f"{ref} has no version {version}: it does not exist")
            return pl.DataFrame(schema=table.schema).lazy()
        rows = delta.scan(folder, delta.within(found, table, start, end), table)
        inside = delta.between(table.time, start, end) if table.time else None
        return rows if inside is None else rows.filter(inside)

    def parts(
        self,
        table: str,
        *,
        version: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str],
        as_of: datetime | None = None,
        every: int = 1,
    ) -> list[Callable[[], pl.DataFrame]]:
        """The rows of ``read`` in parts, for whom one frame is too much: functions that read one each, in any
        thread and in no order of time. Whole files are read: rows outside of ``[start, end]`` may come too.
        With ``every`` a sample will do, spread over the time and with its end: one file of so many.
        """
        ref = table_ref(table)
        if as_of is not None:
            read = partial(self.read, table, version=version, start=start, end=end)
            return [partial(read, columns=columns, as_of=as_of)]
        found = delta.open_table(self.path(ref), version)
        files = delta.within(found, ref.contract, start, end) if found is not None else []
        return delta.parts(self.path(ref), files, ref.contract, columns, every)

    def files(self, ref: TableRef, version: int | None, start: date | None, end: date | None) -> list[str]:
        """Where the data files lie that hold a table's rows of an interval."""
        found = delta.open_table(self.path(ref), version)
        names = delta.within(found, ref.contract, start, end) if found is not None else []
        return [self.path(ref).location(file.path) for file in names]

    def _removed(self, ref: TableRef, version: int) -> bool:
        folder = self.path(ref)
        found = delta.open_table(folder, version)
        return found is not None and any(folder.size(name) is None for name in found.files)

    def at(self, versions: Mapping[str, int], as_of: datetime | None = None) -> PinnedLake:
        """The golden tables as they were: a reader for one run."""
        return PinnedLake(self, dict(versions), as_of)

    def refs(self) -> list[TableRef]:
        """Every table that exists: golden, system, features, vendor."""
        named = [ref for layer in (GOLDEN, SYSTEM) for ref in named_refs(self.store.below(layer), layer)]
        for layer in (FEATURES, VENDOR):
            folder = self.store.below(layer)
            for source in folder.folders():
                named += named_refs(folder.below(source), layer, source)
        there = [ref for ref in named if delta.open_table(self.path(ref)) is not None]
        return sorted(there, key=lambda ref: (ref.layer == VENDOR, str(ref)))

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
        return 0 if found is None else found.rows

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
        return hashes.content_hash(self, table_ref(table, layer, source), version, as_of)

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

        def step(base: Snapshot) -> WriteResult:
            files = delta.within(base, table, start, end)
            held = delta.scan(self.path(ref), files, table).collect()
            whole = all(file.within(table.time or "", start.isoformat(), end.isoformat()) for file in files)
            inside = pl.col(table.time or "").is_between(start, end)
            found = superseded.change(table, held if whole else held.filter(inside), rows)
            if found.same:
                return WriteResult(base.version, changed=False, rows=rows.height)
            said = superseded.note(base, found, start, end, note)
            if found.first:
                return self._commit(ref, base, found.rows, [], rows.height, said)
            merged = found.rows if whole else pl.concat([held.filter(~inside), found.rows])
            return self._commit(ref, base, merged, files, rows.height, said)

        return self._change(ref, step)

    def merge(
        self, ref: TableRef, rows: pl.DataFrame, *, note: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Add ``rows`` to a table without intervals; a row with a known key replaces the old one."""
        table = ref.contract

        def step(base: Snapshot) -> WriteResult:
            before = delta.scan(self.path(ref), list(base.files.values()), table).collect()
            kept = before.join(rows, on=table.key, how="anti", nulls_equal=True)
            same = before.join(rows, on=table.key, how="semi", nulls_equal=True)
            found = superseded.change(table, same, rows)
            if found.same:
                return WriteResult(base.version, changed=False, rows=rows.height)
            said = superseded.note(base, found, None, None, note)
            merged = pl.concat([kept.select(table.names), found.rows])
            return self._commit(ref, base, merged, list(base.files.values()), rows.height, said)

        return self._change(ref, step)

    def replace(
        self, ref: TableRef, rows: pl.DataFrame, *, note: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Make a table without intervals exactly ``rows``, in one commit; one that already says the same is
        left alone.
        """
        table = ref.contract

        def step(base: Snapshot) -> WriteResult:
            before = delta.scan(self.path(ref), list(base.files.values()), table).collect()
            found = superseded.change(table, before, rows)
            if found.same:
                return WriteResult(base.version, changed=False, rows=rows.height)
            said = superseded.note(base, found, None, None, note)
            return self._commit(ref, base, found.rows, list(base.files.values()), rows.height, said)

        return self._change(ref, step)

    def append(
        self, ref: TableRef, rows: pl.DataFrame, *, note: Mapping[str, str] | None = None
    ) -> WriteResult:
        """Add rows to a log."""
        return self._change(ref, lambda base: self._commit(ref, base, rows, [], rows.height, note))

    def replace_where(
        self,
        ref: TableRef,
        rows: pl.DataFrame,
        equal: Mapping[str, str | date | None],
        *,
        between: tuple[str, date, date] | None = None,
    ) -> WriteResult:
        """Make the rows whose columns equal ``equal``, and of which one lies ``between`` two dates, exactly
        ``rows``, in one commit; rows that say the same are left alone.
        """
        matches = [pl.col(name).eq_missing(pl.lit(value)) for name, value in equal.items()]
        if between is not None:
            matches.append(pl.col(between[0]).is_between(*between[1:]))
        wanted = pl.all_horizontal(matches).fill_null(value=False)

        def step(base: Snapshot) -> WriteResult:
            folder, table = self.path(ref), ref.contract
            files = [
                file
                for file in base.files.values()
                if delta.scan(folder, [file], table).filter(wanted).limit(1).collect().height
            ]
            held = delta.scan(folder, files, table).collect()
            before = held.filter(wanted)
            if not (before.height or rows.height) or _same(table, before, rows):
                return WriteResult(base.version, changed=False, rows=rows.height)
            merged = pl.concat([held.filter(~wanted), rows.select(table.names)])
            return self._commit(ref, base, merged, files, rows.height, None)

        return self._change(ref, step)

    def _change(self, ref: TableRef, step: Callable[[Snapshot], WriteResult]) -> WriteResult:
        """Run a step on the newest version under the lock; again, on what there is then, when another
        machine committed first. Raises TransientError ``lake.conflict``.
        """
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.01
        with self.lock.hold(f"write {ref}"):
            while True:
                try:
                    return step(delta.create_table(self.path(ref), ref.contract))
                except CommitTaken as error:
                    if time.monotonic() > deadline:
                        raise TransientError(
                            "lake.conflict", f"other programs keep changing {ref}", found=str(error)
                        ) from error
                time.sleep(random.SystemRandom().uniform(0, pause))
                pause = min(2 * pause, 1.0)

    def _commit(
        self,
        ref: TableRef,
        base: Snapshot,
        rows: pl.DataFrame,
        outdated: Sequence[delta.DataFile],
        count: int,
        note: Mapping[str, Any] | None,
    ) -> WriteResult:
        made = delta.overwrite(self.path(ref), base, ref.contract, rows, outdated, note or {})
        superseded.settle_often(self, ref, made, sum(file.rows for file in outdated))
        joined = upkeep.join_small(self, ref, made, CROWD, since=base)
        return WriteResult((joined or made).version, changed=True, rows=count)

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
        """Join small files; the tables that were rewritten. What a table says does not change."""
        return upkeep.compact(self, min_files=min_files)

    def gc(self, *, keep_hours: int = 168, dry_run: bool = False) -> list[str]:
        """Remove files that neither a latest nor a pinned version needs, older than ``keep_hours``; their
        paths below the lake.
        """
        return upkeep.gc(self, keep_hours=keep_hours, dry_run=dry_run)


def _refuse_outside(table: TableContract, rows: pl.DataFrame, start: date, end: date) -> None:
    days = rows[table.time or ""]
    first, last = days.min(), days.max()
    if first is None or (not days.has_nulls() and start <= first and last <= end):  # type: ignore[operator]
        return
    outside = rows.filter(~days.is_between(start, end).fill_null(value=False))
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
    said = superseded.said_columns(table)
    return before.select(said).sort(table.key).equals(rows.select(said).sort(table.key))
