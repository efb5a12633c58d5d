"""Small deterministic markets and rule tables for the kernel's tests."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.native.kernel import (
    Batch,
    ConstructConfig,
    FeeTables,
    IntentKind,
    Kernel,
    KernelConfig,
    Market,
    Phase,
    Reason,
    RuleTables,
    SimVenue,
    construct,
)
from quant.native.market import bar_instants

Array = NDArray[Any]
LISTED, TRADING, SUSPENDED, NO_LIMIT = 1, 2, 4, 32
MAIN, STAR = 1, 5


def instants(sessions: int, first_day: int = 18_000) -> tuple[Array, Array]:
    """Weekdays-agnostic sessions from ``first_day`` and their four instants in ns UTC."""
    days = np.arange(first_day, first_day + sessions, dtype="i4")
    seconds = np.array([4_500, 5_400, 25_020, 25_200], "i8")
    return days, (days.astype("i8")[:, None] * 86_400 + seconds) * 10**9


def rounded(price: int, factor: str) -> int:
    """A price limit: half up to the cent, exact."""
    exact = Decimal(price) / 10_000 * Decimal(factor)
    return int(exact.quantize(Decimal("0.01"), ROUND_HALF_UP) * 10_000)


def random_market(sessions: int, instruments: int, seed: int, *, wild: float = 1.0) -> Market:
    """Random walks in cents inside their limits; ``wild`` scales how often something unusual happens."""
    rng = np.random.default_rng(seed)
    names = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap", "volume")
    panel = {name: np.zeros((sessions, instruments), "i8") for name in names}
    flags = np.zeros((sessions, instruments), "u4")
    boards = rng.choice([MAIN, MAIN, MAIN, STAR], instruments)
    last = (rng.integers(300, 6_000, instruments) * 100).astype(int)
    halted = np.zeros(instruments, int)
    events: list[tuple[int, int, int, int, int]] = []
    for t in range(sessions):
        for i in range(instruments):
            before = int(last[i])
            pre = before
            if t > 0 and rng.random() < 0.01 * wild:
                cash = int(rng.integers(1, max(2, before // 2_000))) * 10_000
                ratio = int(rng.choice([0, 0, 10_000_000, 30_000_000, 33_333_333]))
                exact = (Decimal(before) - cash // 100) / (1 + Decimal(ratio) / 100_000_000)
                pre = max(int((exact / 100).quantize(Decimal(1), ROUND_HALF_UP)) * 100, 100)
                events.append((t, int(rng.choice([-1, t, t + 3])), i, cash, ratio))
            starts = rng.random() < 0.01 * wild
            halted[i] = max(halted[i] - 1, 0) or (int(rng.integers(1, 6)) if starts else 0)
            up, down = rounded(pre, "1.1"), rounded(pre, "0.9")
            jump = (rng.random() < 0.03 * wild) * rng.choice([-0.3, 0.3])
            moves = np.clip(rng.normal(0, 0.02, 2) + jump, -0.5, 0.5)
            opened, closed = (int(np.clip(round(pre * (1 + m) / 100) * 100, down, up)) for m in moves)
            lot = 0 if halted[i] else int(rng.integers(1, 4_000)) * 100
            if halted[i]:
                opened = closed = pre
            high, low, middle = max(opened, closed), min(opened, closed), (opened + closed) // 2
            row = (opened, high, low, closed, pre, up, down, middle, lot)
            for name, value in zip(names, row, strict=True):
                panel[name][t, i] = value
            flags[t, i] = LISTED | (SUSPENDED if halted[i] else TRADING) | int(boards[i]) << 8
            last[i] = closed
    columns = list(zip(*events, strict=True)) or [()] * 5
    days, when = instants(sessions)
    keys = (
        ("ex_index", "i4"),
        ("pay_index", "i4"),
        ("instrument", "i4"),
        ("cash_per_share", "i8"),
        ("bonus_ratio", "i8"),
    )
    actions = {key: np.array(values, dtype) for (key, dtype), values in zip(keys, columns, strict=True)}
    actions["inferred"] = np.zeros(len(events), "u1")
    return Market.from_arrays(sessions=days, instants=when, **panel, flags=flags, actions=actions)


def bars_market(sessions: int, bars: int, instruments: int, seed: int, *, wild: float = 1.0) -> Market:
    """``bars`` of random walks a session, some without a trade; a session's limits are its extremes."""
    walk = random_market(sessions * bars, instruments, seed, wild=wild)
    rng = np.random.default_rng([seed, 1])
    first = np.arange(sessions) * bars
    bar = {name: walk.arrays[name].copy() for name in ("open", "high", "low", "close", "vwap", "volume")}
    silent = rng.random(bar["close"].shape) < 0.1
    for values in bar.values():
        values[silent] = 0
    cells = bar["open"], bar["close"]
    by_session = [values.reshape(sessions, bars, instruments) for values in cells]
    high = np.max([values.max(axis=1) for values in by_session], axis=0)
    low = np.min([np.where(v > 0, v, 10**12).min(axis=1) for v in by_session], axis=0)
    pre = walk.arrays["pre_close"][first].copy()
    daily = {
        "pre_close": pre,
        "limit_up": np.where(high > 0, high, 2 * pre),
        "limit_down": np.where(low < 10**12, low, 100),
        "flags": walk.arrays["flags"][first].copy(),
    }
    days, _ = instants(sessions)
    minute = np.tile(np.arange(bars), sessions)
    begin = (np.repeat(days.astype("i8"), bars) * 86_400 + 5_400 + minute * 60) * 10**9
    chosen = np.isin(walk.actions["ex_index"], first)
    actions = {name: np.ascontiguousarray(values[chosen]) for name, values in walk.actions.items()}
    for name in ("ex_index", "pay_index"):
        actions[name] = np.where(actions[name] < 0, -1, actions[name] // bars).astype("i4")
    return Market.from_arrays(
        sessions=days,
        day=np.repeat(np.arange(sessions, dtype="i4"), bars),
        instants=bar_instants(begin, begin + 60 * 10**9),
        **bar,
        **daily,
        actions=actions,
    )


def flat_market(prices: list[list[int]], **columns: object) -> Market:
    """A market [T, S] whose open, close and vwap are ``prices`` and whose limits do not bind unless given."""
    close = np.array(prices, "i8")
    before = np.vstack([close[:1], close[:-1]])
    panel: dict[str, Array] = {name: close.copy() for name in ("open", "high", "low", "close", "vwap")}
    panel |= {
        "pre_close": before,
        "limit_up": np.full_like(close, 10**9),
        "limit_down": np.ones_like(close),
        "volume": np.full_like(close, 1_000_000),
    }
    flags = np.full(close.shape, LISTED | TRADING | MAIN << 8, "u4")
    actions = columns.pop("actions", None)
    for name, value in columns.items():
        if name == "flags":
            flags = np.array(value, "u4")
        else:
            panel[name] = np.array(value, "i8")
    days, when = instants(len(close))
    assert actions is None or isinstance(actions, Mapping)
    return Market.from_arrays(sessions=days, instants=when, **panel, flags=flags, actions=actions)


def board_rules(sessions: int, settlement_days: int = 1, bonus_days: int = 0) -> RuleTables:
    """Main-board lots everywhere, STAR lots (200, then 1) on its board."""
    rules = RuleTables.uniform(
        sessions, max_order=1_000_000, settlement_days=settlement_days, bonus_days=bonus_days
    )
    star = {"buy_min": 200, "buy_step": 1, "sell_step": 1, "max_order": 100_000}
    for name, value in star.items():
        getattr(rules, name)[:, STAR] = value
    return rules


def stock_fees(sessions: int) -> FeeTables:
    """2.5 bp (at least 5 yuan), stamp duty 10 then 5 bp on sells, transfer by the share, then 0.1 bp."""
    fees = FeeTables.uniform(
        sessions, commission=250_000, stamp_sell=1_000_000, transfer=10_000, commission_min=5_000_000
    )
    fees.stamp_sell[sessions // 2 :] = 500_000
    fees.transfer[: sessions // 4] = 0
    fees.transfer_per_share[: sessions // 4] = 600
    return fees


def config(sessions: int, **changes: Any) -> KernelConfig:
    """A main-board account of 100,000 yuan without fees."""
    given: dict[str, Any] = {
        "cash_micro": 100_000 * 10**6,
        "rules": RuleTables.uniform(sessions),
        "fees": FeeTables.uniform(sessions),
    }
    return KernelConfig(**(given | changes))


def order(side: int, quantity: int, instrument: int = 0, price: int = 0) -> dict[str, Any]:
    return {
        "instrument": [instrument],
        "kind": [IntentKind.ORDER],
        "side": [side],
        "quantity": [quantity],
        "price": [price],
    }


def weights(*values: float) -> dict[str, Any]:
    return {"instrument": list(range(len(values))), "weight": [round(v * 10**9) for v in values]}


def reasons(loop: Stepped) -> list[Any]:
    return [Reason(code) for code in loop.kernel.orders()["reason"]]


class Stepped:
    """The session loop driven from Python, instant by instant."""

    def __init__(self, config: KernelConfig, market: Market) -> None:
        self.config, self.market = config, market
        self.kernel, self.venue = Kernel(config, market), SimVenue(config, market)

    def drain(self, reports: Batch) -> None:
        while reports.n:
            self.venue.submit(self.kernel.step(reports))
            reports = self.venue.poll(None)

    def slice(self, t: int, phase: Phase) -> None:
        bar = Batch.slice(self.market, t, phase)
        self.venue.submit(self.kernel.step(bar))
        self.drain(self.venue.poll(bar))

    def give(self, batch: Batch) -> None:
        self.venue.submit(self.kernel.step(batch))
        self.drain(self.venue.poll(None))

    def session(self, t: int, decide: Batch | None = None) -> None:
        """One whole bar; ``decide`` is given at 14:57 or after the close as the configuration says."""
        before_close = self.config.decide == "before_close"
        for phase in Phase:
            if phase is Phase.DECIDE and not (before_close and decide is not None):
                continue
            if phase is Phase.PREOPEN and not self.market.opens(t):
                continue
            self.slice(t, phase)
            if decide is not None and phase is (Phase.DECIDE if before_close else Phase.CLOSE):
                self.give(decide)

    def run(self, plan: ConstructConfig, scores: Array, eligible: Array, rows: Array) -> Kernel:
        """The same run as ``run_fused``."""
        where = {int(row): k for k, row in enumerate(rows)}
        before_close = self.config.decide == "before_close"
        for t in range(self.market.T):
            k = where.get(t)
            for phase in Phase:
                if phase is Phase.DECIDE and not (before_close and k is not None):
                    continue
                if phase is Phase.PREOPEN and not self.market.opens(t):
                    continue
                self.slice(t, phase)
                if k is not None and phase is (Phase.DECIDE if before_close else Phase.CLOSE):
                    self.give(construct(plan, scores[k], eligible[k], self.kernel))
        return self.kernel
