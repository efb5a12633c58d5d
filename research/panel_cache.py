"""Panels on disk, mapped into memory: the second run over the same tables opens its matrices in milliseconds.

One file a panel, named by its key: the content of the tables it was made of, its range, and what was known
when. A file is: magic, length and SHA-256 of its header, the header (JSON: shapes, offsets, digests, names),
then every array at a page boundary. It is written under another name, synced, then renamed: what has the
right name is whole. The cache may be deleted at any time; it is bounded, and the panels unused for longest go
first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from quant.core.hashing import fingerprint
from quant.research.panel import EPOCH, Actions, Panel, load_panel
from quant.research.reported import Reported

if TYPE_CHECKING:
    from quant.core.market.calendar import Calendar
    from quant.research.panel import TableReader

FORMAT: Final = 1
"""Raised when the layout or what ``load_panel`` makes of tables changes: older files are then not read."""
TABLES: Final = ("bars_1d", "adjustment_factors", "instruments", "instrument_attributes", "corporate_actions")
"""The tables that a panel is made of."""
_MAGIC: Final = b"\x89QPANEL\n"
_PAGE: Final = 4096
_STALE_S: Final = 6 * 3600
_LEAST: Final = 1 << 20
"""Cells x bytes below which loading is as fast as opening."""
_ARRAYS: Final = (
    "instruments", "boards", "list_sessions", "open", "high", "low", "close", "pre_close", "limit_up",
    "limit_down", "vwap", "volume", "amount", "flags", "factor",
)  # fmt: skip
_ACTIONS: Final = tuple(f.name for f in fields(Actions))


@dataclass(frozen=True, slots=True)
class PanelCache:
    """The panels below ``folder``, at most ``max_bytes`` together; 0 = none are kept."""

    folder: Path
    max_bytes: int = 4 << 30

    def load(
        self,
        reader: TableReader,
        calendar: Calendar,
        start: date,
        end: date,
        *,
        content: Mapping[str, str],
        as_of: str | None = None,
    ) -> Panel:
        """``load_panel`` through the cache. ``content`` are the content hashes of the tables as ``reader``
        gives them; without those of the bars nothing is cached.
        """
        if not self.max_bytes or "bars_1d" not in content:
            return load_panel(reader, calendar, start, end)
        key = panel_key(content, calendar, start, end, as_of)
        found = self.open(key, reader=reader, mic=calendar.mic)
        if found is None:
            found = load_panel(reader, calendar, start, end)
            if found.close.nbytes >= _LEAST:
                # The run goes on meanwhile; the interpreter waits for the writer at its end.
                threading.Thread(target=self.keep, args=(key, found), name="panel-cache").start()
        return found

    def open(self, key: str, *, reader: TableReader | None = None, mic: str = "XSHG") -> Panel | None:
        """The panel of a key with its matrices mapped read-only, None where there is none or it is not ours.

        ``reader`` reads what a panel does not keep: reported items and index members, on demand.
        """
        path = self._path(key)
        try:
            panel = _opened(path, key)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        if reader is None:
            return panel
        return replace(panel, reported=Reported(reader, panel.sessions, panel.instruments, mic))

    def keep(self, key: str, panel: Panel) -> bool:
        """Write a panel, then make room. A disk that is full or read-only costs the cache, not the run."""
        path = self._path(key)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._sweep(room_for=sum(array.nbytes for array in _arrays(panel).values()))
            _write(temporary, key, panel)
            temporary.replace(path)
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    def verify(self, key: str) -> bool:
        """Whether every array on disk is the one that was written."""
        with self._path(key).open("rb") as handle:
            header, start = _header(handle.read(_PAGE * 4096), key)
            for described in header["arrays"].values():
                handle.seek(start + described["offset"])
                body = handle.read(described["bytes"])
                if hashlib.sha256(body).hexdigest() != described["sha256"]:
                    return False
        return True

    def panels(self) -> list[Path]:
        """The files, the one unused for longest first."""
        found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob("*.panel")]
        return [path for _, path in sorted(found)]

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.panel"

    def _sweep(self, room_for: int) -> None:
        """Remove what killed writers left, and the panels unused for longest until ``room_for`` bytes fit."""
        for left in self.folder.glob(".*.tmp"):
            if time.time() - left.stat().st_mtime > _STALE_S:
                left.unlink(missing_ok=True)
        kept = self.panels()
        used = sum(path.stat().st_size for path in kept)
        for path in kept:
            if used + room_for <= self.max_bytes:
                break
            used -= path.stat().st_size
            path.unlink(missing_ok=True)


def panel_key(
    content: Mapping[str, str], calendar: Calendar, start: date, end: date, as_of: str | None = None
) -> str:
    """Equal for equal panels: what the tables say, not where they lie or which version they are."""
    return fingerprint(
        {
            "format": FORMAT,
            "content": {name: content.get(name, "") for name in TABLES},
            "calendar": calendar.mic,
            "sessions": [d.isoformat() for d in calendar.sessions(start, end)],
            "as_of": as_of or "",
        }
    )


def _arrays(panel: Panel) -> dict[str, npt.NDArray[Any]]:
    out = {name: np.ascontiguousarray(getattr(panel, name)) for name in _ARRAYS}
    out |= {f"actions.{name}": np.ascontiguousarray(getattr(panel.actions, name)) for name in _ACTIONS}
    return out


def _write(path: Path, key: str, panel: Panel) -> None:
    arrays, at = _arrays(panel), 0
    described: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        described[name] = {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "offset": at,
            "bytes": array.nbytes,
            "sha256": hashlib.sha256(_bytes(array)).hexdigest(),
        }
        at += -(-array.nbytes // _PAGE) * _PAGE
    about = {
        "format": FORMAT,
        "key": key,
        "bytes": at,
        "sessions": [int(d) for d in panel.session_days],
        "codes": list(panel.codes),
        "names": list(panel.names),
        "arrays": described,
    }
    header = json.dumps(about, ensure_ascii=False).encode()
    head = _MAGIC + len(header).to_bytes(8, "little") + hashlib.sha256(header).digest() + header
    with path.open("wb") as handle:
        handle.write(head)
        for name, array in arrays.items():
            handle.seek(_body(len(head)) + described[name]["offset"])
            handle.write(_bytes(array))
        handle.truncate(_body(len(head)) + at)
        handle.flush()
        os.fsync(handle.fileno())


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _body(head: int) -> int:
    """Where the arrays begin: the first page boundary after ``head`` bytes."""
    return -(-head // _PAGE) * _PAGE


def _header(content: bytes | mmap.mmap, key: str) -> tuple[dict[str, Any], int]:
    """The header and where the arrays begin. Raises ValueError for what is not a panel of this key."""
    if content[:8] != _MAGIC:
        raise ValueError("no panel")
    length = int.from_bytes(content[8:16], "little")
    header = content[48 : 48 + length]
    if len(header) != length or hashlib.sha256(header).digest() != content[16:48]:
        raise ValueError("damaged header")
    about = json.loads(header)
    if about["format"] != FORMAT or about["key"] != key:
        raise ValueError("another panel")
    return about, _body(48 + length)


def _opened(path: Path, key: str) -> Panel:
    with path.open("rb") as handle:
        mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    about, body = _header(mapped, key)
    if len(mapped) != body + about["bytes"]:
        raise ValueError("cut short")
    arrays: dict[str, Any] = {
        name: np.frombuffer(
            mapped, dtype=np.dtype(d["dtype"]), count=int(np.prod(d["shape"])), offset=body + d["offset"]
        ).reshape(d["shape"])
        if d["bytes"]
        else np.zeros(d["shape"], np.dtype(d["dtype"]))
        for name, d in about["arrays"].items()
    }
    return Panel(
        sessions=tuple(EPOCH + timedelta(days=day) for day in about["sessions"]),
        codes=tuple(about["codes"]),
        names=tuple(about["names"]),
        actions=Actions(**{name: arrays[f"actions.{name}"] for name in _ACTIONS}),
        **{name: arrays[name] for name in _ARRAYS},
    )
