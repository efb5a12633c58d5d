"""W6: ten metrics of 10,000 daily series of ten years, ours, the NumPy limit and vectorbt in one run.

    python tests/bench/w6.py [--series N] [--repeat R] [--json FILE]

The ten: CAGR, volatility, Sharpe, Sortino, Calmar, maximum drawdown, VaR 5 %, expected shortfall, rolling
Sharpe (63) of every row, monthly compounded table. One thread each. Returns come from
``$BENCH_DATA/w6_returns.npy`` where it exists, else from a fixed seed. vectorbt runs where
``$PEERS_VENVS/vbt`` holds a virtual environment with it; results that do not agree are named and give exit
code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.native import metrics

Floats = NDArray[np.float64]
WINDOW, PERIODS, BLOCK = 63, 252, 250
NAMES = (
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "value_at_risk",
    "expected_shortfall",
)
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}

PEER = """
import json, sys, time
import numpy as np, pandas as pd, vectorbt as vbt
returns = np.load(sys.argv[1]); repeat = int(sys.argv[2])
frame = pd.DataFrame(returns, pd.bdate_range("2014-01-02", periods=len(returns)))
def work(frame):
    x = frame.vbt.returns(freq="1D", year_freq="252 days")
    ten = [x.annualized(), x.annualized_volatility(), x.sharpe_ratio(), x.sortino_ratio(), x.calmar_ratio(),
           x.max_drawdown(), x.value_at_risk(.05), x.cond_value_at_risk(.05)]
    rolling = x.rolling_sharpe_ratio(63)
    monthly = (1 + frame).resample("ME").prod() - 1
    sums = [float(rolling.iloc[-1].sum()), float(monthly.values.sum())]
    return [float(np.asarray(v).mean()) for v in ten] + sums
work(frame.iloc[:, :3])
best = []
for _ in range(repeat):
    wall, cpu = time.perf_counter(), time.process_time()
    out = work(frame)
    best.append((time.perf_counter() - wall, time.process_time() - cpu))
print(json.dumps({"wall": min(b[0] for b in best), "cpu": min(b[1] for b in best), "check": out,
                  "version": vbt.__version__}))
