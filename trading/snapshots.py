"""The newest snapshot of a session, beside its journal. A shortcut only: anything unfit is ignored."""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from quant.core.versions import JOURNAL_FORMAT
from quant.trading.journal import JournalHeader, storing, sync_folder
from quant.trading.ports import Snapshot

_MAGIC: Final = b"QSNP"
_HEAD: Final = struct.Struct("<4sIII")
_PARTS: Final = ("kernel", "venue", "strategy")


class FileSnapshots:
    """One file, replaced atomically: ``magic | format | JSON length | CRC32 of the rest | JSON | parts``."""

    def __init__(self, path: Path, header: JournalHeader) -> None:
        self._path, self._header = path, asdict(header)

    def load(self) -> Snapshot | None:
        """The snapshot, or None when there is none that fits this plan, kernel and format."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        if len(content) < _HEAD.size:
            return None
        magic, version, length, checksum = _HEAD.unpack_from(content)
        body = content[_HEAD.size :]
        if magic != _MAGIC or version != JOURNAL_FORMAT or zlib.crc32(body) != checksum:
            return None
        facts = json.loads(body[:length])
        if facts.pop("owner") != self._header:
            return None
        parts: dict[str, Any] = {}
        at = length
        for name in _PARTS:
            size = facts.pop(f"{name}_bytes")
            parts[name], at = body[at : at + size], at + size
        return Snapshot(**facts, **parts)

    def save(self, snapshot: Snapshot) -> None:
        facts = asdict(snapshot)
        parts = [facts.pop(name) for name in _PARTS]
        facts |= {f"{name}_bytes": len(part) for name, part in zip(_PARTS, parts, strict=True)}
        text = json.dumps(facts | {"owner": self._header}, sort_keys=True).encode()
        body = b"".join([text, *parts])
        draft = self._path.with_suffix(".new")
        with storing(self._path):
            with draft.open("wb") as file:
                file.write(_HEAD.pack(_MAGIC, JOURNAL_FORMAT, len(text), zlib.crc32(body)) + body)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            sync_folder(self._path.parent)


class MemorySnapshots:
    """A snapshot store for tests."""

    def __init__(self) -> None:
        self.newest: Snapshot | None = None

    def load(self) -> Snapshot | None:
        return self.newest

    def save(self, snapshot: Snapshot) -> None:
        self.newest = snapshot
