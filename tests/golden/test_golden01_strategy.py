"""golden_01: buy 1,000 shares of 000001.SZ before every close of a year, filled at that close.

An independent engine's result on real prices: 68 trades (limit-up on 2015-04-10, no money after April), a
bonus issue with a dividend, and every daily total.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from session_plan import SessionPlan

from quant.core.market.calendar import calendar
from quant.core.market.instrument import LISTED, TRADING, Board
from quant.core.money import PRICE_SCALE, scaled, to_tick
from quant.native.kernel import FeeTables, KernelConfig, Market, RuleTables
from quant.research.market import instants
from quant.research.panel import Actions, Panel
from quant.trading import MarketData, PythonStrategy, View, run_paper, run_replay

START, END = date(2015, 1, 9), date(2016, 1, 12)
CODE = "000001.SZ"


SPECS = """\
apiVersion: quant/v1
kind: strategy
name: every_day
code: {entry: strategies.golden:BuyEveryDay, decide: before_close}
---
apiVersion: quant/v1
kind: cost
name: golden_01
commission: {rate: 0.0008, min: 5}
stamp: {rate: 0.001}
transfer: {rate: 0}
rounding: none
---
apiVersion: quant/v1
kind: risk
name: unlimited
---
apiVersion: quant/v1
kind: backtest
name: golden_01
use: {strategy: every_day, universe: all_listed, cost: golden_01, risk: unlimited}
range: [2015-01-09, 2016-01-12]
cash: 1_000_000
fill: {at: close, on_insufficient_cash: reject}
"""

RICEQUANT = """\
from rqalpha.apis import *


def init(context):
    context.stock = "000001.XSHE"


def handle_bar(context, bar_dict):
    order_shares(context.stock, 1000)
"""

STRATEGY = """\
class BuyEveryDay:
    def decide(self, view):
        view.order("000001.SZ", "buy", 1000)
