"""Files of both platforms: no look-ahead, what they remember, what they may ask for, and their mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kernel_market import config, stock_fees
from platform_case import CODES, Plan, data_of, market, run, terms, write

from quant.trading import run_paper, run_replay
from quant.trading.journal import MemoryJournal
from quant.trading.ports import Origin
from quant.trading.strategies import StrategyError, StrategyLoadError
from quant.trading.strategies.platforms import load_platform
from quant.trading.strategies.poison import PoisonCase, check_poison

JOINQUANT = """
    import numpy as np

    def initialize(context):
        g.names = ["000001.XSHE", "600000.XSHG", "601318.XSHG"]
        context.seen = set()
        run_weekly(rotate, 1, time="09:30")
        run_monthly(sell_all, -1, time="14:50")

    def before_trading_start(context):
        g.ranked = sorted(g.names, key=lambda c: -attribute_history(c, 3, fields=["close"])["close"].mean())

    def rotate(context):
        for code in g.ranked[:2]:
            order_target_value(code, context.portfolio.total_value * 0.3)
            context.seen.add(code)

    def sell_all(context):
        quotes = get_current_data()
        for code in list(context.portfolio.positions):
            if quotes[code].last_price < quotes[code].high_limit:
                order_target(code, 0)

    def handle_data(context, data):
        last = data["600519.XSHG"].close
        if np.isnan(last) or context.current_dt.weekday() != 2:
            return
        order_value("600519.XSHG", 30000 if last % 2 < 1 else 20000)

    def after_trading_end(context):
        g.closes = [get_price(c, end_date=context.current_dt, count=1, fields="close")["close"].iloc[0]
                    for c in g.names]
        g.in_index = len(get_index_stocks("000300.XSHG"))
"""

RICEQUANT = """
    def init(context):
        context.names = ["000001.XSHE", "600000.XSHG", "601318.XSHG"]
        scheduler.run_weekly(rotate, tradingday=1)

    def before_trading(context):
        context.limits = {c: current_snapshot(c).limit_up for c in context.names}

    def open_auction(context, bar_dict):
        if bar_dict["600519.XSHG"].prev_close > 30:
            order_shares("600519.XSHG", 100)

    def rotate(context, bar_dict):
        order_target_portfolio({c: 0.2 for c in index_components("000300.XSHG")[:3]})

    def handle_bar(context, bar_dict):
        for code in context.names:
            bar = bar_dict[code]
            if bar.last > history_bars(code, 3, "1d", "close").mean():
                order_percent(code, 0.02)
            elif get_position(code).closable:
                order_target_percent(code, 0.01)

    def after_trading(context):
        context.value = context.portfolio.total_value
"""
FILES = {"joinquant": JOINQUANT, "ricequant": RICEQUANT}


def loaded(root: Path, style: str, text: str, settings: Any, **named: Any) -> Any:
    write(root, text)
    decide = "before_open" if style == "joinquant" else "after_close"
    return load_platform(root, "strategies.mine", style, terms=terms(settings, decide), **named)


@pytest.mark.parametrize("style", ["joinquant", "ricequant"])
@pytest.mark.parametrize("fill", ["open", "close"])
def test_garbage_of_later_changes_no_decision(tmp_path: Path, style: str, fill: str) -> None:
    data = market(30)
    settings = config(20, fill_at=fill, cash_micro=10**12)

    def made(of: Any) -> Any:
        return loaded(tmp_path, style, FILES[style], settings)

    case = PoisonCase(Plan(), with_history(data), settings, rows(20), made)
    assert check_poison(case, at=[5, 17], seeds=[1]) > 100


def rows(count: int) -> Any:
    import numpy as np

    return np.arange(count, dtype=np.int32)


def with_history(whole: Any, first: int = 10) -> Any:
    """The market's rows from ``first`` on, the earlier ones as history."""
    import numpy as np

    from quant.native.kernel import Market
    from quant.trading.market_data import Facts, MarketColumns, MarketData

    arrays = {n: np.ascontiguousarray(v[first:]) for n, v in whole.arrays.items() if n != "day"}
    later = whole.actions["ex_index"] >= first
    actions = {n: np.ascontiguousarray(v[later]) for n, v in whole.actions.items()}
    for name in ("ex_index", "pay_index"):
        actions[name] = np.where(actions[name] < 0, -1, actions[name] - first).astype("i4")
    of = Market.from_arrays(actions=actions, **arrays)
    facts = data_of(whole).facts
    assert isinstance(facts, Facts)
    columns = MarketColumns(whole)
    return MarketData.of(of, CODES, columns, first=first, days=whole.arrays["sessions"], facts=facts)


