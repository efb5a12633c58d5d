"""From a resolved spec to a plan: pure data that an executor runs and ``explain`` prints."""

from quant.specs.compile.assumptions import describe_assumption
from quant.specs.compile.catalog import Catalog, Column, TableState
from quant.specs.compile.compiler import compile_backtest, compile_session
from quant.specs.compile.coverage import reported_tables
from quant.specs.compile.plan import (
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
)
from quant.specs.compile.universe import universe_plan

__all__ = [
    "BacktestPlan",
    "BenchmarkPlan",
    "Catalog",
    "Column",
    "ConstructPlan",
    "CostPlan",
    "FillPlan",
    "PinnedTable",
    "RebalancePlan",
    "RiskPlan",
    "StrategyEntry",
    "TableState",
    "UniversePlan",
    "compile_backtest",
    "compile_session",
    "describe_assumption",
    "reported_tables",
    "universe_plan",
]
