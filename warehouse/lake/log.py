"""The Delta log of a table: which files make up a version, and how a new version comes about.

A version is a file of JSON actions; whoever creates the file of the next version has committed, and of any
number of writers exactly one can (``Storage.create``). Every hundredth version is summed up in a checkpoint
by delta-rs, so that a table is opened without reading its whole log. What was read is kept in memory and
only added to; a table that was removed and made again is noticed by the stamp of its newest commit.

Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md, reader version 1, writer version 2.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, unquote

import polars as pl

from quant.core.errors import QuantError, StateConflict, UsageError
from quant.core.time import utc_now
from quant.core.versions import TABLE_FORMAT
from quant.warehouse.store import Storage

LOG: Final = "_delta_log"
FORMAT_KEY: Final = "quant.tableFormat"
CHECKPOINT_EVERY: Final = 100
_READS: Final = frozenset({"timestampNtz"})
_CACHE: dict[str, Snapshot] = {}
_CACHED: Final = 256
_INSIDE = threading.Lock()


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file of a version: its path below the table, the partition it is of, its rows and bounds."""

    path: str
    partition: str
    size: int
    rows: int
    low: Mapping[str, Any] = field(default_factory=dict)
    high: Mapping[str, Any] = field(default_factory=dict)

    def meets(self, column: str, start: str, end: str) -> bool:
        """Whether rows with ``start <= column <= end`` (as ISO texts) may be in the file."""
        low, high = self.low.get(column), self.high.get(column)
        return low is None or high is None or (str(low) <= end and str(high) >= start)

    def within(self, column: str, start: str, end: str) -> bool:
        """Whether every row surely has ``start <= column <= end``."""
        low, high = self.low.get(column), self.high.get(column)
        return low is not None and high is not None and str(low) >= start and str(high) <= end


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version of a table: its files by path and its metadata."""

    version: int
    files: Mapping[str, DataFile] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stamp: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    """What the commit of this version says about itself."""

    @property
    def table_id(self) -> str:
        return str(self.metadata["id"])

    @property
    def format(self) -> int:
        return int(self.metadata.get("configuration", {}).get(FORMAT_KEY, 1))

    @property
    def partition_column(self) -> str | None:
        columns = self.metadata.get("partitionColumns") or []
        return str(columns[0]) if columns else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column names of the stored schema, with the partition column."""
        return tuple(each["name"] for each in json.loads(self.metadata["schemaString"])["fields"])

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.files.values())

    def partitions(self, within: Collection[str] | None = None) -> dict[str, list[DataFile]]:
        """Files by partition value (``""`` for a table without partitions), both in order."""
        found: dict[str, list[DataFile]] = {}
        files = (file for file in self.files.values() if within is None or file.partition in within)
        for each in sorted(files, key=lambda file: (file.partition, file.path)):
            found.setdefault(each.partition, []).append(each)
        return found


@dataclass(frozen=True, slots=True)
class Commit:
    """What one version did: the files it removed and added, and what it says about itself."""

    removed: Sequence[DataFile]
    added: Sequence[DataFile]
    info: Mapping[str, Any]


class CommitTaken(Exception):
    """Another writer has made the version that this commit wanted to be."""


def load(folder: Storage, version: int | None = None) -> Snapshot | None:
    """A version of the table in ``folder`` (None = latest); None where there is no table.

    Raises UsageError ``table.version`` for a version that does not exist, StateConflict for a table that a
    newer program wrote.
    """
    with _INSIDE:
        latest = _latest(folder)
        if latest is None or version is None or version == latest.version:
            return latest
    if not 0 <= version < latest.version:
        name = folder.uri.rstrip("/").rpartition("/")[2]
        raise UsageError(
            "table.version",
            f"{name} has no version {version}",
            expected=f"0 to {latest.version}",
            found=str(version),
        )
    return _replay(folder, _checkpoint_before(folder, version), version)


