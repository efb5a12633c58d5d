"""Trading hours: when an instrument is traded in a session, breaks and night parts included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Final

from quant.core.errors import RuleMissing
from quant.core.ids import Code
from quant.core.market.calendar import ALWAYS, Calendar, calendar
from quant.core.market.tables import DatedTable, Row, load_toml
from quant.core.time import NS_PER_DAY, NS_PER_SECOND, epoch_days, session_instant
from quant.core.venues import VENUES

__all__ = [
    "Segment",
    "Spans",
    "calendar_name",
    "calendar_of",
    "hour_tables",
    "hours_row",
    "night_before",
    "product_of",
    "spans_of_hours",
    "trading_hours",
]

_FILE: Final = "sessions"
_SATURDAY: Final = 5
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_SHANGHAI: Final = ("XSHG", "XSHE", "BJSE", "CCFX", "XSGE", "XINE", "XDCE", "XZCE", "GFEX")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of trading without a break, in ns UTC. Prints from ``since`` on, before its ``start``, belong
    to its first bar (call auctions), those up to ``until`` to its last. Breaks of the day lie within a
    ``part``, nights between parts.
    """

    start: int
    end: int
    since: int
    until: int
    part: int
    session: date


@dataclass(frozen=True, slots=True)
class Spans:
    """Local times of a session by part, ``09:30-11:30``; a first part that is a ``night`` one is traded on an
    evening before. Prints up to ``before`` a part and ``after`` a stretch belong to it.
    """

    parts: tuple[tuple[str, ...], ...]
    night: bool
    before: str
    after: str


def calendar_of(code: Code) -> Calendar:
    """The calendar of an instrument's exchange; the futures exchanges of China keep Shanghai's days.

    Raises RuleMissing ``calendar.unknown``.
    """
    return calendar(calendar_name(code.mic))


def product_of(code: Code) -> str:
    """What the hours of a futures contract depend on, as ``rb`` of rb2110; ``*`` for others."""
    found = _LETTERS.match(code.symbol)
    return found[0] if VENUES[code.mic].shape == "future" and found is not None else "*"


def trading_hours(code: Code, sessions: Sequence[date]) -> tuple[Segment, ...]:
    """The segments of ascending ``sessions``, in time order.

    >>> from quant.core.ids import parse_code
    >>> [s.part for s in trading_hours(parse_code("rb2110.SHFE"), [date(2021, 4, 27)])]
    [0, 1, 1, 1]

    Raises RuleMissing ``rule.missing`` for an exchange or a product whose hours are not known on a session.
    """
    if calendar_name(code.mic) == ALWAYS:
        return tuple(_whole_day(k, day) for k, day in enumerate(sessions))
    days = calendar_of(code)
    parts = [part for session in sessions for part in _parts(code, session, days)]
    return tuple(segment for number, part in enumerate(parts) for segment in _dated(part, number))


def night_before(session: date, days: Calendar) -> date | None:
    """The evening on which the night part of a session is traded; None where there is none."""
    before = days.previous(session)
    between = (before + timedelta(days=k) for k in range(1, (session - before).days))
    if any(day.weekday() < _SATURDAY for day in between):
        return None
    return None if _no_nights().find((), session) is not None else before


@dataclass(frozen=True, slots=True)
class _Part:
    mic: str
    session: date
    on: date
    spans: tuple[str, ...]
    before: int
    after: int


def calendar_name(mic: str) -> str:
    """Whose days an exchange keeps: Shanghai's in China, nobody's where trading never stops."""
    venue = VENUES.get(mic)
    if venue is not None and venue.shape == "crypto":
        return ALWAYS
    return "XSHG" if mic in _SHANGHAI else mic


def _whole_day(part: int, session: date) -> Segment:
    start = epoch_days(session) * NS_PER_DAY
    end = start + NS_PER_DAY
    return Segment(start, end, start, end, part, session)


def _parts(code: Code, session: date, days: Calendar) -> Iterator[_Part]:
    said = spans_of_hours(hours_row(code, session))
    before, after = (_seconds(clock) * NS_PER_SECOND for clock in (said.before, said.after))
    for number, spans in enumerate(said.parts):
        on = session
        if said.night and number == 0:
            evening = night_before(session, days)
            if evening is None:
                continue
            on = evening
        yield _Part(code.mic, session, on, spans, before, after)


def _dated(part: _Part, number: int) -> Iterator[Segment]:
    midnight = session_instant("XSHG", part.on, "00:00")
    for k, span in enumerate(part.spans):
        start, end = (midnight + _seconds(clock) * NS_PER_SECOND for clock in span.split("-"))
        since = start - part.before if k == 0 else start
        yield Segment(start, end, since, end + part.after, number, part.session)


def hours_row(code: Code, session: date) -> Row:
    """The row of an instrument's trading hours. Raises RuleMissing ``rule.missing``."""
    product = product_of(code)
    row = _table().find((code.mic, product), session)
    if row is None:
        raise RuleMissing(
            "rule.missing",
            f"the trading hours of {code} on {session} are not known",
            expected=f"a row for {code.mic} {product} in core/market/data/sessions.toml",
            found=f"{code.mic} {product} {session}",
        )
    return row


def spans_of_hours(row: Row) -> Spans:
    """The local times a row of trading hours stands for."""
    said = load_toml(_FILE)["hours"][row.values["hours"]]
    parts = tuple(tuple(part) for part in said["parts"])
    return Spans(parts, bool(said.get("night", False)), said["before"], said["after"])


def _seconds(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def hour_tables() -> tuple[DatedTable, ...]:
    """The dated tables this module reads."""
    return _table(), _no_nights()


@cache
def _table() -> DatedTable:
    return DatedTable.load(_FILE, "sessions", ("exchange", "product"))


@cache
def _no_nights() -> DatedTable:
    return DatedTable.load(_FILE, "no_night", ())
