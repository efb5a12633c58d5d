"""The trading kernel and the simulated venue: events in, commands out, no I/O, one state hash per session.

One instant of the session loop, driven from here or fused in C++ (both give the same chain)::

    commands = kernel.step(slice)                   # PREOPEN, OPEN, DECIDE (decide before_close only), CLOSE
    venue.submit(commands)
    reports = venue.poll(slice)
    while reports.n:                                # drain: answered within the instant
        venue.submit(kernel.step(reports))
        reports = venue.poll(None)
    # at the decision instant: venue.submit(kernel.step(intents)), then drain again

Money is int64 micro-yuan, prices int64 at PRICE_SCALE, quantities shares, instruments panel indices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import InvariantBroken, StateConflict
from quant.native.batch import (
    SCHEMAS,
    Action,
    Batch,
    BatchKind,
    ControlKind,
    IntentKind,
    OrderKind,
    Phase,
    ReportKind,
    Tif,
)
from quant.native.config import (
    ConstructConfig,
    DividendTaxTables,
    FeeTables,
    KernelConfig,
    RiskLimits,
    RuleTables,
)
from quant.native.extension import native
from quant.native.market import Market

__all__ = [
    "KERNEL_HASH",
    "Action",
    "Batch",
    "BatchKind",
    "ConstructConfig",
    "ControlKind",
    "DividendTaxTables",
    "FeeTables",
    "FusedResult",
    "IntentKind",
    "Kernel",
    "KernelConfig",
    "LedgerKind",
    "Market",
    "OrderEvent",
    "OrderKind",
    "OrderState",
    "Phase",
    "Reason",
    "ReportKind",
    "RiskLimits",
    "RuleTables",
    "SimVenue",
    "Tif",
    "construct",
    "next_state",
    "run_called",
    "run_fused",
]

KERNEL_HASH: str = native.KERNEL_HASH
Reason: Any = native.Reason
LedgerKind: Any = native.LedgerKind
OrderState: Any = native.OrderState
OrderEvent: Any = native.OrderEvent
Columns = dict[str, NDArray[Any]]
Rows = list[dict[str, int]]
Ask = Callable[[int, int, int], Rows | Columns | None]


def next_state(state: Any, event: Any) -> Any:
    """The order state table: the state after ``event``, or None where the event cannot happen."""
    return native.next_state(state, event)


class Kernel:
    """The book of one account: orders, positions, cash, and the chain of state hashes.

    Raises InvariantBroken from any method when the book no longer adds up; the session must stop.
    """

    def __init__(self, config: KernelConfig, market: Market) -> None:
        self.config, self.market = config, market
        self._core: Any = native.Kernel(market.handle, config)

    def step(self, batch: Batch) -> Batch:
        """Apply one input batch; the commands it causes. A slice must be of this kernel's market."""
        if batch.kind is BatchKind.SLICE:
            if batch.market is not self.market and batch.market_hash != self.market.content_hash:
                raise StateConflict(
                    "kernel.market",
                    "the slice is of another market",
                    expected=self.market.content_hash,
                    found=batch.market_hash,
                )
            commands = self._core.step_slice(batch.t, int(batch.phase))
        elif batch.kind is BatchKind.CONTROL:
            kind, value = batch.columns["kind"][0], batch.columns["value"][0]
            commands = self._core.step_control(int(kind), int(value), batch.note)
        elif batch.kind is BatchKind.INTENTS:
            commands = self._core.step_intents(dict(batch.columns))
        elif batch.kind is BatchKind.REPORTS:
            commands = self._core.step_reports(dict(batch.columns))
        else:
            raise InvariantBroken("kernel.input", "commands are not an input of the kernel")
        return _batch(BatchKind.COMMANDS, batch.ts, batch.phase, batch.t, commands)

    @property
    def nav(self) -> int:
        """Cash + positions at their marks + receivable, micro-yuan."""
        return int(self._core.nav)

    @property
    def cash(self) -> int:
        return int(self._core.cash)

    @property
    def available(self) -> int:
        """Cash not reserved for orders on their way; sale proceeds of the day count."""
        return int(self._core.available)

    @property
    def frozen(self) -> int:
        """Cash set aside for buys on their way."""
        return int(self._core.reserved)

    @property
    def withdrawable(self) -> int:
        """Cash that could leave the account today: available without the proceeds of the day's sales."""
        return int(self._core.withdrawable)

    @property
    def receivable(self) -> int:
        """Dividends past their ex-date and before their pay date."""
        return int(self._core.receivable)

    @property
    def halted(self) -> bool:
        return bool(self._core.halted)

    @property
    def paused(self) -> bool:
        return bool(self._core.paused)

    def positions(self) -> Columns:
        """instrument, quantity, sellable, cost (micro-yuan of what is held, buying fees included), price."""
        return dict(self._core.positions())

    def quantity(self, instrument: int) -> int:
        """Shares held of one instrument."""
        return int(self._core.quantity(instrument))

    def position_history(self) -> Columns:
        """At the last session of each month and of the market: row, instrument, quantity, cost, price."""
        return dict(self._core.position_history())

    def orders(self) -> Columns:
        """order_id, row, ts, instrument, side, wanted, quantity, filled, price (0: market), state, reason,
        target_weight (-1: none), tag, kind (OrderKind), tif (Tif), stop (0: none). ``wanted`` was asked for,
        ``quantity`` sent after lots and cash, or what a replace made of it."""
        return dict(self._core.orders())

    def fills(self) -> Columns:
        """row, ts, order_id, instrument, side, quantity, price, notional, commission, stamp, transfer, reason
        (REDUCED_TO_CASH if the order was cut)."""
        return dict(self._core.fills())

    def ledger(self) -> Columns:
        """row, kind (LedgerKind), instrument (-1: none), amount (micro-yuan, + what we gain), quantity,
        order_id (0: none). DIVIDEND books the receivable, DIVIDEND_PAID moves it into cash, DIVIDEND_TAX
        is paid when what received it is sold."""
        return dict(self._core.ledger())

    def names(self) -> Columns:
        """Per instrument ever held: instrument, pnl (after fees, with dividends), traded, holding_days."""
        return dict(self._core.names())

    def nav_history(self) -> Columns:
        """Per closed session: row, session, nav, cash, market_value, receivable, fees, traded, positions."""
        return dict(self._core.nav_history())

    def state_hash(self) -> str:
        """Hex head of the chain; changes at every session end (docs/kernel.md has the canonical bytes)."""
        return str(self._core.state_hash)

    def chain(self) -> list[tuple[int, str]]:
        """(days since 1970-01-01, hash) of every closed session."""
        return [(int(day), str(digest)) for day, digest in self._core.chain()]

    def snapshot(self) -> bytes:
        """The whole state, versioned; ``restore`` continues with the same chain."""
        return bytes(self._core.snapshot())

    @classmethod
    def restore(cls, config: KernelConfig, market: Market, state: bytes) -> Kernel:
        """Raises StateConflict: bytes of another version, another part, or cut short."""
        kernel = cls(config, market)
        kernel._core.restore(state)
        return kernel


