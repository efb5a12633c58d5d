"""A published buy-and-hold result of another engine, reproduced to the cent (``shared`` data golden_01).

1000 shares of 000001.SZ are ordered before every close from 2015-01-09 to 2016-01-12 and filled at that
close: commission 0.0008 (at least 5 yuan), stamp duty 0.001 on sells, no rounding, orders the cash does not
pay for are refused, the sealed limit-up of 2015-04-10 cannot be bought, 2015-04-13 gives 2 new shares for 10
and 1.74 yuan for 10.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest

from quant.native.kernel import (
    Batch,
    BatchKind,
    FeeTables,
    IntentKind,
    Kernel,
    KernelConfig,
    Market,
    Phase,
    Reason,
    RuleTables,
    SimVenue,
)

FIRST, LAST, EX_DATE = date(2015, 1, 9), date(2016, 1, 12), date(2015, 4, 13)
EPOCH = date(1970, 1, 1)
Shared = Callable[[str], Path]


def section(path: Path, name: str) -> list[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()).decode()
    lines = text.split(f"[{name}]\n")[1].split("\n[")[0].split("\n")[2:]
    return list(csv.DictReader(io.StringIO("\n".join(line for line in lines if line))))


def scaled(text: str) -> int:
    return int(Decimal(text) * 10_000)


def limit(pre_close: str, factor: str) -> int:
    return scaled(str((Decimal(pre_close) * Decimal(factor)).quantize(Decimal("0.01"), ROUND_HALF_UP)))


def market_of(rows: list[dict[str, str]]) -> Market:
    days = [date.fromisoformat(row["date"]) for row in rows]

    def column(values: Iterator[int]) -> np.ndarray:
        return np.array(list(values), "i8")[:, None]

    def instants(day: date) -> list[int]:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=8)
        clock = (
            timedelta(hours=9, minutes=15),
            timedelta(hours=9, minutes=30),
            timedelta(hours=14, minutes=57),
            timedelta(hours=15),
        )
        return [int((midnight + at).timestamp()) * 10**9 for at in clock]

    price = {name: column(scaled(row[name]) for row in rows) for name in ("open", "high", "low", "close")}
    volume = column(int(row["volume"] or 0) for row in rows)
    trading = [row["tradestatus"] == "1" for row in rows]
    return Market.from_arrays(
        sessions=np.array([(day - EPOCH).days for day in days], "i4"),
        instants=np.array([instants(day) for day in days], "i8"),
        **price, pre_close=column(scaled(row["preclose"]) for row in rows),
        limit_up=column(limit(row["preclose"], "1.1") for row in rows),
        limit_down=column(limit(row["preclose"], "0.9") for row in rows),
        vwap=np.zeros_like(volume), volume=volume,
        flags=np.array([[1 + (2 if on else 4) + (2 << 8)] for on in trading], "u4"),
        actions={"ex_index": np.array([days.index(EX_DATE)], "i4"), "pay_index": np.array([-1], "i4"),
                 "instrument": np.array([0], "i4"), "cash_per_share": np.array([174_000], "i8"),
                 "bonus_ratio": np.array([20_000_000], "i8"), "inferred": np.array([0], "u1")},
    )  # fmt: skip


def run(market: Market) -> Kernel:
    config = KernelConfig(
        cash_micro=1_000_000 * 10**6, rules=RuleTables.uniform(market.T),
        fees=FeeTables.uniform(market.T, commission=800_000, stamp_sell=1_000_000, commission_min=5_000_000),
        fill_at="close", decide="before_close", on_insufficient_cash="reject", rounding="none",
    )  # fmt: skip
    kernel, venue = Kernel(config, market), SimVenue(config, market)

    def drain(reports: Batch) -> None:
        while reports.n:
            venue.submit(kernel.step(reports))
            reports = venue.poll(None)

    for t in range(market.T):
        for phase in Phase:
            bar = Batch.slice(market, t, phase)
            venue.submit(kernel.step(bar))
            drain(venue.poll(bar))
            if phase is Phase.DECIDE:
                order = Batch.of(
                    BatchKind.INTENTS,
                    bar.ts,
                    phase,
                    t,
                    instrument=[0],
                    kind=[IntentKind.ORDER],
                    side=[1],
                    quantity=[1000],
                )
                venue.submit(kernel.step(order))
                drain(venue.poll(None))
    return kernel


@pytest.fixture(scope="module")
def published(shared: Shared) -> Path:
    return shared("data/golden_01*/outs/test_s_buy_and_hold.txt.gz")


@pytest.fixture(scope="module")
def kernel(shared: Shared) -> Kernel:
    path = shared("data/ashare_03*/000001.csv.gz")
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    return run(market_of([row for row in rows if FIRST <= date.fromisoformat(row["date"]) <= LAST]))


def test_final_value_is_the_published_one(kernel: Kernel) -> None:
    assert round(Decimal(kernel.nav) / 10**6, 2) == Decimal("862996.72")


def test_every_trade_is_the_published_one(kernel: Kernel, published: Path) -> None:
    fills, trades = kernel.fills(), section(published, "trades")
    sessions = kernel.market.arrays["sessions"]
    ours = [
        (str(EPOCH + timedelta(int(sessions[row]))), int(quantity), int(price), int(commission))
        for row, quantity, price, commission in zip(
            fills["row"], fills["quantity"], fills["price"], fills["commission"], strict=True
        )
    ]
    theirs = [
        (
            row["datetime"][:10],
            int(row["last_quantity"]),
            scaled(row["last_price"]),
            round(Decimal(row["commission"]) * 10**6),
        )
        for row in trades
    ]
    assert len(ours) == 68
    assert ours == theirs


TOTALS = {"nav": "total_value", "cash": "cash", "market_value": "market_value", "fees": "transaction_cost"}


@pytest.mark.parametrize("column", TOTALS)
def test_every_daily_total_is_the_published_one(kernel: Kernel, published: Path, column: str) -> None:
    rows = section(published, "stock_account")
    expected = [round(Decimal(row[TOTALS[column]]), 2) for row in rows]
    found = [round(Decimal(int(value)) / 10**6, 2) for value in kernel.nav_history()[column]]
    assert found == expected


def test_the_sealed_limit_up_is_not_bought(kernel: Kernel) -> None:
    orders = kernel.orders()
    blocked = orders["row"][orders["reason"] == int(Reason.LIMIT_UP)]
    sessions = kernel.market.arrays["sessions"]
    assert str(date(2015, 4, 10)) in {str(EPOCH + timedelta(int(sessions[row]))) for row in blocked}
