"""Which bounds hold on a day: of a listing, a delisting period, a named event, or of the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board, Status
from quant.core.market.tables import Row

if TYPE_CHECKING:
    from quant.core.market.rules import Rulebook

__all__ = ["EVENTS", "PriceRule", "price_rule"]

_ONE: Final = Decimal(1)
EVENTS: Final[Mapping[str, str]] = {
    "public_offering": "public_offering",
    "seo_listing_day": "public_offering",
    "resumed_listing": "resumed_listing",
    "resume_listing_after_suspension_of_listing": "resumed_listing",
    "share_reform": "share_reform",
    "share_reform_resume": "share_reform",
    "relisting": "relisting",
}
"""What may free a single day, by every name it goes by."""


@dataclass(frozen=True, slots=True)
class PriceRule:
    """Bounds as multiples of the reference price, None on a day without a limit; ``rows`` decided."""

    bounds: tuple[Decimal, Decimal] | None
    rows: tuple[Row, ...]


def price_rule(
    book: Rulebook,
    board: Board,
    status: Status,
    on: date,
    *,
    listing_day: int | None = None,
    delisting_day: int | None = None,
    event: str | None = None,
    event_day: int = 1,
) -> PriceRule:
    """The rule of ``Rulebook.price_limit``, before any price. Precedence: free days, first day, status.

    Raises RuleMissing ``rule.missing``, UsageError for an unknown event or a day below 1.
    """
    free = _event_row(book, board, on, event, event_day) if event is not None else None
    first: Row | None = None
    if free is None and listing_day is not None:
        free = _free_row(book, "ipo", board, on, listing_day)
        if listing_day == 1 and free is None:
            first = book.first_days.find((board.name,), on)
    if free is None and delisting_day is not None:
        free = _free_row(book, "delisting", board, on, delisting_day)
    if free is not None:
        return PriceRule(None, (free,))
    if first is not None:
        return PriceRule((Decimal(first.values["up"]), Decimal(first.values["down"])), (first,))
    row = book.limit_row(board, status, on)
    if row.values["rate"] == "none":
        return PriceRule(None, (row,))
    rate = Decimal(row.values["rate"])
    return PriceRule((_ONE + rate, _ONE - rate), (row,))


def _event_row(book: Rulebook, board: Board, on: date, event: str, day: int) -> Row | None:
    name = EVENTS.get(event)
    if name is None:
        raise UsageError(
            "session.event", "unknown event of a session", expected=" or ".join(EVENTS), found=event
        )
    return _free_row(book, name, board, on, day)


def _free_row(book: Rulebook, event: str, board: Board, on: date, day: int) -> Row | None:
    """The row that frees day ``day`` of an event, by the rule of the event's first day."""
    if day < 1:
        raise UsageError("session.day", "days are counted from 1", found=str(day))
    longest = max(int(row.values["days"]) for row in book.no_limit_days.each())
    if day > longest:
        return None
    started = on if day == 1 else calendar("XSHG").offset(on, 1 - day)
    row = book.no_limit_days.find((event, board.name), started)
    return row if row is not None and day <= int(row.values["days"]) else None
