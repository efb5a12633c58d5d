"""Workload W1: a moving-average crossover over 1,000,000 one-minute bars, ours beside a plain C++ loop.

Ours is a declared strategy (tests/bench/specs/w1.yaml): its expression in the factor engine, its targets
through kernel, ledger and venue, decided at every bar, filled at the next bar's open with a tick of slippage
and commission; NAV, conservation and state hash a session. It must end at the reference's equity with its
trades. One thread, load times apart, process time. The bars and the reference come from ../shared/bench;
BENCH_DATA names a folder where gen.py has been before.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("QUANT_SHARED", ROOT.parent / "shared"))
sys.path[:0] = [str(HERE)]

from w2 import BOARD, plan_of, price  # noqa: E402

from quant.core.market.instrument import LISTED, NO_LIMIT, TRADING  # noqa: E402
from quant.native.config import KernelConfig, RuleTables  # noqa: E402
from quant.native.factor import evaluate  # noqa: E402
from quant.native.kernel import FusedResult, Market, run_fused  # noqa: E402
from quant.native.market import bar_instants  # noqa: E402
from quant.pipelines.wiring import construct_config, fee_terms  # noqa: E402
from quant.research.market import fee_tables  # noqa: E402
from quant.specs.compile.plan import BacktestPlan  # noqa: E402

Array = NDArray[Any]
MINUTE = 60 * 10**9
PEERS = (("vectorbt", "vbt", "w1_vectorbt.py"), ("vnpy", "vnpy", "w1_vnpy.py"))


def shared_module(name: str) -> ModuleType:
    path = SHARED / "bench" / f"{name}.py"
    if not path.is_file():
        sys.exit(f"the reference {path} is absent; set QUANT_SHARED")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Bars:
    """The bars as every side reads them: prices in yuan, start of each minute in ns."""

    ts: Array
    prices: dict[str, Array]
    volume: Array


def bars_in(data: Path, count: int) -> Bars:
    """The generated bars, made once if they are not there."""
    file = data / "w1_bars.parquet"
    if not file.is_file():
        generator = SHARED / "bench/gen.py"
        subprocess.run([sys.executable, str(generator), "--data", str(data), "--only", "w1"], check=True)
    frame = pl.read_parquet(file)
    frame = frame.head(count) if count else frame
    names = ("open", "high", "low", "close")
    return Bars(
        frame["ts"].dt.epoch("ns").to_numpy(),
        {name: frame[name].to_numpy() for name in names},
        frame["volume"].to_numpy(),
    )


@dataclass(frozen=True)
class Case:
    """A plan, its market of minute bars and the columns it reads."""

    plan: BacktestPlan
    market: Market
    config: KernelConfig
    columns: dict[str, Array]

    def run(self) -> FusedResult:
        """What is timed: the expression at every bar, then the whole session loop."""
        assert self.plan.signal is not None
        rows = np.arange(self.plan.signal.lookback, self.market.T, dtype=np.int32)
        scores = evaluate(self.plan.signal, self.columns, rows=rows)
        return run_fused(self.config, self.market, construct_config(self.plan), scores, None, rows)


def case_of(bars: Bars) -> Case:
    plan = plan_of("w1")
    days = bars.ts // (1440 * MINUTE)
    sessions, first, day = np.unique(days, return_index=True, return_inverse=True)
    prices = {name: price(values)[:, None] for name, values in bars.prices.items()}
    closes = prices["close"][:, 0]
    before = np.where(first > 0, closes[np.maximum(first, 1) - 1], prices["open"][0, 0])[:, None]
    unlimited = np.zeros((len(sessions), 1), "i8")
    dates = tuple(sessions.astype("datetime64[D]").tolist())
    market = Market.from_arrays(
        sessions=sessions.astype("i4"),
        day=day.astype("i4"),
        instants=bar_instants(bars.ts + 1, bars.ts + MINUTE),  # no pause between the days
        **prices,
        vwap=prices["close"],
        volume=bars.volume.astype("i8")[:, None],
        pre_close=np.ascontiguousarray(before),
        limit_up=unlimited,
        limit_down=unlimited,
        flags=np.full((len(sessions), 1), LISTED | TRADING | NO_LIMIT | BOARD, "u4"),
    )
    config = KernelConfig(
        cash_micro=int(plan.initial_cash) * 10**6,
        rules=RuleTables.uniform(len(sessions), lot=1, settlement_days=0),
        fees=fee_tables(fee_terms(plan.cost), dates),
        slippage_ticks=plan.cost.slippage_ticks,
        rounding=plan.cost.rounding,
    )
    columns = {"close": np.ascontiguousarray(bars.prices["close"][:, None])}
    return Case(plan, market, config, columns)


def plain_loop(build: Path) -> Callable[[Array, Array], tuple[float, int]]:
    """w1_loop.cpp, compiled for this machine."""
    build.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        sys.exit("the plain loop needs a C++ compiler; set CXX")
    library = build / "w1_loop.so"
    flags = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(HERE / "w1_loop.cpp")], check=True)
    loop = ctypes.CDLL(str(library)).w1_loop
    loop.restype = ctypes.c_int64
    loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]

    def run(opens: Array, closes: Array) -> tuple[float, int]:
        equity = np.empty(len(opens))
        trades = loop(opens.ctypes.data, closes.ctypes.data, len(opens), equity.ctypes.data)
        return float(equity[-1]), int(trades)

    return run


def timed(work: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    """The last result and the median process time: the machine may be shared."""
    result, spent = None, []
    for _ in range(repeat):
        result = None  # what the last run held is free again
        start = time.process_time()
        result = work()
        spent.append(time.process_time() - start)
    return result, sorted(spent)[len(spent) // 2]


def peer(python: Path, script: str, data: Path, count: int) -> dict[str, Any]:
    """The peer's own script, in the virtual environment that the runner made; its quickest line."""
    command = [str(python), "-W", "ignore", str(SHARED / "bench" / script), "--data", str(data)]
    command += ["--repeat", "3", *(["--n", str(count)] if count else [])]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return dict(min(lines, key=lambda line: float(line["cpu_s"])))


