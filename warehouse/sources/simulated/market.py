"""The simulated A-share market: ``simulate(params, end)`` gives its whole truth as arrays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board
from quant.core.market.rules import rulebook
from quant.warehouse.sources.simulated.draws import Floats
from quant.warehouse.sources.simulated.events import Companies, Distribution, Morning
from quant.warehouse.sources.simulated.limits import (
    CEILING,
    DELISTING,
    LISTING_DAYS,
    NORMAL,
    ST,
    Band,
    SessionLimits,
    around,
)
from quant.warehouse.sources.simulated.params import SimulatedParams
from quant.warehouse.sources.simulated.prices import Bars, Bools, Ints, PriceProcess
from quant.warehouse.sources.simulated.roster import BSE_ALL_CODES, Roster, draw_roster, segment_codes

Row = NDArray[Any]

_FRESH_DAYS = 20
_FACTOR_DIGITS = 1e6


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """The truth of a market over its sessions; axes ``[T, S]``, S in roster order.

    Prices are cents of a yuan, 0 where nothing traded (``pre_close`` and limits: 0 where not listed, limits
    also 0 on a day without limit). ``volume`` is shares, ``amount`` yuan. ``factor`` is the post-adjustment
    factor, 1.0 on the first row of an instrument and NaN where it is not listed. ``listing_day`` counts
    sessions from 1 at listing (10,000 and more: listed before the market starts). Row t is decided by what
    happened up to t and does not depend on the last session.
    """

    params: SimulatedParams
    sessions: tuple[date, ...]
    roster: Roster
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    pre_close: Ints
    limit_up: Ints
    limit_down: Ints
    volume: Ints
    amount: Ints
    board: Ints
    listed: Bools
    listing_day: Ints
    delisting_day: Ints
    suspended: Bools
    st: Bools
    no_limit: Bools
    factor: Floats
    distributions: tuple[Distribution, ...]
    all_sessions: tuple[date, ...]

    @property
    def delisting(self) -> Bools:
        """Where an instrument is in its delisting period."""
        return self.delisting_day > 0

    @property
    def trading(self) -> Bools:
        """Where a bar exists."""
        return self.volume > 0

    def first(self, count: int) -> SimulatedMarket:
        """This market as it was known after its first ``count`` sessions."""
        if count == len(self.sessions):
            return self
        cut = {f.name: getattr(self, f.name)[:count] for f in fields(self)
               if isinstance(getattr(self, f.name), np.ndarray)}
        known = tuple(d for d in self.distributions if d.ex < count)
        return replace(self, sessions=self.sessions[:count], distributions=known, **cut)

    def code(self, instrument: int, session: date) -> str:
        """The code in force on a session, such as ``605999.SH``."""
        later = self.roster.later_code[instrument]
        return later if later and session >= BSE_ALL_CODES else self.roster.code[instrument]


def simulate(params: SimulatedParams, end: date | None = None) -> SimulatedMarket:
    """The market from ``params.start`` to ``end``, by default to the end of the calendar.

    The same rows whatever the ``end``.

    Raises:
        RuleMissing: the calendar does not cover the dates.
        UsageError: no session between start and end.
    """
    return Simulation.begin(params).until(end or calendar("XSHG").last)


class Simulation:
    """One pass over the sessions that can be continued; a later session changes no earlier row."""

    def __init__(
        self, params: SimulatedParams, every: Sequence[date], roster: Roster, limits: SessionLimits
    ) -> None:
        self._params, self._every, self._roster, self._limits = params, tuple(every), roster, limits
        self._companies = Companies(params, roster, self._every)
        self._prices = PriceProcess(params, roster)
        self._close: Ints = roster.first_price.copy()
        self._prices.value = self._close.copy()
        self._factor = np.ones(params.instruments)
        self._rows: dict[str, list[Row]] = {}
        self._done = 0
        self._market: SimulatedMarket | None = None
        self._board, self._rate = self._rules(0)
        self._companies.begin(self._rate[self._board, ST] >= 0)

    @classmethod
    def begin(cls, params: SimulatedParams) -> Simulation:
        """A market before its first session."""
        days = calendar("XSHG")
        every = tuple(days.sessions(params.start, days.last))
        return cls(params, every, draw_roster(params, days, every), SessionLimits(rulebook()))

    def until(self, end: date) -> SimulatedMarket:
        """The market up to ``end``, simulating what is missing."""
        calendar("XSHG").sessions(self._params.start, end)
        count = bisect_right(self._every, end)
        if count == 0:
            raise UsageError("simulated.range", f"the simulated market starts on {self._params.start}",
                             expected=f"an end on or after {self._every[0]}", found=end.isoformat())
        return self._run(count).first(count)

    def _run(self, count: int) -> SimulatedMarket:
        """The market of the first ``count`` sessions, going on from where the last call stopped."""
        for t in range(self._done, count):
            for name, row in self._session(t, self._board, self._rate).items():
                self._rows.setdefault(name, []).append(row)
            self._board, self._rate = self._rules(t + 1)
            traded = self._rows["volume"][-1] > 0
            may_be_st = self._rate[self._board, ST] >= 0
            self._companies.evening(t, np.where(traded, self._close, 0), may_be_st)
        if self._market is None or count > self._done:
            self._done = max(self._done, count)
            self._market = self._stacked()
        return self._market

    def _stacked(self) -> SimulatedMarket:
        arrays = {name: np.stack(rows) for name, rows in self._rows.items()}
        self._rows = {name: list(array) for name, array in arrays.items()}
        return SimulatedMarket(
            params=self._params,
            sessions=self._every[: self._done],
            roster=self._roster,
            distributions=tuple(self._companies.distributions),
            all_sessions=self._every,
            **arrays,
        )

    def _session(self, t: int, board: Ints, rates: Ints) -> dict[str, Row]:
        morning = self._companies.morning(t)
        reference = self._reference(morning)
        band = self._band(t, morning, board, rates, reference)
        path = self._prices.move(board, morning.jump, morning.drift, morning.suspended)
        self._auction(t, morning, board, path)
        trades = morning.listed & ~morning.suspended
        age = np.maximum(morning.listing_day, 1)
        fresh = np.where(age <= _FRESH_DAYS, 1.0 + 20.0 / age, 1.0)
        bars = self._prices.show(path, band.down, band.up, trades, fresh)
        self._factor = np.where(morning.ex, _published(self._factor * self._close / reference), self._factor)
        self._close = np.where(trades, bars.close, reference)
        limited = morning.listed & ~band.free
        return {
            **_columns(bars),
            "pre_close": np.where(morning.listed, reference, 0),
            "limit_up": np.where(limited, band.up, 0),
            "limit_down": np.where(limited, band.down, 0),
            "board": board,
            "listed": morning.listed,
            "listing_day": np.where(morning.listed, morning.listing_day, 0),
            "delisting_day": morning.delisting_day,
            "suspended": morning.suspended,
            "st": morning.st,
            "no_limit": morning.listed & band.free,
            "factor": np.where(morning.listed, self._factor, np.nan),
        }

    def _reference(self, morning: Morning) -> Ints:
        """Reference prices: the last close, the issue price on a listing day, the ex-reference on an ex-date.

        Ex-reference: (close - cash) / (1 + bonus), half up to the cent; the latent value moves with it.
        """
        prices, roster = self._prices, self._roster
        new = morning.listing_day == 1
        self._close = np.where(new, roster.issue_price, self._close)
        prices.value = np.where(new, (roster.issue_price * roster.premium).astype(np.int64), prices.value)
        shares = 100 + morning.bonus_percent
        ex = (200 * (10 * self._close - morning.cash_milli) + 10 * shares) // (20 * shares)
        reference = np.where(morning.ex, ex, self._close)
        moved = np.floor(prices.value * (reference / self._close) + 0.5).astype(np.int64)
        prices.value = np.where(morning.ex, np.maximum(moved, 1), prices.value)
        prices.shares = prices.shares * shares // 100
        return reference

    def _band(self, t: int, morning: Morning, board: Ints, rates: Ints, reference: Ints) -> Band:
        status = np.where(morning.delisting_day > 0, DELISTING, np.where(morning.st, ST, NORMAL))
        rate = rates[board, status]
        down, up = around(reference, rate)
        free = (rate < 0) & morning.listed
        self._first_days(t, morning, board, reference, Band(down, up, free))
        down, up = np.where(free, 1, down), np.where(free, CEILING, up)
        return Band(down, up, free)

    def _first_days(self, t: int, morning: Morning, board: Ints, reference: Ints, band: Band) -> None:
        """Apply what differs on the first sessions of a listing and of a delisting period, in place."""
        day = self._every[t]
        for i in np.flatnonzero((morning.listing_day >= 1) & (morning.listing_day <= LISTING_DAYS)).tolist():
            age = int(morning.listing_day[i])
            limits = self._limits.listing(Board(int(board[i])), day, int(reference[i]), age)
            band.free[i] = limits is None
            if limits is not None:
                band.down[i], band.up[i] = limits
        for i in np.flatnonzero(morning.delisting_day == 1).tolist():
            band.free[i] |= self._limits.delisting_starts_free(Board(int(board[i])), day)

    def _auction(self, t: int, morning: Morning, board: Ints, path: Floats) -> None:
        """Hold the opening price of a listing day within its auction's range, in place."""
        for i in np.flatnonzero(morning.listing_day == 1).tolist():
            price = int(self._roster.issue_price[i])
            bounds = self._limits.opening(Board(int(board[i])), self._every[t], price)
            if bounds is not None:
                path[0, i] = min(max(float(path[0, i]), bounds[0]), bounds[1])

    def _rules(self, t: int) -> tuple[Ints, Ints]:
        """Board of every instrument and the limits in force on session ``t`` (the last one when beyond)."""
        day = self._every[min(t, len(self._every) - 1)]
        return self._limits.boards(segment_codes(day), day)[self._roster.segment], self._limits.rates(day)


def _columns(bars: Bars) -> dict[str, Ints]:
    return {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume", "amount")}


def _published(factor: Floats) -> Floats:
    """A factor as a vendor prints it, to six decimals."""
    return np.floor(factor * _FACTOR_DIGITS + 0.5) / _FACTOR_DIGITS