def commit(folder: Storage, base: Snapshot | None, actions: Sequence[Mapping[str, Any]]) -> Snapshot:
    """Make ``actions`` the version after ``base`` (None = the first). Raises CommitTaken."""
    version = 0 if base is None else base.version + 1
    name = commit_name(version)
    if not folder.create(name, "\n".join(json.dumps(each) for each in actions).encode()):
        raise CommitTaken(name)
    with _INSIDE:
        made = replace(_applied(base, version, actions), stamp=folder.stamp(name))
        _keep(folder, made)
    if version and version % CHECKPOINT_EVERY == 0:
        with contextlib.suppress(QuantError, OSError):  # a later one will do as well
            checkpoint(folder)
    return made


def checkpoint(folder: Storage) -> None:
    """Sum up the log so far in one file; failing leaves the table as it was."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        DeltaTable(folder.uri, storage_options=folder.options).create_checkpoint()
    except DeltaError as error:
        raise QuantError("table.checkpoint", "the log could not be summed up", found=str(error)) from error


def add_action(file: DataFile, column: str | None, *, says_new: bool = True) -> dict[str, Any]:
    """The action that makes a file part of the table."""
    stats = {
        "numRecords": file.rows,
        "minValues": dict(file.low),
        "maxValues": dict(file.high),
        "nullCount": dict.fromkeys(file.low, 0),
    }
    return {
        "add": {
            "path": quote(file.path, safe="/=-._"),
            "partitionValues": {column: file.partition} if column else {},
            "size": file.size,
            "modificationTime": utc_now() // 1_000_000,
            "dataChange": says_new,
            "stats": json.dumps(stats),
        }
    }


def remove_action(file: DataFile, column: str | None, *, says_new: bool = True) -> dict[str, Any]:
    """The action that ends a file's part in the table; its bytes stay until ``gc``."""
    return {
        "remove": {
            "path": quote(file.path, safe="/=-._"),
            "deletionTimestamp": utc_now() // 1_000_000,
            "dataChange": says_new,
            "extendedFileMetadata": True,
            "partitionValues": {column: file.partition} if column else {},
            "size": file.size,
        }
    }


def commit_name(version: int) -> str:
    return f"{LOG}/{version:020d}.json"


# -- reading the log


def read_commit(folder: Storage, version: int) -> Commit:
    """What a version did. Raises FileNotFoundError."""
    removed, added, info = [], [], {}
    for action in _actions(folder.read(commit_name(version))):
        if "remove" in action:
            removed.append(_data_file(action["remove"]))
        elif "add" in action:
            added.append(_data_file(action["add"]))
        elif "commitInfo" in action:
            info = action["commitInfo"]
    return Commit(removed, added, info)


def _actions(content: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in content.splitlines() if line.strip())


def _latest(folder: Storage) -> Snapshot | None:
    known = _CACHE.get(folder.uri)
    if known is not None and folder.stamp(commit_name(known.version)) == known.stamp is not None:
        found = _replay(folder, known, None)
    else:
        found = _replay(folder, _checkpoint_before(folder, None), None)
    if found is None:
        _CACHE.pop(folder.uri, None)
    elif found is not known:
        found = replace(found, stamp=folder.stamp(commit_name(found.version)))
        _keep(folder, found)
    return found


def _keep(folder: Storage, snapshot: Snapshot) -> None:
    _CACHE.pop(folder.uri, None)
    _CACHE[folder.uri] = snapshot
    while len(_CACHE) > _CACHED:
        _CACHE.pop(next(iter(_CACHE)))


def _replay(folder: Storage, base: Snapshot | None, until: int | None) -> Snapshot | None:
    found, version = base, 0 if base is None else base.version + 1
    while until is None or version <= until:
        try:
            content = folder.read(commit_name(version))
        except FileNotFoundError:
            break
        found = _applied(found, version, _actions(content))
        version += 1
    if found is not None and not found.info:  # what a commit says of itself is not in checkpoints
        with contextlib.suppress(FileNotFoundError):
            return replace(found, info=read_commit(folder, found.version).info)
    return found


