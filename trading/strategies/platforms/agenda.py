"""Functions that a strategy wants called at times of its own: each day, or on a day of each week or month."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from quant.core.errors import UsageError
from quant.native.batch import Phase

if TYPE_CHECKING:
    from quant.core.market.calendar import Calendar
    from quant.trading.strategies.platforms.terms import Terms

Every = Literal["day", "week", "month"]
OPENING, NOON, CLOSING = time(9, 30), time(14, 57), time(15, 0)


_MOST: Final[dict[Every, int]] = {"week": 5, "month": 23}


@dataclass(frozen=True, slots=True)
class Timer:
    """``function`` at ``at``: every day, or on the ``nth`` session of a week or month (-1 = the last).

    ``weekday`` 0 = Monday in place of ``nth``.
    """

    function: Callable[..., Any]
    at: time
    every: Every = "day"
    nth: int | None = None
    weekday: int | None = None

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise UsageError("platform.timer", "a timer calls a function", found=repr(self.function))
        if self.weekday is not None and self.weekday not in range(5):
            raise UsageError(
                "platform.timer", "no such weekday", expected="1 to 5", found=str(self.weekday + 1)
            )
        most = _MOST.get(self.every)
        if most and self.nth is not None and not 1 <= abs(self.nth) <= most:
            raise UsageError(
                "platform.timer",
                f"no {self.every} has such a session",
                expected=f"1 to {most}, or -1 to -{most} from the end",
                found=str(self.nth),
            )

    def due(self, day: date, dates: Calendar) -> bool:
        """Whether it is called on session ``day``."""
        if self.every == "day":
            return True
        if self.weekday is not None:
            return day.weekday() == self.weekday
        sessions = period(day, self.every, dates)
        place = (self.nth or 1) - (1 if (self.nth or 1) > 0 else 0)
        return -len(sessions) <= place < len(sessions) and sessions[place] == day


def period(day: date, every: Every, dates: Calendar) -> list[date]:
    """The sessions of the week or month of ``day``, as far as the calendar goes."""
    if every == "week":
        first = day - timedelta(days=day.weekday())
        last = first + timedelta(days=6)
    else:
        first = day.replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return dates.sessions(max(first, dates.first), min(last, dates.last))


def phase_of(at: time, terms: Terms) -> Phase:
    """The instant of a daily session at which a function for the clock time ``at`` is called."""
    if at < OPENING:
        return Phase.PREOPEN
    if at == OPENING:
        return terms.opening
    return Phase.DECIDE if at < CLOSING else Phase.CLOSE