@pytest.mark.parametrize("style", ["joinquant", "ricequant"])
def test_a_session_that_was_cut_goes_on_as_if_nothing_had_happened(tmp_path: Path, style: str) -> None:
    data, settings = with_history(market(45)), config(35, cash_micro=10**12)
    whole = run_replay(Plan(), data, settings, loaded(tmp_path, style, FILES[style], settings))
    assert len(whole.kernel.fills()["row"]) > 20
    for after in (3, 17):
        folder = tmp_path / f"cut{after}"

        def stop(day: Any, after: int = after) -> None:
            if day.index == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_paper(
                Plan(), data, settings, loaded(tmp_path, style, FILES[style], settings), folder, on_day=stop
            )
        again = run_paper(Plan(), data, settings, loaded(tmp_path, style, FILES[style], settings), folder)
        assert again.replayed > 0
        assert again.chain == whole.chain


def test_the_journal_holds_what_the_file_remembers(tmp_path: Path) -> None:
    data, settings = with_history(market(30)), config(20, cash_micro=10**12)
    journal = MemoryJournal(data.market)
    strategy = loaded(tmp_path, "joinquant", JOINQUANT, settings)
    run_replay(Plan(), data, settings, strategy, journal=journal)
    states = [e.state for e in journal.replay() if e.origin is Origin.DECISION]
    assert len(states) == 4 * data.market.T
    other = loaded(tmp_path, "joinquant", JOINQUANT, settings)
    other.restore(states[-1])
    assert other.snapshot() == states[-1]
    assert b'"in_index"' in states[-1]
    assert b'{"v":["' in states[-1] or b'"~":"set"' in states[-1]


def test_values_that_a_file_remembers_come_back_equal(tmp_path: Path) -> None:
    import datetime

    import numpy as np
    import pandas as pd

    from quant.trading.strategies.platforms.state import pack, unpack

    frame = pd.DataFrame(
        {"a": [1.5, float("nan")], "b": ["x", "y"]}, index=pd.to_datetime(["2023-01-03", "2023-01-04"])
    )
    for value in (
        {"a": (1, 2.5, None), 3: {"x"}, "d": datetime.date(2023, 1, 3)},
        [datetime.datetime(2023, 1, 3, 9, 30), datetime.timedelta(days=2), float("inf"), np.float64(1.25)],
        {"~": 1, "deep": [{"k": frozenset({1, 2})}]},
    ):
        assert unpack(pack(value)) == value
    array = np.arange(6, dtype="i4").reshape(2, 3)
    assert np.array_equal(unpack(pack(array)), array) and unpack(pack(array)).dtype == array.dtype
    pd.testing.assert_frame_equal(unpack(pack(frame)), frame, check_freq=False, check_index_type=False)
    series = frame["a"]
    pd.testing.assert_series_equal(unpack(pack(series)), series, check_freq=False)


ERRORS = [
    ("joinquant", "handle_data(context, data):\n        order('123456.XSHG', 100)", "code.unknown", 5),
    (
        "joinquant",
        "handle_data(context, data):\n        get_money_flow('000001.XSHE')",
        "platform.missing",
        5,
    ),
    ("joinquant", "handle_data(context, data):\n        finance.run_query(1)", "platform.missing", 5),
    ("joinquant", "handle_data(context, data):\n        1 / 0", "strategy.failed", 5),
    ("joinquant", "handle_data(context, data):\n        nothing()", "strategy.failed", 5),
    (
        "joinquant",
        "handle_data(context, data):\n        get_current_data()['000001.XSHE'].day_open",
        "platform.future",
        5,
    ),
    (
        "joinquant",
        "handle_data(context, data):\n        get_price('000001.XSHE', end_date=context.current_dt, count=1)",
        "platform.future",
        5,
    ),
    (
        "joinquant",
        "handle_data(context, data):\n        attribute_history('000001.XSHE', 500)",
        "bars.lookback",
        5,
    ),
    (
        "joinquant",
        "handle_data(context, data):\n        attribute_history('000001.XSHE', 5, '1m')",
        "platform.frequency",
        5,
    ),
    (
        "joinquant",
        "handle_data(context, data):\n        history(2, '1d', 'closing', '000001.XSHE')",
        "platform.field",
        5,
    ),
    (
        "joinquant",
        "handle_data(context, data):\n        order('000001.XSHE', 100, side='short')",
        "platform.account",
        5,
    ),
    ("joinquant", "handle_data(context, data):\n        g.thing = object()", "strategy.state", None),
    (
        "joinquant",
        "handle_data(context, data):\n        get_index_stocks('000905.XSHG')",
        "platform.index",
        5,
    ),
    (
        "joinquant",
        "handle_data(context, data):\n        get_index_stocks('000300.XSHG', '2023-12-01')",
        "platform.future",
        5,
    ),
    ("joinquant", "process_initialize(context):\n        order('000001.XSHE', 100)", "platform.early", None),
    ("joinquant", "process_initialize(context):\n        run_daily(1)", "platform.timer", 5),
    (
        "joinquant",
        "process_initialize(context):\n        run_daily(initialize, time='noon')",
        "platform.timer",
        5,
    ),
    (
        "ricequant",
        "handle_bar(context, bar_dict):\n        get_factor('000001.XSHE', 'pe')",
        "platform.missing",
        5,
    ),
    (
        "ricequant",
        "handle_bar(context, bar_dict):\n        order_shares('000001.XSHE', float('nan'))",
        "intent.amount",
        5,
    ),
    (
        "ricequant",
        "handle_bar(context, bar_dict):\n        history_bars('000001.XSHE', 5, '1m', 'close')",
        "platform.frequency",
        5,
    ),
    (
        "ricequant",
        "handle_bar(context, bar_dict):\n        history_bars('000001.XSHE', 5, '1d', 'last')",
        "platform.field",
        5,
    ),
    ("ricequant", "handle_bar(context, bar_dict):\n        context.portfolio.nothing", "strategy.failed", 5),
]


