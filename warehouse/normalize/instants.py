"""When a row could be known: instants of sessions as columns."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

import polars as pl

from quant.core.errors import SpecError
from quant.core.market.calendar import Calendar
from quant.core.time import EXCHANGE_ZONES

INSTANT: Final = pl.Datetime("us", "UTC")
ANNOUNCED_AT: Final = "20:00"
"""Local time by which the announcements of a date count as known."""
_RULE: Final = re.compile(r"(preopen|open|close)(?:\s*\+\s*(\d{1,2})h)?")


def session_instants(calendar: Calendar, sessions: list[date]) -> pl.DataFrame:
    """Columns session, preopen, open, close (instants, UTC) of the given dates that are sessions."""
    inside = [day for day in sessions if calendar.first <= day <= calendar.last and calendar.is_session(day)]
    rows = calendar.instant_rows(inside)
    instants = {
        name: [row[i] // 1000 for row in rows] for i, name in ((0, "preopen"), (1, "open"), (3, "close"))
    }
    return pl.DataFrame(
        {"session": inside, **instants},
        schema={"session": pl.Date, **dict.fromkeys(instants, pl.Int64)},
    ).with_columns(pl.col(*instants).cast(INSTANT))


def known_at(rule: str, suffix: str = "") -> pl.Expr:
    """The expression of a rule such as ``close + 2h`` over the columns of ``session_instants``, whose names
    end with ``suffix`` where they were joined to prices.

    ``announcement`` means that rows carry their own date. Raises SpecError ``source.known_at``.
    """
    if rule == "announcement":
        return pl.lit(None, INSTANT)
    found = _RULE.fullmatch(rule.strip())
    if found is None:
        raise SpecError(
            "source.known_at",
            f"{rule!r} is no instant of a session",
            expected="preopen, open, close, close + 2h or announcement",
            found=rule,
        )
    return pl.col(found[1] + suffix) + pl.duration(hours=int(found[2] or 0))


def announced_instant(column: str, mic: str) -> pl.Expr:
    """The UTC instant from which what was announced on a local date counts as known."""
    hour, minute = ANNOUNCED_AT.split(":")
    local = pl.col(column).cast(pl.Datetime("us")) + pl.duration(hours=int(hour), minutes=int(minute))
    return local.dt.replace_time_zone(EXCHANGE_ZONES[mic]).dt.convert_time_zone("UTC")
