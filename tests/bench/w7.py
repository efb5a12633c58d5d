"""Workload W7: the warehouse at 12.15M daily bars, ours beside plain polars, a plain write, and ArcticDB.

The lake is written once from the market of ../shared/bench/gen.py (5000 instruments, 2430 sessions) below
BENCH_DATA; every figure is then taken in this one process, the peers' too, or in the peer's own environment
right after. Walls are medians. ``load``: bars and factors into [T, S] arrays against polars reading the same
columns of the same files, with one and with two threads of polars, each in a process of its own. ``upsert``:
a day's 5,000 bars into tables of one and of ten years against a bare Parquet write, fsync and rename.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from quant.core.market.calendar import calendar
from quant.research.panel import load_panel
from quant.research.panel_bars import FLAGS, KEY, PRICES
from quant.research.panel_cache import TABLES, PanelCache, panel_key
from quant.research.panel_slices import cross_section, history
from quant.warehouse.lake import Lake, superseded, table_ref

sys.path.insert(0, str(Path(__file__).resolve().parent))
from w7_market import CODE, bars_of, data_in, lake_in, sessions_of

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (*KEY, *PRICES, "volume", "amount", *FLAGS)
SLICE = ("open", "high", "low", "close", "volume", "factor")
DAY = date(2020, 3, 10)
LOAD_HERE = "load-here"


def timed(work: Callable[[], Any], repeat: int) -> dict[str, Any]:
    """Median wall and CPU milliseconds, the first apart: it pays for memory and caches."""
    walls, cpus = [], []
    for _ in range(repeat):
        cpu, wall = time.process_time(), time.perf_counter()
        result = work()
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
        del result
    middle = len(walls) // 2
    return {"ms": sorted(walls)[middle], "cpu_ms": sorted(cpus)[middle], "first_ms": walls[0]}


def measure_load(lake: Lake, sessions: tuple[date, ...], repeat: int) -> dict[str, Any]:
    dates = calendar("XSHG")
    files = {
        name: lake.files(table_ref(name), None, None, None) for name in ("bars_1d", "adjustment_factors")
    }

    def plain() -> list[pl.DataFrame]:
        wanted = {"bars_1d": COLUMNS, "adjustment_factors": (*KEY, "factor")}
        return [
            pl.scan_parquet(files[n], hive_partitioning=False).select(c).collect() for n, c in wanted.items()
        ]

    def ours() -> Any:
        return load_panel(lake, dates, sessions[0], sessions[-1])

    figures = {"polars": timed(plain, repeat), "ours": timed(ours, repeat)}
    again = {"polars": timed(plain, repeat), "ours": timed(ours, repeat)}
    best = {who: min(figures[who], again[who], key=lambda f: f["ms"]) for who in figures}
    rows = sum(frame.height for frame in plain()[:1])
    return {"rows": rows, **best, "ratio": best["ours"]["ms"] / best["polars"]["ms"],
            "cpu_ratio": best["ours"]["cpu_ms"] / best["polars"]["cpu_ms"]}  # fmt: skip


def measure_cache(lake: Lake, sessions: tuple[date, ...], folder: Path, repeat: int) -> dict[str, Any]:
    dates = calendar("XSHG")
    cache = PanelCache(folder, 8 << 30)
    content = {name: lake.content_hash(name) for name in TABLES if lake.exists(name)}
    key = panel_key(content, dates, sessions[0], sessions[-1])
    if cache.open(key) is None:
        panel = load_panel(lake, dates, sessions[0], sessions[-1])
        began = time.perf_counter()
        assert cache.keep(key, panel)
        kept = time.perf_counter() - began
    else:
        kept = None

    def reopen() -> Any:
        found = {name: lake.content_hash(name) for name in TABLES if lake.exists(name)}
        return cache.open(panel_key(found, dates, sessions[0], sessions[-1]), reader=lake)

    opened = cache.open(key)
    assert opened is not None
    return {
        "keep_seconds": kept,
        "open": timed(lambda: cache.open(key), repeat),
        "open_with_key_from_lake": timed(reopen, repeat),
        "symbol": timed(lambda: history(opened, CODE, SLICE), repeat),
        "day": timed(lambda: cross_section(opened, DAY, SLICE), repeat),
        "symbol_of_a_fresh_mapping": timed(lambda: history(cache.open(key), CODE, SLICE), repeat),
    }


def measure_upsert(data: Path, place: Path, years: int, repeat: int) -> dict[str, Any]:
    """A new day, then that day again with other values, and days inside of files that were written in one go
    with others, in a lake that holds ``years`` of history; then what settling the history costs a day.
    """
    lake = lake_in(data, place / f"upsert{years}", years=years, factors=False)
    sessions = sessions_of(data)
    later = sessions[-1] + timedelta(days=1)
    days = calendar("XSHG").sessions(later, later + timedelta(days=60))
    done = lake.count("bars_1d")
    fresh = [bars_of(data, -1 - k).with_columns(session=pl.lit(day)) for k, day in enumerate(days[:repeat])]
    ref = table_ref("bars_1d")
    new, again = [], []
    for rows, day in zip(fresh, days, strict=False):
        began = time.perf_counter()
        lake.write_interval(ref, rows, day, day)
        new.append((time.perf_counter() - began) * 1e3)
    for rows, day in zip(fresh, days, strict=False):
        other = rows.with_columns(volume=pl.col("volume") + 100)
        began = time.perf_counter()
        lake.write_interval(ref, other, day, day)
        again.append((time.perf_counter() - began) * 1e3)
    old = [(sessions[-5 * k - 3], bars_of(data, -5 * k - 3)) for k in range(repeat)]
    inside = []
    for day, rows in old:
        other = rows.with_columns(volume=pl.col("volume") + 100)
        began = time.perf_counter()
        lake.write_interval(ref, other, day, day)
        inside.append((time.perf_counter() - began) * 1e3)
    began = time.perf_counter()
    superseded.settle(lake, ref)
    settled = (time.perf_counter() - began) * 1e3 / (2 * repeat)
    bare = [plain_write(rows, place / "bare.parquet") for rows in fresh]
    assert lake.count("bars_1d") >= done
    middle = len(new) // 2
    figures = {
        "insert_ms": sorted(new)[middle],
        "replace_ms": sorted(again)[middle],
        "replace_inside_ms": sorted(inside)[middle],
        "settle_ms": settled,
        "bare_ms": sorted(bare)[middle],
    }
    return {**figures, "insert_ratio": figures["insert_ms"] / figures["bare_ms"],
            "replace_ratio": figures["replace_ms"] / figures["bare_ms"],
            "replace_inside_ratio": figures["replace_inside_ms"] / figures["bare_ms"]}  # fmt: skip


def plain_write(rows: pl.DataFrame, path: Path) -> float:
    """Milliseconds of writing a file so that it is there after a power cut."""
    began = time.perf_counter()
    temporary = path.with_suffix(".tmp")
    rows.write_parquet(temporary, compression="zstd", compression_level=3)
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.rename(path)
    return (time.perf_counter() - began) * 1e3


def arctic(python: Path, data: Path, place: Path) -> dict[str, Any]:
    """The peer, in the virtual environment that the runner made."""
    script = Path(os.environ.get("QUANT_SHARED", ROOT.parent / "shared")) / "bench/w7_peers.py"
    command = [str(python), str(script), "--data", str(data), "--mode", "arcticdb", "--out", str(place)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(printed.strip().splitlines()[-1])
    return {
        k: found[k] for k in ("version", "native_symbol_ms", "native_day_ms", "native_load_ms", "upsert_ms")
    }


def in_own_process(given: argparse.Namespace, threads: int) -> dict[str, Any]:
    """``load`` with so many threads of polars, which are counted when it is imported."""
    command = [sys.executable, __file__, "--data", str(given.data), "--repeat", str(given.repeat)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads)}
    printed = subprocess.run(
        [*command, "--only", LOAD_HERE], check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout
    found: dict[str, Any] = json.loads(printed)["load"]
    return found


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description="W7: the warehouse, ours, polars, and ArcticDB if installed")
    place = os.environ.get("BENCH_DATA", str(ROOT / "build/bench"))
    parser.add_argument("--data", type=Path, default=Path(place))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="load,cache,upsert,arctic")
    given = parser.parse_args()
    parts = given.only.split(",")
    data = data_in(given.data)
    home = given.data / "w7"
    sessions = sessions_of(data)
    result: dict[str, Any] = {"workload": "W7", "threads": pl.thread_pool_size()}
    lake = lake_in(data, home / "whole")
    if "load" in parts:
        result["load"] = {f"{n}_threads": in_own_process(given, n) for n in (1, 2)}
    if LOAD_HERE in parts:
        result["load"] = measure_load(lake, sessions, given.repeat)
    if "cache" in parts:
        result["cache"] = measure_cache(lake, sessions, home / "panels", given.repeat)
    if "upsert" in parts:
        result["upsert"] = {f"{y}_years": measure_upsert(data, home, y, given.repeat) for y in (1, 10)}
    python = Path(os.environ.get("PEERS_VENVS", "/nowhere")) / "dataeng/bin/python"
    if "arctic" in parts and python.exists():
        result["arcticdb"] = peer = arctic(python, data, home)
        if "cache" in result:
            result["symbol_over_arcticdb"] = result["cache"]["symbol"]["ms"] / peer["native_symbol_ms"]
            result["day_over_arcticdb"] = result["cache"]["day"]["ms"] / peer["native_day_ms"]
    sys.stdout.write(json.dumps(rounded(result), indent=2) + "\n")
    for left in ("upsert1", "upsert10"):
        shutil.rmtree(home / left, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
