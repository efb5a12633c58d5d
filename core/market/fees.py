"""What a trade costs: dated fee tables, exact in Decimal, and the same as int arrays for the kernel.

Three components: commission (per order, with a minimum), stamp duty (mostly sales of stocks), transfer fee
(both sides). Each is rounded half up by itself: to the cent as on a statement, or to the micro-yuan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from quant.core.errors import UsageError
from quant.core.market.instrument import Asset, Board, asset_of, mic_of
from quant.core.market.rules import Rulebook, Side, rulebook
from quant.core.market.tables import NO_RULE, DatedTable, Row, unchanging
from quant.core.money import CENT, MONEY_SCALE, RATE_SCALE, scaled, to_tick

__all__ = ["NO_RULE", "FeeBreakdown", "FeeSchedule", "FeeTerms", "fee_schedule", "fees"]

_MICRO: Final = Decimal(1).scaleb(-6)
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """The cost spec's own terms; None takes the rulebook's dated value.

    ``commission_rate``, ``commission_min``: of the turnover and in yuan per order, on every board.
    ``stamp_rate``: of stock sales, buys free. ``transfer_rate``: of the turnover of stocks, both sides.
    ``rounding``: ``cent``, or ``none`` for the micro-yuan. ``slippage_ticks``: moved against the order.
    """

    commission_rate: Decimal | None = None
    commission_min: Decimal | None = None
    stamp_rate: Decimal | None = None
    transfer_rate: Decimal | None = None
    rounding: Literal["cent", "none"] = "cent"
    slippage_ticks: int = 0

    def __post_init__(self) -> None:
        for name in ("commission_rate", "commission_min", "stamp_rate", "transfer_rate"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise UsageError("fees.terms", f"{name} must be a number from 0", found=str(value))
        if self.rounding not in ("cent", "none"):
            raise UsageError("fees.terms", "unknown rounding", expected="cent or none", found=self.rounding)
        if self.slippage_ticks < 0:
            raise UsageError("fees.terms", "slippage_ticks must be 0 or more", found=str(self.slippage_ticks))


@dataclass(frozen=True, slots=True)
class FeeBreakdown:
    """Fees of one fill in yuan, already rounded."""

    commission: Decimal
    stamp: Decimal
    transfer: Decimal

    @property
    def total(self) -> Decimal:
        return self.commission + self.stamp + self.transfer


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Fee rates by session and board: int lists [T][B], axes ``sessions`` and ``boards``.

    ``commission``, ``stamp_buy``, ``stamp_sell``, ``transfer`` (both sides): of the turnover at RATE_SCALE.
    ``transfer_per_share``: yuan a share at RATE_SCALE, besides ``transfer``; Shanghai's transfer fee was of
    face value until 2015-07-31, it is 0 since. ``commission_min``: micro-yuan per order. NO_RULE marks
    sessions on which the board did not exist. ``assumed`` are the rows in use that are not sure.
    """

    sessions: tuple[date, ...]
    boards: tuple[Board, ...]
    commission: list[list[int]]
    commission_min: list[list[int]]
    stamp_buy: list[list[int]]
    stamp_sell: list[list[int]]
    transfer: list[list[int]]
    transfer_per_share: list[list[int]]
    assumed: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Rates:
    """The terms that hold for one board on one date, overrides applied."""

    commission: Decimal
    commission_min: Decimal
    stamp_buy: Decimal
    stamp_sell: Decimal
    transfer: Decimal
    transfer_per_share: Decimal
    rows: tuple[Row, ...]


def fees(
    terms: FeeTerms,
    on: date,
    board: Board,
    side: Side,
    notional: Decimal,
    *,
    quantity: int | None = None,
    order_notional_before: Decimal = _ZERO,
) -> FeeBreakdown:
    """Exact fees of one fill of ``notional`` yuan.

    The commission of an order is ``max(minimum, rate * turnover of the order)``, charged fill by fill:
    ``order_notional_before`` is what earlier fills of the same order turned over. ``quantity`` is needed
    where the transfer fee is of face value.

    >>> fees(FeeTerms(), date(2023, 8, 28), Board.SZSE_MAIN, "sell", Decimal("11200"))
    FeeBreakdown(commission=Decimal('5.00'), stamp=Decimal('5.60'), transfer=Decimal('0.11'))

    Raises RuleMissing ``rule.missing``, UsageError ``fees.quantity``.
    """
    rates = _rates(rulebook(), terms, board, on)
    step = CENT if terms.rounding == "cent" else _MICRO
    before, after = order_notional_before, order_notional_before + notional
    by_share = _ZERO
    if rates.transfer_per_share:
        if quantity is None:
            raise UsageError("fees.quantity", f"the transfer fee of {on} is per share", expected="quantity")
        by_share = rates.transfer_per_share * quantity
    stamp = rates.stamp_buy if side == "buy" else rates.stamp_sell
    return FeeBreakdown(
        commission=_order_commission(rates, after, step) - _order_commission(rates, before, step),
        stamp=to_tick(stamp * notional, step),
        transfer=to_tick(rates.transfer * notional + by_share, step),
    )


