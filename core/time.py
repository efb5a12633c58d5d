"""Instants are int nanoseconds since 1970-01-01T00:00:00Z; sessions are local dates of the exchange."""

from __future__ import annotations

import time as _clock
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from quant.core.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

NS_PER_SECOND: Final = 1_000_000_000
NS_PER_DAY: Final = 86_400 * NS_PER_SECOND

EXCHANGE_ZONES: Final = {
    **dict.fromkeys(("XSHG", "XSHE", "BJSE"), "Asia/Shanghai"),
    **dict.fromkeys(("XNYS", "XNAS", "XASE", "ARCX", "BATS", "US"), "America/New_York"),
}
"""IANA zone of each exchange, by MIC. Shanghai kept summer time in 1991, so no fixed offset is assumed."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

__all__ = [
    "EXCHANGE_ZONES",
    "NS_PER_DAY",
    "NS_PER_SECOND",
    "epoch_days",
    "from_datetime",
    "from_epoch_days",
    "parse_clock",
    "parse_date",
    "parse_instant",
    "session_instant",
    "show_instant",
    "to_datetime",
    "utc_now",
]


def utc_now() -> int:
    """The wall clock in ns UTC: only for ``recorded_at`` stamps, never for decisions."""
    return _clock.time_ns()


def parse_date(text: str | date) -> date:
    """A session date from ``2024-06-03``, ``20240603`` or a date; a datetime is refused (it has a zone).

    Raises UsageError ``date.invalid``.
    """
    if isinstance(text, date) and not isinstance(text, datetime):
        return text
    if isinstance(text, str) and text.isascii():
        bare = text.replace("-", "")
        if bare.isdigit() and len(bare) == 8 and len(text) in (8, 10):
            try:
                return date.fromisoformat(text)
            except ValueError:
                pass
    raise UsageError(
        "date.invalid",
        f"{text!r} is not a date",
        expected="YYYY-MM-DD or YYYYMMDD",
        found=repr(text),
    )


def parse_instant(text: str | datetime) -> datetime:
    """An aware datetime from ISO 8601 with an offset, as ``2026-01-05T00:00+08:00``.

    Raises UsageError ``time.invalid``: a date alone has no hour, an instant without offset no place.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError):
        moment = None
    bare = isinstance(text, str) and len(text.strip()) <= len("2026-01-05")
    if moment is None or moment.tzinfo is None or bare:
        day = moment.date().isoformat() if moment is not None else "2026-01-05"
        raise UsageError(
            "time.invalid",
            f"{text!r} is not an instant",
            expected="a date, an hour and an offset, as 2026-01-05T00:00+08:00",
            found=str(text),
            hint=f"write {day}T00:00+08:00 for the beginning of that day in Shanghai",
        )
    return moment


@lru_cache(maxsize=256)
def parse_clock(text: str) -> int:
    """Nanoseconds after local midnight of ``HH:MM`` or ``HH:MM:SS``."""
    parts = text.split(":") if text.isascii() else []
    if len(parts) in (2, 3) and all(len(p) == 2 and p.isdigit() for p in parts):
        hour, minute, second = (int(p) for p in (*parts, "00")[:3])
        if hour < 24 and minute < 60 and second < 60:
            return (hour * 3600 + minute * 60 + second) * NS_PER_SECOND
    raise UsageError("time.invalid", f"{text!r} is not a time of day", expected="HH:MM[:SS]", found=text)


def session_instant(mic: str, session: date, clock: str) -> int:
    """The ns UTC at which the wall clock of exchange ``mic`` shows ``clock`` on ``session``.

    Raises UsageError ``exchange.unknown`` for an exchange without a time zone.
    """
    since_midnight = parse_clock(clock)
    hour, minute = divmod(since_midnight // NS_PER_SECOND // 60, 60)
    local = datetime(session.year, session.month, session.day, hour, minute, tzinfo=_zone(mic))
    offset = local.utcoffset() or timedelta()
    return epoch_days(session) * NS_PER_DAY + since_midnight - offset // timedelta(seconds=1) * NS_PER_SECOND


@lru_cache(maxsize=64)
def _zone(mic: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    name = EXCHANGE_ZONES.get(mic)
    if name is None:
        raise UsageError(
            "exchange.unknown",
            f"no time zone is known for exchange {mic!r}",
            expected=" or ".join(EXCHANGE_ZONES),
            found=mic,
        )
    return ZoneInfo(name)


def epoch_days(session: date) -> int:
    """Days since 1970-01-01, the panel's int32 form of a session."""
    return session.toordinal() - _EPOCH_ORDINAL


def from_epoch_days(days: int) -> date:
    return date.fromordinal(days + _EPOCH_ORDINAL)


def to_datetime(instant: int) -> datetime:
    """The aware UTC datetime of ``instant``, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=instant // 1000)


def from_datetime(moment: datetime) -> int:
    """ns UTC of an aware datetime. Raises UsageError ``time.naive`` when it has no zone."""
    if moment.tzinfo is None:
        raise UsageError("time.naive", f"{moment.isoformat()} has no time zone", expected="an aware datetime")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def show_instant(instant: int) -> str:
    """ISO 8601 in UTC with all nine digits where they are not zero: ``2024-06-03T01:30:00Z``."""
    seconds, fraction = divmod(instant, NS_PER_SECOND)
    whole = to_datetime(seconds * NS_PER_SECOND).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction:09d}Z" if fraction else f"{whole}Z"
