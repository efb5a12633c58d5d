"""The exchange over recorded markets: Binance depth and trades, CFFEX snapshots."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.core.money import RATE_SCALE
from quant.native.batch import OrderKind, ReportKind
from quant.native.config import FeeTables, KernelConfig, RuleTables
from quant.native.tick_run import Imbalance, Quote, run_ticks, tick_market
from quant.native.tick_venue import DepthKind, TickOrder, TickRule, Ticks, TickVenue

CRYPTO = "data/crypto_40_binance_l2_trades_20240808/spot_btcusdt_20240808.gz"
FUTURES = "data/cnfut_20_wondertrader_bars_ticks/csv/CFFEX.IC_gm_ticks_20210427.csv.gz"
CENT = 10_000 // 100
SATOSHI = 10**8
Event = tuple[int, int, int, int, int]


def scaled(text: str, scale: int) -> int:
    return int(Decimal(text) * scale)


def depth_events(file: Path) -> Iterator[Event]:
    """(ts, kind, side, price at 1e-4, size in satoshi) as received, from the snapshot on."""
    ready = False
    with gzip.open(file, "rt") as lines:
        for line in lines:
            stamp, _, body = line.partition(" ")
            ts, message = int(stamp), json.loads(body)
            if "lastUpdateId" in message:
                ready = True
                yield ts, DepthKind.CLEAR, 0, 0, 0
                sides = (1, message["bids"]), (-1, message["asks"])
            elif not ready:
                continue
            elif message["data"].get("e") == "trade":
                trade = message["data"]
                aggressor = -1 if trade["m"] else 1
                yield ts, DepthKind.TRADE, aggressor, scaled(trade["p"], 10_000), scaled(trade["q"], SATOSHI)
                continue
            elif message["data"].get("e") == "depthUpdate":
                sides = (1, message["data"]["b"]), (-1, message["data"]["a"])
            else:
                continue
            for side, levels in sides:
                for price, size in levels:
                    yield ts, DepthKind.LEVEL, side, scaled(price, 10_000), scaled(size, SATOSHI)


@pytest.fixture(scope="module")
def btc(shared: Callable[[str], Path]) -> dict[str, Any]:
    rows = zip(*depth_events(shared(CRYPTO)), strict=True)
    names = (("ts", "i8"), ("kind", "u1"), ("side", "i1"), ("price", "i8"), ("size", "i8"))
    return {name: np.array(values, dtype) for (name, dtype), values in zip(names, rows, strict=True)}


def part(events: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    return {name: np.ascontiguousarray(values[first:last]) for name, values in events.items()}


def best(events: dict[str, Any], until: int) -> tuple[int, int]:
    """Best bid and ask after the first events, by a dictionary."""
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    columns = (events[name][:until].tolist() for name in ("kind", "side", "price", "size"))
    for kind, side, price, size in zip(*columns, strict=True):
        if kind == DepthKind.CLEAR:
            book = {1: {}, -1: {}}
        elif kind == DepthKind.LEVEL:
            book[side][price] = size
    shown = {side: [p for p, size in levels.items() if size] for side, levels in book.items()}
    return max(shown[1]), min(shown[-1])


def test_takers_walk_the_recorded_depth(btc: dict[str, Any]) -> None:
    half = len(btc["ts"]) // 2
    bid, ask = best(btc, half)
    venue = TickVenue(TickRule(tick=CENT))
    venue.feed_depth(**part(btc, 0, half))
    now = int(btc["ts"][half - 1])
    venue.submit(TickOrder(1, 1, 20 * SATOSHI, OrderKind.MARKET), sent=now)
    venue.submit(TickOrder(2, -1, SATOSHI // 100, OrderKind.MARKET), sent=now)
    reports = venue.advance(now)
    fill = reports["kind"] == ReportKind.FILL
    bought = fill & (reports["order_id"] == 1)
    assert reports["quantity"][bought].sum() == 20 * SATOSHI
    assert reports["price"][bought][0] == ask
    assert (np.diff(reports["price"][bought]) > 0).all()
    assert len(reports["price"][bought]) > 3
    assert reports["price"][fill & (reports["order_id"] == 2)].tolist() == [bid]


def filled(btc: dict[str, Any], queue: Any, latency: int = 0) -> int:
    """One bid a second at the touch, each for a second; what of it fills."""
    ts = btc["ts"]
    begin = int(ts[len(ts) // 5])
    cuts = np.searchsorted(ts, np.arange(begin, begin + 60 * 10**9, 10**9), "right").tolist()
    venue = TickVenue(TickRule(queue=queue, tick=CENT, entry_latency=latency))
    venue.feed_depth(**part(btc, 0, cuts[0]))
    total = 0
    for number, (first, last) in enumerate(pairwise(cuts), 1):
        bid, _ = best(btc, first)
        now = int(ts[first - 1])
        venue.submit(TickOrder(number, 1, SATOSHI // 10, price=bid), sent=now)
        venue.cancel(number, sent=now + 9 * 10**8)
        reports = venue.feed_depth(**part(btc, first, last))
        fill = reports["kind"] == ReportKind.FILL
        assert (reports["price"][fill] <= bid).all()
        assert (reports["ts"] >= now + latency).all()
        total += int(reports["quantity"][fill].sum())
    return total


def test_queues_and_latency_cost_fills_on_the_recorded_market(btc: dict[str, Any]) -> None:
    touch, power, fifo = (filled(btc, queue) for queue in ("touch", "power", "fifo"))
    assert touch > power >= fifo
    assert touch > 0


@pytest.fixture(scope="module")
def index_future(shared: Callable[[str], Path]) -> Ticks:
    """IC, one day of half-second snapshots; prices at 1e-4 from the file's single-precision floats."""
    rows: list[tuple[int, ...]] = []
    with gzip.open(shared(FUTURES), "rt", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            quote = json.loads(row["quotes"])[0]
            when = datetime.fromisoformat(row["created_at"])
            ts = int(when.timestamp() * 10) * 10**8
            prices = (round(float(quote[name]) * 5) * 2_000 for name in ("bid_p", "ask_p"))
            last = round(float(row["price"]) * 5) * 2_000
            sizes = (int(quote[name]) for name in ("bid_v", "ask_v"))
            rows.append((ts, *prices, *sizes, last, int(float(row["last_volume"]))))
    columns = [np.array(values, "i8") for values in zip(*sorted(rows), strict=True)]
    names = ("ts", "bid", "ask", "bid_size", "ask_size", "last", "volume")
    return Ticks(**dict(zip(names, columns, strict=True)))


@pytest.mark.parametrize(
    "plan", [Imbalance(1, enter=RATE_SCALE * 3 // 4, leave=RATE_SCALE // 4), Quote(1, most=3)]
)
def test_a_day_of_an_index_future_runs_through_the_kernel(
    index_future: Ticks, plan: Imbalance | Quote
) -> None:
    market = tick_market(index_future, np.array([18_744], "i4"))
    config = KernelConfig(
        cash_micro=10**8 * 10**6,
        rules=RuleTables.uniform(1, lot=1, settlement_days=0),
        fees=FeeTables.uniform(1, commission=23_000),
        fill_at="close",
    )
    runs = [run_ticks(config, market, TickRule(tick=2_000), index_future, plan).kernel for _ in range(2)]
    fills = runs[0].fills()
    assert len(fills["row"]) > 50
    lowest, highest = index_future.bid.min(), index_future.ask.max()
    assert fills["price"].min() >= lowest and fills["price"].max() <= highest
    assert (fills["price"] % 2_000 == 0).all()
    assert runs[0].state_hash() == runs[1].state_hash()
