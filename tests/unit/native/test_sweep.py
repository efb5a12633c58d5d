"""A sweep gives, for every variant and name, what a whole backtest of that name alone gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kernel_market import bars_market, board_rules, random_market, stock_fees

from quant.core.errors import Location, UsageError
from quant.native.factor import evaluate
from quant.native.kernel import ConstructConfig, Kernel, KernelConfig, Market, RiskLimits, run_fused
from quant.native.market import DAILY
from quant.native.sweep import Variants, sweep, variants_of
from quant.specs.expr import Program, compile_expression

FIXED = ConstructConfig("fixed", quantity=100_000)
TEXT = "Mean($close, fast) > Mean($close, slow) * (1 + edge) and Ref($close, fast) > 0"
GRID = {
    "fast": [2, 2, 3, 5, 4, 2],
    "slow": [5, 9, 9, 20, 11, 7],
    "edge": [0.001, 0.002, 0.001, 0.004, 0.001, 0.03],
}


def compiled(params: Mapping[str, float], text: str = TEXT) -> Program:
    return compile_expression(text, origin=Location("factor"), price="raw", params=params)


def closes_of(market: Market) -> np.ndarray:
    """Closes in yuan, unknown where there is none."""
    close = market.arrays["close"] / 10_000.0
    return np.where(close > 0, close, np.nan)


def alone(market: Market, name: int) -> Market:
    """The market of one of its names."""
    arrays = {
        key: value if value.ndim == 1 or key == "instants" else np.ascontiguousarray(value[:, [name]])
        for key, value in market.arrays.items()
    }
    mine = market.actions["instrument"] == name
    actions = {key: np.ascontiguousarray(value[mine]) for key, value in market.actions.items()}
    actions["instrument"] = np.zeros_like(actions["instrument"])
    assert set(DAILY) <= set(arrays)
    return Market.from_arrays(**arrays, actions=actions)


def config(market: Market, cash: int = 1_000_000, **changes: Any) -> KernelConfig:
    return KernelConfig(cash * 10**6, board_rules(market.D), stock_fees(market.D), **changes)


def backtest(
    settings: KernelConfig,
    market: Market,
    name: int,
    plan: ConstructConfig,
    program: Program,
    rows: np.ndarray,
) -> Kernel:
    own = replace(settings, forbidden=(0,) if name in settings.forbidden else ())
    one = alone(market, name)
    decided = rows[rows >= program.lookback]
    scores = evaluate(program, {"close": closes_of(one)}, rows=decided)
    return run_fused(own, one, plan, scores, None, decided).kernel


MARKETS = {
    "days": lambda: random_market(150, 6, 11, wild=4),
    "bars": lambda: bars_market(14, 11, 4, 5, wild=4),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "before_close": {"decide": "before_close", "fill_at": "close"},
    "breakers": {"risk": RiskLimits(max_drawdown=50_000_000)},
    "forbidden": {"forbidden": (1, 2)},
    "poor": {"cash": 20_000},
    "rejecting": {"on_insufficient_cash": "reject"},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("shape", MARKETS)
@pytest.mark.parametrize("plan", [FIXED, ConstructConfig("fixed", quantity=500), ConstructConfig("equal", 1)])
def test_every_backtest_is_that_of_the_name_alone(shape: str, settings: str, plan: ConstructConfig) -> None:
    market = MARKETS[shape]()
    given = config(market, **SETTINGS[settings])
    variants = variants_of(compiled, GRID)
    for rows in (np.arange(market.T, dtype="i4"), np.arange(3, market.T - 2, 3, dtype="i4")):
        result = sweep(given, market, plan, variants, {"close": closes_of(market)}, rows=rows, fills=True)
        for v in range(len(variants)):
            for name in range(market.S):
                kernel = backtest(given, market, name, plan, variants.program_of(v), rows)
                fills = kernel.fills()
                chosen = (result.placed["variant"] == v) & (result.placed["instrument"] == name)
                for key in set(fills) & set(result.placed) - {"instrument"}:
                    assert result.placed[key][chosen].tolist() == fills[key].tolist(), (v, name, key)
                assert result.nav[v, name] == kernel.nav
                assert result.fills[v, name] == len(fills["row"])
                history = kernel.nav_history()
                assert result.traded[v, name] == history["traded"].sum()
                assert result.fees[v, name] == history["fees"].sum()
    assert result.fills.sum() > 0 or settings == "rejecting"


def test_threads_and_chosen_names_change_nothing() -> None:
    market = MARKETS["days"]()
    variants, columns = variants_of(compiled, GRID), {"close": closes_of(market)}
    whole = sweep(config(market), market, FIXED, variants, columns, fills=True)
    again = sweep(config(market), market, FIXED, variants, columns, fills=True, threads=3)
    assert whole.nav.tolist() == again.nav.tolist()
    assert all(whole.placed[key].tolist() == again.placed[key].tolist() for key in whole.placed)
    names = np.array([4, 1], dtype="i4")
    some = sweep(config(market), market, FIXED, variants, columns, instruments=names)
    assert some.nav.tolist() == whole.nav[:, [4, 1]].tolist()
    assert len(some.placed["row"]) == 0


def test_variants_are_the_compiled_programs() -> None:
    asked: list[Mapping[str, float]] = []

    def counted(params: Mapping[str, float]) -> Program:
        asked.append(params)
        return compiled(params)

    many = {"fast": [2, 3, 4, 5] * 50, "slow": [9, 10, 11, 12, 13] * 40, "edge": [0.001] * 200}
    variants = variants_of(counted, many)
    assert len(asked) < 10
    for v in (0, 77, 199):
        one = {key: values[v] for key, values in many.items()}
        program = variants.program_of(v)
        assert replace(program, source="") == replace(compiled(one), source="")


def test_numbers_that_enter_the_program_otherwise_are_compiled_one_by_one() -> None:
    def folded(params: Mapping[str, float]) -> Program:
        return compiled(params, "Mean($close, n) > Ref($close, n + 1) * (k / 100)")

    grid = {"n": [2, 3, 8, 3], "k": [99, 101, 102, 98]}
    variants = variants_of(folded, grid)
    for v in range(4):
        one = {key: values[v] for key, values in grid.items()}
        assert replace(variants.program_of(v), source="") == replace(folded(one), source="")


def test_what_cannot_be_swept_is_refused() -> None:
    market = MARKETS["days"]()
    columns = {"close": closes_of(market)}

    def run(variants: Variants, columns: Any = columns, **changes: Any) -> None:
        sweep(config(market), market, FIXED, variants, columns, **changes)

    ranked = variants_of(lambda p: compiled(p, "CSRank(Mean($close, fast)) > 0"), {"fast": [2, 3]})
    good = variants_of(compiled, GRID)
    cases: list[tuple[str, Any]] = [
        ("cannot compare", lambda: run(ranked)),
        ("no column close", lambda: run(good, {})),
        ("columns must be", lambda: run(good, {"close": columns["close"][:-1]})),
        ("rows must ascend", lambda: run(good, rows=np.array([3, 3], "i4"))),
        ("outside the market", lambda: run(good, instruments=np.array([6], "i4"))),
        ("would take", lambda: run(good, memory_limit=1_000)),
        ("equally many", lambda: variants_of(compiled, {"fast": [1], "slow": [2, 3]})),
        ("window", lambda: run(replace(good, params=np.where(good.params == 2, 0.0, good.params)))),
    ]
    for word, act in cases:
        with pytest.raises(UsageError, match=word):
            act()