def _applied(base: Snapshot | None, version: int, actions: Iterable[Mapping[str, Any]]) -> Snapshot:
    files = dict(base.files) if base is not None else {}
    metadata = base.metadata if base is not None else {}
    info: Mapping[str, Any] = {}
    added: list[DataFile] = []
    for action in actions:
        if "add" in action:
            added.append(_data_file(action["add"]))
        elif "remove" in action:
            files.pop(unquote(action["remove"]["path"]), None)
        elif "metaData" in action:
            metadata = action["metaData"]
        elif "protocol" in action:
            _refuse_foreign(action["protocol"])
        elif "commitInfo" in action:
            info = action["commitInfo"]
    files.update((each.path, each) for each in added)
    made = Snapshot(version, files, metadata, info=info)
    if metadata and made.format > TABLE_FORMAT:
        raise StateConflict(
            "table.newer",
            f"the table {metadata.get('name') or ''} was written by a newer quant",
            expected=f"table format <= {TABLE_FORMAT}",
            found=str(made.format),
            hint="install the newer version: pip install -U quant-toolkit",
        )
    return made


def _refuse_foreign(protocol: Mapping[str, Any]) -> None:
    features = set(protocol.get("readerFeatures") or ()) - _READS
    version = int(protocol.get("minReaderVersion", 1))
    if version > 3 or version == 2 or features:
        raise StateConflict(
            "table.features",
            "another program has given this table features that cannot be read here",
            expected="a Delta table of reader version 1",
            found=", ".join(sorted(features)) or f"reader version {version}",
        )


def _data_file(add: Mapping[str, Any]) -> DataFile:
    values = add.get("partitionValues") or {}
    pairs = values if isinstance(values, dict) else {each["key"]: each["value"] for each in values}
    stats = json.loads(add["stats"]) if add.get("stats") else {}
    return DataFile(
        path=unquote(add["path"]),
        partition=str(next(iter(pairs.values()), "") or ""),
        size=int(add.get("size") or 0),
        rows=int(stats.get("numRecords", 0)),
        low=stats.get("minValues", {}),
        high=stats.get("maxValues", {}),
    )


def _checkpoint_before(folder: Storage, version: int | None) -> Snapshot | None:
    """The newest checkpoint at or before a version (None = the last one), or None to begin at the start."""
    at = _last_checkpoint(folder)
    if at is not None and version is not None and at > version:
        names = (each.name for each in folder.below(LOG).entries())
        numbers = [int(n[:20]) for n in names if n.endswith(".checkpoint.parquet") and n[:20].isdigit()]
        at = max((number for number in numbers if number <= version), default=None)
    if at is None:
        return None
    try:
        content = folder.read(f"{LOG}/{at:020d}.checkpoint.parquet")
        frame = pl.read_parquet(io.BytesIO(content), columns=["add", "metaData", "protocol"])
    except (FileNotFoundError, pl.exceptions.PolarsError):
        return None  # the log itself is complete
    actions: list[dict[str, Any]] = []
    for kind in ("protocol", "metaData", "add"):
        rows = frame.filter(pl.col(kind).struct.field(_PROOF[kind]).is_not_null())[kind].to_list()
        actions += [{kind: _plain(row)} for row in rows]
    return _applied(None, at, actions)


_PROOF: Final = {"protocol": "minReaderVersion", "metaData": "id", "add": "path"}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Maps of a checkpoint come as lists of pairs."""
    if "configuration" in row and isinstance(row["configuration"], list):
        row["configuration"] = {each["key"]: each["value"] for each in row["configuration"]}
    return row


def _last_checkpoint(folder: Storage) -> int | None:
    try:
        hint = json.loads(folder.read(f"{LOG}/_last_checkpoint"))
        return None if hint.get("parts") else int(hint["version"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
