"""Clocks. The only module that reads the wall clock or sleeps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.market.calendar import calendar
from quant.core.time import from_epoch_days, show_instant, utc_now
from quant.native.batch import Phase
from quant.research.schedule import decision_rows
from quant.trading.ports import Ns, SessionPlan

if TYPE_CHECKING:
    from quant.native.market import Market


def wall_time() -> str:
    """The present instant as ISO 8601 UTC: for stamps that people read, never for decisions."""
    return show_instant(utc_now())


_DECIDES: Final = {
    "before_open": (Phase.PREOPEN,),
    "after_open": (Phase.OPEN,),
    "before_close": (Phase.DECIDE,),
    "after_close": (Phase.CLOSE,),
    "each": (Phase.PREOPEN, Phase.OPEN, Phase.DECIDE, Phase.CLOSE),
}


def decision_phases(decide: str) -> tuple[Phase, ...]:
    """The instants of a session at which the strategy is asked."""
    return _DECIDES[decide]


def session_phases(decide: str) -> tuple[Phase, ...]:
    """The instants of a session's first bar that a kernel sees, in order; later bars have no PREOPEN."""
    if Phase.DECIDE in _DECIDES[decide]:
        return Phase.PREOPEN, Phase.OPEN, Phase.DECIDE, Phase.CLOSE
    return Phase.PREOPEN, Phase.OPEN, Phase.CLOSE


class ReplayClock:
    """The instants of a recorded market, as fast as they can be worked off.

    ``rows`` are the market rows with a decision; None takes them from the plan's rebalance rule. ``until``
    is the last instant replayed. ``pace`` seconds pass between two sessions, to watch a replay.
    """

    def __init__(
        self,
        market: Market,
        rows: NDArray[np.int32] | None = None,
        *,
        until: Ns | None = None,
        pace: float = 0.0,
    ) -> None:
        self._market, self._rows, self._until, self._pace = market, rows, until, pace

    def steps(self, plan: SessionPlan, after: Ns) -> Iterator[tuple[Ns, bool]]:
        rows = plan_rows(plan, self._market) if self._rows is None else self._rows
        deciding = set(rows.tolist())
        phases = session_phases(plan.decide)
        later, decisions = phases[1:], decision_phases(plan.decide)
        for t in range(self._market.T):
            for phase in phases if self._market.opens(t) else later:
                ts = self._market.instant(t, phase)
                if self._until is not None and ts > self._until:
                    return
                if ts > after:
                    yield ts, t in deciding and phase in decisions
            if self._pace and self._market.closes(t) and self._market.instant(t, Phase.CLOSE) > after:
                time.sleep(self._pace)


def plan_rows(plan: SessionPlan, market: Market) -> NDArray[np.int32]:
    """Bars on which the plan decides, ascending: the last of each session that its rebalance names."""
    sessions = [from_epoch_days(int(day)) for day in market.arrays["sessions"]]
    if not sessions:
        return np.zeros(0, np.int32)
    dates = calendar(plan.calendar)
    following = dates.next(sessions[-1]) if sessions[-1] < dates.last else None
    chosen = decision_rows(sessions, plan.rebalance.every, plan.rebalance.on, following)
    return np.asarray(market.last_bars[chosen], dtype=np.int32)
