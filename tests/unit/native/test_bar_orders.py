"""Limit, stop, auction and immediate orders over bars: filled when a bar decides it, and not before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_market import LISTED, MAIN, SUSPENDED, TRADING, config
from numpy.typing import NDArray

from quant.core.money import RATE_SCALE
from quant.native.batch import SCHEMAS, Action, Batch, BatchKind, OrderKind, Phase, ReportKind, Tif
from quant.native.kernel import Market, Reason, SimVenue
from quant.native.market import bar_instants

Bars = list[tuple[int, int, int, int]]
Said = tuple[str, int, int, int]


def market(sessions: list[Bars], *, volume: int = 1_000, up: int = 200, down: int = 1) -> Market:
    """Bars (open, high, low, close) of one instrument; vwap is the middle of the range."""
    rows = np.array([bar for bars in sessions for bar in bars], "i8")
    days = np.arange(18_000, 18_000 + len(sessions), dtype="i4")
    day = np.repeat(np.arange(len(sessions)), [len(bars) for bars in sessions]).astype("i4")
    begin = (days[day].astype("i8") * 86_400 + 5_400 + np.arange(len(rows)) * 60) * 10**9

    def bar(values: Any) -> NDArray[np.int64]:
        return np.ascontiguousarray(values, "i8").reshape(-1, 1)

    def daily(value: int) -> NDArray[np.int64]:
        return np.full((len(sessions), 1), value, "i8")

    return Market.from_arrays(
        sessions=days, day=day, instants=bar_instants(begin, begin + 60 * 10**9),
        open=bar(rows[:, 0]), high=bar(rows[:, 1]), low=bar(rows[:, 2]), close=bar(rows[:, 3]),
        vwap=bar((rows[:, 1] + rows[:, 2]) // 2), volume=bar(np.full(len(rows), volume)),
        pre_close=daily(100), limit_up=daily(up), limit_down=daily(down),
        flags=np.full((len(sessions), 1), LISTED | TRADING | MAIN << 8, "u4"),
    )  # fmt: skip


class Desk:
    """Sends orders to a venue and walks it through the bars."""

    def __init__(self, given: Market, **terms: Any) -> None:
        self.market = given
        self.venue = SimVenue(config(len(given.arrays["sessions"]), **terms), given)
        self.t, self.phase = -1, Phase.CLOSE
        self.days = given.arrays["day"]

    def send(
        self, order_id: int, side: int, quantity: int, kind: OrderKind = OrderKind.LIMIT, **terms: int
    ) -> None:
        """``terms``: price, stop, tif, protect, action."""
        row = {"action": 0, "instrument": 0, "price": 0, "tif": 0, "target": 0, "stop": 0, "protect": 0}
        row |= {"order_id": order_id, "side": side, "quantity": quantity, "kind": kind, **terms}
        schema = SCHEMAS[BatchKind.COMMANDS]
        columns = {name: np.array([row[name]], dtype) for name, dtype in schema.items()}
        self.venue.submit(Batch(BatchKind.COMMANDS, 0, self.phase, self.t, 1, columns))

    def bar(self, t: int) -> list[Said]:
        """Everything said at the instants of a bar, as ``kind@PHASE``."""
        said = []
        for phase in (Phase.PREOPEN, Phase.OPEN, Phase.CLOSE):
            if phase is Phase.PREOPEN and t > 0 and self.days[t] == self.days[t - 1]:
                continue
            said += self.at(t, phase)
        return said

    def at(self, t: int, phase: Phase) -> list[Said]:
        self.t, self.phase = t, phase
        c = self.venue.poll(Batch.slice(self.market, t, phase)).columns
        rows = zip(*(c[name].tolist() for name in ("kind", "order_id", "quantity", "price")), strict=True)
        return [(f"{ReportKind(k).name}@{phase.name}", *rest) for k, *rest in rows if k != ReportKind.ACK]


def test_a_limit_order_waits_for_a_bar_that_goes_through_it() -> None:
    desk = Desk(market([[(100, 102, 98, 101), (100, 103, 97, 99), (99, 99, 90, 91)]]))
    desk.send(1, 1, 500, price=98)
    desk.send(2, -1, 300, price=99)
    assert desk.bar(0) == [("FILL@OPEN", 2, 300, 100)]
    desk.send(3, 1, 100, price=110)  # after the close: meets the next bar
    assert desk.bar(1) == [("FILL@OPEN", 3, 100, 100), ("FILL@CLOSE", 1, 500, 98)]


def test_day_orders_end_with_their_session_and_the_others_are_carried() -> None:
    quiet: Bars = [(100, 101, 99, 100), (100, 101, 99, 100)]
    desk = Desk(market([quiet, quiet, [(90, 91, 89, 90)]]))
    desk.send(1, 1, 100, price=95)
    desk.send(2, 1, 100, price=95, tif=Tif.GTC)
    assert desk.bar(0) == []
    assert desk.bar(1) == [("EXPIRED@CLOSE", 1, 100, 0), ("CARRIED@CLOSE", 2, 100, 95)]
    assert desk.bar(2) == []
    assert desk.bar(3) == [("CARRIED@CLOSE", 2, 100, 95)]
    assert desk.bar(4) == [("FILL@OPEN", 2, 100, 90)]


def test_stops_trade_where_they_are_reached_and_pay_slippage() -> None:
    desk = Desk(market([[(100, 104, 99, 103), (108, 110, 107, 109)]]), slippage_ticks=2, tick=1)
    desk.send(1, 1, 100, OrderKind.STOP, stop=103)
    desk.send(2, 1, 100, OrderKind.STOP, stop=106)
    desk.send(3, 1, 100, OrderKind.STOP_LIMIT, stop=103, price=104)
    desk.send(4, 1, 100, OrderKind.STOP_LIMIT, stop=106, price=107)
    assert desk.bar(0) == [
        ("TRIGGERED@CLOSE", 1, 100, 103), ("FILL@CLOSE", 1, 100, 105),
        ("TRIGGERED@CLOSE", 3, 100, 103), ("FILL@CLOSE", 3, 100, 104),
    ]  # fmt: skip
    assert desk.bar(1) == [
        ("TRIGGERED@OPEN", 2, 100, 106), ("FILL@OPEN", 2, 100, 110),
        ("TRIGGERED@CLOSE", 4, 100, 106), ("EXPIRED@CLOSE", 4, 100, 0),
    ]  # fmt: skip


def test_immediate_orders_take_the_open_or_nothing() -> None:
    desk = Desk(market([[(100, 104, 90, 103)]]))
    desk.send(1, 1, 100, price=99, tif=Tif.IOC)
    desk.send(2, 1, 100, price=101, tif=Tif.FOK)
    desk.send(3, 1, 100, OrderKind.MARKET, tif=Tif.IOC)
    assert desk.bar(0) == [
        ("EXPIRED@OPEN", 1, 100, 0),
        ("FILL@OPEN", 2, 100, 100),
        ("FILL@OPEN", 3, 100, 100),
    ]


def test_participation_is_shared_and_known_at_the_close() -> None:
    bars: Bars = [(100, 104, 90, 103)] * 3
    desk = Desk(market([bars], volume=2_000), fill_at="close", participation=RATE_SCALE // 2)
    desk.send(1, 1, 1_500, price=101)
    desk.send(2, 1, 700, price=101, tif=Tif.FOK)
    desk.send(3, 1, 700, price=101, tif=Tif.IOC)
    assert desk.bar(0) == [
        ("FILL@CLOSE", 1, 1_000, 100), ("EXPIRED@CLOSE", 2, 700, 0), ("EXPIRED@CLOSE", 3, 700, 0),
    ]  # fmt: skip
    assert desk.bar(1) == [("FILL@CLOSE", 1, 500, 100)]


def test_auction_orders_have_their_bar() -> None:
    desk = Desk(market([[(100, 104, 90, 103), (103, 104, 101, 102)], [(99, 99, 98, 98)]]))
    desk.send(1, 1, 100, OrderKind.OPEN_AUCTION)
    desk.send(2, 1, 100, OrderKind.OPEN_AUCTION, price=100)
    desk.send(3, -1, 100, OrderKind.CLOSE_AUCTION, price=101)
    assert desk.bar(0) == [("FILL@OPEN", 1, 100, 100), ("EXPIRED@CLOSE", 2, 100, 0)]
    assert desk.bar(1) == [("FILL@CLOSE", 3, 100, 102)]


def test_a_decision_before_the_close_meets_the_close_alone() -> None:
    desk = Desk(market([[(100, 104, 90, 103)]]), decide="before_close", fill_at="close")
    desk.at(0, Phase.OPEN)
    desk.at(0, Phase.DECIDE)
    desk.send(1, 1, 100, price=101)
    desk.send(2, 1, 100, price=104)
    desk.send(3, 1, 100, OrderKind.CLOSE_AUCTION)
    desk.at(0, Phase.DECIDE)
    assert desk.at(0, Phase.CLOSE) == [
        ("EXPIRED@CLOSE", 1, 100, 0), ("FILL@CLOSE", 2, 100, 103), ("FILL@CLOSE", 3, 100, 103),
    ]  # fmt: skip


def test_a_buy_at_sealed_limit_up_waits_until_the_limit_opens() -> None:
    sealed = (110, 110, 110, 110)
    desk = Desk(market([[sealed, sealed, (110, 110, 108, 110)]], up=110, down=90))
    desk.send(1, 1, 100, price=110)
    assert desk.bar(0) == []
    desk.send(2, 1, 100, OrderKind.MARKET, tif=Tif.IOC)
    assert desk.bar(1) == [("EXPIRED@CLOSE", 2, 100, 0)]
    assert desk.bar(2) == [("FILL@CLOSE", 1, 100, 110)]


def test_orders_beyond_the_limits_are_refused_while_the_day_is_known() -> None:
    desk = Desk(market([[(100, 101, 99, 100)]], up=110, down=90))
    desk.at(0, Phase.PREOPEN)
    desk.send(1, 1, 100, price=111)
    reports = desk.venue.poll(Batch.slice(desk.market, 0, Phase.OPEN)).columns
    assert reports["kind"].tolist() == [ReportKind.REJECTED]
    assert reports["reason"].tolist() == [Reason.BEYOND_LIMIT.value]


def test_replace_and_cancel() -> None:
    desk = Desk(market([[(100, 101, 99, 100), (100, 101, 95, 100)]]))
    desk.send(1, 1, 300, price=90)
    desk.send(2, 1, 300, price=90)
    desk.bar(0)
    desk.send(1, 1, 200, price=96, action=Action.REPLACE)
    desk.send(2, 1, 300, action=Action.CANCEL)
    assert desk.at(1, Phase.OPEN) == [("REPLACED@OPEN", 1, 200, 96), ("CANCELLED@OPEN", 2, 300, 0)]
    assert desk.at(1, Phase.CLOSE) == [("FILL@CLOSE", 1, 200, 96)]


def test_protection_bounds_what_a_market_buy_pays() -> None:
    desk = Desk(market([[(100, 120, 95, 100), (104, 120, 95, 100)]]))
    desk.bar(0)
    desk.send(1, 1, 100, OrderKind.STOP, stop=101, protect=103)
    desk.send(2, 1, 100, OrderKind.STOP, stop=101, protect=104)
    assert desk.bar(1)[1:3] == [("TRIGGERED@OPEN", 2, 100, 101), ("FILL@OPEN", 2, 100, 104)]


@pytest.mark.parametrize("at", ["open", "close", "vwap", "worst_of"])
def test_a_plain_order_trades_where_declared(at: Any) -> None:
    desk = Desk(market([[(100, 120, 90, 103)]]), fill_at=at)
    desk.send(1, 1, 100, OrderKind.MARKET)
    desk.send(2, -1, 100, OrderKind.MARKET)
    where = {"open": (100, 100), "close": (103, 103), "vwap": (105, 105), "worst_of": (120, 90)}[at]
    said = desk.bar(0)
    assert tuple(price for _, _, _, price in said) == where
    assert {kind for kind, *_ in said} == {"FILL@OPEN" if at == "open" else "FILL@CLOSE"}


def test_working_orders_survive_a_snapshot() -> None:
    desk = Desk(market([[(100, 104, 99, 100), (103, 120, 95, 100)]]))
    desk.send(1, 1, 100, OrderKind.STOP_LIMIT, stop=103, price=102, tif=Tif.GTC)
    assert desk.bar(0) == [("TRIGGERED@CLOSE", 1, 100, 103)]
    other = Desk(desk.market)
    other.venue = SimVenue.restore(desk.venue.config, desk.market, desk.venue.snapshot())
    other.t, other.phase = desk.t, desk.phase
    assert other.bar(1) == desk.bar(1) == [("FILL@CLOSE", 1, 100, 102)]


def test_a_suspended_day_fills_nothing() -> None:
    given = market([[(100, 104, 90, 103)]])
    arrays = {**given.arrays, "flags": np.full((1, 1), LISTED | SUSPENDED | MAIN << 8, "u4")}
    desk = Desk(Market.from_arrays(**arrays))
    desk.send(1, 1, 100, price=101)
    assert desk.bar(0) == [("EXPIRED@CLOSE", 1, 100, 0)]
