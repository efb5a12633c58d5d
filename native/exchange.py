"""The parts of the simulated exchange: the order book with its auctions.

Prices are int64 at PRICE_SCALE (any unit will do: the book only compares them), sizes int64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from numpy.typing import NDArray

from quant.native.batch import OrderKind, Tif
from quant.native.extension import native

__all__ = ["AuctionPrice", "AuctionRule", "BookEvent", "OrderBook", "TieBreak"]

Columns = Mapping[str, NDArray[Any]]


class BookEvent(IntEnum):
    ACCEPTED = 0
    TRIGGERED = 1
    TRADE = 2
    CANCELLED = 3
    EXPIRED = 4
    REJECTED = 5


class TieBreak(IntEnum):
    """Which of several auction prices with the largest volume and the smallest imbalance.

    ``REFERENCE``: the nearest to the reference price, of two the higher (Shenzhen). ``MIDDLE``: halfway
    between the lowest and the highest order price among them, half up to the tick (Shanghai).
    """

    REFERENCE = 0
    MIDDLE = 1


@dataclass(frozen=True, slots=True)
class AuctionRule:
    """How an auction finds its price; 0 = no reference price or no limit."""

    tie: TieBreak = TieBreak.REFERENCE
    reference: int = 0
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True)
class AuctionPrice:
    """``volume`` trades at ``price`` (0: nothing does); ``buys`` and ``sells`` would."""

    price: int
    volume: int
    buys: int
    sells: int


class OrderBook:
    """The book of one instrument: price, then time.

    Every change returns its events as columns: kind (BookEvent), order_id, other_id, price, quantity, reason.
    A TRADE names the taker as order_id and the resting order as other_id; in an auction the buyer and the
    seller. Order ids are the caller's and must be unique among the open orders.
    """

    def __init__(self, *, tick: int = 1) -> None:
        self._core: Any = native.OrderBook(tick)

    def add(
        self,
        order_id: int,
        side: int,
        quantity: int,
        *,
        kind: OrderKind = OrderKind.LIMIT,
        price: int = 0,
        stop: int = 0,
        tif: Tif = Tif.DAY,
    ) -> Columns:
        """Trades what crosses and rests the remainder; stops wait for the last trade to reach them."""
        return dict(self._core.add(order_id, side, int(kind), int(tif), price, stop, quantity))

    def cancel(self, order_id: int) -> Columns:
        """No event: the order is not open (any more)."""
        return dict(self._core.cancel(order_id))

    def replace(self, order_id: int, *, price: int, quantity: int) -> Columns:
        """``quantity`` is what is to be open; the place in the queue stays only if it falls at one price."""
        return dict(self._core.replace(order_id, price, quantity))

    def begin_auction(self) -> None:
        """From now orders gather and nothing trades."""
        self._core.begin_auction()

    def indicative(self, rule: AuctionRule) -> AuctionPrice:
        """What ``uncross`` would give now."""
        return AuctionPrice(*self._core.indicative(*_terms(rule)))

    def uncross(self, rule: AuctionRule) -> tuple[AuctionPrice, Columns]:
        """Trades at the auction price; auction orders that are left expire, limit orders stay."""
        price, events = self._core.uncross(*_terms(rule))
        return AuctionPrice(*price), dict(events)

    def end_day(self) -> Columns:
        """Everything that is not good till cancelled expires, oldest first."""
        return dict(self._core.end_day())

    def depth(self, side: int) -> Columns:
        """Levels, best first: price, quantity, orders."""
        return dict(self._core.depth(side))

    def open_quantity(self, order_id: int) -> int:
        return int(self._core.open_quantity(order_id))

    def quantity_ahead(self, order_id: int) -> int:
        """Older quantity at the same price; -1: the order does not rest."""
        return int(self._core.quantity_ahead(order_id))

    @property
    def last(self) -> int:
        """Price of the last trade, 0 before the first."""
        return int(self._core.last)

    @property
    def in_auction(self) -> bool:
        return bool(self._core.in_auction)

    def sound(self) -> bool:
        """Whether its lists and counters agree; walks the whole book."""
        return bool(self._core.sound())


def _terms(rule: AuctionRule) -> tuple[int, int, int, int]:
    return int(rule.tie), rule.reference, rule.low, rule.high
