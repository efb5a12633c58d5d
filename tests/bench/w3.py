"""Workload W3: pairs of moving averages, 1000 on one name and 100 on 500 names, ours beside plain NumPy.

Ours is the declared strategy of tests/bench/specs/w3.yaml in a native sweep: what pairs have in common is
computed once a name, each backtest trades through the kernel. Twenty sampled pairs must give exactly the
fills of a whole backtest (run_fused of the same spec), and the final equities add up to the reference
(single ones differ by the part of a share that is not bought). One thread, load times apart, process time.
BENCH_DATA names a folder where gen.py has been before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

from w1 import ROOT, SHARED, timed  # noqa: E402
from w2 import BOARD, plan_of, price  # noqa: E402

from quant.core.errors import Location  # noqa: E402
from quant.core.market.instrument import LISTED, NO_LIMIT, TRADING  # noqa: E402
from quant.native.config import FeeTables, KernelConfig, RuleTables  # noqa: E402
from quant.native.factor import evaluate  # noqa: E402
from quant.native.kernel import Market, run_fused  # noqa: E402
from quant.native.sweep import SweepResult, Variants, sweep, variants_of  # noqa: E402
from quant.pipelines.wiring import construct_config  # noqa: E402
from quant.specs.compile.plan import BacktestPlan  # noqa: E402
from quant.specs.expr import Program, compile_expression  # noqa: E402

Array = NDArray[Any]
FEE = 0.0005


def arrays_in(data: Path) -> tuple[Array, Array, Array]:
    """Open and close [T, S] in cents and the pairs, generated once if they are not there."""
    if not (data / "w3_pairs.npy").is_file():
        generator = SHARED / "bench/gen.py"
        if not generator.is_file():
            sys.exit(f"the generator {generator} is absent; set QUANT_SHARED")
        data.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(generator), "--data", str(data), "--only", "w3"], check=True)
    opens, closes = (np.load(data / f"w3_{name}.npy") for name in ("open", "close"))
    return opens, closes, np.load(data / "w3_pairs.npy")


@dataclass(frozen=True)
class Case:
    """A plan and its market, with everything that loading costs already paid."""

    plan: BacktestPlan
    market: Market
    config: KernelConfig
    closes: Array

    def compiled(self, params: Mapping[str, float]) -> Program:
        """The plan's expression with other windows."""
        assert self.plan.signal is not None
        text, origin = self.plan.signal.source, Location("w3.yaml")
        return compile_expression(text, origin=origin, price="raw", params=params)

    def run(self, pairs: Array, *, fills: bool = False) -> SweepResult:
        """What is timed: the pairs' programs and every backtest."""
        columns = {"close": self.closes}
        plan = construct_config(self.plan)
        return sweep(self.config, self.market, plan, self.variants(pairs), columns, fills=fills)

    def variants(self, pairs: Array) -> Variants:
        return variants_of(self.compiled, {"fast": pairs[:, 0].tolist(), "slow": pairs[:, 1].tolist()})

    def backtest(self, program: Program) -> Any:
        """One whole backtest of a market of one name."""
        rows = np.arange(program.lookback, self.market.T, dtype=np.int32)
        scores = evaluate(program, {"close": self.closes}, rows=rows)
        return run_fused(self.config, self.market, construct_config(self.plan), scores, None, rows).kernel


def case_of(opens: Array, closes: Array) -> Case:
    plan = plan_of("w3")
    bars = {"open": price(opens), "close": price(closes)}
    sessions = np.arange(14_613, 14_613 + len(opens), dtype="i4")
    clock = np.array([4_500, 5_400, 25_020, 25_200], "i8")
    unlimited = np.zeros(opens.shape, "i8")
    market = Market.from_arrays(
        sessions=sessions,
        instants=(sessions.astype("i8")[:, None] * 86_400 + clock) * 10**9,
        **bars,
        high=np.maximum(bars["open"], bars["close"]),
        low=np.minimum(bars["open"], bars["close"]),
        vwap=bars["close"],
        volume=np.full(opens.shape, 10**9, "i8"),
        pre_close=np.vstack([bars["open"][:1], bars["close"][:-1]]),
        limit_up=unlimited,
        limit_down=unlimited,
        flags=np.full(opens.shape, LISTED | TRADING | NO_LIMIT | BOARD, "u4"),
    )
    config = KernelConfig(
        cash_micro=int(plan.initial_cash) * 10**6,
        rules=RuleTables.uniform(len(sessions), lot=1, settlement_days=0),
        fees=FeeTables.uniform(len(sessions), commission=500_000),
        rounding=plan.cost.rounding,
    )
    return Case(plan, market, config, np.ascontiguousarray(closes))


