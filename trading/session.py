"""One loop from event to order, the same for a backtest, a paper and a live session.

::

    recover: newest snapshot, then the journal's inputs after it; reconcile with the venue
    for each instant of the clock:
        merge control, feed and venue events by (ts, priority, seq)
        for each: journal, step the kernel, submit its commands, drain the venue
        at a decision: journal the strategy's intents, step, submit, drain once more at the same instant

Nothing here is read from the wall clock, so equal inputs give an equal state hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from quant.core.errors import InvariantBroken
from quant.core.money import MONEY_SCALE
from quant.core.time import from_epoch_days, show_instant
from quant.native.batch import Action, Batch, BatchKind, ControlKind, Phase, ReportKind
from quant.trading.control import control_batch
from quant.trading.ports import Book, Ns, Origin, Ports, SessionPlan, Snapshot
from quant.trading.strategies.errors import StrategyError
from quant.trading.view import View

MAX_REACTIONS: Final = 100
_CONTROL: Final = 0
_FEED: Final = 1
_VENUE: Final = 2


@dataclass(frozen=True, slots=True)
class DayReport:
    """A session day after its close; money in yuan. ``state`` is running, paused or halted."""

    session: date
    index: int
    total: int
    nav: float
    cash: float
    positions: int
    orders: int
    fills: int
    state: str
    state_hash: str


@dataclass(frozen=True, slots=True)
class SessionResult:
    """How a session ended.

    ``resumed_after`` is the last journaled instant it went on from, None if it began; money in yuan.
    """

    state_hash: str
    chain: tuple[tuple[date, str], ...]
    sessions: int
    nav: float
    cash: float
    state: str
    replayed: int
    resumed_after: Ns | None
    kernel: Any


OnDay = Callable[[DayReport], None]
OnClose = Callable[[DayReport, Book], None]
Input = tuple[Batch, Origin, bytes]


def run_session(
    plan: SessionPlan, ports: Ports, kernel: Book, *, on_close: OnClose | None = None
) -> SessionResult:
    """Run ``plan`` from where its journal ends to the end of its clock; ``on_close`` after each session day.

    ``kernel`` is a fresh one; ``ports.restore_kernel`` makes it again from a snapshot.

    Raises:
        StateConflict: the journal does not belong to this session, or a replay diverged from it.
        InvariantBroken: the book no longer adds up; nothing was submitted after it.
    """
    from quant.trading.recovery import recover

    loop = SessionLoop(plan, ports, kernel)
    replayed = recover(loop)
    loop.run(on_close)
    kernel = loop.kernel
    return SessionResult(
        state_hash=kernel.state_hash(),
        chain=tuple((from_epoch_days(day), digest) for day, digest in kernel.chain()),
        sessions=len(kernel.chain()),
        nav=kernel.nav / MONEY_SCALE,
        cash=kernel.cash / MONEY_SCALE,
        state="halted" if kernel.halted else "finished",
        replayed=replayed,
        resumed_after=loop.resumed_after,
        kernel=kernel,
    )


class SessionLoop:
    """The state of a running session between two inputs."""

    def __init__(self, plan: SessionPlan, ports: Ports, kernel: Book) -> None:
        self.plan, self.ports, self.kernel = plan, ports, kernel
        self.last_ts: Ns = -1
        self.decided_ts: Ns = -1
        self.control_line = 0
        self.slice: Batch | None = None
        self.resumed_after: Ns | None = None
        self._reactions = 0
        self.orders_today = 0
        self.fills_today = 0
        self._strategy_state = ports.strategy.snapshot()

    def run(self, on_close: OnClose | None = None) -> None:
        """Every instant that is left; the last journaled one again, since it may have been cut short."""
        for ts, decision in self.ports.clock.steps(self.plan, self.last_ts - 1):
            self._gather(ts)
            if decision and ts > self.decided_ts:
                self._decide(ts)
            last = self.slice
            ends = last is not None and last.phase is Phase.CLOSE and last.ts == ts
            if ends and last is not None and self.ports.data.market.closes(last.t):
                self._close_day(last.t, on_close)

    def observe(self, batch: Batch, origin: Origin) -> None:
        """Remember how far the session has come; live and in a replay alike."""
        self.last_ts = max(self.last_ts, batch.ts)
        if batch.kind is BatchKind.SLICE:
            self.slice = batch
            if batch.phase is Phase.PREOPEN:
                self.orders_today = self.fills_today = 0
        elif batch.kind is BatchKind.REPORTS:
            self.fills_today += int((batch.columns["kind"] == ReportKind.FILL).sum())
        if origin is Origin.DECISION:
            self.decided_ts = batch.ts

    def take(self, batch: Batch, origin: Origin = Origin.INPUT, state: bytes = b"") -> None:
        """One input and everything that follows from it within the instant."""
        following: Input | None = (batch, origin, state)
        while following is not None:
            batch, origin, state = following
            self.ports.journal.append(batch, origin=origin, state=state)
            self.observe(batch, origin)
            following = self._after(batch, origin, step(self.kernel, batch, origin))

    def settle(self, batch: Batch, origin: Origin, commands: Batch) -> None:
        """What would have followed a journaled input after which the process died."""
        following = self._after(batch, origin, commands)
        if following is not None:
            self.take(*following)

    def restore_strategy(self, state: bytes) -> None:
        """Give the strategy back the state it had after its last journaled call."""
        self.ports.strategy.restore(state)
        self._strategy_state = state

    @property
    def horizon(self) -> Ns:
        """How far the venue may look: to the newest slice the kernel has seen."""
        return self.slice.ts if self.slice is not None else -1

    def _after(self, batch: Batch, origin: Origin, commands: Batch) -> Input | None:
        """The input that follows from this one, if any: refusal, halt, reaction or the venue's answer."""
        refused = self._dispatch(commands)
        if refused is not None:
            return refused, Origin.REFUSAL, b""
        if origin is Origin.REFUSAL and not self.kernel.halted:
            halt = self.ports.control.lock()
            if halt is not None:
                return control_batch(halt, *self._now(batch.ts)), Origin.INPUT, b""
        reaction = self._react(batch, origin)
        if reaction is not None:
            return reaction
        reports = self.ports.venue.poll(self.horizon)
        return (reports, Origin.INPUT, b"") if reports.n else None

    def _dispatch(self, commands: Batch) -> Batch | None:
        """Submit; where a halt is in force only cancels, and the rest is answered with rejections."""
        if not commands.n:
            return None
        fresh = commands.columns["action"] != Action.CANCEL
        if not fresh.any() or self.ports.control.lock() is None:
            self.orders_today += int((commands.columns["action"] == Action.NEW).sum())
            self.ports.venue.submit(commands)
            return None
        submit_part(self.ports.venue, commands, ~fresh)
        return refusal(commands, fresh)

    def _react(self, batch: Batch, origin: Origin) -> Input | None:
        strategy = self.ports.strategy
        if not strategy.reacts or batch.kind is not BatchKind.REPORTS or origin is Origin.REACTION:
            return None
        self._count_reaction(batch.ts)
        intents = strategy.on_events(self.view(batch.ts), batch)
        state = strategy.snapshot()
        if not intents.n and state == self._strategy_state:
            return None
        self._strategy_state = state
        return intents, Origin.REACTION, state

    def _count_reaction(self, ts: Ns) -> None:
        self._reactions += 1
        if self._reactions > MAX_REACTIONS:
            raise StrategyError(
                "strategy.endless",
                f"the strategy answered order events {MAX_REACTIONS} times at {show_instant(ts)}",
                hint="an order sent again for every rejection never ends: count the tries in on_events",
            )

    def _gather(self, ts: Ns) -> None:
        """Merge what control, feed and venue have up to ``ts``."""
        ports = self.ports
        self._reactions = 0
        events = [(ts, _CONTROL, seq, batch) for seq, batch in enumerate(self._instructions(ts))]
        events += [(batch.ts, _FEED, seq, batch) for seq, batch in enumerate(ports.feed.poll(ts))]
        if events:
            early = ports.venue.poll(min(event[0] for event in events) - 1)
            events += [(early.ts, _VENUE, 0, early)] if early.n else []
        for *_, batch in sorted(events, key=lambda event: event[:3]):
            self.take(batch)
        reports = ports.venue.poll(self.horizon if ports.venue.simulated else ts)
        if reports.n:
            self.take(reports)

    def _instructions(self, ts: Ns) -> list[Batch]:
        """What people ask for now; a halt lock counts until the kernel is halted."""
        events = list(self.ports.control.poll())
        self.control_line = max([self.control_line, *(event.line for event in events)])
        halt = self.ports.control.lock()
        if halt is not None and not self.kernel.halted:
            events.append(halt)
        return [control_batch(event, *self._now(ts)) for event in events]

    def _decide(self, ts: Ns) -> None:
        strategy = self.ports.strategy
        intents = strategy.decide(self.view(ts))
        self._strategy_state = strategy.snapshot()
        self.take(intents, Origin.DECISION, self._strategy_state)

    def view(self, ts: Ns) -> View:
        """What is known now."""
        t, phase = self._place()
        return View(self.ports.data, self.kernel, ts, t, phase, self.plan.seed)

    def _place(self) -> tuple[int, Phase]:
        return (self.slice.t, self.slice.phase) if self.slice is not None else (0, Phase.PREOPEN)

    def _now(self, ts: Ns) -> tuple[Ns, int, Phase]:
        return (ts, *self._place())

    def _close_day(self, t: int, on_close: OnClose | None) -> None:
        ports = self.ports
        if on_close is not None:
            on_close(day_report(self.kernel, ports, t, self.orders_today, self.fills_today), self.kernel)
        done = ports.data.market.session_of(t) + 1
        if ports.snapshots is not None and done % ports.snapshot_every == 0:
            ports.snapshots.save(self.snapshot())

    def snapshot(self) -> Snapshot:
        """The session as it stands; only between two instants, when the venue is drained."""
        if self.slice is None:
            raise InvariantBroken("session.snapshot", "a session has no snapshot before its first slice")
        return Snapshot(
            entries=len(self.ports.journal),
            kernel=self.kernel.snapshot(),
            venue=self.ports.venue.snapshot(),
            strategy=self._strategy_state,
            last_ts=self.last_ts,
            decided_ts=self.decided_ts,
            control_line=self.control_line,
            slice_t=self.slice.t,
            slice_phase=int(self.slice.phase),
        )


