"""A view knows what could be known at its instant, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from session_fakes import CODES, FakeKernel, FakeMarket, fake_data

from quant.core.errors import UsageError
from quant.native.batch import IntentKind, Phase
from quant.trading.market_data import MarketData
from quant.trading.view import View

DATA = fake_data()


def view(phase: Phase = Phase.CLOSE, t: int = 3, data: MarketData = DATA) -> View:
    return View(data, FakeKernel(), data.market.instant(t, phase), t, phase, seed=3)


@pytest.mark.parametrize(
    ("phase", "field", "newest"),
    [
        (Phase.PREOPEN, "close", 3.0),
        (Phase.PREOPEN, "open", 3.0),
        (Phase.PREOPEN, "limit_up", 4.0),
        (Phase.PREOPEN, "pre_close", 4.0),
        (Phase.OPEN, "open", 4.0),
        (Phase.OPEN, "raw_open", 4.0),
        (Phase.OPEN, "high", 3.0),
        (Phase.DECIDE, "open", 4.0),
        (Phase.DECIDE, "close", 3.0),
        (Phase.DECIDE, "vwap", 3.0),
        (Phase.DECIDE, "volume", 1000.0),
        (Phase.CLOSE, "close", 4.0),
        (Phase.CLOSE, "raw_close", 4.0),
    ],
)
def test_the_newest_row_is_the_one_known_then(phase: Phase, field: str, newest: float) -> None:
    assert view(phase).last(field, code=CODES[0]) == newest
    assert view(phase).last(field)[0] == newest


def test_history_is_padded_before_the_first_row() -> None:
    past = view(t=1).history("close", 4)
    assert past.shape == (4, 2)
    assert np.isnan(past[:2]).all()
    assert past[2:, 0].tolist() == [1.0, 2.0]


def test_history_reaches_into_the_rows_before_the_market() -> None:
    market = FakeMarket()
    columns = {"close": np.arange(16, dtype="f8").reshape(8, 2)}
    days = np.arange(100, 108, dtype="i4")
    data = MarketData.of(market, CODES, columns, first=2, days=days)  # type: ignore[arg-type]
    assert view(t=0, data=data).history("close", 3, code=CODES[1]).tolist() == [1.0, 3.0, 5.0]
    assert view(Phase.DECIDE, 0, data).history("close", 2, code=CODES[1]).tolist() == [1.0, 3.0]


def test_an_array_given_out_leads_nowhere_else() -> None:
    past = view().history("close", 2)
    past[:] = -1
    assert past.base is None or past.base.shape == past.shape
    assert view().history("close", 2)[0, 0] == 3.0


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3"])
def test_a_history_of_no_rows_is_an_error(n: Any) -> None:
    with pytest.raises(UsageError) as caught:
        view().history("close", n)
    assert caught.value.fault.code == "view.rows"


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        view().history("clsoe", 3)
    assert caught.value.fault.code == "view.field"
    assert caught.value.fault.hint == "did you mean 'close'?"


def test_any_spelling_of_a_code_is_understood() -> None:
    seen = view()
    for code in ("600519.SH", "600519.XSHG", "sh.600519", "SH600519", "600519"):
        seen.target_weight(code, 0.5)
    assert seen.intents().columns["instrument"].tolist() == [1] * 5
    with pytest.raises(UsageError):
        seen.target_weight("000002.SZ", 0.5)
    with pytest.raises(UsageError):
        seen.target_weight("rubbish", 0.5)


def test_intents_keep_their_order_and_scales() -> None:
    seen = view()
    seen.target_weight(CODES[0], 0.25)
    seen.target_quantity(CODES[1], 300)
    seen.order(CODES[0], "sell", 200, price=12.34)
    batch = seen.intents()
    assert batch.columns["kind"].tolist() == [IntentKind.WEIGHT, IntentKind.QUANTITY, IntentKind.ORDER]
    assert batch.columns["weight"].tolist() == [250_000_000, 0, 0]
    assert batch.columns["quantity"].tolist() == [0, 300, 200]
    assert batch.columns["side"].tolist() == [0, 0, -1]
    assert batch.columns["price"].tolist() == [0, 0, 123_400]
    assert (batch.ts, batch.phase, batch.t) == (seen.ts, seen.phase, 3)


@pytest.mark.parametrize("weight", [math.nan, math.inf, -0.1, 101, "half", None])
def test_absurd_weights_are_refused(weight: Any) -> None:
    with pytest.raises(UsageError) as caught:
        view().target_weight(CODES[0], weight)
    assert caught.value.fault.code == "intent.weight"


@pytest.mark.parametrize("quantity", [0, -100, 1.5, math.nan, 10**18, True, "100"])
def test_absurd_quantities_are_refused(quantity: Any) -> None:
    with pytest.raises(UsageError) as caught:
        view().order(CODES[0], "buy", quantity)
    assert caught.value.fault.code == "intent.quantity"


@pytest.mark.parametrize(
    ("side", "price", "code"), [("long", None, "intent.side"), ("buy", -1, "intent.price")]
)
def test_absurd_sides_and_prices_are_refused(side: Any, price: Any, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        view().order(CODES[0], side, 100, price)
    assert caught.value.fault.code == code


def test_the_generator_depends_on_seed_and_instant_only() -> None:
    assert view().random().random() == view().random().random()
    assert view(t=3).random().random() != view(t=4).random().random()


def test_sessions_end_today() -> None:
    dates = view(t=2).sessions(2)
    assert dates[-1] == view(t=2).session
    assert [d.isoformat() for d in dates] == ["2024-01-03", "2024-01-04"]
    assert len(view(t=1).sessions(9)) == 2
