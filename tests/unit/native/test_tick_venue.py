"""What the exchange over ticks gives an order, case by case."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from quant.core.errors import UsageError
from quant.core.ids import parse_code
from quant.core.market.instrument import Board
from quant.native.batch import OrderKind, Tif
from quant.native.extension import native
from quant.native.kernel import Reason, ReportKind
from quant.native.rules.resolved import BEYOND, CageTerms, cages, windows
from quant.native.tick_venue import (
    DepthKind,
    SessionKind,
    TickOrder,
    TickRule,
    Ticks,
    TickVenue,
    Window,
    windows_of,
)

Row = tuple[int, ...]


def ticks(*rows: Row) -> Ticks:
    """(ts, bid, bid size, ask, ask size[, last, volume])"""
    full = [(*row, 0, 0)[:7] for row in rows]
    ts, bid, bid_size, ask, ask_size, last, volume = (np.array(c, "i8") for c in zip(*full, strict=True))
    return Ticks(ts=ts, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size, last=last, volume=volume)


def said(reports: Any) -> list[tuple[str, int, int, int, int]]:
    """(kind, order, ts, quantity, price) of everything but acknowledgements."""
    names = ("kind", "order_id", "ts", "quantity", "price")
    rows = zip(*(reports[name].tolist() for name in names), strict=True)
    return [(ReportKind(k).name, *rest) for k, *rest in rows if k != ReportKind.ACK]


def fills(reports: Any) -> list[tuple[int, int, int, int]]:
    return [row[1:] for row in said(reports) if row[0] == "FILL"]


def venue(**terms: Any) -> TickVenue:
    return TickVenue(TickRule(**terms))


def test_a_market_order_takes_what_is_shown_and_goes_on_with_the_next_quote() -> None:
    exchange = venue()
    exchange.feed(ticks((0, 99, 5, 100, 3)))
    exchange.submit(TickOrder(1, 1, 5, OrderKind.MARKET), sent=1)
    assert fills(exchange.advance(1)) == [(1, 1, 3, 100)]
    assert fills(exchange.feed(ticks((2, 99, 5, 100, 3)))) == []  # the same quote was taken already
    assert fills(exchange.feed(ticks((3, 100, 5, 101, 9)))) == [(1, 3, 2, 101)]


def test_the_touch_sweep_fills_everything_at_once() -> None:
    exchange = venue(sweep="touch", slippage=2)
    exchange.feed(ticks((0, 99, 5, 100, 3)))
    exchange.submit(TickOrder(1, 1, 50, OrderKind.MARKET), sent=1)
    exchange.submit(TickOrder(2, 1, 50, price=101), sent=1)
    assert fills(exchange.advance(1)) == [(1, 1, 50, 102), (2, 1, 50, 101)]  # never beyond its own limit


def test_an_order_never_meets_a_row_before_it_arrived() -> None:
    exchange = venue(entry_latency=10, answer_latency=5)
    exchange.feed(ticks((0, 99, 5, 100, 3)))
    exchange.submit(TickOrder(1, 1, 3, price=100), sent=1)
    assert said(exchange.feed(ticks((5, 99, 5, 100, 3), (10, 99, 5, 101, 3)))) == []
    reports = exchange.feed(ticks((11, 99, 5, 100, 3, 100, 50)))
    assert fills(reports) == [(1, 11, 3, 100)]  # the quote of its very instant, not the print before
    assert reports["due"].tolist() == [16, 16]


def test_first_in_first_out_waits_for_what_was_displayed() -> None:
    exchange = venue(queue="fifo")
    exchange.feed(ticks((0, 99, 10, 100, 10)))
    exchange.submit(TickOrder(1, 1, 4, price=99), sent=0)
    exchange.advance(0)
    assert exchange.quantity_ahead(1) == 10
    assert fills(exchange.feed(ticks((1, 99, 4, 100, 10, 99, 6)))) == []
    assert exchange.quantity_ahead(1) == 4
    assert fills(exchange.feed(ticks((2, 99, 3, 100, 10)))) == []  # cancelled behind us, unless too many
    assert exchange.quantity_ahead(1) == 3
    assert fills(exchange.feed(ticks((3, 99, 9, 100, 10, 99, 5)))) == [(1, 3, 2, 99)]
    assert fills(exchange.feed(ticks((4, 99, 9, 100, 10, 99, 5)))) == [(1, 4, 2, 99)]


def test_a_trade_through_the_price_fills_whatever_the_queue() -> None:
    exchange = venue(queue="fifo")
    exchange.feed(ticks((0, 99, 1_000, 100, 10)))
    exchange.submit(TickOrder(1, 1, 4, price=99), sent=0)
    assert fills(exchange.feed(ticks((1, 98, 10, 99, 3, 98, 3)))) == [(1, 1, 3, 99), (1, 1, 1, 99)]


def test_a_trade_by_the_other_side_does_not_bring_the_queue_forward() -> None:
    exchange = venue(queue="touch")
    exchange.feed(ticks((0, 99, 10, 100, 10)))
    exchange.submit(TickOrder(1, -1, 4, price=100), sent=0)
    assert fills(exchange.feed(ticks((1, 99, 8, 100, 10, 99, 2)))) == []
    assert fills(exchange.feed(ticks((2, 99, 8, 100, 10, 100, 2)))) == [(1, 2, 2, 100)]


def test_a_level_never_shown_gives_no_fill_at_its_price() -> None:
    exchange = venue(queue="fifo")
    exchange.feed(ticks((0, 99, 10, 100, 10)))
    exchange.submit(TickOrder(1, 1, 4, price=97), sent=0)
    exchange.advance(0)
    assert exchange.quantity_ahead(1) is None
    assert fills(exchange.feed(ticks((1, 99, 10, 100, 10, 97, 100)))) == []
    exchange.feed(ticks((2, 97, 8, 98, 10)))
    assert exchange.quantity_ahead(1) == 8
    exchange.feed(ticks((3, 96, 8, 98, 10)))
    assert exchange.quantity_ahead(1) == 0


def test_inside_the_spread_we_stand_first() -> None:
    exchange = venue(queue="fifo")
    exchange.feed(ticks((0, 97, 10, 100, 10)))
    exchange.submit(TickOrder(1, 1, 4, price=98), sent=0)
    assert fills(exchange.feed(ticks((1, 97, 10, 100, 10, 98, 1)))) == [(1, 1, 1, 98)]


@pytest.mark.parametrize(("model", "ahead"), [("fifo", 80), ("power", 71), ("log", 75)])
def test_queue_models_share_what_others_cancel(model: str, ahead: int) -> None:
    assert native.ahead_after_cancels(80, 100, 10, model, 3) == ahead


@pytest.mark.parametrize("model", ["fifo", "power", "log"])
def test_the_queue_ahead_never_grows_and_fits_what_is_left(model: str) -> None:
    rng = np.random.default_rng(1)
    for total, share, part, n in rng.random((400, 4)):
        shown = int(total * 1e9) + 1
        before, gone = int(share * shown), int(part * shown)
        ahead = native.ahead_after_cancels(before, shown, gone, model, 1 + int(n * 4))
        assert max(0, before - gone) <= ahead <= min(before, shown - gone)


def test_the_logarithm_is_exact_to_its_last_bit_but_one() -> None:
    for x in [0, 1, 2, 3, 10, 1000, 123_456_789, 2**40, 2**61]:
        assert abs(native.log2_fixed(x) / 65536 - np.log2(x + 1.0)) < 2 / 65536


def test_participation_caps_prints_and_displayed_sizes() -> None:
    exchange = venue(queue="touch", participation=250_000_000)
    exchange.feed(ticks((0, 99, 10, 100, 10)))
    exchange.submit(TickOrder(1, 1, 9, OrderKind.MARKET, Tif.IOC), sent=0)
    assert said(exchange.advance(0)) == [("FILL", 1, 0, 2, 100), ("EXPIRED", 1, 0, 7, 0)]
    exchange.submit(TickOrder(2, 1, 9, price=99), sent=0)
    exchange.submit(TickOrder(3, 1, 9, price=99), sent=0)
    assert fills(exchange.feed(ticks((1, 99, 10, 100, 10, 99, 50)))) == [(2, 1, 9, 99), (3, 1, 3, 99)]


def test_fill_or_kill_and_stops() -> None:
    exchange = venue()
    exchange.feed(ticks((0, 99, 10, 100, 10)))
    exchange.submit(TickOrder(1, 1, 11, tif=Tif.FOK, price=100), sent=0)
    exchange.submit(TickOrder(2, 1, 10, tif=Tif.FOK, price=100), sent=0)
    exchange.submit(TickOrder(3, -1, 5, OrderKind.STOP, stop=98), sent=0)
    exchange.submit(TickOrder(4, 1, 5, OrderKind.STOP_LIMIT, stop=102, price=102), sent=0)
    reports = exchange.advance(0)
    assert said(reports) == [("EXPIRED", 1, 0, 11, 0), ("FILL", 2, 0, 10, 100)]
    assert Reason.NOT_FILLED.value in reports["reason"]
    triggered = exchange.feed(ticks((1, 97, 3, 99, 10, 98, 1)))
    assert said(triggered) == [("TRIGGERED", 3, 1, 5, 98), ("FILL", 3, 1, 3, 97)]
    assert fills(exchange.feed(ticks((2, 96, 8, 99, 10)))) == [(3, 2, 2, 96)]
    assert fills(exchange.feed(ticks((3, 102, 8, 103, 10, 103, 1)))) == []
    assert exchange.quantity_ahead(4) == 8


def test_a_buy_at_a_sealed_limit_waits_behind_the_queue_in_every_model() -> None:
    for queue in ("touch", "fifo", "power", "log"):
        exchange = venue(queue=queue)
        exchange.set_limits(down=81, up=99)
        exchange.feed(ticks((0, 99, 500, 0, 0)))
        exchange.submit(TickOrder(1, 1, 10, price=99), sent=0)
        exchange.submit(TickOrder(2, 1, 10, price=100), sent=0)
        reports = exchange.advance(0)
        assert said(reports) == [("REJECTED", 2, 0, 10, 0)]
        assert Reason.BEYOND_LIMIT.value in reports["reason"]
        assert fills(exchange.feed(ticks((1, 99, 100, 0, 0, 99, 400)))) == []
        assert fills(exchange.feed(ticks((2, 99, 3, 0, 0, 99, 104)))) == [(1, 2, 4, 99)]


DAY = (
    Window(100, 200, SessionKind.OPEN_AUCTION, cancels=False),
    Window(300, 400),
    Window(400, 500, SessionKind.CLOSE_AUCTION),
)


def test_nothing_trades_outside_of_its_session() -> None:
    exchange = venue(queue="touch")
    exchange.set_windows(DAY)
    exchange.feed(ticks((50, 99, 5, 100, 5)))
    exchange.submit(TickOrder(1, 1, 1, price=100), sent=60)
    exchange.submit(TickOrder(2, 1, 1, price=100), sent=310)
    reports = exchange.feed(ticks((305, 99, 5, 101, 5), (399, 99, 5, 101, 5), (450, 99, 5, 100, 5, 100, 5)))
    assert said(reports) == [("REJECTED", 1, 60, 1, 0)]
    assert Reason.OUT_OF_SESSION.value in reports["reason"]
    assert said(exchange.feed(ticks((501, 99, 5, 100, 5, 99, 5)))) == [("FILL", 2, 501, 1, 99)]


def test_auctions_trade_at_the_first_print_after_them() -> None:
    exchange = venue(queue="fifo")
    exchange.set_windows(DAY)
    exchange.submit(TickOrder(1, 1, 5, OrderKind.OPEN_AUCTION), sent=150)
    exchange.submit(TickOrder(2, 1, 5, OrderKind.OPEN_AUCTION, price=99), sent=150)
    exchange.submit(TickOrder(3, -1, 5, OrderKind.CLOSE_AUCTION, price=98), sent=150)
    exchange.submit(TickOrder(4, 1, 5, price=101), sent=150)
    exchange.cancel(1, sent=160)  # no cancels in this window
    indicative = exchange.feed(ticks((180, 100, 9, 100, 9, 100, 9)))
    assert said(indicative) == [("CANCEL_REJECTED", 1, 160, 5, 0)]
    assert said(exchange.feed(ticks((205, 99, 5, 101, 5, 100, 8)))) == [
        ("FILL", 1, 205, 5, 100),  # market orders first
        ("FILL", 4, 205, 3, 100),
        ("EXPIRED", 2, 205, 5, 0),
    ]
    exchange.cancel(4, sent=206)
    reports = exchange.feed(ticks((300, 98, 5, 101, 5, 98, 100), (502, 99, 5, 101, 5, 99, 4)))
    assert fills(reports) == [(3, 502, 4, 99)]


def test_day_orders_end_with_their_day() -> None:
    exchange = venue()
    exchange.set_windows([Window(0, 100), Window(200, 300, day=1)])
    exchange.submit(TickOrder(1, 1, 5, price=90), sent=10)
    exchange.submit(TickOrder(2, 1, 5, tif=Tif.GTC, price=90), sent=10)
    exchange.feed(ticks((20, 99, 5, 100, 5)))
    reports = exchange.feed(ticks((210, 99, 5, 100, 5)))
    assert said(reports) == [("EXPIRED", 1, 100, 5, 0), ("CARRIED", 2, 100, 5, 90)]
    assert said(exchange.end_day(300)) == [("CARRIED", 2, 300, 5, 90)]
    assert exchange.open_quantity(2) == 5


def depth(*events: tuple[int, DepthKind, int, int, int]) -> dict[str, Any]:
    """(ts, kind, side, price, size)"""
    ts, kind, side, price, size = zip(*events, strict=True)
    return {"ts": np.array(ts, "i8"), "kind": np.array(kind, "u1"), "side": np.array(side, "i1"),
            "price": np.array(price, "i8"), "size": np.array(size, "i8")}  # fmt: skip


LEVEL, TRADE = DepthKind.LEVEL, DepthKind.TRADE


def test_with_depth_a_taker_walks_the_levels_and_a_maker_knows_its_queue() -> None:
    exchange = venue(queue="fifo")
    exchange.feed_depth(
        **depth((0, LEVEL, -1, 100, 3), (0, LEVEL, -1, 102, 9), (0, LEVEL, 1, 99, 5), (0, LEVEL, 1, 98, 7))
    )
    exchange.submit(TickOrder(1, 1, 5, OrderKind.MARKET), sent=0)
    exchange.submit(TickOrder(2, 1, 5, price=98), sent=0)
    assert fills(exchange.advance(0)) == [(1, 0, 3, 100), (1, 0, 2, 102)]
    assert exchange.quantity_ahead(2) == 7
    exchange.feed_depth(**depth((1, TRADE, -1, 98, 2), (2, LEVEL, 1, 98, 5)))
    assert exchange.quantity_ahead(2) == 5  # the level shows the trade: nobody cancelled
    exchange.feed_depth(**depth((3, LEVEL, 1, 98, 4)))
    assert exchange.quantity_ahead(2) == 4
    assert fills(exchange.feed_depth(**depth((4, TRADE, -1, 98, 6)))) == [(2, 4, 2, 98)]


def test_time_never_goes_back() -> None:
    exchange = venue()
    exchange.feed(ticks((5, 99, 5, 100, 5)))
    with pytest.raises(UsageError, match="before the venue's present"):
        exchange.submit(TickOrder(1, 1, 1, price=99), sent=4)
    exchange.submit(TickOrder(1, 1, 1, price=99), sent=5)
    with pytest.raises(UsageError, match="order of their time"):
        exchange.feed(ticks((4, 99, 5, 100, 5)))
    with pytest.raises(UsageError, match="not in the order"):
        ticks((5, 99, 5, 100, 5), (4, 99, 5, 100, 5))


def test_a_replaced_order_keeps_its_place_only_when_it_shrinks() -> None:
    exchange = venue(queue="fifo")
    exchange.feed(ticks((0, 99, 10, 100, 10)))
    exchange.submit(TickOrder(1, 1, 6, price=99), sent=0)
    exchange.feed(ticks((1, 99, 8, 100, 10, 99, 12)))
    assert (exchange.open_quantity(1), exchange.quantity_ahead(1)) == (4, 0)
    exchange.replace(1, sent=1, quantity=5)
    assert said(exchange.advance(1)) == [("REPLACED", 1, 1, 3, 99)]
    assert exchange.quantity_ahead(1) == 0
    exchange.replace(1, sent=2, quantity=6)
    assert said(exchange.advance(2)) == [("REPLACED", 1, 2, 4, 99)]
    assert exchange.quantity_ahead(1) == 8
    exchange.replace(1, sent=3, quantity=2)
    exchange.replace(1, sent=3, price=100)
    assert said(exchange.advance(3)) == [
        ("REPLACE_REJECTED", 1, 3, 4, 0),  # two have traded: nothing would be left
        ("REPLACED", 1, 3, 4, 100),
        ("FILL", 1, 3, 4, 100),
    ]


def test_orders_beyond_the_cage_are_refused_or_held() -> None:
    for beyond in BEYOND[1:]:
        exchange = venue(queue="fifo")
        terms = CageTerms(BEYOND.index(beyond), 1_020_000_000, 980_000_000, 0, 1)
        exchange.set_cage(terms, prev_close=1_000)
        exchange.feed(ticks((0, 999, 5, 1_000, 5)))
        exchange.submit(TickOrder(1, 1, 9, price=1_021), sent=0)
        exchange.submit(TickOrder(2, 1, 5, price=1_020), sent=0)
        reports = exchange.advance(0)
        if beyond == "reject":
            assert said(reports) == [("REJECTED", 1, 0, 9, 0), ("FILL", 2, 0, 5, 1_000)]
            assert Reason.PRICE_CAGE.value in reports["reason"]
            continue
        assert said(reports) == [("FILL", 2, 0, 5, 1_000)]
        assert exchange.open_quantity(1) == 9
        assert fills(exchange.feed(ticks((1, 999, 5, 1_000, 6)))) == []
        assert fills(exchange.feed(ticks((2, 1_001, 5, 1_002, 7)))) == [(1, 2, 7, 1_002)]
        exchange.submit(TickOrder(3, -1, 1, price=1), sent=2)
        exchange.cancel(3, sent=2)
        assert said(exchange.advance(2)) == [("CANCELLED", 3, 2, 1, 0)]


def test_the_rulebook_gives_hours_and_cages() -> None:
    session = date(2023, 6, 1)
    code = parse_code("300750.SZ")
    hours = windows_of(windows(code, [session]))
    assert [w.kind.name for w in hours] == [
        "OPEN_AUCTION", "OPEN_AUCTION", "CONTINUOUS", "CONTINUOUS", "CLOSE_AUCTION",
    ]  # fmt: skip
    assert [w.cancels for w in hours] == [True, False, True, True, False]
    exchange = venue(queue="touch", tick=100)
    exchange.set_windows(hours)
    (terms,) = cages(Board.CHINEXT, [session])
    exchange.set_cage(terms, prev_close=2_200_000)
    early, morning = hours[0].begin, hours[2].begin
    exchange.submit(TickOrder(1, 1, 100, price=2_190_000), sent=early)
    exchange.submit(TickOrder(2, 1, 100, price=2_300_000), sent=morning + 1)
    quote = (2_199_900, 500, 2_200_000, 500)
    reports = exchange.feed(ticks((morning, *quote), (morning + 2, *quote)))
    assert said(reports) == [("REJECTED", 2, morning + 1, 100, 0)]
    assert exchange.open_quantity(1) == 100
