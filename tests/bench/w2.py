"""Workload W2: monthly rebalancing of the 100 strongest of 5000 names over 2430 days, ours beside NumPy.

W2-parity runs the reference's own semantics (adjusted prices, unrounded fees, credit allowed) and must end at
its equity; W2-real runs raw prices with events, T+1, limits, dated fees to the cent, and is checked against
the slow twin on a smaller panel. Both are declared in tests/bench/specs. One thread, load times apart. The
data and the reference come from ../shared/bench; BENCH_DATA names a folder where gen.py has been before.
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
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("QUANT_SHARED", ROOT.parent / "shared"))
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/parity")]

from quant.core.market.instrument import BOARD_SHIFT, LISTED, SUSPENDED, TRADING, Board  # noqa: E402
from quant.core.market.rules import rulebook  # noqa: E402
from quant.native.kernel import KERNEL_HASH, FusedResult, Market, run_fused  # noqa: E402
from quant.pipelines.wiring import construct_config, decisions, kernel_config  # noqa: E402
from quant.research.columns import PanelColumns  # noqa: E402
from quant.research.panel import Actions, Panel, no_actions  # noqa: E402
from quant.specs.compile import TableState, compile_backtest  # noqa: E402
from quant.specs.compile.plan import BacktestPlan  # noqa: E402
from quant.specs.registry import load_workspace  # noqa: E402
from quant.specs.resolution import resolve  # noqa: E402

Array = NDArray[Any]
BOARD = int(Board.SSE_MAIN) << BOARD_SHIFT


class AllThere:
    """A catalog for which every table covers every session: the panel is already in memory."""

    def table(self, name: str, as_of: datetime | None = None) -> TableState:
        del as_of
        return TableState(name, 0, "bench", date(1990, 12, 19), date(2026, 12, 31))


def plan_of(name: str) -> BacktestPlan:
    """The plan of a backtest in tests/bench/specs."""
    resolved = resolve(load_workspace(Path(__file__).resolve().parent), "backtest", name)
    return compile_backtest(
        resolved, AllThere(), rulebook_hash=rulebook().fingerprint, kernel_hash=KERNEL_HASH
    )


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


@dataclass(frozen=True)
class Case:
    """A plan and its panel, with everything that loading costs already paid."""

    plan: BacktestPlan
    panel: Panel
    market: Market
    columns: PanelColumns

    def run(self) -> FusedResult:
        """What is timed: filters, scores and the whole session."""
        members = np.ones(self.market.S, bool)
        config = kernel_config(self.plan, self.panel, self.panel.sessions)
        given = decisions(self.plan, self.panel, 0, members, self.columns)
        return run_fused(config, self.market, construct_config(self.plan), given[1], given[2], given[0])


def case_of(
    name: str, days: Array, suspended: Array, prices: dict[str, Array], pre_close: Array, actions: Actions
) -> Case:
    count = suspended.shape[1]
    unused = np.zeros(suspended.shape, "i8")  # neither volume nor vwap enters a fill at the open
    ones = np.broadcast_to(np.ones(1), suspended.shape)
    board = np.full(count, int(Board.SSE_MAIN), "u1")
    panel = Panel(
        sessions=tuple(days.astype("datetime64[D]").tolist()),
        instruments=np.arange(count),
        codes=tuple(str(i) for i in range(count)),
        names=("",) * count,
        boards=board,
        list_sessions=np.zeros(count, "i4"),
        open=prices["open"],
        high=unused,
        low=unused,
        close=prices["close"],
        pre_close=pre_close,
        limit_up=prices["up"],
        limit_down=prices["down"],
        vwap=unused,
        volume=unused,
        amount=ones,
        flags=np.where(suspended, LISTED | SUSPENDED | BOARD, LISTED | TRADING | BOARD).astype("u4"),
        factor=ones,
        actions=actions,
    )
    clock = np.array([4_500, 5_400, 25_020, 25_200], "i8")
    market = Market.from_arrays(
        sessions=panel.session_days,
        instants=(panel.session_days.astype("i8")[:, None] * 86_400 + clock) * 10**9,
        open=panel.open,
        high=unused,
        low=unused,
        close=panel.close,
        pre_close=pre_close,
        limit_up=panel.limit_up,
        limit_down=panel.limit_down,
        vwap=unused,
        volume=unused,
        flags=panel.flags,
        actions=actions.as_columns(),
    )
    plan, columns = plan_of(name), PanelColumns(panel)
    for column in {*plan.signal.columns, *plan.universe.where.columns}:
        columns[column]
    return Case(plan, panel, market, columns)


def parity_case(panel: dict[str, Any]) -> Case:
    prices = {name: price(panel[name]) for name in ("open", "close", "up", "down")}
    before = np.vstack([prices["close"][:1], prices["close"][:-1]])
    return case_of("w2_parity", panel["days"], panel["susp"], prices, before, no_actions())


def events_of(close: Array, pre_close: Array) -> Actions:
    """Distributions inferred from the reference price: small steps are cash, large ones mostly new shares."""
    t, i = np.nonzero(pre_close[1:] != close[:-1])
    before, after = close[t, i], pre_close[t + 1, i]
    ratio = before / after
    tenths = np.where(ratio < 1.1, 0, np.floor((ratio - 1) * 10 + 1e-9)).astype("i8")
    cash = np.maximum(before * 100 - after * (10 + tenths) * 10, 0)
    return Actions(
        ex_index=(t + 1).astype("i4"),
        pay_index=np.full(len(t), -1, "i4"),
        instrument=i.astype("i4"),
        cash_per_share=cash.astype("i8"),
        bonus_ratio=tenths * 10_000_000,
        inferred=np.ones(len(t), "u1"),
    )


def real_case(data: Path, columns: Array, panel: dict[str, Any]) -> Case:
    sessions = len(panel["days"])

    def raw(name: str) -> Array:
        stored = np.load(data / "panel" / f"{name}.npy", mmap_mode="r")
        return np.ascontiguousarray(stored[:sessions][:, columns])

    prices = {name: price(raw(name)) for name in ("open", "close", "up", "down")}
    factor = raw("factor")
    before = np.vstack([prices["close"][:1], prices["close"][:-1]])
    steps = np.vstack([np.ones((1, len(columns))), factor[1:] / factor[:-1]])
    pre_close = np.round(before / steps / 100).astype("i8") * 100
    return case_of(
        "w2_real", panel["days"], panel["susp"], prices, pre_close, events_of(prices["close"], pre_close)
    )


def timed(work: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    result, walls = None, []
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        walls.append(time.perf_counter() - start)
    return result, sorted(walls)[len(walls) // 2]


def equals_twin(case: Case) -> bool:
    """Whether every daily total of the slow twin is ours, to the micro-yuan."""
    from twin import Twin

    members = np.ones(case.market.S, bool)
    rows, scores, eligible = decisions(case.plan, case.panel, 0, members, case.columns)
    config = kernel_config(case.plan, case.panel, case.panel.sessions)
    twin = Twin(config, case.market, construct_config(case.plan)).run(
        {int(t): list(map(float, scores[k])) for k, t in enumerate(rows)},
        {int(t): list(eligible[k]) for k, t in enumerate(rows)},
    )
    return bool(case.run().kernel.nav_history()["nav"].tolist() == twin.nav)


def measure(data: Path, symbols: int, sessions: int, repeat: int) -> dict[str, Any]:
    """Ours and the reference in this process; walls are medians, ``ratio`` ours over the reference."""
    reference = reference_module()
    panel = reference.load(str(data), symbols, sessions)
    (equity, trades), plain = timed(partial(reference.reference, panel), repeat)
    parity, wall = timed(parity_case(panel).run, repeat)
    nav = parity.kernel.nav_history()["nav"] / 10**6
    shown = {
        "seconds": wall,
        "ratio": wall / plain,
        "final_equity": float(nav[-1]),
        "worst_relative_error": float(np.abs(nav / equity - 1).max()),
        "trades": len(parity.kernel.fills()["row"]),
    }
    full = np.load(data / "panel" / "close.npy", mmap_mode="r").shape[1]
    columns = np.linspace(0, full - 1, len(panel["names"])).astype(int)
    days = {"days": panel["days"], "susp": panel["susp"]}
    counts = len(panel["names"]), len(panel["days"])
    del parity, panel  # the adjusted panel is not needed any more: peak memory is part of the result
    real, real_wall = timed(real_case(data, columns, days).run, repeat)
    small = reference.load(str(data), 60, 250)
    exact = equals_twin(real_case(data, np.linspace(0, full - 1, 60).astype(int), small))
    return {
        "workload": "W2", "symbols": counts[0], "days": counts[1],
        "numpy": {"seconds": plain, "final_equity": float(equity[-1]), "trades": int(trades)},
        "parity": shown,
        "real": {"seconds": real_wall, "ratio": real_wall / plain, "final_equity": real.kernel.nav / 10**6,
                 "trades": len(real.kernel.fills()["row"]), "equals_twin_60x250": exact},
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def vectorbt(python: Path, data: Path, symbols: int, sessions: int) -> dict[str, Any]:
    """The peer, in the virtual environment that the runner made."""
    command = [
        str(python),
        str(SHARED / "bench/w2_vectorbt.py"),
        "--data",
        str(data),
        "--repeat",
        "1",
        "--n",
        str(symbols),
        "--t",
        str(sessions),
    ]
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
