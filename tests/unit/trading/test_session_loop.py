"""The loop itself, over a fake kernel and exchange: order of events, recovery, the halt gate, reactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from session_fakes import CODES, FakeExchange, FakeKernel, FakePlan, fake_data

from quant.core.errors import StateConflict
from quant.native.batch import Action, Batch, BatchKind, ControlKind, Phase
from quant.trading.clocks import ReplayClock
from quant.trading.control import NoControl, ScriptedControl
from quant.trading.feeds import ReplayFeed
from quant.trading.journal import MemoryJournal
from quant.trading.ports import Control, ControlEvent, Origin, Ports
from quant.trading.session import DayReport, run_session
from quant.trading.snapshots import MemorySnapshots
from quant.trading.strategies import PythonStrategy, StrategyError
from quant.trading.venues import SimulatedVenue
from quant.trading.view import View

HALT = ControlEvent(ControlKind.HALT, "ops", "2024-01-03T00:00:00Z", "drill")
RESET = ControlEvent(ControlKind.RESET, "ops", "2024-01-04T00:00:00Z", "over", line=1)


class BuyOne:
    """One order per decision; counts its fills."""

    def __init__(self) -> None:
        self.fills = 0

    def decide(self, view: View) -> None:
        view.order(CODES[view.t % 2], "buy", 100)

    def on_events(self, view: View, events: list[Any]) -> None:
        self.fills += sum(event.kind == "fill" for event in events)


class Case:
    """One session over fakes; ``frames`` is what its journal holds at the start."""

    def __init__(
        self,
        frames: list[bytes] | None = None,
        *,
        decide: str = "after_close",
        strategy: Any = None,
        control: Control | None = None,
        every: int = 0,
    ) -> None:
        self.data = fake_data()
        market = self.data.market
        self.plan = FakePlan(decide=decide)
        self.exchange = FakeExchange()
        self.journal = MemoryJournal(market, frames)
        self.snapshots = MemorySnapshots()
        self.days: list[DayReport] = []
        self.ports = Ports(
            clock=ReplayClock(market, np.arange(market.T, dtype="i4")),
            feed=ReplayFeed(market, decide),
            venue=SimulatedVenue(self.exchange, FakeExchange.restore, market, decide),
            journal=self.journal,
            strategy=PythonStrategy(strategy or BuyOne()),
            control=control or NoControl(),
            data=self.data,
            snapshots=self.snapshots if every else None,
            restore_kernel=FakeKernel.restore,
            snapshot_every=every or 1,
        )

    def run(self) -> Any:
        return run_session(self.plan, self.ports, FakeKernel(), on_close=lambda d, _b: self.days.append(d))

    def entries(self) -> list[tuple[str, str]]:
        return [(e.origin.name, e.batch.kind.name) for e in self.journal.replay()]


@pytest.mark.parametrize("decide", ["after_close", "before_close"])
def test_events_of_an_instant_come_in_order(decide: str) -> None:
    case = Case(decide=decide)
    case.run()
    rows = [
        (e.batch.t, e.batch.phase, e.origin, e.batch.kind) for e in case.journal.replay() if e.batch.t == 1
    ]
    slices = [phase for _, phase, _, kind in rows if kind is BatchKind.SLICE]
    stamps = [e.batch.ts for e in case.journal.replay()]
    assert stamps == sorted(stamps)
    if decide == "after_close":
        assert slices == [Phase.PREOPEN, Phase.OPEN, Phase.CLOSE]
        assert rows[-2:] == [
            (1, Phase.CLOSE, Origin.DECISION, BatchKind.INTENTS),
            (1, Phase.CLOSE, Origin.INPUT, BatchKind.REPORTS),
        ]
    else:
        assert slices == [Phase.PREOPEN, Phase.OPEN, Phase.DECIDE, Phase.CLOSE]
        decided = [i for i, row in enumerate(rows) if row[2] is Origin.DECISION]
        assert rows[decided[0] + 1][1:] == (Phase.DECIDE, Origin.INPUT, BatchKind.REPORTS)


def test_the_first_reports_answer_within_the_instant() -> None:
    case = Case()
    case.run()
    first = next(e for e in case.journal.replay() if e.batch.kind is BatchKind.REPORTS)
    decision = next(e for e in case.journal.replay() if e.origin is Origin.DECISION)
    assert first.index == decision.index + 1
    assert first.batch.ts == decision.batch.ts


def test_a_day_report_follows_every_close() -> None:
    case = Case(decide="before_close")
    case.run()
    assert [(d.index, d.total, d.orders, d.fills) for d in case.days] == [(t, 6, 1, 1) for t in range(6)]
    assert {d.state for d in case.days} == {"running"}


@pytest.mark.parametrize("decide", ["after_close", "before_close"])
@pytest.mark.parametrize("every", [0, 2])
def test_cut_after_any_entry_it_ends_alike(decide: str, every: int) -> None:
    whole = Case(decide=decide)
    result = whole.run()
    for count in range(len(whole.journal) + 1):
        case = Case(whole.journal.frames[:count], decide=decide, every=every)
        again = case.run()
        assert again.chain == result.chain
        assert case.journal.frames == whole.journal.frames
        assert case.exchange.received == whole.exchange.received


def test_a_snapshot_shortens_the_replay_and_keeps_the_strategy_state() -> None:
    whole = Case(decide="before_close", every=2)
    result = whole.run()
    case = Case(list(whole.journal.frames), decide="before_close", every=2)
    case.snapshots.newest = whole.snapshots.newest
    again = case.run()
    assert again.replayed < result.sessions
    assert again.chain == result.chain
    assert case.ports.strategy.snapshot() == b'{"fills":6}'


def test_a_journal_shorter_than_its_snapshot_is_refused() -> None:
    whole = Case(every=2)
    whole.run()
    case = Case(whole.journal.frames[:3], every=2)
    case.snapshots.newest = whole.snapshots.newest
    with pytest.raises(StateConflict, match="shorter than the snapshot"):
        case.run()


def test_a_halt_lock_before_a_submit_refuses_new_orders_and_then_halts() -> None:
    polls = {"count": 0}

    def locked() -> ControlEvent | None:
        """Appears between the first decision's step and its submit."""
        polls["count"] += 1
        return HALT if case.journal.frames and case.entries()[-1][0] in {"DECISION", "REFUSAL"} else None

    case = Case(control=ScriptedControl(lambda _n: (), locked))
    case.run()
    names = case.entries()
    at = names.index(("DECISION", "INTENTS"))
    assert names[at : at + 3] == [("DECISION", "INTENTS"), ("REFUSAL", "REPORTS"), ("INPUT", "CONTROL")]
    assert case.exchange.received == []
    assert case.days[-1].state == "halted"


