"""Rules of futures, options, US equities and crypto: hand-typed cases, real prints, recorded answers."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import RuleMissing, UsageError
from quant.core.ids import parse_code
from quant.core.market.crypto import COIN_SCALE
from quant.core.market.crypto_records import Records, brackets, exchange_info, leverage_brackets
from quant.core.market.futures import last_trading_day
from quant.core.market.registry import other_tables
from quant.native.extension import native
from quant.native.rules.cases import functions, read_cases, run_case
from quant.native.rules.crypto import filters_of

CASES = Path(__file__).parent / "rule_cases_world.yaml"
INSTANT = 1_700_000_000_000_000_000


def ask(func: str, **given: object) -> object:
    return functions()[func](given).got


def test_every_hand_typed_case_holds() -> None:
    outcomes = [run_case(case) for case in read_cases(CASES.read_text("utf-8"), CASES.name)]
    assert len(outcomes) > 800
    assert {each.id: (each.expected, each.got) for each in outcomes if not each.ok} == {}


def test_tables_have_no_overlaps_and_names_of_their_own() -> None:
    assert [pair for table in other_tables() for pair in table.overlaps()] == []
    assert [pair for table in other_tables() for pair in table.gaps()] == []
    names = [table.name for table in other_tables()]
    assert len(set(names)) == len(names)


def test_no_print_of_csi300_futures_is_outside_the_limits_of_its_day(shared: Callable[[str], Path]) -> None:
    """Of the continuous contract, also on days it changes: neighbouring contracts settle close enough."""
    file = shared("data/cnfut_20_*/csv/CFFEX.IF.HOT_d.csv.gz")
    with gzip.open(file, "rt", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    touched, outside = set(), []
    for before, now in pairwise(rows):
        on = now["date"].replace("/", "-")
        limit = ask("futures_price_limit", code="IF2612.CFFEX", date=on, prev_settle=before["settlement"])
        assert isinstance(limit, dict)
        if Decimal(now["high"]) > limit["up"] or Decimal(now["low"]) < limit["down"]:
            outside.append(on)
        if Decimal(now["high"]) == limit["up"] or Decimal(now["low"]) == limit["down"]:
            touched.add(on)
    assert outside == []
    # locked at the limit or stopped at it, exactly: 2015-07-09 only with a limit cut to the tick
    assert {"2015-06-26", "2015-07-08", "2015-07-09", "2015-07-10", "2015-07-27", "2015-08-24", "2015-08-25",
            "2020-02-03"} <= touched  # fmt: skip


def test_index_futures_roll_before_they_expire(shared: Callable[[str], Path]) -> None:
    with gzip.open(shared("data/cnfut_20_*/common/hots.json.gz"), "rt", encoding="utf-8") as opened:
        switches = json.load(opened)["CFFEX"]["IF"]
    for switch in switches[1:]:
        on = date.fromisoformat(
            f"{switch['date']}"[:4] + f"-{switch['date']}"[5:7] + f"-{switch['date']}"[7:9]
        )
        last, _ = last_trading_day(parse_code(f"{switch['from']}.CFFEX"))
        assert timedelta(0) <= last - on <= timedelta(days=35), switch


def test_a_roll_is_decided_on_closes_and_never_goes_back() -> None:
    interest = np.array(
        [[9, 1, -1], [9, 8, 0], [7, 8, 0], [6, 9, 0], [9, 5, 0], [-1, 5, 7], [-1, 5, 6], [-1, -1, 6]], "i8"
    )
    assert native.futures_roll(interest, 1).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert native.futures_roll(interest, 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
    with pytest.raises(UsageError):
        native.futures_roll(interest, 0)


def test_a_roll_uses_nothing_of_its_own_row() -> None:
    rng = np.random.default_rng(7)
    interest = rng.integers(0, 100, (40, 4))
    held = native.futures_roll(interest, 1)
    for cut in range(1, 40):
        other = interest.copy()
        other[cut:] = rng.integers(0, 100, (40 - cut, 4))
        assert native.futures_roll(other, 1)[: cut + 1].tolist() == held[: cut + 1].tolist()


@given(
    st.integers(1, 10**8),
    st.sampled_from([1, 5, 300, 10_000]),
    st.integers(1, 500),
    st.integers(0, 5_000_000),
    st.integers(0, 20_000_000),
    st.sampled_from([1, 100, 10_000]),
)
def test_a_fee_of_value_and_lots_is_rounded_once(price, multiplier, lots, rate, a_lot, unit) -> None:
    exact = Decimal(price) * 100 * multiplier * lots * rate / 10**9 + a_lot * lots
    rounded = (exact / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit
    assert native.futures_fee(price, multiplier, lots, 0, [rate, 0, 0, a_lot, 0, 0], unit) == rounded


RECORDED = "data/api_60_recorded_responses/binance_rest_ws/http_responses"


@pytest.mark.parametrize(
    ("file", "price", "quantity", "failed"),
    [
        ("http_spot_market_exchange_info.json", "60000.00", "0.001", 0),
        ("http_spot_market_exchange_info.json", "60000.001", "0.001", 1),
        ("http_spot_market_exchange_info.json", "60000.00", "0.00016", 5),
        ("http_futures_market_exchange_info.json", "60000.10", "0.001", 0),
        ("http_futures_market_exchange_info.json", "60000.15", "0.001", 1),
        ("http_futures_market_exchange_info.json", "60000.10", "0.0015", 4),
        ("http_futures_market_exchange_info.json", "402.10", "0.001", 5),
    ],
)
def test_filters_of_a_recorded_answer(
    shared: Callable[[str], Path], file: str, price: str, quantity: str, failed: int
) -> None:
    answer = json.loads(shared(f"{RECORDED}/{file}").read_text("utf-8"))
    records = exchange_info(answer)
    order = native.CoinOrder()
    order.price = int(Decimal(price) * COIN_SCALE)
    order.quantity = int(Decimal(quantity) * COIN_SCALE)
    found = records.at("BTCUSDT", answer["serverTime"] * 1_000_000)
    assert native.coin_first_failure(order, filters_of(found)) == failed
    with pytest.raises(RuleMissing, match="no recorded filters of BTCUSDT"):
        records.at("BTCUSDT", answer["serverTime"] * 1_000_000 - 1)
    with pytest.raises(RuleMissing):
        records.at("NOSUCH", answer["serverTime"] * 1_000_000)


def test_recorded_values_hold_until_the_next_record() -> None:
    records = Records.of("levels", [("A", 20, "second"), ("A", 10, "first")])
    assert [records.at("A", t) for t in (10, 19, 20, 99)] == ["first", "first", "second", "second"]


ROWS = [
    {"notionalFloor": 0, "maintMarginRatio": "0.004"},
    {"notionalFloor": 50000, "maintMarginRatio": "0.005"},
    {"notionalFloor": 250000, "maintMarginRatio": "0.01"},
]


def test_brackets_that_do_not_fit_are_refused_and_missing_deductions_are_worked_out() -> None:
    assert [b.cum // COIN_SCALE for b in brackets(ROWS)] == [0, 50, 1300]
    answer = [{"symbol": "BTCUSDT", "brackets": [ROWS[0], {**ROWS[1], "cum": "60"}]}]
    with pytest.raises(UsageError, match="do not fit together at 50000"):
        leverage_brackets(answer, INSTANT)
    with pytest.raises(UsageError, match="no bracket"):
        brackets([])


def test_liquidation_takes_exactly_what_the_margin_holds() -> None:
    """At the price found, the margin left equals the maintenance margin, to the rounding of the price."""
    found = brackets(
        [
            {"notionalFloor": 0, "maintMarginRatio": "0.004"},
            {"notionalFloor": 50000, "maintMarginRatio": "0.005"},
        ]
    )
    columns = [[getattr(b, name) for b in found] for name in ("floor", "rate", "cum")]
    for side in (1, -1):
        for lots, entry, wallet in ((1, 50000, 5000), (3, 40000, 9000), (0.5, 61234, 3000)):
            quantity = side * int(lots * COIN_SCALE)
            price = native.coin_liquidation_price(
                quantity, entry * COIN_SCALE, wallet * COIN_SCALE, *columns, 1
            )
            value = native.coin_notional(price, abs(quantity))
            left = (
                wallet * COIN_SCALE
                + native.coin_notional(price, quantity)
                - native.coin_notional(entry * COIN_SCALE, quantity)
            )
            assert abs(left - native.coin_maintenance_margin(value, *columns)) <= 4
