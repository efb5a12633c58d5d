"""Steering a session from another process, seeing it, and the lock that tells the living from the dead."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quant.core.errors import StateConflict, UsageError
from quant.native.batch import ControlKind, Phase
from quant.trading.control import (
    ControlFiles,
    FileControl,
    control_batch,
    control_line,
    request,
)
from quant.trading.folder import SessionFolder, SessionLock
from quant.trading.ports import ControlEvent
from quant.trading.status import HeldPosition, SessionStatus, StatusFile, read_status

NOW = "2024-01-02T00:00:00Z"


@pytest.fixture
def files(tmp_path: Path) -> ControlFiles:
    return ControlFiles.in_folder(tmp_path)


def test_instructions_are_read_once_and_in_order(files: ControlFiles) -> None:
    control = FileControl(files)
    assert control.poll() == ()
    request(files, "pause", actor="ann")
    request(files, "resume", actor="bob", reason="ready")
    first, second = control.poll()
    assert (first.kind, first.actor, first.line) == (ControlKind.PAUSE, "ann", 1)
    assert (second.kind, second.reason, second.line) == (ControlKind.RESUME, "ready", 2)
    assert first.at.endswith("Z")
    assert control.poll() == []


def test_a_restarted_session_goes_on_after_the_journaled_line(files: ControlFiles) -> None:
    for verb in ("pause", "resume", "pause"):
        request(files, verb, actor="ann")
    control = FileControl(files)
    control.resume(2)
    assert [(e.kind, e.line) for e in control.poll()] == [(ControlKind.PAUSE, 3)]


def test_a_half_written_line_waits_and_an_unreadable_one_is_skipped(files: ControlFiles) -> None:
    control = FileControl(files)
    files.log.write_bytes(
        b'{"verb": "pause", "actor": "a"}\n\xff nonsense\n{"verb": "explode"}\n{"verb": "res'
    )
    assert [e.line for e in control.poll()] == [1]
    with files.log.open("ab") as file:
        file.write(b'ume"}\n')
    assert [(e.kind, e.line) for e in control.poll()] == [(ControlKind.RESUME, 4)]


def test_a_torn_last_line_does_not_swallow_the_next_instruction(files: ControlFiles) -> None:
    files.log.write_bytes(b'{"verb": "pau')
    request(files, "resume", actor="ann")
    assert [(e.kind, e.line) for e in FileControl(files).poll()] == [(ControlKind.RESUME, 2)]


def test_instructions_of_many_threads_stay_whole(files: ControlFiles) -> None:
    threads = [
        threading.Thread(target=request, args=(files, "pause"), kwargs={"actor": f"a{i}"}) for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {e.actor for e in FileControl(files).poll()} == {f"a{i}" for i in range(20)}


def test_a_halt_is_a_lock_until_a_reset(files: ControlFiles) -> None:
    control = FileControl(files)
    assert control.lock() is None
    request(files, "halt", actor="ann", reason="wrong prices")
    locked = control.lock()
    assert locked is not None
    assert (locked.kind, locked.actor, locked.reason, locked.line) == (
        ControlKind.HALT,
        "ann",
        "wrong prices",
        0,
    )
    request(files, "reset", actor="bob", reason="prices are right again")
    assert control.lock() is None
    assert [e.kind for e in control.poll()] == [ControlKind.HALT, ControlKind.RESET]


@pytest.mark.parametrize("content", [b"", b"stop!", b"[1]", b"\xff"])
def test_any_file_called_halt_halts(files: ControlFiles, content: bytes) -> None:
    files.halt.write_bytes(content)
    locked = FileControl(files).lock()
    assert locked is not None
    assert locked.kind is ControlKind.HALT
    assert locked.reason


@pytest.mark.parametrize("verb", ["halt", "reset"])
def test_halt_and_reset_need_a_reason(files: ControlFiles, verb: str) -> None:
    with pytest.raises(UsageError) as caught:
        request(files, verb, actor="ann", reason="  ")
    assert caught.value.fault.code == "control.reason"
    assert not files.halt.exists()
    assert not files.log.exists()


def test_unknown_verbs_and_sessions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        request(ControlFiles.in_folder(tmp_path), "explode", actor="ann")
    with pytest.raises(StateConflict) as caught:
        request(ControlFiles.in_folder(tmp_path / "none"), "pause", actor="ann")
    assert caught.value.fault.code == "session.missing"


def test_the_journaled_form_says_who_when_why_and_which_line() -> None:
    event = ControlEvent(ControlKind.HALT, "ann", NOW, "价格不对", line=3)
    batch = control_batch(event, 5, 1, Phase.OPEN)
    assert json.loads(batch.note) == {"actor": "ann", "at": NOW, "line": 3, "reason": "价格不对"}
    assert control_line(batch) == 3


def status(state: str = "running") -> SessionStatus:
    return SessionStatus("s", state, 1, NOW, NOW, done=3, total=9, nav=1.5,  # type: ignore[arg-type]
                         positions=(HeldPosition("600519.SH", 100, 0, 12.5),))  # fmt: skip


def test_the_status_round_trips(tmp_path: Path) -> None:
    place = SessionFolder(tmp_path)
    with place.lock():
        file = StatusFile(place.status, status(), lambda: "2024-01-03T00:00:00Z")
        file.write(done=4)
        seen = in_another_process(tmp_path)
    assert seen["state"] == "running"
    assert (seen["done"], seen["updated"]) == (4, "2024-01-03T00:00:00Z")
    assert seen["positions"] == [["600519.SH", 100, 0, 12.5]]


def test_a_running_state_without_a_process_is_a_crash(tmp_path: Path) -> None:
    StatusFile(SessionFolder(tmp_path).status, status(), lambda: NOW)
    assert read_status(tmp_path).state == "crashed"
    StatusFile(SessionFolder(tmp_path).status, status("finished"), lambda: NOW)
    assert read_status(tmp_path).state == "finished"


def test_the_status_shows_a_halt_that_is_not_taken_yet(tmp_path: Path) -> None:
    StatusFile(SessionFolder(tmp_path).status, status("finished"), lambda: NOW)
    request(ControlFiles.in_folder(tmp_path), "halt", actor="ann", reason="drill")
    assert read_status(tmp_path).halt_reason == "drill"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "session.missing"),
        (b"{", "session.status"),
        (b"[]", "session.status"),
        (b"{}", "session.status"),
        (b'{"format": 99}', "session.newer"),
    ],
)
def test_a_status_nobody_can_read_is_an_error_with_a_code(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    if content is not None:
        (tmp_path / "status.json").write_bytes(content)
    with pytest.raises(StateConflict) as caught:
        read_status(tmp_path)
    assert caught.value.fault.code == code


def test_one_process_at_a_time(tmp_path: Path) -> None:
    lock = SessionLock(tmp_path / "lock")
    with lock:
        with pytest.raises(StateConflict) as caught, SessionLock(tmp_path / "lock"):
            pass
        assert caught.value.fault.code == "session.running"
        assert SessionLock(tmp_path / "lock").held_elsewhere()
    assert not SessionLock(tmp_path / "lock").held_elsewhere()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from quant.trading.folder import SessionLock\n"
        "lock = SessionLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    assert SessionLock(tmp_path / "lock").held_elsewhere()
    child.kill()
    child.communicate()
    assert not SessionLock(tmp_path / "lock").held_elsewhere()


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", ".hidden", "a\nb", "x" * 200])
def test_a_session_name_is_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        SessionFolder.of(tmp_path, name)


def test_an_archived_session_is_moved_aside(tmp_path: Path) -> None:
    place = SessionFolder.of(tmp_path, "paper")
    assert place.archive("20240102") is None
    place.create()
    place.plan.write_text("{}")
    moved = place.archive("2024-01-02T03:04:05Z")
    assert moved is not None
    assert (moved / "plan.json").exists()
    assert not place.root.exists()


def in_another_process(folder: Path) -> dict[str, object]:
    code = (
        "import json, sys; from dataclasses import asdict; from pathlib import Path\n"
        "from quant.trading.status import read_status\n"
        "s = asdict(read_status(Path(sys.argv[1])))\n"
        "s['positions'] = [list(p.values()) for p in s['positions']]\n"
        "print(json.dumps(s))"
    )
    output = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, check=True).stdout
    found: dict[str, object] = json.loads(output)
    return found
