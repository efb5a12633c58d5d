"""A sync killed at random moments: the next one completes; no row is lost, doubled or half written."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quant.warehouse.lake import Lake

KILLS = 200 if os.environ.get("QUANT_SOAK") == "1" else 10
SYNC = """
import os
import sys
from datetime import date
from pathlib import Path
from quant.warehouse.lake import Lake
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import plan_sync, sync

lake = Lake(Path(sys.argv[1]))
params = {"seed": 1, "instruments": 25, "jumps": float(sys.argv[2])}
source = SourceSettings("sim", "simulated", params=params)
names = ("instruments", "instrument_attributes", "bars_1d", "adjustment_factors", "corporate_actions")
tables = [TableSettings(name, name, ("sim",)) for name in names]
plan = plan_sync(tables, {"sim": source}, lake, date(2020, 1, 2), date(2022, 12, 30))
print("started", flush=True)
for report in sync(plan, lake, run=str(os.getpid())):
    print(report.table, report.start, flush=True)
"""


def start(root: Path, jumps: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SYNC, str(root / "lake"), str(jumps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(root: Path, jumps: int) -> float:
    """Run a sync to its end; seconds from the first line to the last."""
    process = start(root, jumps)
    assert process.stdout is not None
    process.stdout.readline()
    began = time.perf_counter()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return time.perf_counter() - began


def contents(root: Path) -> dict[str, str]:
    lake = Lake(root / "lake")

    return {
        str(ref): lake.content_hash(ref.table, layer=ref.layer, source=ref.source)
        for ref in lake.refs()
        if ref.layer != "system"
    }


def assert_consistent(root: Path) -> None:
    """After any kill every table can be read and holds each key at most once."""
    lake = Lake(root / "lake")
    for ref in lake.refs():
        rows = lake.read(ref.table, layer=ref.layer, source=ref.source)
        assert not rows.select(ref.contract.key).is_duplicated().any(), ref


@pytest.mark.slow
def test_a_killed_sync_is_completed_by_the_next(tmp_path: Path) -> None:
    random_moment = random.Random(20240102)
    seconds = finish(tmp_path / "whole", 1)
    expected = contents(tmp_path / "whole")
    assert len(expected) == 12
    done = 0
    for attempt in range(KILLS):
        root = tmp_path / f"killed{done}"
        process = start(root, 1)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(random_moment.uniform(0, seconds * 0.9))
        process.kill()
        process.communicate()
        assert_consistent(root)
        if attempt % 3 == 2 or attempt == KILLS - 1:
            finish(root, 1)
            assert_consistent(root)
            assert contents(root) == expected
            assert Lake(root / "lake").gc(keep_hours=0) is not None
            assert contents(root) == expected
            done += 1


@pytest.mark.slow
def test_a_killed_restatement_ends_with_the_new_content(tmp_path: Path) -> None:
    random_moment = random.Random(7)
    seconds = finish(tmp_path / "new", 2)
    finish(tmp_path / "old", 1)
    process = start(tmp_path / "old", 2)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(random_moment.uniform(0.2, 0.8) * seconds)
    process.kill()
    process.communicate()
    assert_consistent(tmp_path / "old")
    finish(tmp_path / "old", 2)
    new, old = contents(tmp_path / "new"), contents(tmp_path / "old")
    for name in ("bars_1d", "adjustment_factors", "corporate_actions", "calendar"):
        assert old[f"golden/{name}"] == new[f"golden/{name}"]
