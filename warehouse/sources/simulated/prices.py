"""Prices: a latent value that is a martingale, seen through ticks and price limits.

Every step has mean zero (but for a small common drift), so that no rule on past prices earns an excess
return. Volatility clusters (GARCH for the market and for each name) and the steps have the tails of a
Student t with five degrees of freedom. A value beyond the limit stays there: the shown price follows it one
limit a day, which makes the runs of limit-up boards, but nobody can buy during them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.warehouse.sources.simulated.draws import Floats, Purpose, SessionNormals
from quant.warehouse.sources.simulated.params import SimulatedParams
from quant.warehouse.sources.simulated.roster import INDUSTRIES, Roster

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STEPS = 8
BOARDS = 11
_TAIL = 5
_YEAR = 242.0
_OVERNIGHT = 0.25
_MARKET, _BOARD, _INDUSTRY = 0.17, 0.07, 0.09
_DRIFT = 0.06
_ALPHA, _BETA = 0.09, 0.88
_SHOCK_CAP = 16.0
_BIGGEST_STEP = 0.5


@dataclass(frozen=True, slots=True)
class Bars:
    """One session's bars ``[S]``: prices in cents, volume in shares, amount in yuan; 0 without trading."""

    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    amount: Ints


class PriceProcess:
    """The latent value of every instrument in cents and the state of its volatility."""

    def __init__(self, params: SimulatedParams, roster: Roster) -> None:
        count = params.instruments
        self.value: Ints = np.zeros(count, dtype=np.int64)
        self.shares: Ints = roster.shares.copy()
        self._roster = roster
        self._common = SessionNormals(params.seed, Purpose.FACTORS, (1 + STEPS, 1 + BOARDS + INDUSTRIES))
        self._names = SessionNormals(params.seed, Purpose.NAMES, (2 + STEPS + _TAIL, count))
        self._market_variance = np.ones(1)
        self._variance = np.ones(count)
        self._activity = np.ones(count)
        parts = [_OVERNIGHT] + [(1 - _OVERNIGHT) / STEPS] * STEPS
        self._split: Floats = np.sqrt(np.array(parts))[:, None]
        self._daily = roster.volatility / np.sqrt(_YEAR)

    def move(self, board: Ints, jump: Floats, drift: Floats, asleep: Bools) -> Floats:
        """Advance one session and return the latent path in cents, ``[1 + STEPS, S]``, open to close.

        ``jump`` is news before the open, ``drift`` what compensates expected bad news; a suspended
        (``asleep``) name moves at half speed. Sums run along the first axis, row after row, so that they are
        the same on every machine.
        """
        common, drawn = self._common.take(), self._names.take()
        own, tail = drawn[: 1 + STEPS], np.square(drawn[1 + STEPS : 1 + STEPS + _TAIL])
        scale = np.sqrt((_TAIL - 2) / tail.sum(axis=0))
        market = common[:, :1]
        steps = (
            (_MARKET / np.sqrt(_YEAR)) * self._roster.beta * (np.sqrt(self._market_variance) * market)
            + (_BOARD / np.sqrt(_YEAR)) * common[:, 1 + board]
            + (_INDUSTRY / np.sqrt(_YEAR)) * common[:, 1 + BOARDS + self._roster.industry]
            + (self._daily * np.sqrt(self._variance) * scale) * own
        ) * self._split
        steps += (_DRIFT / _YEAR + drift) / (1 + STEPS)
        steps = np.where(asleep, 0.5 * steps, steps)
        steps[0] += jump
        np.clip(steps, -_BIGGEST_STEP, 2.0, out=steps)
        self._market_variance = _garch(self._market_variance, (market * self._split).sum(axis=0))
        self._variance = _garch(self._variance, (own * self._split).sum(axis=0) * scale)
        self._activity = 0.85 * self._activity + 0.15 * np.square(drawn[-1])
        growth: Floats = np.cumprod(1.0 + steps, axis=0)
        return growth * self.value

    def show(self, path: Floats, down: Ints, up: Ints, trades: Bools, fresh: Floats) -> Bars:
        """The bars that a latent path shows within ``[down, up]``; the latent value becomes the path's end.

        Uses only this session. ``fresh`` multiplies the turnover of new listings.
        """
        ticks = np.floor(path + 0.5).astype(np.int64)
        self.value = np.maximum(ticks[-1], 1)
        seen = np.clip(ticks, down, up)
        open_, close = seen[0], seen[-1]
        high, low = seen.max(axis=0), seen.min(axis=0)
        lots = self._lots(open_, close, high, low, fresh)
        mean = np.floor(seen.sum(axis=0) / (1 + STEPS) * lots + 0.5).astype(np.int64)
        amount = np.clip(mean, low * lots, high * lots)
        bars = (open_, high, low, close, lots * 100, amount)
        return Bars(*(np.where(trades, column, 0) for column in bars))

    def _lots(self, open_: Ints, close: Ints, high: Ints, low: Ints, fresh: Floats) -> Ints:
        """Turnover grows with the day's range and dries up on a day of one price."""
        swing = (high - low + np.abs(close - open_)) / open_
        rate = self._roster.turnover * (0.3 + 0.7 * self._activity) * (0.4 + 15.0 * swing) * fresh
        rate = np.where(high == low, 0.1 * rate, rate)
        shares = np.minimum(rate, 0.7) * self.shares
        lots: Ints = np.maximum(shares.astype(np.int64) // 100, 1)
        return lots


def _garch(variance: Floats, shock: Floats) -> Floats:
    """The next session's variance; 1 on average. ``shock`` has unit variance."""
    squared = np.minimum(np.square(shock), _SHOCK_CAP)
    following: Floats = (1 - _ALPHA - _BETA) + variance * (_ALPHA * squared + _BETA)
    return following
