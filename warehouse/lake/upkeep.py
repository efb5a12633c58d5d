"""Upkeep of the lake: pins, compaction, removal of files that nothing needs."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from quant.core.errors import InvariantBroken, UsageError
from quant.warehouse.files import write_atomic
from quant.warehouse.lake import delta
from quant.warehouse.lake.layout import TableRef, history_ref, table_ref

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")


def pin(lake: Lake, run_id: str, versions: Mapping[str, int]) -> None:
    """Keep golden table versions readable for a run. Raises UsageError for a version that does not exist."""
    for table, version in versions.items():
        if delta.open_table(lake.path(table_ref(table)), version) is None:
            raise UsageError("table.version", f"{table} has no version {version}: it does not exist")
    write_atomic(_pin_file(lake, run_id), json.dumps(dict(versions), sort_keys=True).encode())


def unpin(lake: Lake, run_id: str) -> None:
    """Let go of a run's versions; unknown runs are fine."""
    with contextlib.suppress(FileNotFoundError):
        _pin_file(lake, run_id).unlink()


def pins(lake: Lake) -> dict[str, dict[str, int]]:
    """Pinned versions by run."""
    return {
        file.stem: {table: int(version) for table, version in json.loads(file.read_text("utf-8")).items()}
        for file in sorted((lake.root / "pins").glob("*.json"))
    }


def gc(lake: Lake, *, keep_hours: int = 168, dry_run: bool = False) -> list[str]:
    """Remove data files that neither the latest nor a pinned version needs and that are older than
    ``keep_hours`` (a query may still be reading them), among them what killed writes left behind.

    Returns their paths below the lake's root.
    """
    with lake.lock.hold("gc"):
        pinned = pins(lake)
        return [
            (ref.relative / name).as_posix()
            for ref in [*lake.refs(), *histories(lake)]
            for name in _vacuum(lake, ref, _kept(ref, pinned), keep_hours, dry_run)
        ]


def histories(lake: Lake) -> list[TableRef]:
    """The histories that exist, of golden and vendor tables."""
    return [past for ref in lake.refs() if delta.open_table(lake.path(past := history_ref(ref))) is not None]


def _kept(ref: TableRef, pinned: Mapping[str, Mapping[str, int]]) -> set[int]:
    if ref != table_ref(ref.table):
        return set()
    return {versions[ref.table] for versions in pinned.values() if ref.table in versions}


def _vacuum(lake: Lake, ref: TableRef, kept: set[int], keep_hours: int, dry_run: bool) -> list[str]:
    table = delta.open_table(lake.path(ref))
    assert table is not None
    options = {"retention_hours": keep_hours, "enforce_retention_duration": False, "full": True}
    versions = sorted({*kept, int(table.version())})
    # A vacuum is two commits: there are none when there is nothing to remove.
    listed = table.vacuum(dry_run=True, keep_versions=versions, **options)
    doomed = [name for name in listed if (lake.path(ref) / name).is_file()]
    if doomed and not dry_run:
        table.vacuum(dry_run=False, keep_versions=versions, **options)
    return sorted(str(name) for name in doomed)


def compact(lake: Lake, *, min_files: int = 2) -> list[str]:
    """Rewrite partitions of several files as one, sorted by key. What a table says does not change.

    Returns the tables that were rewritten. Raises InvariantBroken when a content hash changed.
    """
    with lake.lock.hold("compact"):
        return [str(ref) for ref in lake.refs() if compact_table(lake, ref, min_files=min_files)]


def compact_table(lake: Lake, ref: TableRef, *, min_files: int) -> bool:
    """``compact`` for one table: whether a partition had ``min_files`` files or more."""
    crowded = _crowded(lake, ref, min_files)
    if crowded:
        _rewrite(lake, ref, crowded)
    return bool(crowded)


def _crowded(lake: Lake, ref: TableRef, min_files: int) -> dict[str, list[str]]:
    table = delta.open_table(lake.path(ref))
    assert table is not None
    return {p: names for p, names in delta.files(lake.path(ref), table).items() if len(names) >= min_files}


def _rewrite(lake: Lake, ref: TableRef, crowded: Mapping[str, list[str]]) -> None:
    before = lake.content_hash(ref.table, layer=ref.layer, source=ref.source)
    for partition, names in crowded.items():
        rows: pl.DataFrame = delta.scan(names, ref.contract).collect()
        predicate = f"{delta.YEAR} = {int(partition)}" if partition else None
        delta.overwrite(lake.path(ref), delta.with_year(ref.contract, rows), predicate, {"quant": "compact"})
    after = lake.content_hash(ref.table, layer=ref.layer, source=ref.source)
    if before != after:
        raise InvariantBroken(
            "lake.compaction", f"compaction changed what {ref} says", expected=before, found=after
        )


def _pin_file(lake: Lake, run_id: str) -> Path:
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError("run.id", f"{run_id!r} is not a run id", found=run_id)
    return lake.root / "pins" / f"{run_id}.json"
