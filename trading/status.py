"""What a second process sees of a session: one small file, replaced atomically after each session day."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from quant.core.errors import Location, StateConflict
from quant.core.versions import JOURNAL_FORMAT
from quant.trading.control import read_halt
from quant.trading.folder import SessionFolder
from quant.trading.journal import storing

State = Literal["starting", "running", "paused", "halted", "finished", "failed", "stopped", "crashed"]
_ALIVE: Final = ("starting", "running", "paused", "halted")


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """A holding; ``value`` in yuan at the last mark."""

    code: str
    quantity: int
    sellable: int
    value: float


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """``done`` of ``total`` session days; ``orders`` and ``fills`` of the last one; money in yuan;
    ``started`` and ``updated`` ISO 8601 UTC."""

    name: str
    state: State
    pid: int
    started: str
    updated: str
    done: int = 0
    total: int = 0
    last_session: str | None = None
    nav: float = 0.0
    cash: float = 0.0
    orders: int = 0
    fills: int = 0
    halted: bool = False
    paused: bool = False
    halt_reason: str | None = None
    state_hash: str = ""
    plan: str = ""
    error: str | None = None
    positions: tuple[HeldPosition, ...] = field(default=())

    @property
    def alive(self) -> bool:
        """Whether a process is working on it."""
        return self.state in _ALIVE


class StatusFile:
    """Writes the status of the session this process runs."""

    def __init__(self, path: Path, first: SessionStatus, now: Callable[[], str]) -> None:
        self._path, self._now = path, now
        self.status = first
        self.write()

    def write(self, **changes: Any) -> None:
        """Change some facts and replace the file."""
        self.status = replace(self.status, updated=self._now(), **changes)
        draft = self._path.with_suffix(".new")
        facts = {"format": JOURNAL_FORMAT} | asdict(self.status)
        with storing(self._path):
            draft.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
            draft.replace(self._path)


def read_status(folder: Path) -> SessionStatus:
    """The status of the session in ``folder``, from any process.

    A session that says it is running while no process holds its lock has crashed.

    Raises:
        StateConflict: no session there, or a status of a newer format.
    """
    place = SessionFolder(folder)
    status = _read(place)
    if status.alive and not place.lock().held_elsewhere():
        status = replace(status, state="crashed")
    halt = read_halt(place.control)
    if halt is not None:
        status = replace(status, halt_reason=halt.reason or "halted")
    return status


def _read(place: SessionFolder) -> SessionStatus:
    where = Location(str(place.status))
    try:
        facts: dict[str, Any] = dict(json.loads(place.status.read_text(encoding="utf-8")))
        if facts.pop("format", 0) <= JOURNAL_FORMAT:
            facts["positions"] = tuple(HeldPosition(**p) for p in facts.get("positions", ()))
            return SessionStatus(**facts)
    except FileNotFoundError:
        raise StateConflict(
            "session.missing",
            "there is no such session",
            found=place.name,
            hint="quant deploy --env paper starts one",
        ) from None
    except (ValueError, TypeError) as error:
        raise StateConflict(
            "session.status",
            f"the status file cannot be read: {error}",
            where=where,
            hint="quant deploy --env paper resumes the session and writes it anew",
        ) from error
    raise StateConflict(
        "session.newer",
        "the session was written by a newer program",
        where=where,
        hint="install the version of quant that runs it",
    )


def own_pid() -> int:
    return os.getpid()
