"""Syncs and restatements of three vendors killed at random moments: afterwards everything is as if they never
had been.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import agreed_case
import pytest
from soak import SOAK

from quant.warehouse.lake import Lake

KILLS = 200 if SOAK else 10
PER_LAKE = 3
"""Kills of one lake before the sync may end."""


def start(root: Path, vendors: Path, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, agreed_case.__file__, str(root / "lake"), str(vendors), mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n", process.communicate()[1]
    return process


def finish(root: Path, vendors: Path, mode: str) -> float:
    """Seconds from the first line to the last."""
    process = start(root, vendors, mode)
    began = time.perf_counter()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return time.perf_counter() - began


def kill_and_finish(base: Path, prepare: Callable[[Path], None], vendors: Path, mode: str, seed: int) -> None:
    """Kill ``mode`` again and again; whenever it may end, all is as if it had never been killed."""
    moment = random.Random(seed)
    prepare(base / "whole")
    seconds = finish(base / "whole", vendors, mode)
    expected = agreed_case.said(base / "whole")
    payloads = agreed_case.whole_payloads(base / "whole")
    root = base / "killed0"
    prepare(root)
    for attempt in range(KILLS):
        process = start(root, vendors, mode)
        time.sleep(moment.uniform(0, seconds))
        process.kill()
        process.communicate()
        agreed_case.said(root)  # every table can be read and holds each key once
        agreed_case.whole_payloads(root)
        if attempt % PER_LAKE == PER_LAKE - 1 or attempt == KILLS - 1:
            finish(root, vendors, mode)
            found = agreed_case.said(root)
            assert {k: v for k, v in found.items() if expected.get(k) != v} == {}
            assert found.keys() == expected.keys()
            assert agreed_case.whole_payloads(root) == payloads
            Lake(root / "lake").gc(keep_hours=0)
            assert agreed_case.said(root) == expected
            shutil.rmtree(root)
            root = base / f"killed{attempt + 1}"
            prepare(root)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agreed_case.write_vendors(tmp_path_factory.mktemp("market"))


@pytest.mark.slow
def test_a_killed_sync_of_three_vendors(tmp_path: Path, market: Path) -> None:
    kill_and_finish(tmp_path, lambda root: root.mkdir(), market, "sync", 11)
    said = agreed_case.said(tmp_path / "whole")
    for name in ("golden/corporate_actions", "system/arbitrations", "system/quarantine"):
        assert said[name], name


@pytest.mark.slow
def test_a_killed_restatement_of_two_of_three_vendors(tmp_path: Path, market: Path) -> None:
    vendors = tmp_path / "vendors"
    shutil.copytree(market, vendors)
    base = tmp_path / "base"
    base.mkdir()
    finish(base, vendors, "sync")
    agreed_case.restate_vendors(vendors)

    def prepare(root: Path) -> None:
        shutil.copytree(base, root)

    kill_and_finish(tmp_path, prepare, vendors, "restate", 12)
    said = agreed_case.said(tmp_path / "whole")
    assert said["golden/bars_1d history"]
    assert said["golden/bars_1d"] != agreed_case.said(base)["golden/bars_1d"]
