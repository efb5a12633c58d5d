"""A tiny market, kernel and exchange in plain Python, with the loop's contract and nothing else.

The kernel turns ORDER intents into commands at once; the exchange acknowledges within the instant and fills
at the close. The state hash covers every input, so a lost, doubled or reordered one shows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from session_plan import SessionPlan

from quant.core.market.instrument import LISTED
from quant.core.time import NS_PER_SECOND
from quant.native.batch import (
    Action,
    Batch,
    BatchKind,
    ControlKind,
    Phase,
    ReportKind,
)
from quant.trading.market_data import MarketData

HOUR = 3600 * NS_PER_SECOND
DAY = 24 * HOUR
CODES = ("000001.SZ", "600519.SH")
FIRST_DAY = 19724  # 2024-01-02


class FakeMarket:
    """Prices are t + 1 + instrument yuan."""

    def __init__(self, sessions: int = 6, instruments: int = 2) -> None:
        self.T, self.S, self.D, self.daily = sessions, instruments, sessions, True
        shape = (sessions, instruments)
        price = (np.arange(sessions)[:, None] + np.arange(instruments)[None, :] + 1).astype("i8") * 10_000
        names = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap")
        self.arrays: dict[str, Any] = {name: price.copy() for name in names}
        self.arrays["volume"] = np.full(shape, 1000, "i8")
        self.arrays["flags"] = np.full(shape, LISTED, "u4")
        days = np.arange(FIRST_DAY, FIRST_DAY + sessions, dtype="i4")
        hours = np.array([1, 2, 6, 7], dtype="i8") * HOUR
        self.arrays["sessions"] = days
        self.arrays["day"] = np.arange(sessions, dtype="i4")
        self.first_bars = self.last_bars = np.arange(sessions)
        self.arrays["instants"] = days.astype("i8")[:, None] * DAY + hours[None, :]

    @property
    def content_hash(self) -> str:
        return hashlib.sha256(b"".join(a.tobytes() for a in self.arrays.values())).hexdigest()

    def instant(self, t: int, phase: Phase) -> int:
        return int(self.arrays["instants"][t, int(phase)])

    def session_of(self, t: int) -> int:
        return t

    def opens(self, t: int) -> bool:
        return True

    def closes(self, t: int) -> bool:
        return True


def fake_data(sessions: int = 6) -> MarketData:
    return MarketData.of(FakeMarket(sessions), CODES)  # type: ignore[arg-type]


@dataclass(frozen=True)
class FakePlan(SessionPlan):
    name: str = "fake"
    seed: int = 7


class FakeKernel:
    def __init__(self) -> None:
        self.state: dict[str, Any] = {
            "head": "",
            "orders": [],
            "fills": [],
            "held": {},
            "halted": False,
            "paused": False,
            "chain": [],
            "inputs": 0,
        }

    nav = cash = available = 1_000_000_000_000

    @property
    def halted(self) -> bool:
        return bool(self.state["halted"])

    @property
    def paused(self) -> bool:
        return bool(self.state["paused"])

    def step(self, batch: Batch) -> Batch:
        state = self.state
        state["inputs"] += 1
        state["head"] = hashlib.sha256(state["head"].encode() + batch.encode()).hexdigest()
        rows: list[dict[str, int]] = []
        match batch.kind:
            case BatchKind.INTENTS:
                rows = [self._new(batch, i) for i in range(batch.n)] if not state["halted"] else []
            case BatchKind.CONTROL:
                rows = self._control(ControlKind(int(batch.columns["kind"][0])))
            case BatchKind.REPORTS:
                for i in range(batch.n):
                    self._report({k: int(v[i]) for k, v in batch.columns.items()})
            case BatchKind.SLICE if batch.phase is Phase.CLOSE:
                days = int(batch.market.arrays["sessions"][batch.t])  # type: ignore[union-attr]
                state["chain"].append([days, state["head"]])
        return _commands(batch, rows)

    def _new(self, batch: Batch, i: int) -> dict[str, int]:
        order = {
            "order_id": len(self.state["orders"]) + 1,
            "action": int(Action.NEW),
            **{k: int(batch.columns[k][i]) for k in ("instrument", "side", "quantity", "price")},
        }
        self.state["orders"].append({**order, "filled": 0, "state": 2})
        return order

    def _control(self, kind: ControlKind) -> list[dict[str, int]]:
        match kind:
            case ControlKind.HALT:
                self.state["halted"] = True
                live = [o for o in self.state["orders"] if o["state"] == 2]
                return [{"order_id": o["order_id"], "action": int(Action.CANCEL)} for o in live]
            case ControlKind.RESET:
                self.state["halted"] = False
            case ControlKind.PAUSE:
                self.state["paused"] = True
            case ControlKind.RESUME:
                self.state["paused"] = False
        return []

    def _report(self, row: dict[str, int]) -> None:
        order = self.state["orders"][row["order_id"] - 1]
        if row["kind"] == ReportKind.FILL:
            order["filled"] += row["quantity"]
            held = self.state["held"]
            key = str(order["instrument"])
            held[key] = held.get(key, 0) + order["side"] * row["quantity"]
            self.state["fills"].append({**row, "instrument": order["instrument"]})
        if row["kind"] != ReportKind.ACK:
            order["state"] = 6 + row["kind"] - 1

    def positions(self) -> dict[str, Any]:
        held = self.state["held"]
        count = len(held)
        return {
            "instrument": np.array([int(k) for k in held], "i4"),
            "quantity": np.array(list(held.values()), "i8"),
            "sellable": np.zeros(count, "i8"),
            "cost": np.zeros(count, "i8"),
            "price": np.full(count, 10_000, "i8"),
        }

    def quantity(self, instrument: int) -> int:
        return int(self.state["held"].get(str(instrument), 0))

    def orders(self) -> dict[str, Any]:
        names = ("order_id", "instrument", "side", "quantity", "filled", "state")
        return {n: np.array([o[n] for o in self.state["orders"]], "i8") for n in names}

    def fills(self) -> dict[str, Any]:
        return {"order_id": np.array([f["order_id"] for f in self.state["fills"]], "i8")}

    def state_hash(self) -> str:
        return str(self.state["head"])

    def chain(self) -> list[tuple[int, str]]:
        return [(d, h) for d, h in self.state["chain"]]

    def snapshot(self) -> bytes:
        return json.dumps(self.state).encode()

    @classmethod
    def restore(cls, state: bytes) -> FakeKernel:
        kernel = cls()
        kernel.state = json.loads(state)
        return kernel


class FakeExchange:
    """Acknowledges at once; fills at the close slice."""

    def __init__(self) -> None:
        self.fresh: list[dict[str, int]] = []
        self.resting: dict[str, dict[str, int]] = {}
        self.now = [0, 0, 0]
        self.received: list[int] = []

    def submit(self, commands: Batch) -> None:
        for i in range(commands.n):
            row = {k: int(v[i]) for k, v in commands.columns.items()}
            self.fresh.append(row)
            if row["action"] == Action.NEW:
                self.received.append(row["order_id"])

    def poll(self, slice: Batch | None) -> Batch:
        if slice is not None:
            self.now = [slice.ts, int(slice.phase), slice.t]
        rows: list[dict[str, int]] = []
        for order in self.fresh:
            key = str(order["order_id"])
            if order["action"] == Action.NEW:
                self.resting[key] = order
                rows.append({"order_id": order["order_id"], "kind": int(ReportKind.ACK)})
            elif self.resting.pop(key, None):
                rows.append({"order_id": order["order_id"], "kind": int(ReportKind.CANCELLED)})
        self.fresh = []
        if slice is not None and slice.phase is Phase.CLOSE:
            for order in self.resting.values():
                rows.append(
                    {
                        "order_id": order["order_id"],
                        "kind": int(ReportKind.FILL),
                        "quantity": order["quantity"],
                        "price": 10_000,
                    }
                )
            self.resting = {}
        ts, phase, t = self.now
        return _batch(BatchKind.REPORTS, ts, Phase(phase), t, rows)

    def open_state(self) -> dict[str, Any]:
        return {"order_id": np.array([int(k) for k in self.resting], "i8")}

    def snapshot(self) -> bytes:
        return json.dumps([self.fresh, self.resting, self.now]).encode()

    @classmethod
    def restore(cls, state: bytes) -> FakeExchange:
        venue = cls()
        venue.fresh, venue.resting, venue.now = json.loads(state)
        return venue


def _commands(batch: Batch, rows: list[dict[str, int]]) -> Batch:
    return _batch(BatchKind.COMMANDS, batch.ts, batch.phase, batch.t, rows)


def _batch(kind: BatchKind, ts: int, phase: Phase, t: int, rows: list[dict[str, int]]) -> Batch:
    from quant.native.batch import SCHEMAS

    columns = {n: [row.get(n, 0) for row in rows] for n in SCHEMAS[kind] if n != "note"}
    return Batch.of(kind, ts, phase, t, **columns)