def fee_schedule(terms: FeeTerms, sessions: Sequence[date], boards: Sequence[Board]) -> FeeSchedule:
    """The rates of ``terms`` on ascending ``sessions`` for each of ``boards``, as ints [T][B].

    Raises RuleMissing ``rule.missing`` when a board existed on a session and a fee has no row for it.
    """
    book = rulebook()
    spans = [list(_spans(book, terms, board, sessions)) for board in boards]
    rows = {row.identity: row for column in spans for rates, _ in column if rates for row in rates.rows}

    def table(value: Callable[[_Rates], Decimal], scale: int = RATE_SCALE) -> list[list[int]]:
        columns: list[list[int]] = []
        for column in spans:
            cells: list[int] = []
            for rates, length in column:
                cell = NO_RULE if rates is None else scaled(value(rates), scale, exact=True)
                cells.extend([cell] * length)
            columns.append(cells)
        return [list(row) for row in zip(*columns, strict=True)]

    return FeeSchedule(
        sessions=tuple(sessions),
        boards=tuple(boards),
        commission=table(lambda rates: rates.commission),
        commission_min=table(lambda rates: rates.commission_min, MONEY_SCALE),
        stamp_buy=table(lambda rates: rates.stamp_buy),
        stamp_sell=table(lambda rates: rates.stamp_sell),
        transfer=table(lambda rates: rates.transfer),
        transfer_per_share=table(lambda rates: rates.transfer_per_share),
        assumed=tuple(row for row in rows.values() if row.confidence != "sure"),
    )


def _spans(
    book: Rulebook, terms: FeeTerms, board: Board, sessions: Sequence[date]
) -> Iterator[tuple[_Rates | None, int]]:
    """(rates, number of sessions) in order; None while the board did not exist."""
    key = (mic_of(board) or "", asset_of(board).value)
    governing = [
        *book.board_rows(board),
        *book.stamp_duty.rows.get(key, ()),
        *book.transfer_fee.rows.get(key, ()),
        *book.commission.each(),
    ]
    for start, end in unchanging(sessions, governing):
        on = sessions[start]
        yield (_rates(book, terms, board, on) if book.board_exists(board, on) else None), end - start


def _rates(book: Rulebook, terms: FeeTerms, board: Board, on: date) -> _Rates:
    """The terms in force, looking up only the rows that no override replaces."""
    rows: list[Row] = []
    key = (mic_of(board) or "", asset_of(board).value)
    taxed = asset_of(board) is Asset.STOCK

    def dated(table: DatedTable, key: tuple[str, ...]) -> Row:
        rows.append(table.row(key, on))
        return rows[-1]

    commission, minimum = terms.commission_rate, terms.commission_min
    if commission is None or minimum is None:
        row = dated(book.commission, ())
        commission = Decimal(row.values["default_rate"]) if commission is None else commission
        minimum = Decimal(row.values["minimum"]) if minimum is None else minimum
    if terms.stamp_rate is not None and taxed:
        stamp_buy, stamp_sell = _ZERO, terms.stamp_rate
    else:
        row = dated(book.stamp_duty, key)
        stamp_buy, stamp_sell = Decimal(row.values["buy"]), Decimal(row.values["sell"])
    transfer, per_share = terms.transfer_rate, _ZERO
    if transfer is None or not taxed:
        row = dated(book.transfer_fee, key)
        transfer = Decimal(row.values["rate"])
        if row.values["basis"] == "face_value":
            transfer, per_share = _ZERO, transfer
    return _Rates(commission, minimum, stamp_buy, stamp_sell, transfer, per_share, tuple(rows))


def _order_commission(rates: _Rates, turnover: Decimal, step: Decimal) -> Decimal:
    """Commission of an order that turned over ``turnover`` so far; nothing traded costs nothing."""
    if turnover <= 0:
        return to_tick(_ZERO, step)
    return to_tick(max(rates.commission_min, rates.commission * turnover), step)
