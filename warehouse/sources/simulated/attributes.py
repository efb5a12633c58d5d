"""Dated attributes of the instruments, read off the market's own history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from quant.core.market.instrument import Board
from quant.warehouse.sources.simulated.market import SimulatedMarket
from quant.warehouse.sources.simulated.roster import BSE_ALL_CODES


@dataclass(frozen=True, slots=True)
class Attribute:
    """``value`` held from ``start`` to ``end``, both sessions inclusive; ``end`` None: still.

    ``known`` is the session after whose close it was announced, None when before the market starts.
    """

    instrument: int
    attribute: str
    value: str
    start: date
    end: date | None
    known: date | None


def attributes(market: SimulatedMarket) -> list[Attribute]:
    """Names, boards and codes of every listed instrument, its ST spells and its delisting period.

    What the market's last session does not know yet is absent; a spell that goes on has no end.
    """
    found: list[Attribute] = []
    label = np.where(market.delisting, 2, np.where(market.st, 1, 0))
    for s in np.flatnonzero(market.listed.any(axis=0)).tolist():
        rows = np.flatnonzero(market.listed[:, s])
        first, last = int(rows[0]), int(rows[-1])
        for start, end, value in _runs(market, label[:, s], first, last):
            found.append(_row(market, s, "name", _name(market.roster.name[s], value), start, end))
            if value:
                kind = "st" if value == 1 else "delisting"
                found.append(_row(market, s, kind, "true", start, end))
        for start, end, value in _runs(market, market.board[:, s], first, last):
            found.append(_row(market, s, "board", Board(value).name, start, end))
        found.extend(_codes(market, s, first, last))
    return sorted(found, key=lambda a: (a.start, a.instrument, a.attribute))


def _runs(
    market: SimulatedMarket, values: NDArray[np.int64], first: int, last: int
) -> Iterator[tuple[int, int | None, int]]:
    """(first row, last row or None when going on, value) of each stretch of equal values."""
    own = values[first : last + 1]
    starts = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist()]
    for start, stop in zip(starts, [*starts[1:], None], strict=True):
        end = first + stop - 1 if stop is not None else _final(market, last)
        yield first + start, end, int(own[start])


def _final(market: SimulatedMarket, last: int) -> int | None:
    """The last row of an instrument whose history is over, None when it is still listed."""
    return last if last < len(market.sessions) - 1 else None


def _name(name: str, label: int) -> str:
    return (name, f"ST{name}", f"{name}退")[label]


def _row(
    market: SimulatedMarket, s: int, attribute: str, value: str, start: int, end: int | None
) -> Attribute:
    listed = market.roster.list_date[s]
    timeless = attribute in ("board", "code") or value == market.roster.name[s]
    since = listed if listed and start == 0 and timeless else market.sessions[start]
    known = market.sessions[start - 1] if start > 0 else None
    return Attribute(s, attribute, value, since, None if end is None else market.sessions[end], known)


def _codes(market: SimulatedMarket, s: int, first: int, last: int) -> list[Attribute]:
    roster, sessions = market.roster, market.sessions
    change = next((t for t in range(first, last + 1) if sessions[t] >= BSE_ALL_CODES), None)
    if not roster.later_code[s] or change is None:
        return [_row(market, s, "code", roster.code[s], first, _final(market, last))]
    if change == first:
        return [_row(market, s, "code", roster.later_code[s], first, _final(market, last))]
    return [
        _row(market, s, "code", roster.code[s], first, change - 1),
        _row(market, s, "code", roster.later_code[s], change, _final(market, last)),
    ]


def listed_until(market: SimulatedMarket, s: int) -> date | None:
    """The first session on which an instrument is no longer listed, None while it is."""
    rows = np.flatnonzero(market.listed[:, s])
    last = int(rows[-1])
    return market.sessions[last + 1] if last + 1 < len(market.sessions) else None
