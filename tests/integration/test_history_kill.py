"""A restatement killed at random moments: what it superseded is kept, once, and nothing else is."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.lake.layout import history_ref

KILLS = 100 if os.environ.get("QUANT_SOAK") == "1" else 4
ROUNDS = (("10.50", 2), ("10.60", 3), ("10.70", 4))
WRITE = """
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import polars as pl
from tiny_market import bar_rows
from quant.warehouse.lake import Lake, table_ref

lake, ref = Lake(Path(sys.argv[1])), table_ref("bars_1d")
days = [date(2023, 12, 1) + timedelta(days=n) for n in range(12)]
print("started", flush=True)
for close, month in (("10.50", 2), ("10.60", 3), ("10.70", 4)):
    stamp = pl.lit(datetime(2024, month, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    for day in days:
        now = lake.read("bars_1d", start=day, end=day)
        if now.height and str(now["close"][0]) >= close:
            continue
        rows = bar_rows([day], close=close).with_columns(recorded_at=stamp, known_at=pl.col("ts"))
        lake.write_interval(ref, rows, day, day)
"""


def start(root: Path) -> subprocess.Popen[str]:
    here = Path(__file__).resolve().parent.parent / "unit" / "warehouse"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(root / "lake"), str(here)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def finish(root: Path) -> float:
    process = start(root)
    began = time.perf_counter()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return time.perf_counter() - began


def superseded(root: Path) -> pl.DataFrame:
    lake = Lake(root / "lake")
    past = lake.scan(history_ref(table_ref("bars_1d")), None, None, None).collect()
    return past.select("session", "instrument_id", "close", "recorded_at", "removed").sort(pl.all())


def readings(root: Path) -> list[dict[str, int]]:
    """How many rows say which close, as of the end of each month of restating."""
    lake = Lake(root / "lake")
    months = [lake.read("bars_1d", as_of=datetime(2024, m, 20, tzinfo=UTC)) for _, m in ROUNDS]
    return [dict(rows["close"].cast(pl.String).value_counts().iter_rows()) for rows in months]


@pytest.mark.slow
def test_a_killed_restatement_neither_loses_nor_doubles_history(tmp_path: Path) -> None:
    moment = random.Random(59)
    seconds = finish(tmp_path / "whole")
    expected = superseded(tmp_path / "whole")
    assert expected.height == 2 * 12 * 2
    assert readings(tmp_path / "whole") == [{f"{close}00": 24} for close, _ in ROUNDS]
    for attempt in range(KILLS):
        root = tmp_path / f"killed{attempt // 2}"
        process = start(root)
        time.sleep(moment.uniform(0, seconds * 0.9))
        process.kill()
        process.communicate()
        assert not superseded(root).is_duplicated().any()
        if attempt % 2:
            finish(root)
            assert superseded(root).equals(expected)
            assert readings(root) == [{f"{close}00": 24} for close, _ in ROUNDS]
