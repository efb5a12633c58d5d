"""The simulated market looks like one, and pays nobody for ranking past prices. Seeds are fixed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant.warehouse.sources.simulated import SimulatedMarket, SimulatedParams, simulate
from quant.warehouse.sources.simulated.facts import (
    BANDS,
    FREE_LUNCH,
    daily_returns,
    ranked_excess,
    sharpe,
    stylised_facts,
)

SEEDS = (1, 2, 3, 7)
END = date(2024, 12, 31)


@pytest.fixture(scope="module")
def markets() -> list[SimulatedMarket]:
    return [simulate(SimulatedParams(seed=seed), END) for seed in SEEDS]


def limit_days(market: SimulatedMarket) -> float:
    return next(fact.value for fact in stylised_facts(market) if fact.name == "limit_days")


def test_every_fact_is_inside_its_band(markets: list[SimulatedMarket]) -> None:
    for market in markets:
        for fact in stylised_facts(market):
            assert fact.holds, (market.params.seed, fact)


def test_returns_above_the_gaussian_share_beyond_four_deviations(markets: list[SimulatedMarket]) -> None:
    for market in markets:
        returns = daily_returns(market)
        returns = returns[:, np.isfinite(returns).sum(axis=0) > 250]
        z = (returns - np.nanmean(returns, axis=0)) / np.nanstd(returns, axis=0)
        assert (np.abs(z[np.isfinite(z)]) > 4).mean() > 20 * 6.3e-5


@pytest.mark.parametrize("hold", [5, 20])
@pytest.mark.parametrize("reverse", [False, True], ids=["momentum", "reversal"])
def test_there_is_no_free_lunch(markets: list[SimulatedMarket], hold: int, reverse: bool) -> None:
    """Each seed alone is noise of about 1 / sqrt(6 years); the mean over seeds must stay in the band."""
    found = [sharpe(ranked_excess(market, hold=hold, reverse=reverse), 242 / hold) for market in markets]
    assert abs(np.mean(found)) < FREE_LUNCH
    assert np.max(np.abs(found)) < 1.3


@pytest.mark.soak
@pytest.mark.parametrize("hold", [5, 20])
@pytest.mark.parametrize("reverse", [False, True], ids=["momentum", "reversal"])
def test_there_is_no_free_lunch_over_many_seeds(hold: int, reverse: bool) -> None:
    markets = (simulate(SimulatedParams(seed=seed), END) for seed in range(100, 140))
    found = [sharpe(ranked_excess(market, hold=hold, reverse=reverse), 242 / hold) for market in markets]
    assert abs(np.mean(found)) < FREE_LUNCH


def test_without_jumps_prices_move_less(markets: list[SimulatedMarket]) -> None:
    calm = simulate(SimulatedParams(seed=SEEDS[0], jumps=0.0), END)
    assert limit_days(calm) < 0.7 * limit_days(markets[0])


def test_volume_rises_with_the_move(markets: list[SimulatedMarket]) -> None:
    for market in markets:
        returns = np.abs(daily_returns(market))
        known = np.isfinite(returns) & (market.high > market.low)
        turnover = market.volume[known] / np.broadcast_to(market.roster.shares, returns.shape)[known]
        assert np.corrcoef(returns[known], turnover)[0, 1] > 0.2


def test_the_documented_bands_are_the_tested_ones(repository: Path) -> None:
    page = (repository / "docs" / "simulated-market.md").read_text(encoding="utf-8")
    for name, (_, low, high) in BANDS.items():
        assert f"| {name} |" in page
        assert f"| {low:g} to {high:g} |" in page
    assert f"{FREE_LUNCH:g}" in page
