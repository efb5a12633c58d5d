"""Two programs that want to write one workspace: one goes on, the other says who is writing and exits 5."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import agreed_case
import pytest

from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake

WRITERS = {
    "sync": ("data", "sync", "--start", "2020-12-01", "--end", "2020-12-31"),
    "restate": ("data", "restate", "bars_1d", "--from", "2020-12-01", "--to", "2020-12-31"),
    "backfill": ("data", "backfill", "bars_1d", "--from", "2020-12-01", "--to", "2020-12-31"),
    "gc": ("data", "gc"),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("desk")
    root = agreed_case.write_desk(folder / "desk", agreed_case.write_vendors(folder / "vendors"))
    done = start(root, "data", "sync")
    assert done.wait(120) == 0, done.communicate()
    return Workspace.find(root)


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "quant.qcli.main", *arguments, "-w", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def another_writes(desk: Workspace) -> Iterator[None]:
    """The lock as a program holds it that is writing for a long time."""
    with Lake(desk.lake).lock.hold("quant data sync"):
        yield


@pytest.mark.slow
def test_every_writing_command_is_refused_and_names_who_writes(desk: Workspace) -> None:
    before = agreed_case.said(desk.lake.parent)
    with another_writes(desk):
        running = {name: start(desk.root, *command, "--json") for name, command in WRITERS.items()}
        told = {name: process.communicate(timeout=120) for name, process in running.items()}
    for name, process in running.items():
        assert process.returncode == 5, (name, told[name])
        fault = json.loads(told[name][0] or told[name][1].splitlines()[-1])
        fault = fault.get("error", fault)
        assert fault["code"] == "workspace.locked", name
        assert str(os.getpid()) in json.dumps(fault), name
    assert agreed_case.said(desk.lake.parent) == before


@pytest.mark.slow
def test_of_two_syncs_in_two_shells_at_once_each_ends_well_or_with_5(tmp_path: Path) -> None:
    root = agreed_case.write_desk(tmp_path / "desk", agreed_case.write_vendors(tmp_path / "vendors"))
    both = [start(root, "data", "sync") for _ in range(2)]
    told = [process.communicate(timeout=180) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 5]), told
    lake = Lake(Workspace.find(root).lake)
    log = lake.read("sync_log").select("source", "table", "start", "end", "golden")
    assert not log.is_duplicated().any()
    last = start(root, "data", "sync")
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors


@pytest.mark.slow
def test_a_lock_of_a_killed_program_holds_nobody_up(desk: Workspace) -> None:
    script = (
        "import sys, time; from pathlib import Path; from quant.warehouse.lake import Lake\n"
        "with Lake(Path(sys.argv[1])).lock.hold('x'):\n    print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(desk.lake)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused = start(desk.root, "data", "gc")
    assert refused.wait(60) == 5, refused.communicate()
    holder.kill()
    holder.communicate()
    began = time.monotonic()
    allowed = start(desk.root, "data", "gc")
    assert allowed.wait(60) == 0, (allowed.communicate(), time.monotonic() - began)