def main() -> int:
    parser = argparse.ArgumentParser(description="W1: ours, a plain loop, and peers where they are installed")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BENCH_DATA", str(ROOT / "build/bench")))
    )
    parser.add_argument("--n", type=int, default=0, help="bars, 0 = all")
    parser.add_argument("--repeat", type=int, default=7)
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    common = shared_module("common")
    bars = bars_in(given.data, given.n)
    opens, closes = bars.prices["open"], bars.prices["close"]
    equity, trades = common.w1_reference(opens, closes)
    loop = plain_loop(ROOT / "build")
    (bare_equity, bare_trades), bare = timed(partial(loop, opens, closes), given.repeat)
    result, ours = timed(case_of(bars).run, given.repeat)
    fills = len(result.kernel.fills()["row"])
    final = result.kernel.nav / 10**6
    shown: dict[str, Any] = {
        "workload": "W1",
        "bars": len(closes),
        "reference": {"final_equity": float(equity), "trades": int(trades)},
        "plain_loop": {"cpu_s": bare, "final_equity": bare_equity, "trades": bare_trades},
        "ours": {
            "cpu_s": ours,
            "ratio": ours / bare,
            "bars_per_s": len(closes) / ours,
            "final_equity": final,
            "relative_error": abs(final / float(equity) - 1),
            "trades": fills,
        },
    }
    venvs = Path(os.environ.get("PEERS_VENVS", "/nowhere"))
    for name, folder, script in PEERS:
        python = venvs / folder / "bin/python"
        if python.exists():
            line = peer(python, script, given.data, given.n)
            line["ours_times_faster"] = line["cpu_s"] / line["rows"] * len(closes) / ours
            keys = ("peer", "version", "rows", "cpu_s", "final_equity", "trades", "ours_times_faster")
            shown[name] = {key: line[key] for key in keys}
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    agrees = shown["ours"]["relative_error"] < 1e-6 and fills == trades == bare_trades
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
