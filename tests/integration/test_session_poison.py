"""Garbage after t changes nothing decided up to t; a strategy that peeks is caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from session_case import Plan, Restless, case_config, case_data, declarative, python_rows

from quant.core.errors import CheckFailed
from quant.native.batch import Phase
from quant.native.kernel import ConstructConfig
from quant.trading import DeclarativeStrategy, FixedScores, MarketData, PythonStrategy, View
from quant.trading.strategies.poison import PoisonCase, check_poison, poison

DATA = case_data(sessions=40, instruments=8, seed=4)
WAYS = [("after_close", "open"), ("before_close", "close")]


def case(decide: str, fill: str, make: Any, rows: Any = None) -> PoisonCase:
    config = case_config(DATA.market.T, decide=decide, fill_at=fill)
    chosen = python_rows(DATA.market.T) if rows is None else rows
    return PoisonCase(Plan(decide=decide), DATA, config, chosen, make)


@pytest.mark.parametrize(("decide", "fill"), WAYS)
def test_a_python_strategy_sees_only_the_past(decide: str, fill: str) -> None:
    compared = check_poison(case(decide, fill, lambda _data: PythonStrategy(Restless())), [0, 8, 20, 39])
    assert compared > 60


def momentum(data: MarketData, decide: str) -> DeclarativeStrategy:
    """Five-session returns up to the newest close known at the decision."""
    close = np.asarray(data.columns["close"])
    shift = 1 if decide == "before_close" else 0
    rows = python_rows(data.market.T)
    scores = np.full((len(rows), data.market.S), np.nan)
    for i, t in enumerate(rows):
        if t - shift >= 5:
            with np.errstate(all="ignore"):
                scores[i] = close[t - shift] / close[t - shift - 5] - 1
    plan = ConstructConfig(method="equal", top=3)
    return DeclarativeStrategy(plan, FixedScores(rows, scores, np.ones(scores.shape, bool)))


@pytest.mark.parametrize(("decide", "fill"), WAYS)
def test_a_declarative_strategy_sees_only_the_past(decide: str, fill: str) -> None:
    assert check_poison(case(decide, fill, lambda data: momentum(data, decide)), [6, 20, 38]) > 0


def test_a_score_that_uses_todays_close_before_the_close_is_caught() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_poison(case("before_close", "close", lambda data: momentum(data, "after_close")), [20])
    assert caught.value.fault.code == "strategy.lookahead"
    assert str(DATA.session(20)) in caught.value.fault.message


class Peeks:
    """Was handed the market and looks one row ahead."""

    def __init__(self, market: Any) -> None:
        self._market = market

    def decide(self, view: View) -> None:
        ahead = self._market.arrays["close"][min(view.t + 1, self._market.T - 1)]
        view.target_weight(view.codes[int(np.argmax(ahead))], 0.5)


@pytest.mark.parametrize(("decide", "fill"), WAYS)
def test_a_strategy_that_peeks_is_caught(decide: str, fill: str) -> None:
    with pytest.raises(CheckFailed):
        check_poison(case(decide, fill, lambda data: PythonStrategy(Peeks(data.market))), [20])


def test_the_poison_leaves_what_was_known() -> None:
    dirty = poison(DATA, 10, Phase.DECIDE, seed=1)
    for name in ("open", "limit_up", "limit_down", "pre_close"):
        assert (dirty.market.arrays[name][:11] == DATA.market.arrays[name][:11]).all()
    for name in ("close", "high", "low", "vwap", "volume"):
        assert (dirty.market.arrays[name][:10] == DATA.market.arrays[name][:10]).all()
        assert (dirty.market.arrays[name][10] != DATA.market.arrays[name][10]).any()
    assert (dirty.market.arrays["close"][11:] != DATA.market.arrays["close"][11:]).all()
    assert np.array_equal(dirty.columns["close"][:10], DATA.columns["close"][:10])
    assert not np.array_equal(dirty.columns["close"][10], DATA.columns["close"][10])
    assert np.array_equal(dirty.columns["open"][:11], DATA.columns["open"][:11])


def test_random_scores_are_a_fixed_point() -> None:
    rows = python_rows(DATA.market.T)
    assert check_poison(case("after_close", "open", lambda data: declarative(data, rows)[3]), [15]) > 0
