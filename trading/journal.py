"""The journal: every input of a session, durable before it takes effect. Restart = replay.

File, little endian::

    magic "QJRN" | format u32 | header length u32 | header CRC32 u32 | header, JSON: {plan, kernel, strategy}
    frame: length u32 | CRC32 of the payload u32 | payload
    payload: origin u8 | batch length u32 | batch (Batch.encode) | strategy state

A crash while appending leaves at most one incomplete frame at the end; opening cuts it off. A broken frame
with more data behind it is no torn tail but damage, and is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from quant.core.errors import Location, QuantError, StateConflict
from quant.core.versions import JOURNAL_FORMAT
from quant.native.batch import BATCH_MAGIC, Batch, BatchKind
from quant.trading.ports import Entry, Origin

if TYPE_CHECKING:
    from quant.native.market import Market

_MAGIC: Final = b"QJRN"
_HEAD: Final = struct.Struct("<4sIII")
_FRAME: Final = struct.Struct("<II")
_PAYLOAD: Final = struct.Struct("<BI")
_FRESH: Final = "quant deploy --env paper --fresh archives it and starts anew"


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """What a journal belongs to: the plan's fingerprint, the kernel's hash, the hash of a strategy's code."""

    plan: str
    kernel: str
    strategy: str = ""


class FileJournal:
    """A journal in one file. One writer at a time: the session folder's lock sees to it."""

    def __init__(self, path: Path, header: JournalHeader, market: Market) -> None:
        """Opens or creates the journal and cuts a torn tail.

        Raises:
            StateConflict: not a journal, damaged, of a newer format, or of another plan, kernel or strategy.
        """
        self._path, self._market = path, market
        if not path.exists():
            _create(path, header)
        content = path.read_bytes()
        self._start = _check_header(path, content, header)
        self._offsets, end = _scan(path, content, self._start)
        self.torn_bytes = len(content) - end
        self._file: IO[bytes] = path.open("r+b", buffering=0)
        if self.torn_bytes:
            self._file.truncate(end)
            _sync(self._file)
        self._file.seek(end)

    def __len__(self) -> int:
        return len(self._offsets)

    def append(self, inputs: Batch, *, origin: Origin = Origin.INPUT, state: bytes = b"") -> int:
        payload = _pack(inputs, origin, state)
        frame = _FRAME.pack(len(payload), zlib.crc32(payload)) + payload
        offset = self._file.tell()
        with storing(self._path):
            if self._file.write(frame) != len(frame):
                raise OSError("a write was cut short")
            _sync(self._file)
        self._offsets.append(offset)
        return len(self._offsets) - 1

    def replay(self, start: int = 0) -> Iterator[Entry]:
        """Raises StateConflict where a slice names another market than the session's."""
        where = Location(str(self._path))
        with self._path.open("rb") as file:
            for index in range(start, len(self._offsets)):
                file.seek(self._offsets[index])
                length, _ = _FRAME.unpack(file.read(_FRAME.size))
                yield _own(_unpack(index, file.read(length)), self._market, where)

    def close(self) -> None:
        self._file.close()


class MemoryJournal:
    """A journal for tests and for backtests, which need none: same bytes, no file."""

    def __init__(self, market: Market, frames: list[bytes] | None = None) -> None:
        self._market = market
        self.frames = frames if frames is not None else []

    def __len__(self) -> int:
        return len(self.frames)

    def append(self, inputs: Batch, *, origin: Origin = Origin.INPUT, state: bytes = b"") -> int:
        self.frames.append(_pack(inputs, origin, state))
        return len(self.frames) - 1

    def replay(self, start: int = 0) -> Iterator[Entry]:
        for index, payload in enumerate(self.frames[start:], start):
            yield _own(_unpack(index, payload), self._market, Location("memory"))


class NoJournal:
    """Keeps nothing: for a backtest, whose inputs are all in the lake."""

    def __init__(self) -> None:
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, inputs: Batch, *, origin: Origin = Origin.INPUT, state: bytes = b"") -> int:  # noqa: ARG002
        self._count += 1
        return self._count - 1

    def replay(self, start: int = 0) -> Iterator[Entry]:  # noqa: ARG002
        yield from ()


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Writing a file of a session: a full or broken disk is an error with its fix."""
    try:
        yield
    except OSError as error:
        raise QuantError(
            "session.storage",
            f"the session cannot be kept: {error.strerror or error}",
            where=Location(str(path)),
            hint="make room or repair the disk, then run the session again: it goes on where it stopped",
        ) from error


def _pack(batch: Batch, origin: Origin, state: bytes) -> bytes:
    encoded = batch.encode()
    return _PAYLOAD.pack(origin, len(encoded)) + encoded + state


def _unpack(index: int, payload: bytes) -> Entry:
    origin, length = _PAYLOAD.unpack_from(payload)
    end = _PAYLOAD.size + length
    return Entry(index, Origin(origin), Batch.decode(payload[_PAYLOAD.size : end]), payload[end:])


def _own(entry: Entry, market: Market, where: Location) -> Entry:
    """The entry with its slice bound to the session's market."""
    if entry.batch.kind is not BatchKind.SLICE:
        return entry
    if entry.batch.market_hash != market.content_hash:
        raise StateConflict(
            "journal.market",
            "the journal was written over other market data",
            where=where,
            expected=entry.batch.market_hash[:16],
            found=market.content_hash[:16],
            hint=f"bring back the table versions of its plan, or start over: {_FRESH}",
        )
    return replace(entry, batch=replace(entry.batch, market=market))


