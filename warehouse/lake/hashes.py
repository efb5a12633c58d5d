"""Content hashes of a lake's tables, kept beside it so that each version is hashed once."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from quant.core.errors import QuantError, UsageError
from quant.core.hashing import digest
from quant.warehouse.lake import delta, history
from quant.warehouse.lake.content import CONTENT_FORMAT, partition_hash, table_hash
from quant.warehouse.lake.layout import TableRef
from quant.warehouse.store import Storage

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake

HASHES_KEPT: Final = 256


def content_hash(lake: Lake, ref: TableRef, version: int | None, as_of: datetime | None) -> str:
    """The hash of what a table says at a version (None = latest). Raises UsageError where there is none."""
    found = delta.open_table(lake.path(ref), version)
    if found is None:
        raise UsageError("table.absent", f"{ref} does not exist", hint=f"quant data sync {ref.table}")
    name = _sidecar(ref)
    known = _load(lake.store, name, found.table_id)
    key = str(found.version) if as_of is None else f"{found.version}@{as_of.astimezone(UTC).isoformat()}"
    if key not in known["versions"]:
        if as_of is None:
            parts = _partitions(lake, ref, found, known["partitions"])
            known["versions"][key] = table_hash(ref.contract, parts)
        else:
            known["versions"][key] = history.hash_as_of(lake, ref, found.version, as_of)
        _save(lake.store, name, known)
    return known["versions"][key]


def partition_hashes(lake: Lake, ref: TableRef, version: int | None = None) -> dict[str, str]:
    """The hash of each partition that has rows, from which the table's is made."""
    found = delta.open_table(lake.path(ref), version)
    if found is None:
        return {}
    known = _load(lake.store, _sidecar(ref), found.table_id)
    before = len(known["partitions"])
    parts = _partitions(lake, ref, found, known["partitions"])
    if len(known["partitions"]) != before:
        _save(lake.store, _sidecar(ref), known)
    return parts


def _partitions(lake: Lake, ref: TableRef, found: delta.Snapshot, cache: dict[str, str]) -> dict[str, str]:
    table, parts = ref.contract, {}
    for partition, files in found.partitions().items():
        key = digest("\n".join(PurePosixPath(file.path).name for file in files))
        if key not in cache:
            rows = delta.scan(lake.path(ref), files, table).select(table.content).collect()
            cache[key] = partition_hash(table, rows) if rows.height else ""
        if cache[key]:
            parts[partition] = cache[key]
    return parts


def _sidecar(ref: TableRef) -> str:
    return f"hashes/{str(ref).replace('/', '.')}.json"


def _load(store: Storage, name: str, table_id: str) -> dict[str, dict[str, str]]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        known = json.loads(store.read(name))
        if known["id"] == table_id and known["format"] == CONTENT_FORMAT:
            return {
                "about": {"id": table_id},
                "versions": known["versions"],
                "partitions": known["partitions"],
            }
    return {"about": {"id": table_id}, "versions": {}, "partitions": {}}


def _save(store: Storage, name: str, known: dict[str, dict[str, str]]) -> None:
    text = json.dumps(
        {
            "id": known["about"]["id"],
            "format": CONTENT_FORMAT,
            "versions": dict(list(known["versions"].items())[-HASHES_KEPT:]),
            "partitions": dict(list(known["partitions"].items())[-HASHES_KEPT:]),
        }
    )
    with contextlib.suppress(OSError, QuantError):  # a read-only or full lake can still be hashed
        store.write(name, text.encode(), durable=False)