def reference(opens: Array, closes: Array, pairs: Array) -> Array:
    """Final equity of 1 by pair and name [V, S]: all in or out at the next open."""
    out = np.empty((len(pairs), opens.shape[1]))
    sums = np.vstack([np.zeros((1, opens.shape[1])), np.cumsum(closes, axis=0)])
    for k, (fast, slow) in enumerate(pairs):
        mean = {n: (sums[n:] - sums[:-n])[slow - n :] / n for n in (fast, slow)}
        want = np.zeros(opens.shape, bool)
        want[slow:] = (mean[fast] > mean[slow] + 1e-6)[:-1]  # in force from the next open on
        turns = np.diff(want.astype("i1"), axis=0, prepend=0)
        for j in range(opens.shape[1]):
            bought, sold = opens[turns[:, j] > 0, j], opens[turns[:, j] < 0, j]
            if len(bought) > len(sold):
                sold = np.append(sold, closes[-1, j] / (1 - FEE))
            out[k, j] = np.prod(sold * (1 - FEE) / (bought * (1 + FEE)))
    return out


def same_fills(case: Case, pairs: Array, opens: Array, result: SweepResult, sample: Array) -> int:
    """How many of the sampled (variant, name) have exactly the fills of a whole backtest."""
    same = 0
    variants = case.variants(pairs)
    for variant, name in sample:
        alone = case_of(opens[:, [name]], case.closes[:, [name]])
        fills = alone.backtest(variants.program_of(int(variant))).fills()
        chosen = (result.placed["variant"] == variant) & (result.placed["instrument"] == name)
        columns = [key for key in fills if key != "instrument"]
        same += all(np.array_equal(result.placed[key][chosen], fills[key]) for key in columns)
    return same


def measure(opens: Array, closes: Array, pairs: Array, repeat: int) -> dict[str, Any]:
    case = case_of(opens, closes)
    result, spent = timed(lambda: case.run(pairs), repeat)
    start = time.process_time()
    expected = reference(opens, closes, pairs)
    plain = time.process_time() - start
    equity = result.nav / (int(case.plan.initial_cash) * 10**6)
    checked = case.run(pairs, fills=True)
    rng = np.random.default_rng(5)
    sample = np.column_stack([rng.integers(0, len(pairs), 20), rng.integers(0, opens.shape[1], 20)])
    backtests = len(pairs) * opens.shape[1]
    return {
        "pairs": len(pairs), "names": opens.shape[1], "bars": len(opens), "cpu_s": spent,
        "backtests_per_s": backtests / spent,
        "microseconds_a_backtest": spent / backtests * 1e6,
        "fills": int(result.fills.sum()),
        "relative_error": abs(float(equity.sum() / expected.sum()) - 1),
        "worst_relative_error": float(np.abs(equity / expected - 1).max()),
        "sampled_with_the_fills_of_a_backtest": same_fills(case, pairs, opens, checked, sample),
        "numpy_backtests_per_s": backtests / plain,
    }  # fmt: skip


def vectorbt(python: Path, data: Path) -> dict[str, float]:
    """Backtests a second of the peer's own script, for 1 and for 500 names."""
    command = [str(python), "-W", "ignore", str(SHARED / "bench/w3_vectorbt.py"), "--data", str(data)]
    printed = subprocess.run([*command, "--repeat", "2"], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return {line["workload"]: line["rows"] / line["cpu_s"] for line in lines}


def main() -> int:
    parser = argparse.ArgumentParser(description="W3: ours, NumPy, and vectorbt where it is installed")
    place = os.environ.get("BENCH_DATA", str(ROOT / "build/bench"))
    parser.add_argument("--data", type=Path, default=Path(place))
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    opens, closes, pairs = arrays_in(given.data)
    few = pairs[:: len(pairs) // 100][:100]
    shown: dict[str, Any] = {
        "workload": "W3",
        "one_name": measure(opens[:, :1], closes[:, :1], pairs, given.repeat),
        "many_names": measure(opens, closes, few, given.repeat),
    }
    python = Path(os.environ.get("PEERS_VENVS", "/nowhere")) / "vbt/bin/python"
    if python.exists():
        rates = vectorbt(python, given.data)
        for part, workload in (("one_name", "W3A"), ("many_names", "W3B")):
            shown[part]["vectorbt_backtests_per_s"] = rates[workload]
            shown[part]["times_faster_than_vectorbt"] = shown[part]["backtests_per_s"] / rates[workload]
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    parts = (shown["one_name"], shown["many_names"])
    exact = all(part["sampled_with_the_fills_of_a_backtest"] == 20 for part in parts)
    return 0 if exact and all(part["relative_error"] < 1e-6 for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
