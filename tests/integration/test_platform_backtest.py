"""``quant backtest`` of files written for JoinQuant and RiceQuant, from specs to the record of the run."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import SpecError, SpecErrors
from quant.pipelines.flows.backtest import backtest
from quant.pipelines.flows.replay import replay_run
from quant.pipelines.workspace import Workspace
from quant.qcli.main import run as run_command
from quant.trading.strategies import StrategyError

JOINQUANT = """
from jqdata import *


def initialize(context):
    set_option("use_real_price", True)
    g.count = 5
    run_monthly(rotate, 1, time="open")


def rotate(context):
    listed = get_all_securities(["stock"], context.previous_date)
    quotes = get_current_data()
    names = [c for c in listed.index if not quotes[c].paused and not quotes[c].is_st]
    close = history(20, "1d", "close", names)
    best = (close.iloc[-1] / close.iloc[0]).nlargest(g.count).index.tolist()
    for code in context.portfolio.positions:
        if code not in best:
            order_target_value(code, 0)
    for code in best:
        if code not in context.portfolio.positions:
            order_value(code, context.portfolio.available_cash / (g.count - len(context.portfolio.positions)))
"""

RICEQUANT = """
def init(context):
    context.count = 5
    scheduler.run_monthly(rotate, tradingday=1)


def rotate(context, bar_dict):
    names = [i for i in all_instruments("CS").order_book_id if not is_suspended(i) and not is_st_stock(i)]
    moves = {c: history_bars(c, 20, "1d", "close", skip_suspended=False) for c in names}
    best = sorted(names, key=lambda c: -(moves[c][-1] / moves[c][0]))[: context.count]
    order_target_portfolio({c: 0.95 / context.count for c in best})


def handle_bar(context, bar_dict):
    pass
"""

SPEC = """
apiVersion: quant/v1
kind: strategy
name: {name}
code: {{entry: strategies.{name}, style: {style}, lookback: 20}}
---
apiVersion: quant/v1
kind: backtest
name: {name}
use: {{strategy: {name}, universe: all_listed, cost: cn_stock, risk: unlimited}}
range: [2021-06-01, 2022-06-30]
cash: 10_000_000
fill: {{at: {fill}}}
---
apiVersion: quant/v1
kind: risk
name: unlimited
"""


@pytest.fixture
def desk(small_desk: Workspace, tmp_path: Path) -> Workspace:
    """The small workspace, free to be changed."""
    shutil.copytree(small_desk.root, tmp_path / "desk")
    return Workspace.find(tmp_path / "desk")


def written(desk: Workspace, style: str, text: str, fill: str = "open") -> None:
    (desk.root / "strategies" / "mine.py").write_text(text, encoding="utf-8")
    spec = SPEC.format(name="mine", style=style, fill=fill)
    (desk.root / "specs" / "mine.yaml").write_text(spec.lstrip(), encoding="utf-8")


@pytest.mark.parametrize(("style", "text"), [("joinquant", JOINQUANT), ("ricequant", RICEQUANT)])
def test_a_file_from_specs_to_its_record_and_again(desk: Workspace, style: str, text: str) -> None:
    written(desk, style, text)
    run = backtest(desk, "mine")
    fills = pl.read_parquet(run.folder / "fills.parquet")
    assert len(fills) > 50
    verdict = replay_run(desk, run.run_id)
    assert verdict.same and verdict.state_hash == run.state_hash
    assert any(
        style[:4].lower() in line.lower() for line in (run.folder / "report.html").read_text().split("<p")
    )


FAULTS = [
    (("entry: strategies.mine", "entry: strategies.mine:Mine"), "has no class"),
    (("style: joinquant", "style: joinquant, decide: after_open"), "cannot fill at the session's open"),
    (("style: joinquant", "style: quantopian"), "not one of the allowed values"),
    (("all_listed", "sized"), "the decision is made before the open too"),
]


@pytest.mark.parametrize(("change", "told"), FAULTS)
def test_specs_that_cannot_be_kept_are_told(desk: Workspace, change: tuple[str, str], told: str) -> None:
    written(desk, "joinquant", JOINQUANT)
    spec = desk.root / "specs" / "mine.yaml"
    sized = "\n---\napiVersion: quant/v1\nkind: universe\nname: sized\nwhere: [$close > 1]\n"
    spec.write_text(spec.read_text().replace(*change) + sized)
    with pytest.raises((SpecErrors, SpecError)) as caught:
        backtest(desk, "mine")
    assert told in str(caught.value)


def test_the_default_lookback_asks_for_earlier_data(desk: Workspace) -> None:
    written(desk, "joinquant", JOINQUANT)
    spec = desk.root / "specs" / "mine.yaml"
    spec.write_text(spec.read_text().replace(", lookback: 20", ""))
    with pytest.raises((SpecErrors, SpecError), match="data are missing"):
        backtest(desk, "mine")


COST = """
---
apiVersion: quant/v1
kind: cost
name: cn_stock
commission: {rate: 0.0003, min: 5}
stamp: {rate: 0.001}
"""


@pytest.mark.parametrize(("tax", "told"), [("0.001", None), ("0.002", "stamp")])
def test_costs_of_a_file_are_compared_on_boards_that_exist(
    desk: Workspace, tax: str, told: str | None
) -> None:
    """STAR, ChiNext and Beijing begin, the small-company board ends: days without a board charge nothing."""
    call = f"set_order_cost(OrderCost(close_tax={tax}, open_commission=0.0003, close_commission=0.0003,"
    text = f"def initialize(context):\n    {call} min_commission=5), type='stock')\n"
    written(desk, "joinquant", text + "def handle_data(context, data):\n    pass\n")
    spec = desk.root / "specs" / "mine.yaml"
    spec.write_text(
        spec.read_text().replace("cost: cn_stock", "cost: agreed") + COST.replace("cn_stock", "agreed")
    )
    if told is None:
        assert backtest(desk, "mine").folder.is_dir()
        return
    with pytest.raises(StrategyError) as caught:
        backtest(desk, "mine")
    assert caught.value.fault.code == "platform.cost"
    assert told in caught.value.fault.message


def test_orders_that_a_risk_limit_rejects_are_told_on_the_screen(
    desk: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "def handle_data(context, data):\n    names = get_all_securities(date=context.current_dt).index\n"
    text += "    order_target_value(names[0], context.portfolio.total_value * 0.9)\n"
    written(desk, "joinquant", "def initialize(context):\n    pass\n" + text)
    spec = desk.root / "specs" / "mine.yaml"
    spec.write_text(spec.read_text().replace("risk: unlimited", "risk: default"))
    assert run_command(("backtest", "mine", "--workspace", str(desk.root))) == 0
    assert "blocked or cut: " in (said := capsys.readouterr().err)
    assert "risk: weight of one name" in said
