"""Stylised facts of a simulated market, each with the band it must stay in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.warehouse.sources.simulated.draws import Floats
from quant.warehouse.sources.simulated.market import SimulatedMarket

Bools = NDArray[np.bool_]

_YEAR = 242.0
_SEASONED = 60
_LEAST_SESSIONS = 250


@dataclass(frozen=True, slots=True)
class Fact:
    """A measured quantity and the band promised for a market of 300 instruments over six years."""

    name: str
    meaning: str
    low: float
    high: float
    value: float

    @property
    def holds(self) -> bool:
        return self.low <= self.value <= self.high


BANDS = {
    "volatility": ("annual volatility of daily returns, median over names", 0.30, 0.55),
    "kurtosis": ("excess kurtosis of daily returns, median over names", 1.0, 9.0),
    "autocorrelation": ("lag-1 autocorrelation of daily returns, mean over names", -0.03, 0.08),
    "clustering": ("lag-1 autocorrelation of absolute returns, mean over names", 0.05, 0.35),
    "limit_days": ("share of traded sessions that close at a limit", 0.004, 0.04),
    "suspended_days": ("share of listed sessions without trading because of a suspension", 0.001, 0.015),
    "correlation": ("correlation of daily returns, mean over pairs of names", 0.12, 0.40),
}

FREE_LUNCH = 0.35
"""Bound on the mean over seeds of the Sharpe ratio of momentum and of reversal over equal weight."""


def stylised_facts(market: SimulatedMarket) -> tuple[Fact, ...]:
    """The facts of a market in the order of ``BANDS``; returns are those of seasoned names, adjusted."""
    returns = daily_returns(market)
    long = returns[:, np.isfinite(returns).sum(axis=0) >= _LEAST_SESSIONS]
    at_limit = market.trading & ~market.no_limit
    at_limit &= (market.close == market.limit_up) | (market.close == market.limit_down)
    values = {
        "volatility": float(np.median(np.nanstd(long, axis=0, ddof=1)) * np.sqrt(_YEAR)),
        "kurtosis": float(np.median(_excess_kurtosis(long))),
        "autocorrelation": float(np.nanmean(_lag_one(long))),
        "clustering": float(np.nanmean(_lag_one(np.abs(long)))),
        "limit_days": float(at_limit.sum() / market.trading.sum()),
        "suspended_days": float(market.suspended.sum() / market.listed.sum()),
        "correlation": _mean_correlation(long),
    }
    return tuple(Fact(name, *BANDS[name], values[name]) for name in BANDS)


def daily_returns(market: SimulatedMarket) -> Floats:
    """close / pre_close - 1 of traded sessions at least 60 sessions after listing, NaN elsewhere, ``[T, S]``.

    ``pre_close`` is the reference after distributions: these are total returns.
    """
    usable = market.trading & (market.listing_day > _SEASONED)
    returns: Floats = np.where(usable, market.close / np.maximum(market.pre_close, 1) - 1.0, np.nan)
    return returns


def _excess_kurtosis(returns: Floats) -> Floats:
    centred = returns - np.nanmean(returns, axis=0)
    squares = np.square(centred)
    kurtosis: Floats = np.nanmean(np.square(squares), axis=0) / np.square(np.nanmean(squares, axis=0)) - 3.0
    return kurtosis


def _lag_one(values: Floats) -> Floats:
    centred = values - np.nanmean(values, axis=0)
    lagged: Floats = np.nanmean(centred[1:] * centred[:-1], axis=0) / np.nanmean(np.square(centred), axis=0)
    return lagged


def _mean_correlation(returns: Floats) -> float:
    z = (returns - np.nanmean(returns, axis=0)) / np.nanstd(returns, axis=0)
    known = np.isfinite(z)
    filled = np.where(known, z, 0.0)
    together = known.astype(float).T @ known.astype(float)
    correlation = (filled.T @ filled) / np.maximum(together, 1.0)
    apart = ~np.eye(len(correlation), dtype=bool) & (together >= _LEAST_SESSIONS)
    return float(correlation[apart].mean())


def ranked_excess(
    market: SimulatedMarket, *, lookback: int = 20, hold: int = 5, reverse: bool = False, share: float = 0.1
) -> Floats:
    """Returns of the top ``share`` of names by past return over those of all names, one per holding period.

    Ranked after the close of session t by the return of the last ``lookback`` sessions, bought at the open of
    t+1 where that is possible (trading, not at the upper limit), sold at the open of t+1+hold, without costs.
    Both legs hold the same kind of names: seasoned, trading, buyable.
    """
    price = adjusted_opens(market)
    growth = np.nancumprod(1.0 + daily_returns(market), axis=0)
    excess = []
    for t in range(lookback + 1, len(price) - hold - 1, hold):
        past = growth[t] / growth[t - lookback]
        buyable = market.trading[t + 1] & (market.open[t + 1] != market.limit_up[t + 1])
        usable = buyable & (market.listing_day[t] > _SEASONED + lookback) & market.trading[t]
        names = np.flatnonzero(usable & np.isfinite(price[t + 1 + hold]))
        order = names[np.argsort(past[names] if reverse else -past[names], kind="stable")]
        gain = price[t + 1 + hold] / price[t + 1] - 1.0
        excess.append(gain[order[: max(1, int(len(order) * share))]].mean() - gain[names].mean())
    return np.array(excess)


def adjusted_opens(market: SimulatedMarket) -> Floats:
    """Opens times the factor; without trading the last close, so that a holder's loss is not lost."""
    value = np.where(market.trading, market.open, market.pre_close) * market.factor
    gone = ~market.listed & (np.cumsum(market.listed, axis=0) > 0)
    last = np.maximum.accumulate(np.where(market.listed, np.arange(len(value))[:, None], 0), axis=0)
    final = np.take_along_axis(market.close * market.factor, last, axis=0)
    return np.where(gone, final, np.where(market.listed, value, np.nan))


def sharpe(excess: Floats, periods: float) -> float:
    """Annualised mean over standard deviation of excess returns per period."""
    return float(excess.mean() / excess.std(ddof=1) * np.sqrt(periods))
