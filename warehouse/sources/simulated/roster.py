"""The invented companies: codes, boards, listing sessions, sizes. Fixed by the seed before the first session.

Codes count down from the top of ranges that the exchanges have hardly used; names are 模拟001, 模拟002, ….
Any likeness to a real company is an accident of the code space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quant.core.ids import Code, parse_code
from quant.warehouse.sources.simulated.draws import Floats, Purpose, generator
from quant.warehouse.sources.simulated.params import SimulatedParams

if TYPE_CHECKING:
    from quant.core.market.calendar import Calendar

INDUSTRIES = 12
NEVER = 1 << 30
BSE_NEW_CODES = date(2024, 4, 22)
BSE_ALL_CODES = date(2025, 10, 9)
_LISTING_SPAN = 1_900
_LISTING_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class _Segment:
    """A code range: where its numbers begin counting down, since when it lists, how common it is."""

    suffix: str
    tops: tuple[int, ...]
    opened: date
    weight: float


_SEGMENTS = (
    _Segment("SH", (605_999, 603_999, 601_999), date(1993, 1, 4), 0.32),
    _Segment("SZ", (3_799, 1_999), date(1993, 1, 4), 0.16),
    _Segment("SZ", (2_999,), date(2004, 6, 25), 0.12),
    _Segment("SZ", (302_999, 301_999, 300_999), date(2009, 10, 30), 0.22),
    _Segment("SH", (689_999, 688_999), date(2019, 7, 22), 0.12),
    _Segment("BJ", (839_999, 838_999), date(2021, 11, 15), 0.06),
)
_BEIJING = len(_SEGMENTS) - 1


@dataclass(frozen=True, slots=True)
class Roster:
    """What never changes about the instruments, ``[S]``.

    ``list_index`` counts sessions from the market's first one: negative when listed before it, ``NEVER`` when
    the listing lies beyond the calendar. ``code`` is the code at listing, ``later_code`` the one that
    replaced it (empty when none did). ``segment`` is the code range, ``issue_price`` in cents,
    ``shares`` the free float at the first session.
    """

    code: tuple[str, ...]
    later_code: tuple[str, ...]
    name: tuple[str, ...]
    list_date: tuple[date | None, ...]
    list_index: NDArray[np.int64]
    segment: NDArray[np.int64]
    industry: NDArray[np.int64]
    issue_price: NDArray[np.int64]
    premium: Floats
    first_price: NDArray[np.int64]
    shares: NDArray[np.int64]
    turnover: Floats
    beta: Floats
    volatility: Floats
    pays: NDArray[np.bool_]


def draw_roster(params: SimulatedParams, calendar: Calendar, sessions: Sequence[date]) -> Roster:
    """The roster of a market; ``sessions`` are all sessions from its start to the end of the calendar."""
    count = params.instruments
    rng = generator(params.seed, Purpose.ROSTER)
    weights = np.cumsum([s.weight for s in _SEGMENTS])
    segment = np.searchsorted(weights[:-1], rng.random(count), side="right").astype(np.int64)
    u = rng.random((12, count))
    list_index = _list_indices(params, sessions, segment, u[0], u[1])
    list_date = tuple(
        _list_date(calendar, sessions, int(segment[i]), int(list_index[i]), float(u[2, i]))
        for i in range(count)
    )
    code, later = _codes(segment, list_date)
    width = max(3, len(str(count)))
    return Roster(
        code=code,
        later_code=later,
        name=tuple(f"模拟{i + 1:0{width}d}" for i in range(count)),
        list_date=list_date,
        list_index=list_index,
        segment=segment,
        industry=(u[3] * INDUSTRIES).astype(np.int64),
        issue_price=(450 + 3_700 * u[4] * u[4]).astype(np.int64),
        premium=1.05 + 1.75 * u[5] * u[5],
        first_price=(450 + 5_500 * u[6] * u[6]).astype(np.int64),
        shares=(4.0e7 + 1.2e9 * u[7] * u[7] * u[7]).astype(np.int64) // 100 * 100,
        turnover=0.004 + 0.022 * u[8],
        beta=0.7 + 0.6 * u[9],
        volatility=0.24 + 0.22 * u[10],
        pays=u[11] < 0.7,
    )


def _list_indices(
    params: SimulatedParams, sessions: Sequence[date], segment: NDArray[np.int64], u: Floats, v: Floats
) -> NDArray[np.int64]:
    opened = np.array([np.searchsorted(_days(sessions), s.opened.toordinal()) for s in _SEGMENTS])[segment]
    is_new = (u < min(0.95, _LISTING_SHARE * params.listings)) | (opened > 0)
    offset = opened + (v * v * np.where(opened > 0, 0.7, 1.0) * _LISTING_SPAN).astype(np.int64)
    offset = np.where(opened > 0, offset, 1 + (v * _LISTING_SPAN).astype(np.int64))
    index = np.where(is_new, offset, -1)
    return np.where(index < len(sessions), index, NEVER).astype(np.int64)


def _days(sessions: Sequence[date]) -> NDArray[np.int64]:
    return np.array([d.toordinal() for d in sessions], dtype=np.int64)


def _list_date(
    calendar: Calendar, sessions: Sequence[date], segment: int, index: int, u: float
) -> date | None:
    if index == NEVER:
        return None
    if index >= 0:
        return sessions[index]
    first = max(_SEGMENTS[segment].opened, calendar.first)
    span = (sessions[0] - first).days - 120
    day = first + timedelta(days=int(u * max(span, 1)))
    return day if calendar.is_session(day) else calendar.next(day)


def _codes(
    segment: NDArray[np.int64], list_date: tuple[date | None, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    used = [0] * len(_SEGMENTS)
    code, later = [], []
    for s, listed in zip(segment.tolist(), list_date, strict=True):
        rule, number = _SEGMENTS[s], used[s]
        used[s] += 1
        digits = rule.tops[number // 1_000 % len(rule.tops)] - number % 1_000
        if s != _BEIJING:
            code.append(f"{digits:06d}.{rule.suffix}")
            later.append("")
            continue
        new = f"920{digits % 1_000:03d}.{rule.suffix}"
        switches = listed is not None and listed < BSE_NEW_CODES
        code.append(f"{digits:06d}.{rule.suffix}" if switches else new)
        later.append(new if switches else "")
    return tuple(code), tuple(later)


def segment_codes(day: date) -> tuple[Code, ...]:
    """A code of each segment as it was written on ``day``: what the segment's board is looked up by."""
    codes = [parse_code(f"{s.tops[0]:06d}.{s.suffix}") for s in _SEGMENTS]
    if day >= BSE_ALL_CODES:
        codes[_BEIJING] = parse_code("920999.BJ")
    return tuple(codes)
