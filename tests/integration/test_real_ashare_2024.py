"""A real market through the whole path, and its numbers a second time by other means.

The second computation reads the vendor files with the csv module and keeps books in Decimal; it shares no
code with the product but the published rules it restates: 10 % limits rounded half up, lots of 100, fees
to the cent, distributions inferred from the reference price. (T+1 never binds: one decision a month.)
"""

from __future__ import annotations

import csv
import gzip
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl
import pytest

from quant.pipelines.flows.backtest import backtest
from quant.pipelines.flows.replay import replay_run
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.sync import sync

TOP, BUFFER, CASH = 20, Decimal("0.05"), Decimal(10_000_000)
START, END = date(2024, 2, 1), date(2024, 12, 31)
CENT, TICK, LOT = Decimal("0.01"), Decimal("0.01"), 100

PROJECT = """
apiVersion = "quant/v1"
kind = "project"
name = "real"
format = 1
[profiles.real]
sources = ["tushare_files"]
from = "2024-01-02"
to = "2024-12-31"
[profiles.real.roots]
tushare_files = "{root}"
[defaults]
profile = "real"
"""
SPECS = f"""
apiVersion: quant/v1
kind: universe
name: every_main
members: {{boards: [SSE_MAIN, SZSE_MAIN, SME]}}
where: ["not $suspended"]
---
apiVersion: quant/v1
kind: strategy
name: plain_momentum
signal: momentum_20
construct: {{method: equal, top: {TOP}, cash_buffer: 5%}}
rebalance: {{every: month, on: last}}
---
apiVersion: quant/v1
kind: risk
name: free
---
apiVersion: quant/v1
kind: backtest
name: real_momentum
use: {{strategy: plain_momentum, universe: every_main, cost: cn_stock, risk: free}}
range: [{START}, {END}]
cash: {CASH}
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, shared: Callable[[str], Path]) -> Workspace:
    root = tmp_path_factory.mktemp("real")
    (root / "quant.toml").write_text(
        PROJECT.format(root=shared("data/ashare_01_*").as_posix()), encoding="utf-8"
    )
    (root / "specs").mkdir()
    (root / "specs" / "all.yaml").write_text(SPECS, encoding="utf-8")
    workspace = Workspace.find(root)
    plan = plan_sync(workspace, SyncRequest(), data_specs(workspace))
    for _ in sync(plan, Lake(workspace.lake), run="test"):
        pass
    return workspace


@dataclass
class Bar:
    open: Decimal
    close: Decimal
    pre_close: Decimal
    factor: float


@dataclass
class Book:
    """One account in Decimal."""

    cash: Decimal = CASH
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    trades: int = 0
    taxes: Decimal = Decimal(0)
    lots: dict[str, list[tuple[date, int]]] = field(default_factory=lambda: defaultdict(list))
    paid: dict[str, list[tuple[date, Decimal]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, code: str, quantity: int) -> list[tuple[date, int]]:
        """The oldest lots of ``quantity`` shares leave."""
        taken, lots = [], self.lots[code]
        while quantity:
            bought, size = lots.pop(0)
            part = min(size, quantity)
            taken.append((bought, part))
            quantity -= part
            if part < size:
                lots.insert(0, (bought, size - part))
        return taken

    def tax(self, code: str, day: date, taken: list[tuple[date, int]]) -> Decimal:
        """On the dividends that the lots had received: 20 % up to a month, 10 % up to a year, then none."""
        total = Decimal(0)
        for ex, cash in self.paid[code]:
            due = Decimal(0)
            for bought, part in taken:
                month = date(bought.year + bought.month // 12, bought.month % 12 + 1, 1)
                last = min(bought.day, monthrange(month.year, month.month)[1])
                rate = Decimal("0.2") if day <= month.replace(day=last) else Decimal("0.1")
                due += part * cash * rate if bought < ex else 0
            total += _cent(due)
        return total

    def pay(self, day: date, code: str, side: int, quantity: int, price: Decimal) -> None:
        if side > 0:
            self.lots[code].append((day, quantity))
        else:
            tax = self.tax(code, day, self.take(code, quantity))
            self.taxes += tax
            self.cash -= tax
        value = price * quantity
        commission = max(Decimal(5), _cent(value * Decimal("0.00025")))
        stamp = _cent(value * Decimal("0.0005")) if side < 0 else Decimal(0)
        self.cash -= side * value + commission + stamp + _cent(value * Decimal("0.00001"))
        self.held[code] += side * quantity
        self.trades += 1


def _cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _limits(reference: Decimal) -> tuple[Decimal, Decimal]:
    return tuple((reference * k).quantize(TICK, ROUND_HALF_UP) for k in (Decimal("1.1"), Decimal("0.9")))  # type: ignore[return-value]


def read_bars(folder: Path) -> dict[str, dict[date, Bar]]:
    bars: dict[str, dict[date, Bar]] = {}
    for path in sorted((folder / "by_stock").glob("*.csv*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig") as stream:
            for row in csv.DictReader(stream):
                day = date.fromisoformat(row["交易日期"])
                bars.setdefault(row["股票代码"], {})[day] = Bar(
                    Decimal(row["开盘价"]),
                    Decimal(row["收盘价"]),
                    Decimal(row["昨收价"]),
                    float(row["复权因子"]),
                )
    return bars


def read_listings(folder: Path) -> dict[str, date]:
    path = next(folder.glob("stock_basic.csv*"))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as stream:
        return {
            row["股票代码"]: datetime.fromisoformat(row["上市日期"]).date() for row in csv.DictReader(stream)
        }


def distribution(previous: Decimal, reference: Decimal) -> tuple[Decimal, Decimal]:
    """(cash per share, bonus ratio) that turn ``previous`` into ``reference``: the documented inference."""
    k = previous / reference
    if k < Decimal("1.1"):
        return previous - reference, Decimal(0)
    bonus = ((k - 1) * 10).to_integral_value(ROUND_FLOOR) / 10
    return previous - reference * (1 + bonus), bonus


class Second:
    """The run once more, in the most obvious way."""

    def __init__(self, folder: Path, order: dict[str, int]) -> None:
        self.bars = read_bars(folder)
        self.listed = read_listings(folder)
        self.order = order
        self.days = sorted({d for series in self.bars.values() for d in series})
        self.book = Book()
        self.last: dict[str, Decimal] = {}
        self.factor: dict[str, float] = {}
        self.adjusted: dict[str, list[float]] = {code: [] for code in self.bars}
        self.targets: list[str] | None = None
        self.nav: list[tuple[date, Decimal]] = []

    def run(self) -> list[tuple[date, Decimal]]:
        for index, day in enumerate(self.days):
            if day >= START:
                self.distribute(day)
                self.trade(day)
            self.close(day)
            if day >= START:
                value = sum((self.last[c] * q for c, q in self.book.held.items()), Decimal(0))
                self.nav.append((day, self.book.cash + value))
                following = self.days[index + 1] if index + 1 < len(self.days) else date(2025, 1, 2)
                if following.month != day.month:
                    self.targets = self.choose(day)
        return self.nav

    def distribute(self, day: date) -> None:
        for code, quantity in self.book.held.items():
            bar = self.bars[code].get(day)
            if not quantity or bar is None or abs(bar.factor - self.factor[code]) < 1e-12:
                continue
            cash, bonus = distribution(self.last[code], bar.pre_close)
            cash = cash.quantize(Decimal("0.000001"), ROUND_HALF_UP)
            new = int((quantity * bonus).to_integral_value(ROUND_FLOOR))
            self.book.cash += cash * quantity
            self.book.held[code] = quantity + new
            self.book.paid[code].append((day, cash))
            if new:
                self.book.lots[code].append((day, new))

    def trade(self, day: date) -> None:
        if self.targets is None:
            return
        reference = {
            c: (self.bars[c][day].pre_close if day in self.bars[c] else self.last[c])
            for c in self.bars
            if c in self.last
        }
        nav = self.book.cash + sum((reference[c] * q for c, q in self.book.held.items()), Decimal(0))
        each = (1 - BUFFER) / TOP * nav
        leaving = [c for c, q in self.book.held.items() if q and c not in self.targets]
        orders: list[tuple[str, int]] = [(c, -self.book.held[c]) for c in leaving]
        for code in self.targets:
            shares = int(
                ((each - reference[code] * self.book.held[code]) / reference[code]).to_integral_value(
                    "ROUND_DOWN"
                )
            )
            orders.append((code, shares // LOT * LOT if shares > 0 else -(-shares // LOT * LOT)))
        for side in (-1, 1):
            for code, quantity in orders:
                bar = self.bars[code].get(day)
                if quantity * side <= 0 or bar is None:
                    continue
                up, down = _limits(bar.pre_close)
                if (side > 0 and bar.open >= up) or (side < 0 and bar.open <= down):
                    continue
                self.book.pay(day, code, side, abs(quantity), bar.open)
        self.targets = None

    def close(self, day: date) -> None:
        for code, series in self.bars.items():
            bar = series.get(day)
            if bar is not None:
                self.last[code], self.factor[code] = bar.close, bar.factor
            if code in self.last:
                self.adjusted[code].append(float(self.last[code]) * self.factor[code])

    def choose(self, day: date) -> list[str]:
        scores = []
        for code, series in self.adjusted.items():
            if day in self.bars[code] and len(series) > 20:
                scores.append((-(series[-1] / series[-21] - 1), self.order[code], code))
        return [code for _, _, code in sorted(scores)[:TOP]]


def test_every_daily_total_is_reproduced(desk: Workspace, shared: Callable[[str], Path]) -> None:
    run = backtest(desk, "real_momentum")
    instruments = Lake(desk.lake).read("instruments")
    order = dict(zip(instruments["code"].to_list(), instruments["instrument_id"].to_list(), strict=True))
    second = Second(shared("data/ashare_01_*"), order)
    expected = second.run()
    nav = pl.read_parquet(run.folder / "nav.parquet")
    assert nav["session"].to_list() == [day for day, _ in expected]
    seen = [Decimal(str(round(v, 6))) for v in nav["nav"].to_list()]
    worst = max(abs(a - b) for a, (_, b) in zip(seen, expected, strict=True))
    assert worst <= Decimal("0.01"), worst
    assert pl.read_parquet(run.folder / "fills.parquet").height == second.book.trades > 200
    assert second.book.taxes > 1000
    assert abs(run.metrics["total_return"] - float(expected[-1][1] / CASH - 1)) < 1e-9


def test_what_the_files_cannot_tell_is_said(desk: Workspace) -> None:
    run = backtest(desk, "real_momentum")
    said = {a["code"] for a in run.receipt["assumptions"]}
    assert {"events.inferred", "st_history.absent", "benchmark.equal_weighted"} <= said
    report = run.report.read_text(encoding="utf-8")
    assert "inferred from jumps" in report and "unknown" in report


def test_the_run_replays_to_the_same_hash(desk: Workspace) -> None:
    verdict = replay_run(desk, backtest(desk, "real_momentum").run_id)
    assert verdict.same and not verdict.differences
