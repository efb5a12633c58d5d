"""A random market with all that happens in one, a declarative and a Python strategy, and a child process.

``python session_case.py FOLDER`` runs the paper session of the case in FOLDER, from the start or from where a
killed process left it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from quant.core.market.calendar import calendar
from quant.core.market.instrument import LISTED, SUSPENDED, TRADING, Board
from quant.core.time import from_epoch_days
from quant.native.kernel import ConstructConfig, FeeTables, KernelConfig, Market, RuleTables
from quant.research.market import instants
from quant.trading import (
    DeclarativeStrategy,
    FixedScores,
    MarketData,
    PaperOptions,
    PythonStrategy,
    View,
    run_paper,
)

FIRST = calendar("XSHG").first.replace(year=2024, month=1, day=2)


@dataclass(frozen=True)
class Rebalance:
    every: str = "day"
    on: str = "first"


@dataclass(frozen=True)
class Plan:
    name: str = "case"
    calendar: str = "XSHG"
    decide: str = "after_close"
    rebalance: Rebalance = field(default_factory=Rebalance)
    seed: int = 11
    fingerprint: str = "c" * 64

    def to_json(self) -> str:
        return json.dumps({"name": self.name, "fingerprint": self.fingerprint})


def random_market(sessions: int = 60, instruments: int = 8, seed: int = 1) -> Market:
    """Walks with limit days, suspensions, dividends and bonus shares."""
    rng = np.random.default_rng(seed)
    days = calendar("XSHG").sessions(FIRST, calendar("XSHG").offset(FIRST, sessions))[:sessions]
    shape = (sessions, instruments)
    moves = np.clip(rng.normal(0, 0.04, shape), -0.1, 0.1)
    close = np.zeros(shape, "i8")
    pre = np.zeros(shape, "i8")
    previous = rng.integers(500, 5000, instruments) * 100
    ex = rng.random(shape) < 0.03
    for t in range(sessions):
        pre[t] = np.where(ex[t] & (t > 0), (previous * 100 // 120) // 100 * 100, previous)
        up, down = _limits(pre[t])
        close[t] = np.clip(np.round(pre[t] * (1 + moves[t]) / 100).astype("i8") * 100, down, up)
        previous = close[t]
    up, down = _limits(pre)
    opened = np.clip(np.round(pre * (1 + rng.normal(0, 0.03, shape)) / 100).astype("i8") * 100, down, up)
    halted = rng.random(shape) < 0.04
    volume = np.where(halted, 0, rng.integers(1_000, 400_000, shape))
    flags = np.where(halted, LISTED | SUSPENDED, LISTED | TRADING) | int(Board.SSE_MAIN) << 8
    where = np.argwhere(ex & (np.arange(sessions)[:, None] > 0))
    actions = {
        "ex_index": where[:, 0].astype("i4"),
        "pay_index": np.minimum(where[:, 0] + 2, sessions).astype("i4"),
        "instrument": where[:, 1].astype("i4"),
        "cash_per_share": rng.integers(0, 500_000, len(where)),
        "bonus_ratio": np.full(len(where), 20_000_000, "i8"),
        "inferred": np.zeros(len(where), "u1"),
    }
    return Market.from_arrays(
        sessions=np.array([(d - from_epoch_days(0)).days for d in days], "i4"),
        instants=instants(days, "XSHG"), open=opened,
        high=np.maximum(opened, close), low=np.minimum(opened, close),
        close=close, pre_close=pre, limit_up=up, limit_down=down, vwap=(opened + close) // 200 * 100,
        volume=volume.astype("i8"), flags=flags.astype("u4"), actions=actions,
    )  # fmt: skip


def _limits(reference: Any) -> tuple[Any, Any]:
    return (reference * 110 // 10_000) * 100, -(-reference * 90 // 10_000) * 100


def case_data(**kwargs: int) -> MarketData:
    market = random_market(**kwargs)
    return MarketData.of(market, [f"60{i:04d}.SH" for i in range(market.S)])


def case_config(sessions: int, **changes: Any) -> KernelConfig:
    fees = FeeTables.uniform(
        sessions, commission=250_000, stamp_sell=500_000, transfer=10_000, commission_min=5_000_000
    )
    return KernelConfig(
        **{"cash_micro": 10_000_000_000_000, "rules": RuleTables.uniform(sessions), "fees": fees, **changes}
    )


def declarative(
    data: MarketData, rows: Any, seed: int = 5
) -> tuple[ConstructConfig, Any, Any, DeclarativeStrategy]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(rows), data.market.S))
    scores[rng.random(scores.shape) < 0.1] = np.nan
    eligible = rng.random(scores.shape) < 0.9
    plan = ConstructConfig(method="equal", top=3, cash_buffer=20_000_000)
    return plan, scores, eligible, DeclarativeStrategy(plan, FixedScores(rows, scores, eligible))


class Restless:
    """Keeps state, asks the past, uses the seeded generator, and answers order events."""

    def __init__(self, top: int = 3) -> None:
        self.top = top
        self.seen = 0
        self.fills: dict[str, int] = {}
        self.retries = 0

    def decide(self, view: View) -> None:
        self.seen += 1
        past = view.history("close", 5)
        strength = np.nan_to_num(past[-1] / past[0] - 1) + view.random().normal(0, 0.01, len(view.codes))
        best = set(np.argsort(-strength, kind="stable")[: self.top].tolist())
        for i, code in enumerate(view.codes):
            if i in best:
                view.target_weight(code, 0.9 / self.top)
            elif view.position(code):
                view.target_quantity(code, 0)

    def on_events(self, view: View, events: list[Any]) -> None:
        for event in events:
            if event.kind == "fill":
                self.fills[event.code] = self.fills.get(event.code, 0) + event.quantity
            elif event.kind == "expired" and self.retries < 20:
                self.retries += 1
                view.order(event.code, event.side, 100)


def python_rows(sessions: int) -> Any:
    return np.arange(0, sessions, 2, dtype="i4")


def run_case(folder: Path, *, decide: str = "after_close", snapshot_every: int = 7, **kwargs: Any) -> Any:
    """The paper session of the Python strategy on the standard case."""
    data = case_data()
    fill = "close" if decide == "before_close" else "open"
    config = case_config(data.market.T, decide=decide, fill_at=fill)
    options = PaperOptions(rows=python_rows(data.market.T), snapshot_every=snapshot_every, **kwargs)
    return run_paper(Plan(decide=decide), data, config, PythonStrategy(Restless()), folder, options=options)


if __name__ == "__main__":
    outcome = run_case(
        Path(sys.argv[1]), decide=sys.argv[2], snapshot_every=int(sys.argv[3]), pace=float(sys.argv[4])
    )
    print(outcome.state_hash)
