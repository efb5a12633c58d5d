"""One writer per workspace: a lock of the operating system, so it dies with the process that holds it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from quant.core.errors import StateConflict

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: IO[str]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(handle: IO[str]) -> None:
        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(handle: IO[str]) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(handle: IO[str]) -> None:
        fcntl.flock(handle.fileno(), fcntl.LOCK_UN)


POLL_SECONDS = 0.05


class WriterLock:
    """Exclusive among processes and among lock objects of one process; re-entrant within one object.

    The locked file stays where it is, empty; who holds it is written beside it for the message only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._holder = path.with_suffix(".holder.json")
        self._handle: IO[str] | None = None
        self._depth = 0
        self._inside = threading.RLock()

    @contextlib.contextmanager
    def hold(self, what: str = "write", *, wait: float = 0.0) -> Iterator[None]:
        """Hold the lock for the block. Raises StateConflict ``workspace.locked`` after ``wait`` seconds."""
        with self._inside:
            if self._depth == 0:
                self._acquire(what, wait)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._release()

    def _acquire(self, what: str, wait: float) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = self.path.open("a+")
        deadline = time.monotonic() + wait
        while True:
            try:
                _lock(handle)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    handle.close()
                    raise self._conflict() from None
                time.sleep(POLL_SECONDS)
        self._handle = handle
        with contextlib.suppress(OSError):
            self._holder.write_text(json.dumps({"pid": os.getpid(), "what": what}), encoding="utf-8")

    def _release(self) -> None:
        assert self._handle is not None
        with contextlib.suppress(OSError):
            self._holder.unlink()
        _unlock(self._handle)
        self._handle.close()
        self._handle = None

    def _conflict(self) -> StateConflict:
        found = "another process"
        with contextlib.suppress(OSError, ValueError):
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            found = f"process {holder['pid']} ({holder['what']})"
        return StateConflict(
            "workspace.locked",
            "another process is writing to this workspace",
            expected="one writer at a time",
            found=found,
            hint="wait for it to finish, then run the command again",
        )
