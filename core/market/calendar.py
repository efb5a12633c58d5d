"""Trading calendars from dated tables. Sessions are local dates of the exchange, instants ns UTC."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

from quant.core.errors import Location, RuleMissing
from quant.core.market.tables import load_toml
from quant.core.time import NS_PER_DAY, NS_PER_SECOND, epoch_days, session_instant

__all__ = ["Calendar", "Instants", "calendar"]

_US: Final = ("XNYS", "XNAS", "XASE", "ARCX", "BATS", "US")
_FILES: Final = {
    **dict.fromkeys(("XSHG", "XSHE", "BJSE"), "calendar_xshg"),
    **dict.fromkeys(_US, "calendar_xnys"),
}
_SATURDAY: Final = 5
ALWAYS: Final = "24x7"
"""The calendar of markets that never close: a session is a day of UTC, from midnight to midnight."""


@dataclass(frozen=True, slots=True)
class Instants:
    """The instants of one session in ns UTC: in Shanghai 09:15, 09:30, 14:57 and 15:00."""

    preopen: int
    open: int
    decide: int
    close: int


class Calendar:
    """Sessions of one exchange between ``first`` and ``last``; outside of them every question raises.

    Every method raises RuleMissing ``calendar.range`` when its answer would need a day the table does not
    cover, so that a year whose holidays are not announced yet is never guessed.
    """

    __slots__ = ("_days", "_file", "_ordinals", "fingerprint", "first", "last", "mic")

    def __init__(self, mic: str, file: str) -> None:
        table = load_toml(file)
        self.mic = mic
        self._file = f"core/market/data/{file}.toml"
        self.first: date = table["first"]
        self.last: date = table["last"]
        self._ordinals = _open_ordinals(table)
        self._days = [date.fromordinal(ordinal) for ordinal in self._ordinals]
        self.fingerprint = _fingerprint(self._ordinals)

    def __repr__(self) -> str:
        return f"Calendar({self.mic!r}, {self.first}..{self.last}, {len(self._days)} sessions)"

    def sessions(self, start: date, end: date) -> list[date]:
        """Sessions from ``start`` to ``end``, both inclusive."""
        low, high = self._slice(start, end)
        return self._days[low:high]

    def count(self, start: date, end: date) -> int:
        """How many sessions ``sessions(start, end)`` has."""
        low, high = self._slice(start, end)
        return high - low

    def is_session(self, day: date) -> bool:
        self._check(day)
        place = bisect_left(self._days, day)
        return place < len(self._days) and self._days[place] == day

    def next(self, day: date) -> date:
        """The first session after ``day``."""
        return self.offset(day, 1)

    def previous(self, day: date) -> date:
        """The last session before ``day``."""
        return self.offset(day, -1)

    def offset(self, day: date, sessions: int) -> date:
        """The session ``sessions`` steps after (before, when negative) ``day``.

        ``day`` need not be a session: 1 is the first one after it, -1 the last one before it. 0 asks for
        ``day`` itself, which must then be a session.
        """
        self._check(day)
        if sessions > 0:
            place = bisect_right(self._days, day) + sessions - 1
        elif sessions < 0:
            place = bisect_left(self._days, day) + sessions
        else:
            place = self.index(day)
        if not 0 <= place < len(self._days):
            raise self._outside(day, f"{sessions:+d} sessions from {day} is not covered")
        return self._days[place]

    def index(self, session: date) -> int:
        """Position of ``session`` among all sessions of the calendar, 0 for the first."""
        if not self.is_session(session):
            nearest = self._days[max(0, bisect_right(self._days, session) - 1)]
            raise RuleMissing(
                "calendar.closed",
                f"{session} is not a session of {self.mic}",
                expected=f"a session, e.g. {nearest}",
                found=session.isoformat(),
            )
        return bisect_left(self._days, session)

    def instants(self, session: date) -> Instants:
        """Pre-open, open, before-close decision and close of ``session`` in ns UTC."""
        self.index(session)
        row = self.hours(session)
        clocks = (row["preopen"], row["open"], row["decide"], row["close"])
        return Instants(*(session_instant(self.mic, session, clock) for clock in clocks))

    def instant_rows(self, sessions: Sequence[date]) -> list[tuple[int, int, int, int]]:
        """``instants`` of many sessions, as rows for the panel's int64 array [T, 4]."""
        found = [self.instants(session) for session in sessions]
        return [(each.preopen, each.open, each.decide, each.close) for each in found]

    def hours(self, session: date) -> Mapping[str, Any]:
        """The row of the instants of ``session``, an early close taken into account.

        Raises RuleMissing ``calendar.range``.
        """
        early = self._early(session)
        for row in load_toml(_FILES[self.mic])["hours"]:
            if row["from"] <= session <= row.get("to", self.last):
                last = row if early is None else early
                return {**row, "decide": last["decide"], "close": last["close"]}
        raise self._outside(session, f"no hours are known for {session}")

    def early_close(self, session: date) -> str | None:
        """The clock at which a shortened session closes, None on a whole one."""
        row = self._early(session)
        return str(row["close"]) if row is not None else None

    def _early(self, session: date) -> Any:
        rows = load_toml(_FILES[self.mic]).get("early", ()) if self.mic in _FILES else ()
        return next((row for row in rows if row["from"] <= session <= row["to"]), None)

    def _slice(self, start: date, end: date) -> tuple[int, int]:
        self._check(start)
        self._check(end)
        low = bisect_left(self._days, start)
        return low, max(low, bisect_right(self._days, end))

    def _check(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise self._outside(day, f"the {self.mic} calendar does not cover {day}")

    def _outside(self, day: date, message: str) -> RuleMissing:
        return RuleMissing(
            "calendar.range",
            message,
            where=Location(self._file),
            expected=f"{self.first} to {self.last}",
            found=day.isoformat(),
            hint="a year is added to the table when the exchange announces its holidays, in December",
        )


class _Always(Calendar):
    """Every day is a session; its close is the midnight that ends it."""

    __slots__ = ()

    def __init__(self) -> None:
        self.mic = ALWAYS
        self._file = ""
        self.first, self.last = date(2009, 1, 3), date(2099, 12, 31)
        self._ordinals = list(range(self.first.toordinal(), self.last.toordinal() + 1))
        self._days = [date.fromordinal(ordinal) for ordinal in self._ordinals]
        self.fingerprint = _fingerprint(self._ordinals)

    def instants(self, session: date) -> Instants:
        self.index(session)
        midnight = epoch_days(session) * NS_PER_DAY
        return Instants(midnight, midnight, midnight + NS_PER_DAY - 60 * NS_PER_SECOND, midnight + NS_PER_DAY)


@cache
def calendar(mic: str) -> Calendar:
    """The calendar of an exchange by MIC; Shenzhen and Beijing keep Shanghai's days, venues of US equities
    New York's, and ``24x7`` never closes.

    >>> calendar("XSHG").next(date(2026, 9, 30))
    datetime.date(2026, 10, 8)

    Raises RuleMissing ``calendar.unknown``.
    """
    if mic == ALWAYS:
        return _Always()
    file = _FILES.get(mic)
    if file is None:
        raise RuleMissing(
            "calendar.unknown",
            f"no calendar for {mic!r}",
            expected=" or ".join((*_FILES, ALWAYS)),
            found=mic,
        )
    return Calendar(mic, file)


def _open_ordinals(table: Any) -> list[int]:
    """Proleptic ordinals of the weekdays that are not in a closure row."""
    closed: set[int] = set()
    for row in table["closed"]:
        closed.update(range(row["from"].toordinal(), row["to"].toordinal() + 1))
    first, last = table["first"].toordinal(), table["last"].toordinal()
    monday = date(1990, 1, 1).toordinal()
    return [day for day in range(first, last + 1) if (day - monday) % 7 < _SATURDAY and day not in closed]


def _fingerprint(ordinals: list[int]) -> str:
    from quant.core.hashing import fingerprint

    return fingerprint([ordinal - date(1970, 1, 1).toordinal() for ordinal in ordinals])
