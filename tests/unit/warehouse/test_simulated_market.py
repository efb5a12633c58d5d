"""The simulated market is deterministic, independent of the end asked for, and consistent with itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from quant.core.errors import RuleMissing, SpecError, UsageError
from quant.core.market.corporate_actions import ex_reference_price
from quant.warehouse.sources.simulated import SimulatedMarket, SimulatedParams, simulate

START, END = date(2019, 1, 2), date(2024, 12, 31)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate(SimulatedParams(seed=7), END)


def arrays(market: SimulatedMarket) -> dict[str, np.ndarray]:
    values = {field.name: getattr(market, field.name) for field in fields(market)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def test_the_same_seed_is_the_same_market(market: SimulatedMarket) -> None:
    again = simulate(SimulatedParams(seed=7), END)
    for name, value in arrays(market).items():
        assert value.tobytes() == arrays(again)[name].tobytes(), name
    assert again.distributions == market.distributions


def test_another_seed_is_another_market(market: SimulatedMarket) -> None:
    other = simulate(SimulatedParams(seed=8), END)
    assert (other.close != market.close).mean() > 0.9


def test_the_same_seed_is_the_same_market_in_another_process_with_other_hashing() -> None:
    script = (
        "from quant.warehouse.sources.simulated import SimulatedParams, simulate\n"
        "from datetime import date\n"
        "import hashlib\n"
        "m = simulate(SimulatedParams(seed=3, instruments=25), date(2020, 6, 30))\n"
        "print(hashlib.sha256(m.close.tobytes() + m.amount.tobytes()).hexdigest())\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


@pytest.mark.parametrize("end", [date(2019, 1, 2), date(2019, 9, 12), date(2022, 12, 31), date(2024, 3, 8)])
def test_rows_do_not_depend_on_the_end(market: SimulatedMarket, end: date) -> None:
    shorter = simulate(SimulatedParams(seed=7), end)
    count = len(shorter.sessions)
    assert shorter.sessions == market.sessions[:count]
    for name, value in arrays(shorter).items():
        assert value.tobytes() == arrays(market)[name][:count].tobytes(), name
    assert shorter.distributions == tuple(d for d in market.distributions if d.ex < count)


def test_bars_are_ordered_and_money_matches_volume(market: SimulatedMarket) -> None:
    traded = market.trading
    low, high = market.low[traded], market.high[traded]
    assert (low > 0).all()
    for price in (market.open[traded], market.close[traded]):
        assert ((low <= price) & (price <= high)).all()
    volume, amount = market.volume[traded], market.amount[traded]
    assert (low * volume <= amount * 100).all()
    assert (amount * 100 <= high * volume).all()


def test_what_does_not_trade_shows_no_bar(market: SimulatedMarket) -> None:
    assert (market.trading == (market.listed & ~market.suspended)).all()
    quiet = ~market.trading
    for name in ("open", "high", "low", "close", "volume", "amount"):
        assert not getattr(market, name)[quiet].any(), name
    assert (market.pre_close > 0)[market.listed].all()
    assert not market.pre_close[~market.listed].any()


def test_the_reference_is_the_last_close_except_on_ex_and_listing_days(market: SimulatedMarket) -> None:
    close = np.where(market.trading, market.close, market.pre_close)
    ex = np.zeros_like(market.listed)
    for event in market.distributions:
        ex[event.ex, event.instrument] = True
    usual = market.listed[1:] & market.listed[:-1] & ~ex[1:]
    assert (market.pre_close[1:][usual] == close[:-1][usual]).all()


def test_ex_references_follow_the_exchange_formula(market: SimulatedMarket) -> None:
    assert len(market.distributions) > 200
    assert any(d.bonus_percent and d.cash_milli for d in market.distributions)
    for event in market.distributions:
        before = Decimal(int(market.close[event.ex - 1, event.instrument])) / 100
        expected = ex_reference_price(
            before, cash=Decimal(event.cash_milli) / 1000, bonus=Decimal(event.bonus_percent) / 100
        )
        assert Decimal(int(market.pre_close[event.ex, event.instrument])) / 100 == expected


def test_factors_grow_by_close_over_reference_rounded_to_six_decimals(market: SimulatedMarket) -> None:
    both = market.listed[1:] & market.listed[:-1]
    close = np.where(market.trading, market.close, market.pre_close)[:-1][both]
    exact = market.factor[:-1][both] * close / market.pre_close[1:][both]
    assert (np.abs(market.factor[1:][both] - exact) <= 0.5000001e-6).all()
    first = market.listed.argmax(axis=0)
    listed = np.flatnonzero(market.listed.any(axis=0))
    assert (market.factor[first[listed], listed] == 1.0).all()
    assert np.isnan(market.factor[~market.listed]).all()


def test_distributions_are_announced_before_record_and_paid_after(market: SimulatedMarket) -> None:
    for event in market.distributions:
        assert event.announced < event.ex - 1
        assert event.pay >= event.ex
        assert event.cash_milli > 0 or event.bonus_percent > 0
        assert not market.suspended[event.ex, event.instrument]


def test_the_market_has_every_feature(market: SimulatedMarket) -> None:
    listings = market.listing_day == 1
    assert listings.sum() > 20
    assert (market.delisting_day == 1).sum() >= 3
    assert market.suspended.any()
    assert (market.st & ~market.suspended).any()
    assert set(np.unique(market.board[market.listed]).tolist()) == {1, 2, 3, 4, 5, 6}


def test_limit_up_runs_open_where_nobody_can_buy(market: SimulatedMarket) -> None:
    sealed = market.trading & (market.low == market.limit_up) & (market.limit_up > 0)
    runs = sealed[2:] & sealed[1:-1] & sealed[:-2]
    assert runs.sum() > 10


def test_a_listing_ends_after_its_delisting_period(market: SimulatedMarket) -> None:
    periods = {30: 0, 15: 0}
    for s in np.flatnonzero((market.delisting_day == 1).any(axis=0)).tolist():
        begin = int(np.argmax(market.delisting_day[:, s] == 1))
        length = 30 if market.sessions[begin] < date(2020, 12, 31) else 15
        inside = market.delisting_day[begin : begin + length, s]
        assert inside.tolist() == list(range(1, len(inside) + 1))
        assert not market.listed[begin + length :, s].any()
        periods[length] += 1
    assert min(periods.values()) > 0


def test_a_dated_board_follows_the_rulebook(market: SimulatedMarket) -> None:
    merged = market.sessions.index(date(2021, 4, 6))
    sme = np.flatnonzero((market.board[merged - 1] == 3) & market.listed[merged - 1])
    assert len(sme) > 0
    assert (market.board[merged, sme] == 2).all()


@pytest.mark.parametrize(
    ("feature", "seen"),
    [
        ("listings", lambda m: (m.listing_day[:, m.roster.segment < 4] == 1).sum()),
        ("delistings", lambda m: m.delisting.sum()),
        ("suspensions", lambda m: m.suspended.sum()),
        ("st", lambda m: m.st.sum()),
        ("dividends", lambda m: len(m.distributions)),
    ],
)
def test_an_intensity_of_zero_switches_a_feature_off(feature: str, seen) -> None:
    params = SimulatedParams(seed=11, instruments=120)
    end = date(2021, 12, 31)
    assert seen(simulate(params, end)) > 0
    assert seen(simulate(replace(params, **{feature: 0.0}), end)) == 0


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"sed": 1}, "sed"),
        ({"seed": "seven"}, "seven"),
        ({"seed": True}, "True"),
        ({"instruments": 0}, "0"),
        ({"instruments": 10**9}, "1000000000"),
        ({"view": "d"}, "d"),
        ({"start": "yesterday"}, "yesterday"),
        ({"st": -1}, "-1"),
        ({"jumps": float("nan")}, "nan"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, object], part: str) -> None:
    with pytest.raises(SpecError) as caught:
        SimulatedParams.parse(given)
    assert part in str(caught.value.fault.found)
    assert caught.value.fault.expected


def test_parameters_are_read_from_a_spec() -> None:
    params = SimulatedParams.parse({"seed": 3, "instruments": 50, "start": "2020-01-01", "st": Decimal(2)})
    assert params == SimulatedParams(seed=3, instruments=50, start=date(2020, 1, 1), st=2.0)


def test_a_market_does_not_reach_beyond_the_calendar_or_before_its_start() -> None:
    with pytest.raises(RuleMissing):
        simulate(SimulatedParams(), date(2999, 1, 1))
    with pytest.raises((UsageError, RuleMissing)):
        simulate(SimulatedParams(start=date(2020, 1, 2)), date(2019, 1, 1))