class SimVenue:
    """The simulated exchange: rests orders and at their fill instant fills them or lets them expire."""

    def __init__(self, config: KernelConfig, market: Market) -> None:
        self.config, self.market = config, market
        self._core: Any = native.SimVenue(market.handle, config)

    def submit(self, commands: Batch) -> None:
        """Takes orders and cancels; never answers here."""
        if commands.n:
            self._core.submit(dict(commands.columns))

    def poll(self, slice: Batch | None) -> Batch:
        """Reports of what was submitted and, at a slice, of what it matched; None drains the same instant."""
        core = self._core
        reports = core.drain() if slice is None else core.poll(slice.t, int(slice.phase))
        t, phase = self._core.now
        ts = self.market.instant(t, Phase(phase)) if t >= 0 else 0
        return _batch(BatchKind.REPORTS, ts, Phase(phase), t, reports)

    def open_state(self) -> Columns:
        """Orders resting at the venue, in the columns of a command."""
        return dict(self._core.open_state())

    def snapshot(self) -> bytes:
        return bytes(self._core.snapshot())

    @classmethod
    def restore(cls, config: KernelConfig, market: Market, state: bytes) -> SimVenue:
        """Raises StateConflict: bytes of another version, another part, or cut short."""
        venue = cls(config, market)
        venue._core.restore(state)
        return venue


def construct(
    plan: ConstructConfig, scores: NDArray[np.float64], eligible: NDArray[np.bool_], kernel: Kernel
) -> Batch:
    """Target weights from one row of scores [S] (NaN = unknown, never chosen; ties: lower index first).

    Held names that leave get an explicit zero. The batch carries the kernel's present instant.
    """
    columns = native.construct(plan, scores, eligible, kernel._core)
    t, phase, ts = kernel._core.now
    return _batch(BatchKind.INTENTS, ts, Phase(phase), t, columns)


@dataclass(frozen=True, slots=True)
class FusedResult:
    """The final kernel and venue of a fused run."""

    kernel: Kernel
    venue: SimVenue


def run_fused(
    config: KernelConfig,
    market: Market,
    construct: ConstructConfig,
    scores: NDArray[np.float64],
    eligible: NDArray[np.bool_] | None,
    rows: NDArray[np.int32],
    *,
    first: int = 0,
    last: int | None = None,
) -> FusedResult:
    """Sessions first..last (inclusive) in C++ without the GIL, deciding at ``rows`` (ascending).

    ``scores`` f64 [R, S] and ``eligible`` bool [R, S] (None: every name) belong to ``rows`` i32 [R]. Same
    operations in the same order as the stepped loop, hence the same chain.
    """
    kernel, venue = Kernel(config, market), SimVenue(config, market)
    native.run_fused(
        kernel._core,
        venue._core,
        construct,
        scores,
        eligible,
        rows,
        first,
        market.T - 1 if last is None else last,
        config.decide == "before_close",
    )
    return FusedResult(kernel, venue)


def run_called(
    config: KernelConfig,
    market: Market,
    ask: Callable[[Kernel], Ask],
    *,
    phases: Sequence[Phase],
    decide_seen: bool,
    rows: NDArray[np.uint8] | None = None,
) -> FusedResult:
    """Every bar in C++, asking Python at ``phases`` of the bars that ``rows`` u8 [T] marks (None = all).

    ``ask(kernel)`` gives the function that is called with (bar, phase, ns UTC); it returns None, intents as
    rows (dicts of the columns of :data:`SCHEMAS` that are not 0), or as columns. Same operations in the same
    order as the stepped loop, hence the same chain.
    """
    kernel, venue = Kernel(config, market), SimVenue(config, market)
    native.run_called(kernel._core, venue._core, [int(p) for p in phases], decide_seen, rows, ask(kernel))
    return FusedResult(kernel, venue)


def _batch(kind: BatchKind, ts: int, phase: Phase, t: int, columns: Columns) -> Batch:
    first = next(iter(SCHEMAS[kind]))
    return Batch(kind, ts, phase, t, len(columns[first]), columns)
