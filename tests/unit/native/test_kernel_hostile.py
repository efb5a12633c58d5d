"""Bytes and numbers nobody should send: refused with an error, never a crash or a silent change."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from kernel_market import Stepped, config, flat_market, order, reasons, weights

from quant.core.errors import InvariantBroken, QuantError, StateConflict, UsageError
from quant.native.kernel import (
    Batch,
    BatchKind,
    ConstructConfig,
    ControlKind,
    Kernel,
    Market,
    Phase,
    Reason,
    ReportKind,
    SimVenue,
    construct,
)

PRICES = [[100_000, 50_000]] * 6
BIG = 2**63 - 1


def begin(prices: list[list[int]] = PRICES, **changes: Any) -> Stepped:
    market = flat_market(prices)
    return Stepped(config(market.T, **changes), market)


def intend(loop: Stepped, columns: dict[str, Any]) -> None:
    t, phase, ts = loop.kernel._core.now
    loop.give(Batch.of(BatchKind.INTENTS, ts, Phase(phase), t, **columns))


def control(loop: Stepped, kind: ControlKind, value: int = 0) -> None:
    t, phase, ts = loop.kernel._core.now
    loop.give(Batch.control(kind, ts, Phase(phase), t, value=value, note="test"))


def busy() -> Stepped:
    """Holdings, an order at the venue, a waiting one and a pending intent."""
    loop = begin()
    loop.session(0)
    intend(loop, weights(0.3, 0.3))
    loop.session(1)
    intend(loop, weights(0.0, 0.5))
    loop.slice(2, Phase.PREOPEN)
    return loop


def carry_on(loop: Stepped, kernel: Kernel, venue: SimVenue) -> None:
    """What a session would do next; only errors of ours may come out of it."""
    loop.kernel, loop.venue = kernel, venue
    try:
        for look in (kernel.positions, kernel.orders, kernel.fills, kernel.ledger, kernel.nav_history):
            look()
        loop.slice(2, Phase.OPEN)
        control(loop, ControlKind.HALT)
        control(loop, ControlKind.RESET)
        loop.slice(2, Phase.CLOSE)
        intend(loop, weights(0.4, 0.2))
        loop.session(3)
        loop.session(4)
    except QuantError:
        pass


WILD = (0, 1, 0x7F, 0x80, 0xFF)


@pytest.mark.parametrize("part", ["kernel", "venue"])
def test_a_changed_snapshot_is_refused_or_harmless(part: str) -> None:
    loop = busy()
    states = {"kernel": loop.kernel.snapshot(), "venue": loop.venue.snapshot()}
    good, refused = states[part], 0
    for at in range(4, len(good)):
        for value in WILD:
            if good[at] == value:
                continue
            bad = good[:at] + bytes([value]) + good[at + 1 :]
            try:
                parts = states | {part: bad}
                kernel = Kernel.restore(loop.config, loop.market, parts["kernel"])
                venue = SimVenue.restore(loop.config, loop.market, parts["venue"])
            except StateConflict:
                refused += 1
                continue
            carry_on(loop, kernel, venue)
    assert refused > 0


def test_words_of_a_snapshot_may_be_anything() -> None:
    loop = busy()
    good, venue = loop.kernel.snapshot(), loop.venue.snapshot()
    rng, refused = np.random.default_rng(7), 0
    for _ in range(3_000):
        at = int(rng.integers(4, len(good) - 8))
        word = int(rng.choice([BIG, -BIG - 1, -1, 1 << 40, 7, -(1 << 40), BIG >> 32]))
        bad = good[:at] + struct.pack("<q", word) + good[at + 8 :]
        try:
            kernel = Kernel.restore(loop.config, loop.market, bad)
        except StateConflict:
            refused += 1
            continue
        carry_on(loop, kernel, SimVenue.restore(loop.config, loop.market, venue))
    assert refused > 0


def test_a_snapshot_of_a_longer_market_is_refused() -> None:
    loop = begin()
    for t in range(6):
        loop.session(t)
    shorter = flat_market(PRICES[:3])
    with pytest.raises(StateConflict):
        Kernel.restore(config(3), shorter, loop.kernel.snapshot())
    with pytest.raises(StateConflict):
        SimVenue.restore(config(3), shorter, loop.venue.snapshot())


def test_a_refused_input_leaves_no_trace() -> None:
    quiet, noisy = begin(), begin()
    bad: list[Batch] = [
        Batch.of(BatchKind.INTENTS, 0, Phase.PREOPEN, 0, instrument=[0, 9], weight=[1, 1]),
        Batch.control(ControlKind.FORBID, 0, Phase.PREOPEN, 0, value=2),
    ]
    for batch in bad:
        with pytest.raises(UsageError):
            noisy.kernel.step(batch)
    for loop in (quiet, noisy):
        loop.session(0)
    assert quiet.kernel.state_hash() == noisy.kernel.state_hash()


def sent(loop: Stepped) -> None:
    loop.session(0)
    intend(loop, order(1, 100))
    bar = Batch.slice(loop.market, 1, Phase.PREOPEN)
    loop.kernel.step(bar)
    loop.kernel.step(Batch.slice(loop.market, 1, Phase.OPEN))


@pytest.mark.parametrize(("quantity", "price"), [
    (1, BIG), (100, BIG // 100), (100, -BIG - 1), (BIG, 1), (-1, 1),
])  # fmt: skip
def test_a_fill_beyond_all_sums_stops_the_session(quantity: int, price: int) -> None:
    loop = begin()
    sent(loop)
    report = Batch.of(
        BatchKind.REPORTS,
        0,
        Phase.OPEN,
        1,
        order_id=[1],
        kind=[int(ReportKind.FILL)],
        quantity=[quantity],
        price=[price],
    )
    with pytest.raises(InvariantBroken):
        loop.kernel.step(report)


def test_intents_of_any_size_are_answered() -> None:
    rng = np.random.default_rng(3)
    values = [0, 1, -1, 100, 10**9, 10**15, 10**15 - 100, BIG, -BIG - 1]
    for _ in range(60):
        loop = begin()
        for t in range(4):
            loop.session(t)
            n = 40
            columns = {name: rng.choice(values, n) for name in ("weight", "quantity", "price")}
            columns |= {
                "instrument": rng.integers(0, 2, n),
                "kind": rng.choice([0, 1, 2, 5, 200], n),
                "side": rng.integers(-2, 3, n),
                "tif": rng.integers(0, 2, n),
            }
            intend(loop, columns)
        loop.session(4)
        assert len(loop.kernel.nav_history()["nav"]) == 5
        assert loop.kernel.available >= 0
        assert (loop.kernel.positions()["quantity"] > 0).all()


def test_a_venue_refuses_what_is_not_in_its_market() -> None:
    loop = begin()
    for columns in ({"instrument": [2]}, {"instrument": [-1]}, {"instrument": [0], "side": [0]}):
        given: dict[str, Any] = {"order_id": [1], "side": [1], "quantity": [100]} | columns
        with pytest.raises(UsageError):
            loop.venue.submit(Batch.of(BatchKind.COMMANDS, 0, Phase.OPEN, 0, **given))
    for t in (-1, 6):
        with pytest.raises(UsageError):
            loop.venue._core.poll(t, 1)


@pytest.mark.parametrize("name", ["cash_per_share", "bonus_ratio"])
def test_a_market_refuses_negative_distributions(name: str) -> None:
    base = flat_market(PRICES)
    actions = {
        "ex_index": np.array([1], "i4"),
        "pay_index": np.array([-1], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.zeros(1, "i8"),
        "bonus_ratio": np.zeros(1, "i8"),
        "inferred": np.zeros(1, "u1"),
    }
    actions[name] = np.array([-100_000_000], "i8")
    with pytest.raises(UsageError):
        Market.from_arrays(**base.arrays, actions=actions)


def test_broken_batches_are_refused() -> None:
    whole = [
        Batch.of(BatchKind.INTENTS, 17, Phase.CLOSE, 3, instrument=[4, 2], weight=[5, -6], side=[1, -1]),
        Batch.control(ControlKind.HALT, 5, Phase.OPEN, 1, note="why"),
        Batch.slice(flat_market(PRICES), 1, Phase.OPEN),
    ]
    for batch in whole:
        good = batch.encode()
        for size in range(len(good)):
            with pytest.raises(StateConflict):
                Batch.decode(good[:size])
        with pytest.raises(StateConflict):
            Batch.decode(good + b"\0")
        for at in range(len(good)):
            for value in WILD:
                bad = good[:at] + bytes([value]) + good[at + 1 :]
                try:
                    again = Batch.decode(bad)
                except StateConflict:
                    continue
                assert again.encode() == bad
                assert all(len(v) == again.n for k, v in again.columns.items() if k != "note")
                if again.kind is BatchKind.CONTROL:
                    assert isinstance(again.note, str)


@pytest.mark.parametrize("scores", [[np.inf, 1.0], [np.inf, np.inf], [1e308, 1.7e308], [5e-324, 5e-324]])
def test_scores_beyond_all_sums_still_make_weights(scores: list[float]) -> None:
    loop = begin()
    plan = ConstructConfig(method="score", top=2)
    batch = construct(plan, np.array(scores), np.ones(2, bool), loop.kernel)
    weight = batch.columns["weight"]
    assert (weight >= 0).all() and 0 < weight.sum() <= 10**9


def test_a_halt_refuses_what_was_decided_before_it() -> None:
    loop = begin()
    loop.session(0)
    intend(loop, order(1, 100))
    control(loop, ControlKind.HALT)
    control(loop, ControlKind.RESET)
    loop.session(1)
    assert reasons(loop) == [Reason.HALTED]


def test_an_intent_during_a_halt_is_refused_at_once() -> None:
    loop = begin()
    loop.session(0)
    control(loop, ControlKind.HALT)
    intend(loop, order(1, 100))
    assert reasons(loop) == [Reason.HALTED]
    control(loop, ControlKind.RESET)
    loop.session(1)
    assert reasons(loop) == [Reason.HALTED]
    assert loop.kernel.positions()["quantity"].tolist() == []
