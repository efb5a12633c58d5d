"""Sessions of the exchanges' calendars, and trading hours by product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from quant.core.ids import parse_code
from quant.core.market.calendar import ALWAYS, Calendar, calendar
from quant.core.market.sessions import calendar_name, hours_row, night_before, spans_of_hours
from quant.core.venues import MIC_OF_NAME, VENUES
from quant.native.rules.given import Given
from quant.native.rules.verdict import Verdict

__all__ = ["CASES"]

_NAMES: Final = {"CN": "XSHG", "US": "XNYS", "CRYPTO": ALWAYS, "24/7": ALWAYS, "24X7": ALWAYS}


def is_session(given: Given) -> bool:
    return _calendar(given).is_session(given.day("date"))


def next_session(given: Given) -> str:
    return _calendar(given).next(given.day("date")).isoformat()


def previous_session(given: Given) -> str:
    return _calendar(given).previous(given.day("date")).isoformat()


def session_count(given: Given) -> int:
    """Sessions from ``start`` to ``end``, both inclusive (also ``from`` and ``to``), or of a ``year``."""
    if given.get("year") is not None:
        year = given.count("year")
        return _calendar(given).count(date(year, 1, 1), date(year, 12, 31))
    start = given.day("start" if "start" in given else "from")
    return _calendar(given).count(start, given.day("end" if "end" in given else "to"))


def session_instants(given: Given) -> Verdict:
    """The local times that drive a session of daily bars."""
    row = _calendar(given).hours(given.day("date"))
    return Verdict({name: row[name] for name in ("preopen", "open", "decide", "close")})


def trading_hours(given: Given) -> Verdict:
    """Local times of a session, night part first, and the evening it is traded on."""
    code, on = parse_code(given.text("symbol")), given.day("date")
    row = hours_row(code, on)
    spans = spans_of_hours(row)
    evening = night_before(on, calendar("XSHG")) if spans.night else None
    got = {
        "night": list(spans.parts[0]) if evening is not None else [],
        "evening": evening.isoformat() if evening is not None else None,
        "day": list(spans.parts[-1]),
    }
    return Verdict(got, (row,))


def _calendar(given: Given) -> Calendar:
    name = given.text("cal")
    mic = _NAMES.get(name.upper()) or MIC_OF_NAME.get(name.upper())
    return calendar(calendar_name(mic) if mic is not None and mic in VENUES else mic or name)


CASES: Final[Mapping[str, Callable[[Given], Any]]] = {
    "is_session": is_session,
    "next_session": next_session,
    "previous_session": previous_session,
    "session_count": session_count,
    "session_instants": session_instants,
    "trading_hours": trading_hours,
}
"""The functions of worked cases, by name."""
