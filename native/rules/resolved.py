"""Dated rows as the numbers that kernel and exchange run on, session by session.

Every function raises RuleMissing where a session has no row; nothing is filled from a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quant.core.ids import Code
from quant.core.market.instrument import Board, asset_of, mic_of
from quant.core.market.market_tables import market_table
from quant.core.market.rules import rulebook
from quant.core.market.tables import DatedTable, Row
from quant.core.time import session_instant
from quant.native.rules.numbers import price, rate
from quant.native.rules.phases import PHASES, day_halts, day_phases

__all__ = ["BEYOND", "CageTerms", "DividendTaxTerms", "TradingWindow", "cages", "dividend_taxes", "windows"]

BEYOND = ("none", "reject", "hold")
"""What happens to a limit order outside of its range, by the number the compiled rule uses."""


@dataclass(frozen=True, slots=True)
class CageTerms:
    """The range of limit orders: ``beyond`` is a place in BEYOND, ``up`` and ``down`` at RATE_SCALE, ``tick``
    at PRICE_SCALE.
    """

    beyond: int
    up: int
    down: int
    ticks: int
    tick: int


@dataclass(frozen=True, slots=True)
class DividendTaxTerms:
    """Tax rates at RATE_SCALE of what a lot received, by how long it was held."""

    upto_month: int
    upto_year: int
    beyond: int


@dataclass(frozen=True, slots=True)
class TradingWindow:
    """A stretch of one phase in ns UTC, end exclusive; ``phase`` is a place in PHASES."""

    begin: int
    end: int
    phase: int
    cancels: bool
    session: date

    @property
    def name(self) -> str:
        return PHASES[self.phase]


def cages(board: Board, sessions: Sequence[date]) -> list[CageTerms]:
    """The range rule of ascending sessions."""
    found: list[CageTerms] = []
    for row, start, end in market_table("price_cages").spread((board.name,), sessions):
        found += [_cage(row, board, session) for session in sessions[start:end]]
    return found


def dividend_taxes(record_dates: Sequence[date]) -> list[DividendTaxTerms]:
    """The tax of ascending record dates."""
    table: DatedTable = market_table("dividend_tax")
    found: list[DividendTaxTerms] = []
    for row, start, end in table.spread((), record_dates):
        month, year, beyond = (rate(row.values[name]) for name in ("upto_month", "upto_year", "beyond"))
        found += [DividendTaxTerms(month, year, beyond)] * (end - start)
    return found


def windows(code: Code, sessions: Sequence[date]) -> list[TradingWindow]:
    """The phases of ascending sessions in time order, cut where cancels end and where the market halted."""
    return [window for session in sessions for window in _windows(code, session)]


def _windows(code: Code, session: date) -> Iterator[TradingWindow]:
    board = rulebook().board(code, session)
    exchange, asset = mic_of(board) or "", asset_of(board).value
    for kind in ("continuous_am", "continuous_pm"):
        market_table("phases").row((exchange, asset, kind), session)
    spans, _ = day_phases(exchange, asset, board, session)
    halts, _ = day_halts(exchange, session)
    midnight = session_instant(code.mic, session, "00:00")
    for start, end, cancels_end, phase in spans:
        for begin, until, cancels in ((start, cancels_end, True), (cancels_end, end, False)):
            for left, right in _outside(begin, until, halts):
                yield TradingWindow(midnight + left, midnight + right, phase, cancels, session)


def _outside(begin: int, end: int, halts: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of a stretch between halts, which are in time order."""
    for start, stop in halts:
        if begin < min(start, end):
            yield begin, min(start, end)
        begin = max(begin, stop)
    if begin < end:
        yield begin, end


def _cage(row: Row, board: Board, session: date) -> CageTerms:
    beyond = BEYOND.index(row.values["beyond"])
    if beyond == 0:
        return CageTerms(0, 0, 0, 0, 0)
    tick = price(Decimal(rulebook().tick(board, session)))
    return CageTerms(beyond, rate(row.values["up"]), rate(row.values["down"]), row.values["ticks"], tick)