"""


@dataclass(frozen=True, slots=True)
class Timing:
    """Best of the repetitions, and ten numbers that must agree between the contestants."""

    name: str
    wall: float
    cpu: float
    check: list[float]


def load(series: int) -> tuple[Floats, str]:
    """Returns [T, N] and where they come from."""
    path = Path(os.environ.get("BENCH_DATA", "")) / "w6_returns.npy"
    if os.environ.get("BENCH_DATA") and path.is_file():
        table: Floats = np.load(path)
        return np.ascontiguousarray(table[:, :series]), path.name
    rng = np.random.default_rng(6)
    drawn = rng.standard_t(5, (2520, series)) * 0.0105 + 0.0004
    return np.maximum(drawn, -0.9), "seed 6"


def month_starts(rows: int) -> NDArray[np.int64]:
    days = np.busday_offset("2014-01-02", np.arange(rows), roll="forward")
    return metrics.period_starts(days.astype("datetime64[M]"))


def ours(returns: Floats) -> list[float]:
    found = metrics.performance(returns)
    rolling = metrics.rolling_sharpe(returns, window=WINDOW)
    monthly = metrics.compound(returns, month_starts(len(returns)))
    return [float(found[name].mean()) for name in NAMES] + [float(rolling[-1].sum()), float(monthly.sum())]


def numpy_limit(returns: Floats) -> list[float]:
    """What vectorised NumPy can do: column blocks that fit the cache, running sums for the rolling ratio."""
    rows, columns = returns.shape
    starts = month_starts(rows)
    sums, rolling, monthly = np.zeros(len(NAMES)), 0.0, 0.0
    for first in range(0, columns, BLOCK):
        block = returns[:, first : first + BLOCK]
        mean, deviation = block.mean(0), block.std(0, ddof=1)
        equity = np.cumprod(1 + block, axis=0)
        cagr = equity[-1] ** (PERIODS / rows) - 1
        depth = (equity / np.maximum(np.maximum.accumulate(equity, axis=0), 1.0) - 1).min(0)
        downside = np.sqrt((np.minimum(block, 0) ** 2).mean(0))
        limit = np.quantile(block, 0.05, axis=0)
        below = block <= limit
        shortfall = np.where(below, block, 0).sum(0) / below.sum(0)
        year = PERIODS**0.5
        ten = (
            cagr,
            deviation * year,
            mean / deviation * year,
            mean / downside * year,
            cagr / -depth,
            depth,
            limit,
            shortfall,
        )
        sums += [float(values.sum()) for values in ten]
        rolling += float(_rolling(block)[-1].sum())
        monthly += float((np.multiply.reduceat(1 + block, starts, axis=0) - 1).sum())
    return [*(sums / columns).tolist(), rolling, monthly]


def _rolling(block: Floats) -> Floats:
    zero = np.zeros((1, block.shape[1]))
    first, second = (np.vstack([zero, np.cumsum(block**k, axis=0)]) for k in (1, 2))
    total, squares = (c[WINDOW:] - c[:-WINDOW] for c in (first, second))
    variance = (squares - total * total / WINDOW) / (WINDOW - 1)
    ratio: Floats = (total / WINDOW) / np.sqrt(variance) * PERIODS**0.5
    return ratio


def measure(name: str, work: Callable[[Floats], list[float]], returns: Floats, repeat: int) -> Timing:
    work(returns[:, :64])
    taken = []
    check: list[float] = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        check = work(returns)
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return Timing(name, min(t[0] for t in taken), min(t[1] for t in taken), check)


def vectorbt(returns: Floats, repeat: int) -> Timing | None:
    """Its returns accessor, in its own interpreter; None where there is none."""
    root = os.environ.get("PEERS_VENVS")
    python = Path(root) / "vbt" / "bin" / "python" if root else None
    if python is None or not python.is_file():
        return None
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "returns.npy"
        np.save(data, returns)
        command = [str(python), "-W", "ignore", "-c", PEER, str(data), str(repeat)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | ONE_THREAD
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Timing(f"vectorbt {found['version']}", found["wall"], found["cpu"], found["check"])


def agree(one: Timing, other: Timing) -> bool:
    """Same means and sums; vectorbt's peaks leave out the starting capital: Calmar and drawdown are near."""
    loose = {NAMES.index("calmar"), NAMES.index("max_drawdown")}
    return all(
        abs(a - b) <= abs(b) * (2e-3 if place in loose else 1e-8)
        for place, (a, b) in enumerate(zip(one.check, other.check, strict=True))
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="append the result as one line")
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    returns, source = load(options.series)
    mine = measure("quant", ours, returns, options.repeat)
    others = [measure(f"numpy {np.__version__}", numpy_limit, returns, options.repeat)]
    peer = vectorbt(returns, 1)
    others += [peer] if peer else []
    count = returns.shape[1]
    say = sys.stdout.write
    say(f"W6  {count:,} series x {len(returns):,} days ({source}), one thread, {platform.machine()}\n")
    for entry in (mine, *others):
        same = "" if entry is mine or agree(entry, mine) else "   RESULTS DIFFER"
        ratio = f"{entry.wall / mine.wall:8.1f} x ours" if entry is not mine else " " * 15
        times = f"{entry.wall:9.3f} s wall{entry.cpu:9.3f} s cpu{count / entry.wall:11,.0f} series/s"
        say(f"{entry.name:<18}{times}{ratio}{same}\n")
    if peer is None:
        say("vectorbt          not run: PEERS_VENVS/vbt is absent\n")
    if options.json:
        line = {
            "workload": "W6",
            "series": count,
            **{e.name: {"wall": e.wall, "cpu": e.cpu} for e in (mine, *others)},
        }
        with options.json.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return 0 if all(agree(entry, mine) for entry in others) else 1


if __name__ == "__main__":
    raise SystemExit(main())
