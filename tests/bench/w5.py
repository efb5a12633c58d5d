"""Workload W5: five million L1 ticks through strategy, gates, order, simulated fill and ledger; one thread.

Ours is the fused run of the real kernel and exchange; the plain limit is the bare C++ loop of
../shared/bench, built and run here; hftbacktest runs where its virtual environment is. Every final equity
must be the reference's. All run in one thread: on a busy machine compare CPU seconds. Latencies are of single
events, by a bench program of our C++ core. BENCH_DATA names a folder where gen.py has been before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("QUANT_SHARED", ROOT.parent / "shared"))

from quant.core.money import MONEY_SCALE, PRICE_SCALE  # noqa: E402
from quant.native.config import FeeTables, KernelConfig, RiskLimits, RuleTables  # noqa: E402
from quant.native.tick_run import Imbalance, run_ticks, tick_market  # noqa: E402
from quant.native.tick_venue import TickRule, Ticks  # noqa: E402

Columns = dict[str, NDArray[Any]]
COLUMNS = ("ts", "bid", "ask", "bid_size", "ask_size")
CORE = ("prim", "market", "book", "sim", "ledger", "risk", "oms", "kernel", "session")
CASH = 1_000_000
HIGH, LOW = 0.98, 0.02


def ticks_in(data: Path, rows: int) -> Columns:
    """The recording, generated once (a few seconds, 50 MB) if it is not there."""
    file = data / "w5_ticks.parquet"
    if not file.is_file():
        script = SHARED / "bench/gen.py"
        if not script.is_file():
            sys.exit(f"the generator {script} is absent; set QUANT_SHARED")
        data.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(script), "--data", str(data), "--only", "w5"], check=True)
    table = pl.read_parquet(file)
    count = rows or table.height
    return {name: np.ascontiguousarray(table[name].to_numpy()[:count]) for name in COLUMNS}


def reference(d: Columns) -> tuple[float, int]:
    """The definition, in NumPy and a loop over the signals: (equity gained, trades)."""
    lean = d["bid_size"] / (d["bid_size"] + d["ask_size"])
    held, cash, trades = 0, 0.0, 0
    for i in np.flatnonzero((lean > HIGH) | (lean < LOW)):
        if lean[i] > HIGH and held == 0:
            held, cash, trades = 1, cash - d["ask"][i], trades + 1
        elif lean[i] < LOW and held == 1:
            held, cash, trades = 0, cash + d["bid"][i], trades + 1
    return cash + held * (d["bid"][-1] + d["ask"][-1]) / 2, trades


def scaled(values: NDArray[Any], scale: int) -> NDArray[np.int64]:
    return np.round(values * scale).astype("i8")


def ours(d: Columns, repeat: int) -> dict[str, Any]:
    ticks = Ticks(
        ts=d["ts"],
        bid=scaled(d["bid"], PRICE_SCALE),
        ask=scaled(d["ask"], PRICE_SCALE),
        bid_size=scaled(d["bid_size"], 1),
        ask_size=scaled(d["ask_size"], 1),
    )
    market = tick_market(ticks, np.array([int(d["ts"][0]) // (86_400 * 10**9)], "i4"))
    config = KernelConfig(
        cash_micro=CASH * MONEY_SCALE,
        rules=RuleTables.uniform(1, lot=1, max_order=100, settlement_days=0),
        fees=FeeTables.uniform(1),
        fill_at="close",
        risk=RiskLimits(order_quantity_max=100, order_value_max=10**7 * MONEY_SCALE),
    )
    walls, busy = [], []
    for _ in range(repeat):
        start, used = time.perf_counter(), time.process_time()
        result = run_ticks(config, market, TickRule(tick=PRICE_SCALE // 100), ticks, Imbalance(1))
        walls.append(time.perf_counter() - start)
        busy.append(time.process_time() - used)
    return {
        "seconds": sorted(walls)[len(walls) // 2],
        "cpu_s": sorted(busy)[len(busy) // 2],
        "final_equity": (result.kernel.nav - CASH * MONEY_SCALE) / MONEY_SCALE,
        "trades": len(result.kernel.fills()["row"]),
    }


def ticks_file(d: Columns, place: Path) -> Path:
    file = place / "ticks.bin"
    with file.open("wb") as out:
        np.array([len(d["ts"])], "i8").tofile(out)
        for name in COLUMNS:
            d[name].tofile(out)
    return file


def compiled(compiler: str, place: Path, name: str, flags: list[str], sources: list[Path]) -> Path:
    program = place / name
    subprocess.run([compiler, "-O3", *flags, "-o", str(program), *map(str, sources)], check=True)
    return program


def printed(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def latencies(compiler: str, file: Path, place: Path) -> dict[str, Any]:
    """Our core, event by event, as its own program."""
    native = ROOT / "native"
    sources = [
        native / "bench/w5.cpp",
        *(p for part in CORE for p in sorted((native / "src" / part).glob("*.cpp"))),
    ]
    flags = ["-std=c++20", "-ffp-contract=off", f"-I{native / 'include'}"]
    return printed([str(compiled(compiler, place, "w5", flags, sources)), str(file)])


def plain_limit(compiler: str, file: Path, place: Path) -> dict[str, Any]:
    """The bare loop: no ledger, no order states, floats."""
    source = SHARED / "bench/w5_limit.cpp"
    flags = ["-march=native", "-std=c++17"]
    return printed([str(compiled(compiler, place, "w5_limit", flags, [source])), str(file)])


def hftbacktest(python: Path, data: Path, rows: int) -> dict[str, Any]:
    """The peer, in the virtual environment that the runner made; its faster valid mode."""
    script = str(SHARED / "bench/w5_hftbacktest.py")
    command = [str(python), script, "--data", str(data), "--repeat", "3", "--n", str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    valid = [run for run in found if run.get("valid")]
    return min(valid, key=lambda run: float(run["seconds"])) if valid else {}


def main() -> int:
    parser = argparse.ArgumentParser(description="W5: ours, the bare loop, hftbacktest where it is installed")
    place = os.environ.get("BENCH_DATA", str(ROOT / "build/bench"))
    parser.add_argument("--data", type=Path, default=Path(place))
    parser.add_argument("--n", type=int, default=0, help="ticks, 0 = all")
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    d = ticks_in(given.data, given.n)
    equity, trades = reference(d)
    mine = ours(d, given.repeat)
    mine["rows_per_s"] = round(len(d["ts"]) / mine["seconds"])
    result: dict[str, Any] = {"workload": "W5", "ticks": len(d["ts"])}
    result |= {"reference": {"final_equity": equity, "trades": trades}, "ours": mine}
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        result["latency"] = "not measured: no C++ compiler (set CXX)"
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = ticks_file(d, Path(folder))
            result["latency"] = latencies(compiler, file, Path(folder))
            if (SHARED / "bench/w5_limit.cpp").is_file():
                result["plain_limit"] = plain_limit(compiler, file, Path(folder))
                result["ratio"] = mine["seconds"] / result["plain_limit"]["seconds"]
    python = Path(os.environ.get("PEERS_VENVS", "/nowhere")) / "hft/bin/python"
    if python.exists() and (peer := hftbacktest(python, given.data, given.n)):
        result["hftbacktest"] = {
            key: peer[key] for key in ("seconds", "cpu_s", "final_equity", "trades", "version")
        }
        mine["times_faster_than_hftbacktest"] = {
            "wall": peer["seconds"] / mine["seconds"],
            "cpu": peer["cpu_s"] / mine["cpu_s"],
        }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    runs = [
        mine,
        *(result[name] for name in ("latency", "plain_limit") if isinstance(result.get(name), dict)),
    ]
    agrees = all(
        abs(run["final_equity"] - equity) <= 1e-6 * abs(equity) + 5e-5 and run["trades"] == trades
        for run in runs
    )
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
