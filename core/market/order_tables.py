"""Lot and settlement rules as int tables [T][B], the form the kernel reads them in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from quant.core.market.instrument import Board
from quant.core.market.rules import Rulebook, rulebook
from quant.core.market.tables import NO_RULE, unchanging

__all__ = ["OrderTables", "order_tables"]


@dataclass(frozen=True, slots=True)
class OrderTables:
    """Int lists [T][B], axes ``sessions`` and ``boards``: shares, and sessions for ``settlement_days``
    and ``bonus_days``.

    NO_RULE marks sessions on which the board did not exist.
    """

    sessions: tuple[date, ...]
    boards: tuple[Board, ...]
    buy_min: list[list[int]]
    buy_step: list[list[int]]
    sell_step: list[list[int]]
    odd_lot_sell: list[list[int]]
    max_order: list[list[int]]
    settlement_days: list[list[int]]
    bonus_days: list[list[int]]


def order_tables(sessions: Sequence[date], boards: Sequence[Board]) -> OrderTables:
    """The rules of ascending ``sessions`` for each of ``boards``; funds settle as domestic equity funds.

    Raises RuleMissing ``rule.missing`` when a board existed on a session and has no lot or settlement row.
    """
    book = rulebook()
    spans = [list(_spans(book, board, sessions)) for board in boards]

    def table(name: str) -> list[list[int]]:
        columns = [
            [cell for rules, length in column for cell in [rules.get(name, NO_RULE)] * length]
            for column in spans
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    return OrderTables(
        sessions=tuple(sessions),
        boards=tuple(boards),
        buy_min=table("buy_min"),
        buy_step=table("buy_step"),
        sell_step=table("sell_step"),
        odd_lot_sell=table("odd_lot_sell"),
        max_order=table("max_order"),
        settlement_days=table("settlement_days"),
        bonus_days=table("bonus_days"),
    )


def _spans(book: Rulebook, board: Board, sessions: Sequence[date]) -> Iterator[tuple[dict[str, int], int]]:
    """(rules by name, number of sessions) in order; no rules while the board did not exist."""
    lots = book.lots.rows.get((board.name,), ())
    governing = [*book.board_rows(board), *lots, *book.settlement.each(), *book.bonus_shares.each()]
    for start, end in unchanging(sessions, governing):
        on = sessions[start]
        if book.board_exists(board, on):
            rules = {name: int(value) for name, value in asdict(book.lot(board, on)).items()}
            rules |= {
                "settlement_days": book.settlement_days(board, on),
                "bonus_days": book.bonus_lag(board, on),
            }
            yield rules, end - start
        else:
            yield {}, end - start
