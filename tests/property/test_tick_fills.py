"""For any recording and orders: no fill before arrival, beyond a limit, outside hours or of too much."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from soak import SOAK

from quant.core.money import RATE_SCALE
from quant.native.batch import OrderKind, Tif
from quant.native.kernel import Reason, ReportKind
from quant.native.tick_venue import SessionKind, TickOrder, TickRule, Ticks, TickVenue, Window

DOWN, UP = 90, 110
SESSION = 1_000
NEWS = (ReportKind.TRIGGERED, ReportKind.CARRIED, ReportKind.CANCEL_REJECTED, ReportKind.REPLACE_REJECTED)
FINAL = (ReportKind.CANCELLED, ReportKind.REJECTED, ReportKind.EXPIRED)


@dataclass
class Story:
    """Orders by id with the instant at which they were sent, and everything the venue said."""

    rule: TickRule
    rows: Any
    orders: dict[int, TickOrder]
    sent: dict[int, int]
    said: list[tuple[int, int, ReportKind, int, int, int]]
    windows: list[Window]


def recording(rng: np.random.Generator, n: int) -> Any:
    rows = np.zeros(
        n, [(name, "i8") for name in ("ts", "bid", "ask", "bid_size", "ask_size", "last", "volume")]
    )
    rows["ts"] = np.cumsum(rng.integers(0, 9, n))
    middle = np.clip(100 + np.cumsum(rng.integers(-1, 2, n)), DOWN + 1, UP - 1)
    rows["bid"], rows["ask"] = middle - rng.integers(0, 2, n), middle + 1
    rows["bid_size"], rows["ask_size"] = rng.integers(1, 30, n), rng.integers(1, 30, n)
    sealed = rng.random(n) < 0.05
    rows["ask"][sealed] = rows["ask_size"][sealed] = 0
    rows["bid"][sealed] = UP
    rows["last"] = np.where(rng.random(n) < 0.5, rows["bid"], np.maximum(rows["ask"], DOWN)) + rng.integers(
        -1, 2, n
    )
    rows["volume"] = rng.integers(0, 12, n) * (rng.random(n) < 0.6)
    return rows


def windows_of(end: int) -> list[Window]:
    made = []
    for day, begin in enumerate(range(0, end, SESSION)):
        made += [
            Window(begin, begin + 100, SessionKind.OPEN_AUCTION, cancels=False, day=day),
            Window(begin + 150, begin + 700, day=day),
            Window(begin + 700, begin + 800, SessionKind.CLOSE_AUCTION, day=day),
        ]
    return made


def tell(seed: int, n: int, **terms: Any) -> Story:
    rng = np.random.default_rng(seed)
    rule = TickRule(**terms)
    rows = recording(rng, n)
    venue = TickVenue(rule)
    venue.set_limits(down=DOWN, up=UP)
    windows = windows_of(int(rows["ts"][-1]) + 1) if seed % 2 else []
    venue.set_windows(windows)
    ticks = Ticks(**{name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names})
    story = Story(rule, rows, {}, {}, [], windows)
    for k in range(n):
        reports = venue.feed(ticks, k, k + 1)
        _note(story, reports)
        now = int(rows["ts"][k])
        while rng.random() < 0.3:
            order = _order(rng, len(story.orders) + 1)
            story.orders[order.order_id], story.sent[order.order_id] = order, now
            venue.submit(order, sent=now)
        if story.orders and rng.random() < 0.1:
            venue.cancel(int(rng.integers(1, len(story.orders) + 1)), sent=now)
        if story.orders and rng.random() < 0.2:
            changed = int(rng.integers(1, len(story.orders) + 1))
            price = int(rng.integers(DOWN - 1, UP + 2)) if story.orders[changed].price else 0
            venue.replace(changed, sent=now, quantity=int(rng.integers(0, 40)), price=price)
    _note(story, venue.end_day(int(rows["ts"][-1]) + 10_000))
    return story


def _order(rng: np.random.Generator, order_id: int) -> TickOrder:
    kind = OrderKind(int(rng.choice([0, 1, 1, 1, 1, 2, 3, 4, 5])))
    tif = Tif(int(rng.choice([0, 0, 0, 1, 2, 3])))
    price = int(rng.integers(DOWN - 1, UP + 2))
    if kind in (OrderKind.MARKET, OrderKind.STOP) or rng.random() < 0.5 * (kind > OrderKind.STOP_LIMIT):
        price = 0
    return TickOrder(order_id, int(rng.choice([1, -1])), int(rng.integers(1, 40)), kind, tif, price,
                     int(rng.integers(DOWN, UP)))  # fmt: skip


def _note(story: Story, reports: Any) -> None:
    names = ("order_id", "ts", "kind", "quantity", "price", "reason")
    for order_id, ts, kind, quantity, price, reason in zip(
        *(reports[n].tolist() for n in names), strict=True
    ):
        story.said.append((order_id, ts, ReportKind(kind), quantity, price, reason))


RULES: list[dict[str, Any]] = [
    {"queue": "touch", "sweep": "touch", "slippage": 1},
    {"queue": "touch", "participation": RATE_SCALE // 4},
    {"queue": "fifo", "entry_latency": 7, "answer_latency": 3},
    {"queue": "power", "entry_latency": 30, "participation": RATE_SCALE // 2},
    {"queue": "log", "slippage": 1},
]
ROWS = 40_000 if SOAK else 600


@pytest.mark.parametrize("terms", RULES, ids=lambda terms: str(terms["queue"]))
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_fills_keep_every_promise(seed: int, terms: dict[str, Any]) -> None:
    story = tell(seed, ROWS, **terms)
    assert sum(kind is ReportKind.FILL for _, _, kind, *_ in story.said) > 20
    _balance(story)
    _prices_and_times(story)
    if "participation" in terms:
        _amounts(story)


def _balance(story: Story) -> None:
    """Fills and the final report add up to what was sent; nothing is said after the end."""
    left = {order_id: order.quantity for order_id, order in story.orders.items()}
    ended: set[int] = set()
    for order_id, _, kind, quantity, _, _ in story.said:
        assert order_id not in ended
        if kind is ReportKind.ACK:
            assert quantity == left[order_id] == story.orders[order_id].quantity
            continue
        if kind is ReportKind.REPLACED:
            left[order_id] = quantity
            continue
        if kind in NEWS:
            assert quantity == left[order_id]
            continue
        assert 0 < quantity <= left[order_id]
        left[order_id] -= quantity
        if kind in FINAL:
            assert left[order_id] == 0
        if left[order_id] == 0:
            ended.add(order_id)
    assert {order for order in left if order not in ended} <= {
        order_id for order_id, order in story.orders.items() if order.tif is Tif.GTC
    } | {order_id for order_id in story.orders if story.sent[order_id] == int(story.rows["ts"][-1])}


def _prices_and_times(story: Story) -> None:
    opened = {w.begin // SESSION: w for w in story.windows if w.kind is SessionKind.CONTINUOUS}
    limits = {order_id: order.price for order_id, order in story.orders.items()}
    for order_id, ts, kind, _, price, reason in story.said:
        order = story.orders[order_id]
        if kind is ReportKind.REPLACED:
            limits[order_id] = price
        arrival = story.sent[order_id] + story.rule.entry_latency
        if kind in (ReportKind.ACK, ReportKind.REJECTED):
            assert ts == arrival
        if reason == Reason.OUT_OF_SESSION.value:
            assert not any(w.begin <= ts < w.end for w in story.windows)
        if kind is not ReportKind.FILL:
            continue
        assert ts >= arrival
        assert DOWN <= price <= UP
        if limits[order_id]:
            assert order.side * (limits[order_id] - price) >= 0
        if story.windows:
            window = opened[ts // SESSION]
            in_hours = window.begin <= ts < window.end
            after_auction = ts % SESSION >= 100
            assert in_hours or after_auction
            if order.kind >= OrderKind.OPEN_AUCTION:
                assert ts % SESSION >= (100 if order.kind is OrderKind.OPEN_AUCTION else 800)


def _amounts(story: Story) -> None:
    """At one instant no side gets more than its share of what was printed and displayed in it."""
    share = story.rule.participation or 0
    rows = story.rows
    filled: dict[tuple[int, int], int] = defaultdict(int)
    for order_id, ts, kind, quantity, _, _ in story.said:
        if kind is ReportKind.FILL:
            filled[ts, story.orders[order_id].side] += quantity
    for (ts, side), quantity in filled.items():
        at = np.searchsorted(rows["ts"], ts, "left")
        until = np.searchsorted(rows["ts"], ts, "right")
        seen = rows[max(at - 1, 0) : until]
        sizes = seen["ask_size"] if side == 1 else seen["bid_size"]
        most = (seen["volume"] * share // RATE_SCALE).sum() + (sizes * share // RATE_SCALE).sum()
        assert quantity <= most


def test_the_same_story_gives_the_same_reports() -> None:
    assert tell(5, 300, **RULES[3]).said == tell(5, 300, **RULES[3]).said
