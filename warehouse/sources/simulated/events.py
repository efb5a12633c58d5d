"""What happens to companies: listing, ST, delisting, suspension, distributions, jump news.

Everything is decided in the evening from what is known then and takes effect on a later session, by counting
sessions down; the last session asked for never plays a role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant.warehouse.sources.simulated.draws import Floats, Purpose, SessionUniforms
from quant.warehouse.sources.simulated.params import SimulatedParams
from quant.warehouse.sources.simulated.prices import Bools, Ints
from quant.warehouse.sources.simulated.roster import Roster

FACE_VALUE = 100
"""A close below one yuan (in cents) on 20 sessions in a row ends a listing."""
SHORTER_PERIOD = date(2020, 12, 31)
"""The delisting rules of this day cut the delisting period from 30 to 15 sessions."""

_ST_HAZARD, _ST_END_HAZARD, _ST_LEAST = 0.00012, 0.004, 60
_DELIST_HAZARD, _DELIST_AFTER, _FACE_VALUE_DAYS = 0.0008, 40, 20
_SUSPEND_HAZARD = 0.0006
_JUMP_HAZARD = 0.004
_ANNOUNCE_HAZARD, _ANNOUNCE_MONTHS, _ANNOUNCE_GAP = 0.02, (4, 5, 6, 7), 150
_ST_NEWS, _DELIST_NEWS, _RESUME_NEWS = 0.10, 0.35, 0.25
_BONUS_PERCENT = np.array([10, 20, 30, 30, 40, 40, 50, 100])
_SEASONED = 60
_DRAWS = 20


@dataclass(frozen=True, slots=True)
class Distribution:
    """A cash dividend and/or bonus issue; indices count sessions, cash is milli-yuan and bonus percent."""

    instrument: int
    announced: int
    ex: int
    pay: int
    cash_milli: int
    bonus_percent: int


@dataclass(frozen=True, slots=True)
class Morning:
    """What is known before the open, ``[S]``."""

    listed: Bools
    listing_day: Ints
    st: Bools
    delisting_day: Ints
    suspended: Bools
    ex: Bools
    cash_milli: Ints
    bonus_percent: Ints
    jump: Floats
    drift: Floats


class Companies:
    """The state of every company and the record of what happened to it."""

    def __init__(self, params: SimulatedParams, roster: Roster, sessions: Sequence[date]) -> None:
        count = params.instruments
        self.params, self.roster, self.sessions = params, roster, sessions
        self.distributions: list[Distribution] = []
        self._draws = SessionUniforms(params.seed, Purpose.EVENTS, (_DRAWS, count))
        self.listing_day = np.where(self.roster.list_index < 0, 10_000, 0)
        self.st_day = np.zeros(count, dtype=np.int64)
        self.delisting_day = np.zeros(count, dtype=np.int64)
        self.gone = np.zeros(count, dtype=bool)
        self.asleep = np.zeros(count, dtype=np.int64)
        self.below_face = np.zeros(count, dtype=np.int64)
        self.jump = np.zeros(count)
        self.resume_jump = np.zeros(count)
        self.period = np.zeros(count, dtype=np.int64)
        self.ex_in = np.full(count, -1, dtype=np.int64)
        self.announced = np.full(count, -_ANNOUNCE_GAP, dtype=np.int64)
        self.pay_lag = np.zeros(count, dtype=np.int64)
        self.cash_milli = np.zeros(count, dtype=np.int64)
        self.bonus_percent = np.zeros(count, dtype=np.int64)
        self._drift = np.zeros(count)

    def begin(self, may_be_st: Bools) -> None:
        """Draw the companies that are under ST treatment before the first session."""
        u = self._draws.take()
        starts = may_be_st & (self.listing_day > 0) & (u[0] < 0.025 * self.params.st)
        self.st_day = np.where(starts, 1 + (200 * u[1]).astype(np.int64), 0)

    def morning(self, t: int) -> Morning:
        """What holds on session ``t``, decided on earlier evenings."""
        alive = (self.listing_day > 0) & ~self.gone
        ex = alive & (self.ex_in == 0)
        for i in np.flatnonzero(ex).tolist():
            pay = min(t + int(self.pay_lag[i]), len(self.sessions) - 1)
            self.distributions.append(Distribution(
                i, int(self.announced[i]), t, pay, int(self.cash_milli[i]), int(self.bonus_percent[i])))
        return Morning(
            listed=alive,
            listing_day=self.listing_day.copy(),
            st=alive & (self.st_day > 0),
            delisting_day=np.where(alive, self.delisting_day, 0),
            suspended=alive & (self.asleep > 0),
            ex=ex,
            cash_milli=np.where(ex, self.cash_milli, 0),
            bonus_percent=np.where(ex, self.bonus_percent, 0),
            jump=np.where(alive, self.jump, 0.0),
            drift=self._drift,
        )

    def evening(self, t: int, close: Ints, may_be_st: Bools) -> None:
        """Decide, after session ``t`` closed at ``close`` (cents), what holds on the next one.

        ``may_be_st`` says whose board knows the ST label on the next session.
        """
        u = self._draws.take()
        self._count(t, close)
        free = (self.listing_day > _SEASONED) & ~self.gone & (self.asleep == 0) & (self.delisting_day == 0)
        free &= self.ex_in < 0
        self._drift = np.zeros(len(close))
        news = (u[11] < _JUMP_HAZARD * self.params.jumps) & (self.asleep == 0) & (self.listing_day > 1)
        self.jump += np.where(news, _two_sided(u[12], 0.06, 0.27), 0.0)
        free &= ~self._delist(t, free, u)
        free &= ~self._label(free & may_be_st, u)
        free &= ~self._suspend(free, u)
        self._announce(t, free, close, u)

    def _count(self, t: int, close: Ints) -> None:
        """One session has passed."""
        self.listing_day += self.listing_day > 0
        self.listing_day[self.roster.list_index == t + 1] = 1
        self.st_day += self.st_day > 0
        self.delisting_day += self.delisting_day > 0
        self.gone |= (self.delisting_day > self.period) & (self.delisting_day > 0)
        self.below_face = np.where((close > 0) & (close < FACE_VALUE), self.below_face + 1, 0)
        wakes = self.asleep == 1
        self.asleep -= self.asleep > 0
        self.jump = np.where(wakes, self.resume_jump, 0.0)
        self.resume_jump[wakes] = 0.0
        self.ex_in = np.where(self.ex_in >= 0, self.ex_in - 1, -1)

    def _delist(self, t: int, free: Bools, u: Floats) -> Bools:
        hazard = _DELIST_HAZARD * self.params.delistings
        exposed = free & (self.st_day > _DELIST_AFTER)
        ordered = exposed & (u[4] < hazard)
        ends: Bools = ordered | (free & (self.below_face >= _FACE_VALUE_DAYS) & (self.params.delistings > 0))
        self._drift += np.where(exposed, hazard * _DELIST_NEWS, 0.0)
        self.jump -= np.where(ordered, _DELIST_NEWS * (0.5 + u[5]), 0.0)
        self.delisting_day[ends] = 1
        self.st_day[ends] = 0
        after = self.sessions[min(t + 1, len(self.sessions) - 1)]
        self.period[ends] = 30 if after < SHORTER_PERIOD else 15
        return ends

    def _label(self, free: Bools, u: Floats) -> Bools:
        hazard = _ST_HAZARD * self.params.st
        exposed = free & (self.st_day == 0)
        starts: Bools = exposed & (u[0] < hazard)
        self._drift += np.where(exposed, hazard * _ST_NEWS, 0.0)
        fall = np.where(starts, -_ST_NEWS * (0.5 + u[1]), 0.0)
        pauses = starts & (u[2] < 0.5 * min(1.0, self.params.suspensions))
        self.jump += np.where(pauses, 0.0, fall)
        self.resume_jump += np.where(pauses, fall, 0.0)
        self.asleep[pauses] = 1
        ends = free & (self.st_day > _ST_LEAST) & (u[3] < _ST_END_HAZARD)
        self.st_day[starts] = 1
        self.st_day[ends] = 0
        changed: Bools = starts | ends
        return changed

    def _suspend(self, free: Bools, u: Floats) -> Bools:
        starts: Bools = free & (u[6] < _SUSPEND_HAZARD * self.params.suspensions)
        length = 1 + (9 * u[7] * u[7]).astype(np.int64)
        length = np.where(u[8] > 0.9, 10 + (500 * (u[8] - 0.9)).astype(np.int64), length)
        self.asleep[starts] = length[starts]
        surprise = starts & (u[9] < 0.4)
        self.resume_jump += np.where(surprise, _two_sided(u[10], 0.04, _RESUME_NEWS), 0.0)
        return starts

    def _announce(self, t: int, free: Bools, close: Ints, u: Floats) -> None:
        season = self.sessions[t].month in _ANNOUNCE_MONTHS
        due = free & self.roster.pays & (t - self.announced >= _ANNOUNCE_GAP) & (self.st_day == 0)
        due &= (close > 3 * FACE_VALUE) & (u[13] < _ANNOUNCE_HAZARD * self.params.dividends) & season
        bonus = np.where(u[16] < 0.18, _BONUS_PERCENT[(8 * u[17]).astype(np.int64)], 0)
        cash = np.maximum((close * (0.004 + 0.034 * u[15])).astype(np.int64), 1) * 10
        cash = np.where((bonus > 0) & (u[19] < 0.2), 0, cash)
        self.announced[due] = t
        self.ex_in[due] = 6 + (12 * u[14][due]).astype(np.int64)
        self.pay_lag[due] = (3 * u[18][due]).astype(np.int64)
        self.cash_milli[due] = cash[due]
        self.bonus_percent[due] = bonus[due]


def _two_sided(u: Floats, least: float, spread: float) -> Floats:
    """A symmetric size from one uniform number: which half it is in decides the sign."""
    size = np.abs(2.0 * u - 1.0)
    return np.where(u < 0.5, -1.0, 1.0) * (least + spread * size * size)
