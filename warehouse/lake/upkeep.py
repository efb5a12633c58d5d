"""Upkeep of the lake: pins, joining of small files, removal of files that nothing needs."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from quant.core.errors import InvariantBroken, TransientError, UsageError
from quant.core.time import utc_now
from quant.warehouse.lake import delta, superseded
from quant.warehouse.lake.content import partition_hash
from quant.warehouse.lake.delta import DataFile, Snapshot
from quant.warehouse.lake.layout import TableRef, history_ref, table_ref
from quant.warehouse.lake.log import LOG

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")


# -- pins


def pin(lake: Lake, run_id: str, versions: Mapping[str, int]) -> None:
    """Keep golden table versions readable for a run. Raises UsageError for a version that does not exist."""
    for table, version in versions.items():
        if delta.open_table(lake.path(table_ref(table)), version) is None:
            raise UsageError("table.version", f"{table} has no version {version}: it does not exist")
    lake.store.write(_pin_file(run_id), json.dumps(dict(versions), sort_keys=True).encode())


def unpin(lake: Lake, run_id: str) -> None:
    """Let go of a run's versions; unknown runs are fine."""
    lake.store.remove(_pin_file(run_id))


def pins(lake: Lake) -> dict[str, dict[str, int]]:
    """Pinned versions by run."""
    folder = lake.store.below("pins")
    names = sorted(entry.name for entry in folder.entries() if re.fullmatch(r"[^./][^/]*\.json", entry.name))
    return {
        name.removesuffix(".json"): {table: int(v) for table, v in json.loads(folder.read(name)).items()}
        for name in names
    }


def _pin_file(run_id: str) -> str:
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError("run.id", f"{run_id!r} is not a run id", found=run_id)
    return f"pins/{run_id}.json"


# -- removing


def gc(lake: Lake, *, keep_hours: int = 168, dry_run: bool = False) -> list[str]:
    """Remove data files that neither the latest nor a pinned version needs and that are older than
    ``keep_hours`` (a query may still be reading them), among them what killed writes left behind.

    Returns their paths below the lake's root.
    """
    with lake.lock.hold("gc"):
        pinned, removed = pins(lake), []
        refs = lake.refs()
        if not dry_run:
            for ref in refs:
                with contextlib.suppress(TransientError):  # a full disk: what is not settled is kept
                    superseded.settle(lake, ref)
        for ref in [*refs, *histories(lake)]:
            folder = lake.path(ref)
            for name in _unneeded(lake, ref, _kept(ref, pinned), keep_hours, settled=dry_run):
                removed.append((ref.relative / name).as_posix())
                if not dry_run:
                    folder.remove(name)
        return removed


def histories(lake: Lake) -> list[TableRef]:
    """The histories of golden and vendor tables that ever changed a row."""
    return [history_ref(ref) for ref in lake.refs() if _has_past(lake, ref)]


def _has_past(lake: Lake, ref: TableRef) -> bool:
    found = delta.open_table(lake.path(ref))
    if found is not None and superseded.has_past(found):
        return True
    return delta.open_table(lake.path(history_ref(ref))) is not None


def _kept(ref: TableRef, pinned: Mapping[str, Mapping[str, int]]) -> set[int]:
    if ref != table_ref(ref.table):
        return set()
    return {versions[ref.table] for versions in pinned.values() if ref.table in versions}


def _unneeded(lake: Lake, ref: TableRef, kept: set[int], keep_hours: int, *, settled: bool) -> list[str]:
    folder = lake.path(ref)
    latest = delta.open_table(folder)
    if latest is None:
        return []
    needed = set(latest.files)
    if not settled and not ref.past:
        needed |= superseded.needed(lake, ref, latest)
    for version in sorted(kept):
        found = delta.open_table(folder, version)
        assert found is not None
        needed |= set(found.files)
    before = utc_now() / 1e9 - keep_hours * 3600
    found_names = (e.name for e in folder.entries() if e.modified <= before and _is_data(e.name))
    return sorted(name for name in found_names if name not in needed)


def _is_data(name: str) -> bool:
    """Data files and what killed writes left of them and of commits; never the log."""
    if name.startswith(f"{LOG}/"):
        return name.rpartition("/")[2].startswith(".") and name.endswith(".tmp")
    return name.endswith((".parquet", ".tmp"))


# -- joining


def compact(lake: Lake, *, min_files: int = 2) -> list[str]:
    """Join small files that lie side by side. What a table says does not change.

    Returns the tables that were rewritten. Raises InvariantBroken when a content hash changed.
    """
    with lake.lock.hold("compact"):
        return [str(ref) for ref in lake.refs() if compact_table(lake, ref, min_files=min_files)]


def compact_table(lake: Lake, ref: TableRef, *, min_files: int) -> bool:
    """``compact`` for one table: whether it had ``min_files`` small files side by side."""
    found = delta.open_table(lake.path(ref))
    return found is not None and join_small(lake, ref, found, min_files) is not None


def join_small(
    lake: Lake, ref: TableRef, base: Snapshot, min_files: int, *, since: Snapshot | None = None
) -> Snapshot | None:
    """Rewrite runs of ``min_files`` small files or more, in one commit; None where there are none, or
    another machine has just changed the table. With ``since`` in the partitions that were added to since.
    """
    added = base.files.keys() - since.files.keys() if since is not None else base.files.keys()
    runs = list(_small_runs(ref, base, min_files, {base.files[path].partition for path in added}))
    if not runs:
        return None
    folder, table = lake.path(ref), ref.contract
    made: list[DataFile] = []
    try:
        for files in runs:
            rows = delta.scan(folder, files, table).collect()
            fresh = delta.write_files(folder, base, table, rows)
            made += fresh
            before = partition_hash(table, rows)
            after = partition_hash(table, delta.scan(folder, fresh, table).select(table.content).collect())
            if before != after:
                raise InvariantBroken(
                    "lake.compaction", f"compaction changed what {ref} says", expected=before, found=after
                )
        outdated = [file for files in runs for file in files]
        return delta.rearrange(folder, base, table, made, outdated)
    except BaseException as error:
        delta.discard(folder, made)
        if isinstance(error, delta.CommitTaken):
            return None
        raise


def _small_runs(ref: TableRef, base: Snapshot, min_files: int, within: set[str]) -> Iterator[list[DataFile]]:
    """Small files side by side in time; joining others would make files that span what lies between."""
    time = ref.contract.time
    limit = (delta.SEGMENT_ROWS if base.partition_column else delta.PLAIN_ROWS) // 2
    for files in base.partitions(within).values():
        if len(files) < min_files:
            continue
        run: list[DataFile] = []
        for file in [*sorted(files, key=lambda f: (str(f.low.get(time or "", "")), f.path)), None]:
            if file is not None and file.rows < limit:
                run.append(file)
                continue
            if len(run) >= min_files:
                yield run
            run = []
