"""Whatever a plan holds, its JSON reads back as the same plan with the same fingerprint."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from spec_workspaces import FullCatalog

from quant.core.errors import Location
from quant.specs import load_workspace, resolve
from quant.specs.compile import (
    BacktestPlan,
    BenchmarkPlan,
    ConstructPlan,
    CostPlan,
    FillPlan,
    PinnedTable,
    RebalancePlan,
    RiskPlan,
    StrategyEntry,
    UniversePlan,
    compile_backtest,
)
from quant.specs.expr import compile_expression

GOLDEN = Path(__file__).parent.parent / "golden" / "plan_momentum.json"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
DECIMAL = st.decimals(0, 10, allow_nan=False, places=6).map(str)
MAYBE = st.none() | DECIMAL
CODES = st.lists(TEXT, max_size=3).map(tuple)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.floats(0.001, 1e9, allow_nan=False)
PROGRAM = st.builds(
    lambda window, number: compile_expression(
        f"Mean($close, {window}) / {number!r} - $open", origin=Location("f", 1, 1)
    ),
    st.integers(1, 250),
    NUMBERS,
)
PLAN = st.builds(
    BacktestPlan,
    name=TEXT,
    mode=st.sampled_from(["backtest", "paper"]),
    calendar=st.just("XSHG"),
    start=TEXT,
    end=TEXT,
    decide=st.sampled_from(["after_close", "before_close"]),
    tables=st.lists(st.builds(PinnedTable, TEXT, st.integers(0, 2**40), TEXT), max_size=3).map(tuple),
    universe=st.builds(
        UniversePlan,
        st.just("all") | CODES | CODES.map(lambda boards: {"boards": boards}),
        st.none() | PROGRAM,
    ),
    signal=st.none() | PROGRAM,
    rebalance=st.builds(
        RebalancePlan, st.sampled_from(["day", "week", "month"]), st.sampled_from(["first", "last"])
    ),
    construct=st.none()
    | st.builds(
        ConstructPlan,
        st.sampled_from(["equal", "score", "threshold"]),
        st.none() | st.integers(1, 5000),
        MAYBE,
        DECIMAL,
        MAYBE,
    ),
    code=st.none() | st.builds(StrategyEntry, TEXT, st.dictionaries(TEXT, PLAIN, max_size=3), TEXT),
    cost=st.builds(
        CostPlan, DECIMAL, DECIMAL, MAYBE, MAYBE, st.sampled_from(["cent", "none"]), st.integers(0, 9)
    ),
    risk=st.builds(
        RiskPlan, MAYBE, MAYBE, MAYBE, MAYBE, st.none() | st.integers(1, 10**12), CODES, MAYBE, MAYBE
    ),
    fill=st.builds(
        FillPlan, st.sampled_from(["open", "close", "vwap"]), MAYBE, st.just("by_side"), st.just("reduce")
    ),
    prices=st.sampled_from(["raw", "adjusted"]),
    initial_cash=DECIMAL,
    currency=st.just("CNY"),
    benchmark=st.builds(BenchmarkPlan, st.sampled_from(["equal_weighted", "none"])),
    lookback=st.integers(0, 5000),
    seed=st.integers(0, 2**63 - 1),
    spec_fingerprint=TEXT,
    rulebook_hash=TEXT,
    kernel_hash=TEXT,
    assumptions=CODES,
    as_of=st.none() | TEXT,
    profile=TEXT,
)


@given(plan=PLAN)
def test_a_plan_reads_back_as_it_was_written(plan: BacktestPlan) -> None:
    again = BacktestPlan.from_json(plan.to_json())
    assert again == plan
    assert again.fingerprint == plan.fingerprint


@given(plan=PLAN, versions=st.integers(0, 99))
def test_what_is_local_does_not_count_and_everything_else_does(plan: BacktestPlan, versions: int) -> None:
    tables = tuple(replace(t, version=versions) for t in plan.tables)
    local = replace(plan, name="other", profile="other", tables=tables)
    assert local.fingerprint == plan.fingerprint
    for change in (
        {"seed": plan.seed + 1},
        {"initial_cash": "123456789"},
        {"kernel_hash": plan.kernel_hash + "x"},
        {"start": plan.start + "x"},
        {"tables": (*plan.tables, PinnedTable("t", 1, "h"))},
    ):
        assert replace(plan, **change).fingerprint != plan.fingerprint


def test_the_demo_plan_is_the_reviewed_one(repository: Path) -> None:
    """Set QUANT_UPDATE_GOLDEN=1 to accept a change of the language, and review the difference."""
    spec = resolve(load_workspace(repository), "backtest", "momentum")
    found = compile_backtest(spec, FullCatalog(), rulebook_hash="rules", kernel_hash="kernel")
    if os.environ.get("QUANT_UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(found.to_json(), encoding="utf-8")
    golden = BacktestPlan.from_json(GOLDEN.read_text(encoding="utf-8"))
    assert json.loads(found.to_json()) == json.loads(golden.to_json())
