"""The folder of one session, and the lock that says a process is running it.

::

    <state>/sessions/<name>/  journal.bin  snapshot.bin  status.json  control.jsonl  HALT  plan.json  lock
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from quant.core.errors import Location, StateConflict, UsageError
from quant.trading.control import ControlFiles

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """Paths of a session; nothing is made before :meth:`create`."""

    root: Path

    @classmethod
    def of(cls, state: Path, name: str) -> SessionFolder:
        """The folder of session ``name`` below the workspace's state folder.

        Raises:
            UsageError: a name that is no plain file name.
        """
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                "session.name",
                f"{name!r} cannot name a session",
                expected="letters, digits, dot, dash, underscore",
                found=repr(name),
            )
        return cls(state / "sessions" / name)

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def journal(self) -> Path:
        return self.root / "journal.bin"

    @property
    def snapshot(self) -> Path:
        return self.root / "snapshot.bin"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def plan(self) -> Path:
        return self.root / "plan.json"

    @property
    def control(self) -> ControlFiles:
        return ControlFiles.in_folder(self.root)

    def create(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def lock(self) -> SessionLock:
        """Held while a process runs the session."""
        return SessionLock(self.root / "lock")

    def archive(self, stamp: str) -> Path | None:
        """Move an ended session aside to start anew; where it went, None when there was none.

        Raises:
            StateConflict: a process is running it.
        """
        if not self.root.is_dir():
            return None
        with self.lock():
            target = self.root.with_name(f"{self.name}.{re.sub('[^0-9A-Za-z]', '', stamp)}")
        self.root.rename(target)
        return target


class SessionLock:
    """An advisory lock on a file that dies with its process, however the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> SessionLock:
        """Raises StateConflict while another process holds it."""
        if not self.acquire():
            raise StateConflict(
                "session.running",
                "another process is running this session",
                where=Location(str(self._path.parent)),
                hint="quant live status shows it; wait for its end, or halt it",
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> bool:
        file = self._path.open("a+b")
        if not _lock(file):
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def held_elsewhere(self) -> bool:
        """Whether a living process holds it."""
        if not self._path.exists():
            return False
        if not self.acquire():
            return True
        self.release()
        return False


def _lock(file: IO[bytes]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