@pytest.mark.parametrize(("style", "body", "code", "line"), ERRORS)
def test_mistakes_are_told_with_their_line(
    tmp_path: Path, style: str, body: str, code: str, line: int | None
) -> None:
    first = "initialize" if style == "joinquant" else "init"
    text = f"def {first}(context):\n    pass\n\ndef {body}\n".replace("\n        ", "\n    ")
    with pytest.raises(StrategyError) as caught:
        run(tmp_path, style, text, data=data_of(market(3)))
    fault = caught.value.fault
    assert fault.code == code, fault
    assert (fault.where.line if fault.where else None) == line
    if fault.where:
        assert fault.where.file == "strategies/mine.py"


COSTS = [
    (
        "set_order_cost(OrderCost(close_tax=0.001, open_commission=0.0003, close_commission=0.0003,"
        " min_commission=5), type='stock')",
        "commission: {rate: 0.0003, min: 5}, stamp: {rate: 0.001}",
    ),
    (
        "set_commission(PerTrade(buy_cost=0.0003, sell_cost=0.0013, min_cost=5))",
        "commission: {rate: 0.0003, min: 5}, stamp: {rate: 0.001}",
    ),
    ("set_slippage(FixedSlippage(0.04))", "slippage: {ticks: 2}"),
    ("set_slippage(PriceRelatedSlippage(0.002))", "slippage: {ticks: N}"),
    ("set_option('order_volume_ratio', 0.1)", "fill: {participation: 0.1}"),
    ("set_option('use_real_price', False)", "prices as traded, adjusted to the present day"),
    (
        "set_order_cost(OrderCost(open_commission=0.0002, close_commission=0.0003), type='stock')",
        "one rate for both sides",
    ),
]


@pytest.mark.parametrize(("call", "expected"), COSTS)
def test_costs_that_differ_from_the_spec_are_errors_with_the_line_to_write(
    tmp_path: Path, call: str, expected: str
) -> None:
    with pytest.raises(StrategyError) as caught:
        run(tmp_path, "joinquant", f"def initialize(context):\n    {call}\n", data=data_of(market(3)))
    assert caught.value.fault.code == "platform.cost"
    assert caught.value.fault.expected == expected


def test_costs_that_are_the_specs_are_accepted(tmp_path: Path) -> None:
    from quant.native.kernel import FeeTables

    fees = FeeTables.uniform(120, commission=300_000, stamp_sell=1_000_000, commission_min=5_000_000)
    lines = (COSTS[0][0], COSTS[1][0], "set_slippage(FixedSlippage(0.02))")
    text = "def initialize(context):\n    " + "\n    ".join(lines) + "\n"
    result = run(tmp_path, "joinquant", text, fees=fees, slippage_ticks=1)
    assert result.sessions == 120


LOADING = [
    ("joinquant", "x = 1", None, "strategy.entry"),
    ("joinquant", "def initialize(context): pass\norder('000001.XSHE', 100)", None, "strategy.import"),
    ("joinquant", "from jqdata import nothing\ndef initialize(context): pass", None, "strategy.import"),
    ("joinquant", "import talib_of_another_world\ndef initialize(context): pass", None, "strategy.import"),
    ("joinquant", "DAYS = 5\ndef initialize(context): pass", {"WEEKS": 1}, "strategy.params"),
    ("ricequant", "def initialize(context): pass", None, "strategy.entry"),
]


@pytest.mark.parametrize(("style", "text", "params", "code"), LOADING)
def test_files_that_cannot_be_loaded(
    tmp_path: Path, style: str, text: str, params: dict[str, Any] | None, code: str
) -> None:
    with pytest.raises(StrategyError) as caught:
        loaded(tmp_path, style, text, config(5), params=params)
    assert caught.value.fault.code == code
    if "order(" in text:
        assert "when the session runs, not while the file loads" in caught.value.fault.message


