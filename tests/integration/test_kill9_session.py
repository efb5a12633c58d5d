"""kill -9 at random moments of a paper session: restarted, it ends as one that was left alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from session_case import run_case

from quant.trading import read_status

CASE = Path(__file__).with_name("session_case.py")
PACE = 0.012  # a session day in the child, so that a kill falls anywhere in about a second of work


def start(folder: Path, decide: str, snapshot_every: int, pace: float = PACE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(CASE), str(folder), decide, str(snapshot_every), str(pace)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_at(child: subprocess.Popen[bytes], folder: Path, delay: float) -> bool:
    """Kill ``delay`` seconds after the journal appeared; whether it was still running then."""
    deadline = time.monotonic() + 30
    while not (folder / "journal.bin").exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    running = child.poll() is None
    child.kill()
    child.communicate()
    return running


def killed_session(folder: Path, expected: str, rng: random.Random, decide: str, snapshot_every: int) -> int:
    """Kill the session up to three times, then let it end; how often it was killed at work."""
    kills = 0
    for _ in range(rng.randint(1, 3)):
        kills += kill_at(start(folder, decide, snapshot_every), folder, rng.uniform(0.0, 0.9))
    last = start(folder, decide, snapshot_every, 0.0)
    output, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors.decode()
    assert output.decode().strip() == expected
    return kills


def trial(tmp_path: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    expected = {
        d: run_case(tmp_path / f"whole-{d}", decide=d).state_hash for d in ("after_close", "before_close")
    }
    total = 0
    number = 0
    while total < count:
        decide = ("after_close", "before_close")[number % 2]
        folder = tmp_path / f"killed-{number}"
        total += killed_session(folder, expected[decide], rng, decide, snapshot_every=(0, 5)[number // 2 % 2])
        whole = (tmp_path / f"whole-{decide}" / "journal.bin").read_bytes()
        assert (folder / "journal.bin").read_bytes() == whole
        number += 1


@pytest.mark.slow
def test_killed_at_ten_random_moments(tmp_path: Path) -> None:
    trial(tmp_path, 10, seed=20240102)


@pytest.mark.slow
@pytest.mark.soak
def test_killed_at_two_hundred_random_moments(tmp_path: Path) -> None:
    trial(tmp_path, 200, seed=int(os.environ.get("QUANT_SEED", "1")))


def test_a_killed_session_is_seen_as_crashed_and_then_as_finished(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    child = start(folder, "after_close", 5, pace=0.2)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (
        not (folder / "status.json").exists() or not 0 < read_status(folder).done < 60
    ):
        time.sleep(0.01)
    alive = read_status(folder)
    child.kill()
    child.communicate()
    dead = read_status(folder)
    assert (alive.state, alive.pid) == ("running", child.pid)
    assert dead.state == "crashed"
    assert dead.done >= alive.done > 0
    run_case(folder, snapshot_every=5)
    over = read_status(folder)
    assert (over.state, over.done, over.total) == ("finished", 60, 60)
