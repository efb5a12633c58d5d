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
    """One session's bars ``[S]``: prices in cents, volume in shares, amount in yuan; 0 where nothing traded."""

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
        self._common = SessionNormals(params.seed, Purpose.FACTORS, (1 + BOARDS + INDUSTRIES, 1 + STEPS))
        self._names = SessionNormals(params.seed, Purpose.NAMES, (count, 2 + STEPS + _TAIL))
        self._market_variance = 1.0
        self._variance = np.ones(count)
        self._activity = np.ones(count)
        overnight = np.sqrt(_OVERNIGHT)
        self._split = np.array([overnight] + [np.sqrt((1 - _OVERNIGHT) / STEPS)] * STEPS)
        self._daily = roster.volatility / np.sqrt(_YEAR)

    def move(self, board: Ints, jump: Floats, drift: Floats, asleep: Bools) -> Floats:
        """Advance one session and return the latent path in cents, ``[S, 1 + STEPS]``, open to close.

        ``jump`` is news before the open, ``drift`` what compensates expected bad news; a suspended
        (``asleep``) name moves at half speed.
        """
        common, own = self._common.take(), self._names.take()
        tail = np.sqrt((_TAIL - 2) / (own[:, 1 + STEPS : 1 + STEPS + _TAIL] ** 2).sum(axis=1))
        scale = np.sqrt(self._variance) * tail
        market = np.sqrt(self._market_variance) * common[0]
        steps = (
            (_MARKET / np.sqrt(_YEAR)) * self._roster.beta[:, None] * market
            + (_BOARD / np.sqrt(_YEAR)) * common[1 + board]
            + (_INDUSTRY / np.sqrt(_YEAR)) * common[1 + BOARDS + self._roster.industry]
            + (self._daily * scale)[:, None] * own[:, : 1 + STEPS]
        ) * self._split
        steps += ((_DRIFT / _YEAR + drift)[:, None]) / (1 + STEPS)
        steps = np.where(asleep[:, None], 0.5 * steps, steps)
        steps[:, 0] += jump
        np.clip(steps, -_BIGGEST_STEP, 2.0, out=steps)
        self._update(common[0] @ self._split, (own[:, : 1 + STEPS] @ self._split) * tail, own[:, -1])
        return self.value[:, None] * np.cumprod(1.0 + steps, axis=1)

    def _update(self, market: float, shock: Floats, busy: Floats) -> None:
        def garch(variance: Floats | float, squared: Floats | float) -> Floats | float:
            capped = np.minimum(squared, _SHOCK_CAP)
            return (1 - _ALPHA - _BETA) + variance * (_ALPHA * capped + _BETA)

        self._market_variance = float(garch(self._market_variance, market * market))
        self._variance = np.asarray(garch(self._variance, shock * shock))
        self._activity = 0.85 * self._activity + 0.15 * busy * busy

    def show(self, path: Floats, down: Ints, up: Ints, trades: Bools, fresh: Floats) -> Bars:
        """The bars that a latent path shows within ``[down, up]``; the latent value becomes the path's end.

        Uses only this session. ``fresh`` multiplies the turnover of new listings.
        """
        ticks = np.floor(path + 0.5).astype(np.int64)
        self.value = np.maximum(ticks[:, -1], 1)
        seen = np.clip(ticks, down[:, None], up[:, None])
        open_, close = seen[:, 0], seen[:, -1]
        high, low = seen.max(axis=1), seen.min(axis=1)
        lots = self._lots(open_, close, high, low, fresh)
        mean = np.floor(seen.sum(axis=1) / (1 + STEPS) * lots + 0.5).astype(np.int64)
        amount = np.clip(mean, low * lots, high * lots)
        bars = (open_, high, low, close, lots * 100, amount)
        return Bars(*(np.where(trades, column, 0) for column in bars))

    def _lots(self, open_: Ints, close: Ints, high: Ints, low: Ints, fresh: Floats) -> Ints:
        """Turnover grows with the day's range and dries up on a day of one price."""
        swing = (high - low + np.abs(close - open_)) / open_
        rate = self._roster.turnover * (0.3 + 0.7 * self._activity) * (0.4 + 15.0 * swing) * fresh
        rate = np.where(high == low, 0.1 * rate, rate)
        shares = np.minimum(rate, 0.7) * self.shares
        return np.maximum(shares.astype(np.int64) // 100, 1)
