"""Price limits of a whole session at once: the rulebook's rows as integers per board and status."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import RuleMissing
from quant.core.ids import Code
from quant.core.market.instrument import Board, Status
from quant.core.market.rules import Rulebook
from quant.core.market.tables import DatedTable
from quant.core.money import RATE_SCALE, scaled

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NORMAL, ST, DELISTING = 0, 1, 2
STATUSES = (Status.NORMAL, Status.ST, Status.DELISTING)
CEILING = 100_000_000
"""Upper bound, in cents, of a price on a day without limit."""
LISTING_DAYS = 10
"""On a listing's first sessions, up to this one, the rulebook is asked about each name by itself."""


@dataclass(frozen=True, slots=True)
class Band:
    """Allowed prices of one session in cents ``[S]``; ``free`` where the rules set no limit."""

    down: Ints
    up: Ints
    free: Bools


class SessionLimits:
    """Boards and price limits by date; a session between two changes of the rules costs no lookup."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules
        self._changes = _change_days(rules.boards, rules.price_limits)
        self._boards: dict[int, Ints] = {}
        self._rates: dict[int, Ints] = {}

    def boards(self, codes: Sequence[Code], day: date) -> Ints:
        """Board number of each code on ``day``, UNKNOWN where the rulebook has no row (not opened yet)."""
        era = bisect_right(self._changes, day)
        if era not in self._boards:
            self._boards[era] = np.array([self._board(code, day) for code in codes], dtype=np.int64)
        return self._boards[era]

    def rates(self, day: date) -> Ints:
        """``[11, 3]`` limits at RATE_SCALE by board number and status; -1 where there is no rule."""
        era = bisect_right(self._changes, day)
        if era not in self._rates:
            rows = [[self._rate(board, status, day) for status in STATUSES] for board in Board]
            self._rates[era] = np.array(rows, dtype=np.int64)
        return self._rates[era]

    def listing(self, board: Board, day: date, reference: int, listing_day: int) -> tuple[int, int] | None:
        """(down, up) in cents on a new listing's ``listing_day``-th session, None when it has no limit."""
        price = Decimal(reference) / 100
        up, down = self._rules.price_limit(board, Status.NORMAL, day, price, listing_day)
        return None if up is None or down is None else (int(down * 100), int(up * 100))

    def opening(self, board: Board, day: date, issue_price: int) -> tuple[int, int] | None:
        """(lowest, highest) opening price in cents on a listing day under the 44 % rule, else None."""
        if self._rules.first_day_bounds(board, day) is None:
            return None
        up, down = self._rules.opening_range(board, day, Decimal(issue_price) / 100)
        return int(down * 100), int(up * 100)

    def delisting_starts_free(self, board: Board, day: date) -> bool:
        """Whether a delisting period that starts on ``day`` starts with a session without limit."""
        return self._rules.delisting_free_sessions(board, day) > 0

    def _board(self, code: Code, day: date) -> Board:
        try:
            return self._rules.board(code, day)
        except RuleMissing:
            return Board.UNKNOWN

    def _rate(self, board: Board, status: Status, day: date) -> int:
        try:
            rate = self._rules.limit_rate(board, status, day)
        except RuleMissing:
            return -1
        return -1 if rate is None else scaled(rate, RATE_SCALE)


def _change_days(*tables: DatedTable) -> list[date]:
    """Every day on which some row of the tables starts to hold or no longer holds."""
    days = {row.start for table in tables for row in table.each()}
    days |= {row.end + timedelta(days=1) for table in tables for row in table.each() if row.end}
    return sorted(days)


def around(reference: Ints, rate: Ints) -> tuple[Ints, Ints]:
    """(down, up) in cents: half up to the cent, at least one cent from the reference, never below one cent.

    ``rate`` is at RATE_SCALE; the formula is ``quant.core.market.rules.limit_price`` on arrays.
    """
    up = (2 * reference * (RATE_SCALE + rate) + RATE_SCALE) // (2 * RATE_SCALE)
    down = (2 * reference * (RATE_SCALE - rate) + RATE_SCALE) // (2 * RATE_SCALE)
    return np.maximum(np.minimum(down, reference - 1), 1), np.maximum(up, reference + 1)
