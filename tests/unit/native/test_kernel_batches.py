"""Batches and their bytes, the order state table, portfolio construction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_market import config, flat_market

from quant.core.errors import StateConflict, UsageError
from quant.native.kernel import (
    KERNEL_HASH,
    Batch,
    BatchKind,
    ConstructConfig,
    ControlKind,
    Kernel,
    Market,
    OrderEvent,
    OrderState,
    Phase,
    construct,
    next_state,
)

MARKET = flat_market([[100_000] * 5] * 2)


def test_a_batch_survives_its_bytes() -> None:
    batch = Batch.of(BatchKind.INTENTS, 17, Phase.CLOSE, 3, instrument=[4, 2], weight=[5, -6], side=[1, -1])
    again = Batch.decode(batch.encode())
    assert (again.kind, again.ts, again.phase, again.t, again.n) == (batch.kind, 17, Phase.CLOSE, 3, 2)
    assert all(again.columns[name].tolist() == column.tolist() for name, column in batch.columns.items())
    assert again.encode() == batch.encode()


def test_a_note_survives_its_bytes() -> None:
    batch = Batch.control(ControlKind.HALT, 5, Phase.OPEN, 1, value=9, note="停牌 reason")
    assert Batch.decode(batch.encode()).note == "停牌 reason"


def test_a_slice_names_the_market_instead_of_its_cells() -> None:
    bar = Batch.slice(MARKET, 1, Phase.OPEN)
    assert len(bar.encode()) < 64
    assert Batch.decode(bar.encode(), MARKET).market is MARKET
    other = flat_market([[100_000] * 5, [100_100] * 5])
    with pytest.raises(StateConflict, match="another market"):
        Batch.decode(bar.encode(), other)


def test_the_encoding_is_frozen() -> None:
    batch = Batch.of(
        BatchKind.REPORTS, 1, Phase.OPEN, 2, order_id=[3], kind=[1], quantity=[4], price=[5], reason=[6]
    )
    assert batch.encode().hex() == (
        "514202020105" "0100000000000000" "02000000" "01000000" "010000000300000000000000" "0100000001"
        "010000000400000000000000" "010000000500000000000000" "010000000600"
    )  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"QB", b"XX" + b"\0" * 40, b"QB\x01" + b"\0" * 40])
def test_other_bytes_are_not_a_batch(data: bytes) -> None:
    with pytest.raises(StateConflict):
        Batch.decode(data)


def test_columns_are_checked() -> None:
    with pytest.raises(UsageError, match="no column 'weigth'"):
        Batch.of(BatchKind.INTENTS, 0, Phase.OPEN, 0, weigth=[1])
    with pytest.raises(UsageError, match="unequal"):
        Batch.of(BatchKind.INTENTS, 0, Phase.OPEN, 0, instrument=[1, 2], weight=[1])


def test_a_market_refuses_arrays_it_would_have_to_copy() -> None:
    arrays = dict(MARKET.arrays)
    for name, wrong in (
        ("close", arrays["close"].astype("f8")),
        ("volume", arrays["volume"][:, :3]),
        ("open", np.asfortranarray(arrays["open"])),
    ):
        with pytest.raises(UsageError):
            Market.from_arrays(**(arrays | {name: wrong}))


def test_final_states_stay_final_and_every_state_is_reached() -> None:
    table = {(s, e): next_state(s, e) for s in OrderState for e in OrderEvent}
    final = {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}
    assert all(to is None for (s, _), to in table.items() if s in final)
    assert {to for to in table.values() if to is not None} == set(OrderState) - {OrderState.NEW}
    assert all(any(table[s, e] in final for e in OrderEvent) for s in set(OrderState) - final)


def targets(plan: ConstructConfig, scores: list[float], eligible: list[bool] | None = None) -> dict[int, int]:
    kernel = Kernel(config(2), MARKET)
    allowed = np.array(eligible if eligible is not None else [True] * 5)
    batch = construct(plan, np.array(scores), allowed, kernel)
    return dict(zip(batch.columns["instrument"].tolist(), batch.columns["weight"].tolist(), strict=True))


@pytest.mark.parametrize(("plan", "scores", "expected"), [
    (ConstructConfig("equal", 2), [1.0, 3.0, 3.0, 3.0, np.nan], {1: 500_000_000, 2: 500_000_000}),
    (ConstructConfig("equal", 4, cash_buffer=200_000_000), [np.nan, -1.0, np.nan, 0.5, np.nan],
     {3: 200_000_000, 1: 200_000_000}),
    (ConstructConfig("equal", 2, max_weight=300_000_000), [1.0, 2.0, 0.0, 0.0, 0.0],
     {1: 300_000_000, 0: 300_000_000}),
    (ConstructConfig("score", 3), [3.0, 1.0, 0.5, -4.0, np.nan],
     {0: 666_666_666, 1: 222_222_222, 2: 111_111_111}),
    (ConstructConfig("score", 3, max_weight=500_000_000), [3.0, 1.0, 1.0, -4.0, np.nan],
     {0: 500_000_000, 1: 250_000_000, 2: 250_000_000}),
    (ConstructConfig("threshold"), [-1.0, 2.0, 0.0, 0.1, np.nan], {1: 500_000_000, 3: 500_000_000}),
    (ConstructConfig("equal", 2, turnover_cap=200_000_000), [2.0, 1.0, 0.0, 0.0, 0.0],
     {0: 100_000_000, 1: 100_000_000}),
    (ConstructConfig("score", 2), [-1.0, -2.0, np.nan, np.nan, 0.0], {}),
])  # fmt: skip
def test_construction(plan: ConstructConfig, scores: list[float], expected: dict[int, int]) -> None:
    assert targets(plan, scores) == expected
    assert list(targets(plan, scores)) == list(expected), "best first, ties by index"


def test_ineligible_names_are_not_chosen() -> None:
    plan: Any = ConstructConfig("equal", 1)
    assert list(targets(plan, [5.0, 4.0, 3.0, 2.0, 1.0], [False, False, True, True, True])) == [2]


def test_the_kernel_hash_is_a_digest() -> None:
    assert len(bytes.fromhex(KERNEL_HASH)) == 32


def test_the_documented_order_table_is_the_kernels(repository: Path) -> None:
    text = (repository / "docs/kernel.md").read_text(encoding="utf-8")
    lines = text.split("<!-- order-states -->\n")[1].split("<!-- /order-states -->")[0].splitlines()
    documented = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert documented[0] == ["state", *(event.name for event in OrderEvent)]
    for state, row in zip(OrderState, documented[2:], strict=True):
        outcomes = [next_state(state, event) for event in OrderEvent]
        assert row == [state.name, *("" if to is None else to.name for to in outcomes)]