def test_refused_orders_are_refused_again_in_a_replay() -> None:
    def locked() -> ControlEvent | None:
        return HALT if 10 <= len(case.journal) <= 40 else None

    case = Case(control=ScriptedControl(lambda _n: (), locked), decide="before_close")
    result = case.run()
    whole = list(case.journal.frames)
    assert ("REFUSAL", "REPORTS") in case.entries() or ("INPUT", "CONTROL") in case.entries()
    received = list(case.exchange.received)
    for count in range(42, len(whole) + 1):
        case = Case(whole[:count], decide="before_close")
        again = case.run()
        assert again.chain == result.chain
        assert case.exchange.received == received


def test_control_events_are_journaled_before_the_slice_of_their_instant() -> None:
    case = Case(control=ScriptedControl(lambda n: [RESET] if n == 4 else []))
    case.run()
    at = case.entries().index(("INPUT", "CONTROL"))
    control, following = (e.batch for e in list(case.journal.replay())[at : at + 2])
    assert following.kind is BatchKind.SLICE
    assert control.ts == following.ts
    assert '"actor": "ops"' in control.note
    assert '"reason": "over"' in control.note


def test_halt_and_reset_around_a_day() -> None:
    script = {2: [HALT], 5: [RESET]}
    case = Case(control=ScriptedControl(lambda n: script.get(n, [])), decide="before_close")
    case.run()
    assert [d.state for d in case.days] == ["halted", "running", "running", "running", "running", "running"]
    assert [d.orders for d in case.days] == [0, 1, 1, 1, 1, 1]


class OnlyRealVenue(SimulatedVenue):
    """Behaves as a venue outside: a replay must not talk to it."""

    simulated = False


def real_venue(case: Case) -> OnlyRealVenue:
    return OnlyRealVenue(case.exchange, FakeExchange.restore, case.data.market, "before_close")


def test_a_replay_sends_nothing_to_a_real_venue() -> None:
    whole = Case(decide="before_close")
    whole.run()
    cut = next(i for i, e in enumerate(whole.entries()) if e == ("DECISION", "INTENTS")) + 1
    case = Case(whole.journal.frames[:cut], decide="before_close")
    case.ports = replace(case.ports, venue=real_venue(case))
    case.run()
    assert 1 not in case.exchange.received
    lost = next(e for e in case.journal.replay() if e.batch.kind is BatchKind.REPORTS).batch
    assert lost.columns["order_id"].tolist() == [1]
    assert 2 in case.exchange.received


def test_a_venue_that_works_unknown_orders_stops_the_session() -> None:
    whole = Case(decide="before_close")
    whole.run()
    case = Case(whole.journal.frames[:2], decide="before_close")
    case.ports = replace(case.ports, venue=real_venue(case))
    case.exchange.resting["99"] = {"order_id": 99, "action": int(Action.NEW), "quantity": 1}
    with pytest.raises(StateConflict) as caught:
        case.run()
    assert caught.value.fault.code == "session.stranger"


def test_reports_that_a_replay_does_not_give_again_are_refused() -> None:
    whole = Case(decide="before_close")
    whole.run()
    frames = list(whole.journal.frames)
    at = whole.entries().index(("INPUT", "REPORTS"))
    other = MemoryJournal(whole.data.market)
    batch = list(whole.journal.replay())[at].batch
    columns = {**batch.columns, "quantity": batch.columns["quantity"] + 1}
    other.append(Batch.of(BatchKind.REPORTS, batch.ts, batch.phase, batch.t, **columns))
    frames[at] = other.frames[0]
    with pytest.raises(StateConflict) as caught:
        Case(frames, decide="before_close").run()
    assert caught.value.fault.code == "journal.diverged"


class Endless:
    def decide(self, view: View) -> None:
        view.order(CODES[0], "buy", 100)

    def on_events(self, view: View, events: list[Any]) -> None:
        view.order(CODES[0], "buy", 100)


def test_a_strategy_that_answers_for_ever_is_stopped() -> None:
    with pytest.raises(StrategyError) as caught:
        Case(strategy=Endless()).run()
    assert caught.value.fault.code == "strategy.endless"
    assert caught.value.exit_code == 1
