"""One million one-name minute bars through a strategy written in Python: bars a second, against the loop that
is driven from Python on a part of them.

    python tests/bench/python_bars.py [--bars 1000000]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kernel_market import instants

from quant.native.kernel import FeeTables, KernelConfig, RuleTables
from quant.native.market import Market, bar_instants
from quant.trading import MarketData, PythonStrategy, View, run_replay
from quant.trading.journal import MemoryJournal

FAST, SLOW, A_DAY = 10, 30, 240
CODE = "600000.SH"


class Crossover:
    """Two moving averages by running sums, in or out at the next open."""

    def __init__(self) -> None:
        self._closes: deque[float] = deque([0.0] * SLOW, SLOW)
        self.fast = self.slow = 0.0
        self.count, self.held = 0, False

    def decide(self, view: View) -> None:
        close, closes = view.last("raw_close", code=CODE), self._closes
        self.fast += close - closes[-FAST]
        self.slow += close - closes[0]
        closes.append(close)
        self.count += 1
        if self.count < SLOW:
            return
        wanted = self.fast / FAST > self.slow / SLOW + 1e-6
        if wanted is not self.held:
            self.held = wanted
            view.order(CODE, "buy" if wanted else "sell", 100)


def minutes(bars: int) -> MarketData:
    """A random walk in cents."""
    rng = np.random.default_rng(7)
    sessions = -(-bars // A_DAY)
    close = (10_000 + np.cumsum(rng.integers(-3, 4, bars))).clip(2_000)[:, None] * 100
    opened = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) + 100, np.minimum(opened, close) - 100
    day = np.repeat(np.arange(sessions, dtype="i4"), A_DAY)[:bars]
    days, _ = instants(sessions, 8_000)
    begin = (days[day].astype("i8") * 86_400 + 5_400 + (np.arange(bars) % A_DAY) * 60) * 10**9
    first = np.searchsorted(day, np.arange(sessions))
    bar = {"open": opened, "high": high, "low": low, "close": close, "vwap": close}
    daily = {
        "pre_close": opened[first],
        "limit_up": close[first] * 10,
        "limit_down": np.full((sessions, 1), 100),
    }
    of = Market.from_arrays(
        sessions=days,
        day=day,
        instants=bar_instants(begin, begin + 60 * 10**9),
        volume=np.full((bars, 1), 10_000, "i8"),
        flags=np.full((sessions, 1), 3 | 1 << 8, "u4"),
        **{name: np.ascontiguousarray(values, dtype="i8") for name, values in {**bar, **daily}.items()},
    )
    return MarketData.of(of, [CODE])


class Plan:
    name, calendar, decide, seed, fingerprint = "bench", "XSHG", "after_close", 0, "3" * 64
    rebalance: Any = None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, default=1_000_000)
    bars = parser.parse_args().bars
    for count, journaled in ((bars, False), (min(bars, 20_000), True)):
        data = minutes(count)
        config = KernelConfig(
            cash_micro=10**12,
            rules=RuleTables.uniform(data.market.D, settlement_days=0),
            fees=FeeTables.uniform(data.market.D, commission=300_000),
        )
        rows = np.arange(count, dtype="i4")
        journal = MemoryJournal(data.market) if journaled else None
        began, cpu = time.perf_counter(), time.process_time()
        result = run_replay(Plan(), data, config, PythonStrategy(Crossover()), rows=rows, journal=journal)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        facts = {
            "workload": "python bars",
            "way": "journaled loop" if journaled else "in memory",
            "bars": count,
            "seconds": round(seconds, 3),
            "cpu_s": round(cpu, 3),
            "bars_per_s": round(count / seconds),
            "bars_per_cpu_s": round(count / cpu),
            "fills": len(result.kernel.fills()["row"]),
            "nav": result.nav,
        }
        print(json.dumps(facts))


if __name__ == "__main__":
    main()