"""


class BuyEveryDay:
    """Orders 1,000 shares at every decision, whatever happened before."""

    def decide(self, view: View) -> None:
        view.order(CODE, "buy", 1000)


@dataclass(frozen=True)
class Plan(SessionPlan):
    name: str = "golden_01"
    decide: str = "before_close"


@dataclass(frozen=True)
class Expected:
    dates: list[date]
    totals: list[Decimal]
    trades: list[tuple[date, Decimal, int, Decimal]]


@pytest.fixture(scope="module")
def expected(shared: Callable[[str], Path]) -> Expected:
    path = shared("data/golden_01_rqalpha_ashare_backtests/outs/test_s_buy_and_hold.txt.gz")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    account = _section(lines, "[stock_account]")
    trades = _section(lines, "[trades]")
    return Expected(
        dates=[date.fromisoformat(r[""][:10]) for r in account],
        totals=[Decimal(r["total_value"]) for r in account],
        trades=[
            (
                date.fromisoformat(r[""][:10]),
                Decimal(r["last_price"]),
                int(r["last_quantity"]),
                Decimal(r["commission"]),
            )
            for r in trades
        ],
    )


@pytest.fixture(scope="module")
def data(shared: Callable[[str], Path]) -> MarketData:
    return MarketData.of(_market(shared("data/ashare_03_baostock_raw_2010_2024/000001.csv.gz")), [CODE])


def _section(lines: list[str], name: str) -> list[dict[str, str]]:
    begin = lines.index(name) + 3
    end = next(i for i in range(begin, len(lines)) if lines[i].startswith("["))
    return list(csv.DictReader(line for line in lines[begin:end] if line))


def _market(path: Path) -> Market:
    text = gzip.decompress(path.read_bytes()).decode()
    rows = {r["date"]: r for r in csv.DictReader(text.splitlines())}
    sessions = calendar("XSHG").sessions(START, END)
    bars = [rows[d.isoformat()] for d in sessions]
    columns = {name: [Decimal(b[name]) for b in bars] for name in ("open", "high", "low", "close")}
    reference = [Decimal(b["preclose"]) for b in bars]
    tick = Decimal("0.01")
    columns |= {
        "pre_close": reference,
        "limit_up": [to_tick(p * Decimal("1.1"), tick) for p in reference],
        "limit_down": [to_tick(p * Decimal("0.9"), tick) for p in reference],
        "vwap": columns["close"],
    }
    arrays = {n: np.array([[scaled(v, PRICE_SCALE)] for v in values], "i8") for n, values in columns.items()}
    ex = sessions.index(date(2015, 4, 13))
    actions = {
        "ex_index": np.array([ex], "i4"),
        "pay_index": np.array([-1], "i4"),
        "instrument": np.array([0], "i4"),
        "cash_per_share": np.array([174_000], "i8"),
        "bonus_ratio": np.array([20_000_000], "i8"),
        "inferred": np.array([0], "u1"),
    }
    flags = [LISTED | (TRADING if b["tradestatus"] == "1" else 0) | Board.SZSE_MAIN << 8 for b in bars]
    return Market.from_arrays(
        sessions=np.array([(d - date(1970, 1, 1)).days for d in sessions], "i4"),
        instants=instants(sessions, "XSHG"),
        volume=np.array([[int(b["volume"] or 0)] for b in bars], "i8"),
        flags=np.array([[f] for f in flags], "u4"),
        actions=actions,
        **arrays,
    )


def _config(sessions: int) -> KernelConfig:
    return KernelConfig(
        cash_micro=1_000_000_000_000,
        rules=RuleTables.uniform(sessions),
        fees=FeeTables.uniform(sessions, commission=800_000, stamp_sell=1_000_000, commission_min=5_000_000),
        fill_at="close",
        decide="before_close",
        on_insufficient_cash="reject",
        rounding="none",
    )


def test_every_daily_total_and_the_final_value(data: MarketData, expected: Expected) -> None:
    result = run_replay(Plan(), data, _config(data.market.T), PythonStrategy(BuyEveryDay()))
    history = result.kernel.nav_history()
    totals = [Decimal(int(nav)) / 1_000_000 for nav in history["nav"]]
    assert data.sessions() == expected.dates
    wrong = [
        (d, a, b) for d, a, b in zip(expected.dates, totals, expected.totals, strict=True) if round(b, 3) != a
    ]
    assert wrong == []
    assert totals[-1] == Decimal("862996.72")


def test_every_trade(data: MarketData, expected: Expected) -> None:
    result = run_replay(Plan(), data, _config(data.market.T), PythonStrategy(BuyEveryDay()))
    fills = result.kernel.fills()
    trades = [
        (
            data.session(int(row)),
            Decimal(int(price)) / 10_000,
            int(quantity),
            Decimal(int(commission)) / 1_000_000,
        )
        for row, price, quantity, commission in zip(
            fills["row"], fills["price"], fills["quantity"], fills["commission"], strict=True
        )
    ]
    assert len(trades) == 68
    assert trades == [(d, p, q, round(c, 6)) for d, p, q, c in expected.trades]


def test_the_same_by_a_paper_session(data: MarketData, expected: Expected, tmp_path: Path) -> None:
    config = _config(data.market.T)
    days = []
    result = run_paper(
        Plan(), data, config, PythonStrategy(BuyEveryDay()), tmp_path / "s", on_day=days.append
    )
    assert result.nav == 862_996.72
    assert [day.session for day in days] == expected.dates
    assert sum(day.fills for day in days) == 68
    replayed = run_replay(Plan(), data, config, PythonStrategy(BuyEveryDay()))
    assert replayed.chain == result.chain


@pytest.mark.parametrize("style", ["class", "ricequant"])
def test_the_same_from_specs_and_a_file_in_the_workspace(
    shared: Callable[[str], Path], data: MarketData, expected: Expected, tmp_path: Path, style: str
) -> None:
    """Strategy document, cost document with its rates and rounding none, Python file: all the way through."""
    from spec_workspaces import FullCatalog, load

    from quant.core.market.rules import rulebook
    from quant.native.kernel import KERNEL_HASH
    from quant.pipelines.wiring import assemble, run_stepped
    from quant.specs import resolve
    from quant.specs.compile import compile_backtest

    (tmp_path / "strategies").mkdir()
    specs = SPECS
    if style != "class":
        specs = SPECS.replace("golden:BuyEveryDay,", f"golden, style: {style}, lookback: 1,")
    (tmp_path / "strategies" / "golden.py").write_text(STRATEGY if style == "class" else RICEQUANT)
    resolved = resolve(load(tmp_path, golden=specs), "backtest", "golden_01", [])
    catalog = FullCatalog(start=date(2014, 1, 2), end=date(2016, 1, 13))
    plan = compile_backtest(resolved, catalog, rulebook_hash=rulebook().fingerprint, kernel_hash=KERNEL_HASH)
    kernel = run_stepped(assemble(plan, _panel(data)), tmp_path / "strategies")
    totals = [Decimal(int(nav)) / 1_000_000 for nav in kernel.nav_history()["nav"]]
    assert totals == [round(total, 3) for total in expected.totals]
    assert totals[-1] == Decimal("862996.72")
    assert len(kernel.fills()["row"]) == 68


def _panel(data: MarketData) -> Panel:
    arrays = data.market.arrays
    prices = {n: arrays[n] for n in ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down")}
    return Panel(
        sessions=tuple(data.sessions()),
        instruments=np.array([1]),
        codes=(CODE,),
        names=("平安银行",),
        boards=np.array([Board.SZSE_MAIN], np.uint8),
        list_sessions=np.array([7762], np.int32),
        vwap=arrays["vwap"],
        volume=arrays["volume"],
        amount=arrays["volume"] * arrays["vwap"] / PRICE_SCALE,
        flags=arrays["flags"],
        factor=np.ones(arrays["close"].shape),
        actions=Actions(**data.market.actions),
        **prices,
    )