def _sync(file: IO[bytes]) -> None:
    os.fsync(file.fileno())


def _create(path: Path, header: JournalHeader) -> None:
    """The whole header or no file: written beside and renamed."""
    text = json.dumps(asdict(header), sort_keys=True).encode()
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(_HEAD.pack(_MAGIC, JOURNAL_FORMAT, len(text), zlib.crc32(text)) + text)
        file.flush()
        _sync(file)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable, where the system can."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_header(path: Path, content: bytes, header: JournalHeader) -> int:
    """Offset of the first frame."""
    where = Location(str(path))
    if len(content) < _HEAD.size or content[:4] != _MAGIC:
        raise StateConflict("journal.unknown", "this file is not a session journal", where=where, hint=_FRESH)
    _, version, length, checksum = _HEAD.unpack_from(content)
    if version > JOURNAL_FORMAT:
        raise StateConflict(
            "journal.newer",
            "the journal was written by a newer program",
            where=where,
            expected=f"format {JOURNAL_FORMAT}",
            found=f"format {version}",
            hint="install the version of quant that wrote it",
        )
    end: int = _HEAD.size + length
    text = content[_HEAD.size : end]
    if version < JOURNAL_FORMAT or len(text) < length or zlib.crc32(text) != checksum:
        raise StateConflict("journal.damaged", "the journal's header is damaged", where=where, hint=_FRESH)
    found = JournalHeader(**json.loads(text))
    _check_owner(found, header, where)
    return end


def _check_owner(found: JournalHeader, expected: JournalHeader, where: Location) -> None:
    for name, what in (("plan", "plan"), ("kernel", "kernel"), ("strategy", "strategy code")):
        ours, theirs = getattr(expected, name), getattr(found, name)
        if ours != theirs:
            raise StateConflict(
                f"journal.{name}",
                f"the journal belongs to another {what}",
                where=where,
                expected=ours[:16] or "none",
                found=theirs[:16] or "none",
                hint=f"go on with the {what} it was started with, or start over: {_FRESH}",
            )


def _scan(path: Path, content: bytes, start: int) -> tuple[list[int], int]:
    """Offsets of the whole frames, and where they end."""
    offsets: list[int] = []
    at = start
    while at < len(content):
        end = _frame_end(content, at)
        if end is None:
            _refuse_damage(path, content, at)
            break
        offsets.append(at)
        at = end
    return offsets, at


def _frame_end(content: bytes, at: int) -> int | None:
    """End of a whole, sound frame at ``at``; None for anything else."""
    if at + _FRAME.size > len(content):
        return None
    length, checksum = _FRAME.unpack_from(content, at)
    begin = at + _FRAME.size
    end: int = begin + length
    if length < _PAYLOAD.size or end > len(content) or zlib.crc32(content[begin:end]) != checksum:
        return None
    return end


def _refuse_damage(path: Path, content: bytes, at: int) -> None:
    """A broken frame is a torn tail only if nothing sound can stand behind it."""
    if at + _FRAME.size > len(content) or not any(content[at:]):
        return
    length, _ = _FRAME.unpack_from(content, at)
    end = at + _FRAME.size + length
    if (end < len(content) and any(content[end:])) or _sound_frame_after(content, at):
        raise StateConflict(
            "journal.damaged",
            f"the journal is damaged at byte {at}",
            where=Location(str(path)),
            expected="a whole frame",
            found="a frame that fails its checksum, with data behind it",
            hint=f"restore the file from a backup; {_FRESH}",
        )


def _sound_frame_after(content: bytes, at: int) -> bool:
    """Whether a whole frame stands behind the broken one at ``at``, whose own length cannot be trusted."""
    lead = _FRAME.size + _PAYLOAD.size
    place = content.find(BATCH_MAGIC, at + lead + 1)
    while place >= 0:
        if _frame_end(content, place - lead) is not None:
            return True
        place = content.find(BATCH_MAGIC, place + 1)
    return False


def is_order_report(entry: Entry) -> bool:
    """Whether the entry is a venue's answer."""
    return entry.batch.kind is BatchKind.REPORTS and entry.origin is Origin.INPUT