def step(kernel: Book, batch: Batch, origin: Origin) -> Batch:
    """One kernel step; a reaction without intents only carries the strategy's state."""
    if origin is Origin.REACTION and not batch.n:
        return Batch.of(BatchKind.COMMANDS, batch.ts, batch.phase, batch.t)
    return kernel.step(batch)


def refusal(commands: Batch, fresh: Any) -> Batch:
    """Rejections of the new and changed orders among ``commands``, as a venue would word them."""
    from quant.native.kernel import Reason

    columns = commands.columns
    count = int(fresh.sum())
    return Batch.of(
        BatchKind.REPORTS,
        commands.ts,
        commands.phase,
        commands.t,
        order_id=columns["order_id"][fresh],
        kind=np.where(
            columns["action"][fresh] == Action.NEW, int(ReportKind.REJECTED), int(ReportKind.REPLACE_REJECTED)
        ).astype(np.uint8),
        quantity=columns["quantity"][fresh],
        price=np.zeros(count, np.int64),
        reason=np.full(count, int(Reason.HALTED.value), np.uint16),
    )


def submit_part(venue: Any, commands: Batch, chosen: Any) -> None:
    """Submit only some of the commands, in their order."""
    if chosen.any():
        columns = {name: np.ascontiguousarray(values[chosen]) for name, values in commands.columns.items()}
        venue.submit(Batch.of(BatchKind.COMMANDS, commands.ts, commands.phase, commands.t, **columns))


def day_report(kernel: Book, ports: Ports, t: int, orders: int, fills: int) -> DayReport:
    """The figures of the session of bar ``t`` from the book."""
    held = kernel.positions()["quantity"]
    return DayReport(
        session=ports.data.session(t),
        index=ports.data.market.session_of(t),
        total=ports.data.market.D,
        nav=kernel.nav / MONEY_SCALE,
        cash=kernel.cash / MONEY_SCALE,
        positions=int(np.count_nonzero(held)),
        orders=orders,
        fills=fills,
        state="halted" if kernel.halted else "paused" if kernel.paused else "running",
        state_hash=kernel.state_hash(),
    )


def is_halt(batch: Batch) -> bool:
    """Whether a control batch stops trading."""
    return batch.kind is BatchKind.CONTROL and int(batch.columns["kind"][0]) == ControlKind.HALT
