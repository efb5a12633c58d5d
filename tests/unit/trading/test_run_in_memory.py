"""The run in memory gives the chain of the journaled loop: any time of decision, bars within a day, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_market import bars_market, config
from platform_case import CODES, Plan, data_of, market, terms, write

from quant.core.errors import QuantError
from quant.trading import MarketData, PythonStrategy, View, run_replay
from quant.trading.journal import MemoryJournal
from quant.trading.strategies import StrategyError
from quant.trading.strategies.platforms import load_platform


class Busy:
    """Orders of all kinds by the numbers of a generator that follows the instant."""

    def __init__(self) -> None:
        self.seen = 0

    def decide(self, view: View) -> None:
        draw = view.random()
        for code in draw.choice(view.codes, 2, replace=False).tolist():
            price = view.last("raw_close", code=code)
            kind = draw.integers(0, 4)
            if kind == 0:
                view.target_weight(code, float(draw.random()) / 4)
            elif kind == 1:
                view.target_quantity(code, int(draw.integers(0, 5)) * 100)
            elif kind == 2:
                view.order(code, "buy", 200)
            elif view.position(code) and price == price:
                view.order(code, "sell", view.position(code), round(price * 0.99, 2))
        self.seen += len(view.positions)


def both(data: MarketData, plan: Plan, make: Any, rows: Any = None, **settings: Any) -> list[Any]:
    kernel = config(data.market.D, cash_micro=10**12, **settings)
    journal = MemoryJournal(data.market)
    return [
        run_replay(plan, data, kernel, make(kernel), rows=rows),
        run_replay(plan, data, kernel, make(kernel), rows=rows, journal=journal),
    ]


@pytest.mark.parametrize("decide", ["before_open", "after_open", "before_close", "after_close", "each"])
@pytest.mark.parametrize("fill", ["open", "close", "vwap"])
def test_daily_bars(decide: str, fill: str) -> None:
    data = data_of(market(50))
    short, long = both(data, Plan(decide), lambda _: PythonStrategy(Busy()), fill_at=fill, participation=None)
    assert short.chain == long.chain
    assert len(short.kernel.orders()["row"]) > 50
    assert short.nav == long.nav and short.sessions == long.sessions == 50


@pytest.mark.parametrize("decide", ["after_close", "before_close", "each"])
def test_bars_within_the_day(decide: str) -> None:
    of = bars_market(12, 8, len(CODES), seed=3)
    data = MarketData.of(of, CODES)
    rows = np.flatnonzero(np.random.default_rng(1).random(of.T) < 0.5).astype("i4")
    short, long = both(data, Plan(decide), lambda _: PythonStrategy(Busy()), rows=rows)
    assert short.chain == long.chain
    assert len(short.kernel.fills()["row"]) > 20


@pytest.mark.parametrize("style", ["joinquant", "ricequant"])
def test_files_of_platforms(tmp_path: Path, style: str) -> None:
    from test_platform_files import FILES, with_history

    write(tmp_path, FILES[style])
    data = with_history(market(50))
    decide = "before_open" if style == "joinquant" else "after_close"

    def make(kernel: Any) -> Any:
        return load_platform(tmp_path, "strategies.mine", style, terms=terms(kernel, decide))

    short, long = both(data, Plan(), make)
    assert short.chain == long.chain
    assert len(short.kernel.fills()["row"]) > 10


def test_mistakes_and_lost_values_are_errors_here_too() -> None:
    class Breaks:
        def decide(self, view: View) -> None:
            if view.t == 3:
                raise ValueError("three")

    class Keeps:
        def __init__(self) -> None:
            self.thing: object = None

        def decide(self, view: View) -> None:
            self.thing = object()

    data = data_of(market(10))
    for wrong, code in ((Breaks(), "strategy.failed"), (Keeps(), "strategy.state")):
        found = []
        for journal in (None, MemoryJournal(data.market)):
            with pytest.raises(StrategyError) as caught:
                run_replay(Plan("after_close"), data, config(10), PythonStrategy(wrong), journal=journal)
            found.append(caught.value.fault)
        assert found[0] == found[1]
        assert found[0].code == code


def test_a_strategy_that_asks_for_another_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    class Asks:
        def decide(self, view: View) -> None:
            print("hello")
            view.order("123456.SZ", "buy", 100)

    data = data_of(market(10))
    with pytest.raises(QuantError) as caught:
        run_replay(Plan("after_close"), data, config(10), PythonStrategy(Asks()))
    assert caught.value.fault.code == "code.unknown"
    assert capsys.readouterr() == ("", "hello\n")
