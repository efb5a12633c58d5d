"""The order book does what its definition does, for every sequence of orders, cancels and auctions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from book_oracle import Event, Oracle, Order
from hypothesis import given
from hypothesis import strategies as st
from soak import SOAK

from quant.core.errors import UsageError
from quant.native.batch import OrderKind, Tif
from quant.native.exchange import AuctionRule, BookEvent, OrderBook, TieBreak
from quant.native.kernel import Reason

FIELDS = ("kind", "order_id", "other_id", "price", "quantity", "reason")
PRICES = st.integers(95, 105)


def rows(events: Any) -> list[Event]:
    return list(zip(*(events[name].tolist() for name in FIELDS), strict=True))


orders = st.builds(
    lambda side, kind, tif, price, stop, quantity: Order(0, side, kind, tif, price, stop, quantity),
    st.sampled_from([1, -1]),
    st.sampled_from([*OrderKind, *[OrderKind.LIMIT] * 8]),
    st.sampled_from([*Tif, *[Tif.DAY] * 4]),
    st.one_of(PRICES, PRICES, PRICES, st.just(0)),
    PRICES,
    st.integers(1, 9),
)
rules = st.builds(
    AuctionRule,
    tie=st.sampled_from(TieBreak),
    reference=st.one_of(st.just(0), st.integers(90, 110)),
    low=st.sampled_from([0, 95]),
    high=st.sampled_from([0, 105]),
)
steps = st.one_of(
    *[st.tuples(st.just("add"), orders)] * 12,
    st.tuples(st.just("cancel"), st.integers(1, 60)),
    st.tuples(st.just("replace"), st.tuples(st.integers(1, 60), PRICES, st.integers(0, 9))),
    st.tuples(st.just("auction"), st.none()),
    st.tuples(st.just("uncross"), rules),
    st.tuples(st.just("end"), st.none()),
)


class Pair:
    """The book and its oracle, fed alike."""

    def __init__(self, tick: int = 1) -> None:
        self.book, self.oracle, self.ids = OrderBook(tick=tick), Oracle(tick), 0

    def take(self, what: str, given: Any) -> None:
        book, oracle = self.book, self.oracle
        oracle.events = []
        if what == "add":
            self.ids += 1
            o = Order(self.ids, given.side, given.kind, given.tif, given.price, given.stop, given.quantity)
            seen = book.add(o.id, o.side, o.quantity, kind=o.kind, price=o.price, stop=o.stop, tif=o.tif)
            oracle.add(o)
        elif what == "cancel":
            seen = book.cancel(given)
            oracle.cancel(given)
        elif what == "replace":
            seen = book.replace(given[0], price=given[1], quantity=given[2])
            oracle.replace(*given)
        elif what == "end":
            seen = book.end_day()
            oracle.end_day()
        elif what == "auction":
            book.begin_auction()
            oracle.auction = True
            return
        elif oracle.auction:
            self.uncross(given)
            return
        else:
            return
        assert rows(seen) == oracle.events

    def uncross(self, rule: AuctionRule) -> None:
        before = self.book.indicative(rule)
        price, seen = self.book.uncross(rule)
        expected = self.oracle.uncross(rule)
        assert price == before
        assert (price.price, price.volume, price.buys, price.sells) == expected
        assert rows(seen) == self.oracle.events

    def agree(self) -> None:
        assert self.book.sound()
        assert self.book.last == self.oracle.last
        for side in (1, -1):
            depth = self.book.depth(side)
            seen = zip(*(depth[name].tolist() for name in ("price", "quantity", "orders")), strict=True)
            assert list(seen) == self.oracle.depth(side)
        for order in self.oracle.resting:
            at = [o for o in self.oracle.resting if (o.side, o.price) == (order.side, order.price)]
            ahead = sum(o.quantity for o in at if o.age < order.age)
            assert self.book.quantity_ahead(order.id) == ahead
            assert self.book.open_quantity(order.id) == order.quantity


@given(st.lists(steps, min_size=1, max_size=60), st.sampled_from([1, 1, 2]))
def test_the_book_does_what_its_definition_does(sequence: list[tuple[str, Any]], tick: int) -> None:
    pair = Pair(tick)
    for what, value in sequence:
        pair.take(what, value)
    pair.agree()


def test_a_long_random_session_agrees_with_the_definition() -> None:
    rng = np.random.default_rng(7)
    pair = Pair()
    for step in range(100_000 if SOAK else 2_000):
        draw = rng.random()
        if draw < 0.72:
            side = int(rng.choice([1, -1]))
            kind = OrderKind(int(rng.choice([0, 1, 1, 1, 1, 1, 2, 3, 4])))
            price = int(100 - side * 2 + rng.integers(-4, 5))
            tif = Tif(int(rng.choice([0, 0, 0, 1, 2, 3])))
            pair.take(
                "add", Order(0, side, kind, tif, price, int(rng.integers(94, 107)), int(rng.integers(1, 50)))
            )
        elif draw < 0.94:
            pair.take("cancel", int(rng.integers(max(1, pair.ids - 60), pair.ids + 2)))
        elif draw < 0.97:
            pair.take("replace", (int(rng.integers(max(1, pair.ids - 40), pair.ids + 2)),
                                  int(rng.integers(95, 106)), int(rng.integers(1, 40))))  # fmt: skip
        elif draw < 0.98:
            pair.take("auction", None)
        elif draw < 0.995:
            pair.take("uncross", AuctionRule(TieBreak(int(rng.integers(2))), int(rng.integers(95, 106))))
        else:
            pair.take("end", None)
        if step % 200 == 0:
            pair.agree()


def test_time_decides_at_one_price_and_a_larger_order_loses_its_place() -> None:
    book = OrderBook()
    book.add(1, 1, 5, price=100)
    book.add(2, 1, 5, price=100)
    book.replace(1, price=100, quantity=3)
    assert (book.quantity_ahead(1), book.quantity_ahead(2)) == (0, 3)
    book.replace(1, price=100, quantity=6)
    assert (book.quantity_ahead(1), book.quantity_ahead(2)) == (5, 0)


def test_fill_or_kill_takes_all_or_nothing() -> None:
    book = OrderBook()
    book.add(1, -1, 5, price=100)
    book.add(2, -1, 5, price=102)
    refused = book.add(3, 1, 10, price=101, tif=Tif.FOK)
    assert rows(refused) == [(BookEvent.EXPIRED, 3, 0, 101, 10, Reason.NOT_FILLED.value)]
    assert [e[:5] for e in rows(book.add(4, 1, 10, price=102, tif=Tif.FOK))] == [
        (BookEvent.TRADE, 4, 1, 100, 5),
        (BookEvent.TRADE, 4, 2, 102, 5),
    ]


def test_the_two_exchanges_break_ties_differently() -> None:
    def gathered() -> OrderBook:
        book = OrderBook()
        book.begin_auction()
        book.add(1, 1, 10, price=110)
        book.add(2, -1, 10, price=100)
        return book

    assert gathered().indicative(AuctionRule(TieBreak.REFERENCE, reference=103)).price == 103
    assert gathered().indicative(AuctionRule(TieBreak.REFERENCE, reference=120)).price == 110
    assert gathered().indicative(AuctionRule(TieBreak.MIDDLE, reference=103)).price == 105
    assert gathered().indicative(AuctionRule()).price == 105


def test_orders_beyond_the_limits_of_an_auction_are_an_error() -> None:
    book = OrderBook()
    book.begin_auction()
    book.add(1, 1, 1, price=111)
    with pytest.raises(UsageError, match="beyond the price limits"):
        book.indicative(AuctionRule(high=110))