def test_params_replace_constants_and_neighbours_see_the_platform(tmp_path: Path) -> None:
    write(tmp_path, "from jqdata import *\ndef buy(code, n):\n    return order(code, n)\n", "hands")
    text = """
        from .hands import buy
        SHARES = 100
        def initialize(context):
            g.bought = 0
        def handle_data(context, data):
            if not g.bought:
                g.bought = buy("000001.XSHE", SHARES).amount
    """
    result = run(tmp_path, "joinquant", text, params={"SHARES": 500})
    assert result.kernel.fills()["quantity"].tolist() == [500]


def test_a_class_named_with_a_style_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StrategyLoadError):
        write(tmp_path, "def initialize(context): pass")
        load_platform(tmp_path, "strategies.mine:Mine", "joinquant", terms=terms(config(5), "before_open"))


CANCELLING = {
    "joinquant": """
    def initialize(context):
        run_daily(give, time="09:30")
        run_daily(take_back, time="10:00")

    def give(context):
        low = get_current_data()["000001.XSHE"].low_limit
        g.kept = order("000001.XSHE", 100, LimitOrderStyle(low)).order_id
        gone = order("600000.XSHG", 100, LimitOrderStyle(get_current_data()["600000.XSHG"].low_limit))
        cancel_order(gone)

    def take_back(context):
        for number in get_open_orders():
            cancel_order(number)

    def after_trading_end(context):
        g.states = [o.status.name for o in get_orders().values()]
""",
    "ricequant": """
    def init(context):
        context.states = []

    def before_trading(context):
        order_shares("000001.XSHE", 100, LimitOrder(current_snapshot("000001.XSHE").limit_down))
        cancel_order(order_shares("600000.XSHG", 100, current_snapshot("600000.XSHG").limit_down))

    def handle_bar(context, bar_dict):
        context.before = [o.status.value for o in get_open_orders()]
        for order in get_open_orders():
            cancel_order(order)
""",
}


@pytest.mark.parametrize("style", ["joinquant", "ricequant"])
def test_orders_are_taken_back_within_the_call_and_later(tmp_path: Path, style: str) -> None:
    from quant.native.kernel import Reason

    data = data_of(market(4, wild=0.0))
    decide = "before_open" if style == "joinquant" else "before_close"
    result = run(tmp_path, style, CANCELLING[style], data=data, decide=decide, fill_at="close")
    orders = result.kernel.orders()
    assert orders["instrument"].tolist() == [0, 0, 0, 0]
    assert set(orders["reason"].tolist()) == {Reason.CANCEL_REQUESTED.value}
    assert len(result.kernel.fills()["row"]) == 0


def test_within_a_call_orders_count_as_executed_and_later_as_they_were(tmp_path: Path) -> None:
    """The pattern of many files: sell, share the cash among the places left, stop when enough is held."""
    text = """
        def initialize(context):
            g.seen = []

        def handle_data(context, data):
            names = ["000001.XSHE", "600000.XSHG", "601318.XSHG", "600036.XSHG"]
            cash = context.portfolio.available_cash
            for code in names:
                given = order_target_value(code, context.portfolio.available_cash / 2)
                if given is not None and given.filled == given.amount > 0:
                    assert given.status == OrderStatus.held
                    if len(context.portfolio.positions) == 2:
                        break
            spent = cash - context.portfolio.available_cash
            account = context.portfolio
            g.seen.append([len(account.positions), round(spent), round(account.total_value)])

        def after_trading_end(context):
            held = context.portfolio.positions
            assert sum(p.total_amount for p in held.values()) == sum(t.amount for t in get_trades().values())
            assert all(o.filled and o.price > 0 for o in get_orders().values())
    """
    data = data_of(market(1, wild=0.0))
    write(tmp_path, text)
    settings = config(1, cash_micro=10**12, fees=stock_fees(1))
    strategy = loaded(tmp_path, "joinquant", text, settings)
    result = run_replay(Plan(), data, settings, strategy)
    [(held, spent, value)] = strategy.g.seen
    assert held == 2 and 600_000 < spent < 800_000 and 990_000 < value < 1_000_000
    assert sorted(set(result.kernel.fills()["instrument"].tolist())) == [0, 3]


def test_bars_within_the_day_are_refused_for_files(tmp_path: Path) -> None:
    from kernel_market import bars_market

    from quant.trading import MarketData

    of = bars_market(3, 4, len(CODES), seed=1)
    with pytest.raises(StrategyError) as caught:
        run(tmp_path, "joinquant", "def initialize(context): pass", data=MarketData.of(of, CODES))
    assert caught.value.fault.code == "platform.frequency"
