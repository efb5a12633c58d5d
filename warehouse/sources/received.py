"""Answers that have arrived before their interval was finished: after a kill nothing is asked twice.

One line a call in ``<lake>/raw/<source>/received/<dataset>.jsonl``; a torn last line is no line. When the
interval is stored its lines move to ``<dataset>.done.jsonl``, where for a day another table that is made of
the same answers finds them (events that are inferred from bars). An answer older than a week is asked for
again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from quant.core.hashing import digest
from quant.core.time import NS_PER_DAY, utc_now
from quant.warehouse.files import write_atomic
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import Call
from quant.warehouse.store import LocalFolder, Storage

KEEP_NS: Final = 7 * NS_PER_DAY
DONE_NS: Final = NS_PER_DAY
_DATED: Final = ("date", "day", "start", "end", "since", "until", "period", "year")


@dataclass(frozen=True, slots=True)
class Arrived:
    """The payload that answered a call, and its rows."""

    payload: str
    rows: int


class Received:
    """The answers of one dataset of one source that have arrived. Safe for threads of one process.

    ``aside``: the dataset is read for another table, which may use what its own table has finished with.
    """

    def __init__(
        self,
        lake: Storage,
        settings: SourceSettings,
        dataset: str,
        *,
        aside: bool = False,
        now: Callable[[], int] = utc_now,
    ) -> None:
        self._path = journal_path(lake, settings.name, dataset)
        self._stamp = settings.fingerprint
        self._now = now
        self._inside = threading.Lock()
        self._torn = b"" if not self._path.is_file() or _ends_whole(self._path) else b"\n"
        """What ends a line that a kill has torn, before the first line of ours."""
        done = self._fresh(_done(self._path), DONE_NS) if aside else {}
        self._known = {**done, **self._fresh(self._path, DONE_NS if aside else KEEP_NS)}

    def get(self, call: Call, end: date) -> Arrived | None:
        """What answered a call of an interval that ends at ``end``."""
        return self._known.get(_key(call, end))

    def put(self, call: Call, end: date, arrived: Arrived) -> None:
        """Remember an answer whose payload is stored."""
        key = _key(call, end)
        line = {
            "key": key,
            "payload": arrived.payload,
            "rows": arrived.rows,
            "at": self._now(),
            "stamp": self._stamp,
        }
        with self._inside:
            self._known[key] = arrived
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as journal:
                torn, self._torn = self._torn, b""
                journal.write(torn + json.dumps(line, sort_keys=True).encode() + b"\n")

    def _fresh(self, path: Path, keep: int) -> dict[str, Arrived]:
        oldest = self._now() - keep
        return {
            str(row["key"]): Arrived(str(row["payload"]), int(row["rows"]))
            for row in _lines(path)
            if row["stamp"] == self._stamp and row["at"] > oldest
        }


def finish(lake: Storage, source: str, dataset: str, *, now: Callable[[], int] = utc_now) -> None:
    """The interval is stored, or was refused: its answers are not used for it again."""
    path = journal_path(lake, source, dataset)
    if not path.is_file():
        return
    oldest = now() - DONE_NS
    kept = [row for row in (*_lines(_done(path)), *_lines(path)) if row["at"] > oldest]
    write_atomic(
        _done(path), b"".join(json.dumps(r, sort_keys=True).encode() + b"\n" for r in kept), durable=False
    )
    path.unlink(missing_ok=True)


def journal_path(lake: Storage, source: str, dataset: str) -> Path:
    """Beside the payloads; for a lake in an object store, where lines cannot be added, on this machine."""
    if isinstance(lake, LocalFolder):
        return lake.root / "raw" / source / "received" / f"{dataset}.jsonl"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "quant" / "received" / digest(lake.uri)[:16] / source / f"{dataset}.jsonl"


def _done(path: Path) -> Path:
    return path.with_suffix(".done.jsonl")


def _ends_whole(path: Path) -> bool:
    content = path.read_bytes()
    return not content or content.endswith(b"\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal; what a kill has torn is asked for again."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
            whole = {*row} >= {"key", "payload", "rows", "at", "stamp"}
        except (ValueError, TypeError):
            continue
        if whole:
            yield row


def _key(call: Call, end: date) -> str:
    """A question about dates stays the same question; one about "all" means all up to the interval's end."""
    dated = any(part in name.lower() for name in call.params for part in _DATED)
    return call.key if dated else f"{call.key}@{end.isoformat()}"
