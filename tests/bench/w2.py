"""Workload W2: monthly rebalancing of the 100 strongest of 5000 names over 2430 days, ours beside NumPy.

W2-parity runs the reference's own semantics (adjusted prices, unrounded fees, credit allowed) and must end at
its equity; W2-real runs raw prices with events, T+1, limits, dated fees to the cent, and is checked against
the slow twin on a smaller panel. One thread, load times apart. The data and the reference come from
../shared/bench; BENCH_DATA names a folder where gen.py has been before.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("QUANT_SHARED", ROOT.parent / "shared"))
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/parity")]

from quant.native.kernel import (  # noqa: E402
    ConstructConfig,
    FeeTables,
    FusedResult,
    KernelConfig,
    Market,
    RuleTables,
    run_fused,
)

Array = NDArray[Any]
PLAN = ConstructConfig("equal", 100, cash_buffer=50_000_000)
CASH = 100_000_000 * 10**6


def reference_module() -> ModuleType:
    path = SHARED / "bench/w2_common.py"
    if not path.is_file():
        sys.exit(f"the NumPy reference {path} is absent; set QUANT_SHARED")
    spec = importlib.util.spec_from_file_location("w2_common", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def price(values: Array) -> Array:
    return np.round(values * 10_000).astype("i8")


def market_of(days: Array, suspended: Array, prices: dict[str, Array], pre_close: Array,
              actions: dict[str, Array] | None) -> Market:
    sessions = days.astype("datetime64[D]").astype("i4")
    clock = np.array([4_500, 5_400, 25_020, 25_200], "i8")
    unused = np.zeros(suspended.shape, "i8")  # neither volume nor vwap enters a fill at the open
    return Market.from_arrays(
        sessions=sessions, instants=(sessions.astype("i8")[:, None] * 86_400 + clock) * 10**9,
        open=prices["open"], high=unused, low=unused, close=prices["close"], pre_close=pre_close,
        limit_up=prices["up"], limit_down=prices["down"], vwap=unused, volume=unused,
        flags=np.where(suspended, 1 + 4 + 256, 1 + 2 + 256).astype("u4"), actions=actions,
    )  # fmt: skip


def parity_case(panel: dict[str, Any]) -> tuple[KernelConfig, Market]:
    prices = {name: price(panel[name]) for name in ("open", "close", "up", "down")}
    before = np.vstack([prices["close"][:1], prices["close"][:-1]])
    market = market_of(panel["days"], panel["susp"], prices, before, None)
    fees = FeeTables.uniform(market.T, commission=250_000, stamp_sell=500_000, transfer=10_000,
                             commission_min=5_000_000)
    rules = RuleTables.uniform(market.T, settlement_days=0)
    return KernelConfig(CASH, rules, fees, locked="by_target", on_insufficient_cash="overdraft",
                        rounding="none"), market


def events_of(close: Array, pre_close: Array) -> dict[str, Array]:
    """Distributions inferred from the reference price: small steps are cash, large ones mostly new shares."""
    t, i = np.nonzero(pre_close[1:] != close[:-1])
    before, after = close[t, i], pre_close[t + 1, i]
    ratio = before / after
    tenths = np.where(ratio < 1.1, 0, np.floor((ratio - 1) * 10 + 1e-9)).astype("i8")
    cash = np.maximum(before * 100 - after * (10 + tenths) * 10, 0)
    return {"ex_index": (t + 1).astype("i4"), "pay_index": np.full(len(t), -1, "i4"),
            "instrument": i.astype("i4"), "cash_per_share": cash.astype("i8"),
            "bonus_ratio": tenths * 10_000_000, "inferred": np.ones(len(t), "u1")}  # fmt: skip


def real_case(data: Path, columns: Array, panel: dict[str, Any]) -> tuple[KernelConfig, Market]:
    sessions = len(panel["days"])

    def raw(name: str) -> Array:
        stored = np.load(data / "panel" / f"{name}.npy", mmap_mode="r")
        return np.ascontiguousarray(stored[:sessions][:, columns])

    prices = {name: price(raw(name)) for name in ("open", "close", "up", "down")}
    factor = raw("factor")
    before = np.vstack([prices["close"][:1], prices["close"][:-1]])
    steps = np.vstack([np.ones((1, len(columns))), factor[1:] / factor[:-1]])
    pre_close = np.round(before / steps / 100).astype("i8") * 100
    market = market_of(panel["days"], panel["susp"], prices, pre_close, events_of(prices["close"], pre_close))
    fees = FeeTables.uniform(sessions, commission=250_000, stamp_sell=1_000_000, transfer=20_000,
                             commission_min=5_000_000)
    dates = panel["days"].astype("datetime64[D]")
    fees.transfer[dates >= np.datetime64("2022-04-29")] = 10_000
    fees.stamp_sell[dates >= np.datetime64("2023-08-28")] = 500_000
    return KernelConfig(CASH, RuleTables.uniform(sessions, max_order=1_000_000), fees), market


def decisions(reference: ModuleType, panel: dict[str, Any]) -> tuple[Array, Array, Array]:
    rows = reference.rebal_days(panel["days"])
    rows = rows[rows + 1 < len(panel["days"])].astype("i4")
    scores = panel["close"][rows] / panel["close"][rows - reference.LB] - 1
    return scores, ~panel["susp"][rows], rows


def timed(work: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    result, walls = None, []
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        walls.append(time.perf_counter() - start)
    return result, sorted(walls)[len(walls) // 2]


def equals_twin(config: KernelConfig, market: Market, given: tuple[Array, Array, Array]) -> bool:
    from twin import Twin

    scores, eligible, rows = given
    result = run_fused(config, market, PLAN, *given)
    twin = Twin(config, market, PLAN).run(
        {int(t): list(map(float, scores[k])) for k, t in enumerate(rows)},
        {int(t): list(eligible[k]) for k, t in enumerate(rows)},
    )
    return bool(result.kernel.nav_history()["nav"].tolist() == twin.nav)


def run_case(case: tuple[KernelConfig, Market], reference: ModuleType, panel: dict[str, Any],
             repeat: int) -> tuple[FusedResult, float]:
    config, market = case
    return timed(lambda: run_fused(config, market, PLAN, *decisions(reference, panel)), repeat)


def measure(data: Path, symbols: int, sessions: int, repeat: int) -> dict[str, Any]:
    """Ours and the reference in this process; walls are medians, ``ratio`` ours over the reference."""
    reference = reference_module()
    panel = reference.load(str(data), symbols, sessions)
    (equity, trades), plain = timed(lambda: reference.reference(panel), repeat)
    parity, parity_wall = run_case(parity_case(panel), reference, panel, repeat)
    nav = parity.kernel.nav_history()["nav"] / 10**6
    full = np.load(data / "panel" / "close.npy", mmap_mode="r").shape[1]
    columns = np.linspace(0, full - 1, len(panel["names"])).astype(int)
    real, real_wall = run_case(real_case(data, columns, panel), reference, panel, repeat)

    small = reference.load(str(data), 60, 250)
    case = real_case(data, np.linspace(0, full - 1, 60).astype(int), small)
    given = decisions(reference, small)
    exact = equals_twin(*case, given)
    return {
        "workload": "W2", "symbols": len(panel["names"]), "days": len(panel["days"]),
        "numpy": {"seconds": plain, "final_equity": float(equity[-1]), "trades": int(trades)},
        "parity": {"seconds": parity_wall, "ratio": parity_wall / plain, "final_equity": float(nav[-1]),
                   "worst_relative_error": float(np.abs(nav / equity - 1).max()),
                   "trades": len(parity.kernel.fills()["row"])},
        "real": {"seconds": real_wall, "ratio": real_wall / plain, "final_equity": real.kernel.nav / 10**6,
                 "trades": len(real.kernel.fills()["row"]), "equals_twin_60x250": exact},
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def vectorbt(python: Path, data: Path, symbols: int, sessions: int) -> dict[str, Any]:
    """The peer, in the virtual environment that the runner made."""
    command = [str(python), str(SHARED / "bench/w2_vectorbt.py"), "--data", str(data), "--repeat", "1",
               "--n", str(symbols), "--t", str(sessions)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(printed.strip().splitlines()[-1]))


def panel_in(data: Path) -> Path:
    """``data``, generated once (about a minute, 900 MB) if it is not there."""
    if not (data / "panel/close.npy").is_file():
        script = SHARED / "bench/gen.py"
        subprocess.run([sys.executable, str(script), "--data", str(data), "--only", "panel"], check=True)
    return data


def main() -> int:
    parser = argparse.ArgumentParser(description="W2: ours, NumPy, and vectorbt where it is installed")
    place = os.environ.get("BENCH_DATA", str(ROOT / "build/bench"))
    parser.add_argument("--data", type=Path, default=Path(place))
    parser.add_argument("--n", type=int, default=0, help="symbols, 0 = all")
    parser.add_argument("--t", type=int, default=0, help="days, 0 = all")
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    reference_module()
    data = panel_in(given.data)
    result = measure(data, given.n, given.t, given.repeat)
    python = Path(os.environ.get("PEERS_VENVS", "/nowhere")) / "vbt/bin/python"
    if python.exists():
        peer = vectorbt(python, data, given.n, given.t)
        result["vectorbt"] = {key: peer[key] for key in ("seconds", "final_equity", "trades", "peer")}
        result["parity"]["times_faster_than_vectorbt"] = peer["seconds"] / result["parity"]["seconds"]
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    agrees = result["parity"]["worst_relative_error"] < 1e-6 and result["real"]["equals_twin_60x250"]
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
