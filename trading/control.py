"""Steering a running session from another process: pause, resume, halt, reset.

Instructions are lines of JSON appended to ``control.jsonl``; the session reads new ones at each instant and
journals them. A halt is also a lock file, ``HALT``, which the session looks for before every submit: it works
with no database and no network, and outlives both processes until a reset removes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quant.core.errors import StateConflict, UsageError
from quant.native.batch import Batch, BatchKind, ControlKind, Phase
from quant.trading.clocks import wall_time
from quant.trading.ports import ControlEvent, Ns

_VERBS: Final = {
    kind.name.lower(): kind
    for kind in (ControlKind.PAUSE, ControlKind.RESUME, ControlKind.HALT, ControlKind.RESET)
}
_REASONED: Final = (ControlKind.HALT, ControlKind.RESET)


@dataclass(frozen=True, slots=True)
class ControlFiles:
    """The two files of a session folder that other processes write to."""

    log: Path
    halt: Path

    @classmethod
    def in_folder(cls, folder: Path) -> ControlFiles:
        return cls(folder / "control.jsonl", folder / "HALT")


class FileControl:
    """Reads the control files of a session."""

    def __init__(self, files: ControlFiles) -> None:
        self._files = files
        self._line = 0
        self._offset = 0

    def poll(self) -> Sequence[ControlEvent]:
        """Whole lines not given before; a line nobody can read is skipped, its number is used up."""
        try:
            with self._files.log.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return ()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for text in whole.splitlines():
            self._line += 1
            event = _parse(text, self._line)
            if event is not None:
                found.append(event)
        return found

    def lock(self) -> ControlEvent | None:
        if not os.path.exists(self._files.halt):  # noqa: PTH110  (once per submit: no Path object)
            return None
        return read_halt(self._files)

    def resume(self, line: int) -> None:
        self._line = self._offset = 0
        try:
            content = self._files.log.read_bytes()
        except FileNotFoundError:
            return
        for text in content.splitlines(keepends=True)[:line]:
            self._offset += len(text)
            self._line += 1


class NoControl:
    """Nobody steers: for a backtest."""

    def poll(self) -> Sequence[ControlEvent]:
        return ()

    def lock(self) -> ControlEvent | None:
        return None

    def resume(self, line: int) -> None:
        del line


class ScriptedControl:
    """Control for tests: ``script`` is asked at each instant, ``locked`` before each submit."""

    def __init__(
        self,
        script: Callable[[int], Sequence[ControlEvent]],
        locked: Callable[[], ControlEvent | None] = lambda: None,
    ) -> None:
        self._script, self._locked, self._polls = script, locked, 0

    def poll(self) -> Sequence[ControlEvent]:
        self._polls += 1
        return self._script(self._polls)

    def lock(self) -> ControlEvent | None:
        return self._locked()

    def resume(self, line: int) -> None:
        del line


def request(files: ControlFiles, verb: str, *, actor: str, reason: str = "") -> ControlEvent:
    """Ask the session behind ``files`` to pause, resume, halt or reset; what was asked.

    Raises:
        UsageError: an unknown verb, or a halt or reset without a reason.
        StateConflict: a reset where nothing is halted by lock and no session was ever there.
    """
    kind = _VERBS.get(verb)
    if kind is None:
        raise UsageError(
            "control.verb", f"{verb!r} is not an instruction", expected=", ".join(_VERBS), found=verb
        )
    if kind in _REASONED and not reason.strip():
        raise UsageError("control.reason", f"{verb} needs a reason", hint=f"quant live {verb} --reason '…'")
    if not files.log.parent.is_dir():
        raise StateConflict(
            "session.missing",
            "there is no such session",
            found=files.log.parent.name,
            hint="quant deploy --env paper starts one",
        )
    event = ControlEvent(kind, actor, wall_time(), reason.strip())
    if kind is ControlKind.HALT:
        _write_halt(files.halt, event)
    elif kind is ControlKind.RESET:
        files.halt.unlink(missing_ok=True)
    _append(files.log, event)
    return event


def read_halt(files: ControlFiles) -> ControlEvent | None:
    """The halt in force. An unreadable lock still halts: it was put there to stop trading."""
    try:
        facts = json.loads(files.halt.read_bytes())
        actor, at, reason = (str(facts.get(name, "")) for name in ("actor", "at", "reason"))
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, OSError):
        actor, at, reason = "unknown", "", "the halt lock exists"
    return ControlEvent(ControlKind.HALT, actor, at, reason)


def control_batch(event: ControlEvent, ts: Ns, t: int, phase: Phase) -> Batch:
    """The journaled form: who, when and why travel in the note."""
    note = {"actor": event.actor, "at": event.at, "line": event.line, "reason": event.reason}
    return Batch.control(event.kind, ts, phase, t, note=json.dumps(note, ensure_ascii=False, sort_keys=True))


def control_line(batch: Batch) -> int:
    """Line of the control file that a journaled control batch came from; 0 for any other batch."""
    if batch.kind is not BatchKind.CONTROL:
        return 0
    try:
        return int(json.loads(batch.note).get("line", 0))
    except (ValueError, AttributeError):
        return 0


def _parse(text: bytes, line: int) -> ControlEvent | None:
    try:
        facts: Any = json.loads(text)
        kind = _VERBS[facts["verb"]]
        actor, at, reason = (str(facts.get(name, "")) for name in ("actor", "at", "reason"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return ControlEvent(kind, actor, at, reason, line)


def _facts(event: ControlEvent) -> bytes:
    facts = {"verb": event.kind.name.lower(), "actor": event.actor, "at": event.at, "reason": event.reason}
    return json.dumps(facts, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _write_halt(path: Path, event: ControlEvent) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(_facts(event))
    draft.replace(path)


def _append(path: Path, event: ControlEvent) -> None:
    """One write of one whole line, durable; starts a line of its own after a torn one."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and _last_byte(handle, size) != b"\n"
        os.write(handle, (b"\n" if torn else b"") + _facts(event))
        os.fsync(handle)
    finally:
        os.close(handle)


def _last_byte(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)
