"""Garbage after a date changes nothing decided up to it: every shipped factor and strategy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quant.core.market.calendar import calendar
from quant.core.market.rules import rulebook
from quant.native.kernel import KERNEL_HASH, run_fused
from quant.pipelines.access import PinnedReader
from quant.pipelines.flows.backtest import resolve_spec
from quant.pipelines.wiring import Prepared, assemble, prepare, run_stepped
from quant.pipelines.workspace import Workspace
from quant.research.panel import Panel, load_panel
from quant.research.panel_bars import PRICES
from quant.specs.compile import compile_backtest
from quant.specs.compile.plan import BacktestPlan, StrategyEntry
from quant.specs.registry import load_workspace
from quant.warehouse.catalog import DeltaCatalog
from quant.warehouse.lake import Lake

STRATEGIES = ("momentum_topn", "mean_reversion", "double_ma")
PYTHON = '''
class Trend:
    """Buys what closed above its mean."""

    def decide(self, view):
        closes = view.history("close", 10)
        mean = closes.mean(axis=0)
        for code, last, level in zip(view.codes, closes[-1], mean):
            if last > level:
                view.target_weight(code, 0.01)
            elif last < level:
                view.target_weight(code, 0.0)
'''


def compiled(desk: Workspace, *overrides: str) -> BacktestPlan:
    resolved = resolve_spec(desk, "backtest", "momentum", overrides)
    return compile_backtest(
        resolved, DeltaCatalog(Lake(desk.lake)), rulebook_hash=rulebook().fingerprint, kernel_hash=KERNEL_HASH
    )


def poisoned(panel: Panel, after: int, seed: int) -> Panel:
    """Every value of the rows after ``after`` replaced; listings, codes and the calendar stay."""
    random = np.random.default_rng(seed)
    tail = slice(after + 1, None)
    changed = {}
    for name in (*PRICES, "vwap", "volume", "amount", "factor", "flags"):
        values = getattr(panel, name).copy()
        shape = values[tail].shape
        values[tail] = (
            (random.random(shape) * 9 + 0.5)
            if values.dtype == np.float64
            else (random.integers(1, 10_000_000, shape) if name != "flags" else random.integers(0, 64, shape))
        )
        changed[name] = values
    keep = panel.actions.ex_index <= after
    actions = replace(panel.actions, **{n: getattr(panel.actions, n)[keep] for n in panel.actions.__slots__})
    return replace(panel, actions=actions, **changed)


def reader_of(desk: Workspace, plan: BacktestPlan) -> PinnedReader:
    return PinnedReader(Lake(desk.lake), plan.tables)


def chain(prepared: Prepared, last: int) -> list[tuple[int, str]]:
    keep = prepared.rows <= last
    result = run_fused(
        prepared.config,
        prepared.market,
        prepared.construct,
        prepared.scores[keep],
        prepared.eligible[keep],
        prepared.rows[keep],
        last=last,
    )
    return result.kernel.chain()


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_decide_from_the_past_alone(small_desk: Workspace, name: str) -> None:
    plan = compiled(small_desk, f"use.strategy={name}") if name != "momentum_topn" else compiled(small_desk)
    clean = prepare(plan, reader_of(small_desk, plan))
    for cut in (40, 200, 330):
        dirty = assemble(plan, poisoned(clean.panel, clean.first + cut, seed=cut))
        rows = clean.rows <= cut
        known = dirty.rows <= cut
        assert np.array_equal(clean.rows[rows], dirty.rows[known])
        np.testing.assert_array_equal(clean.scores[rows], dirty.scores[known])
        np.testing.assert_array_equal(clean.eligible[rows], dirty.eligible[known])
        assert chain(clean, cut) == chain(dirty, cut)


def test_a_python_strategy_sees_the_past_alone(small_desk: Workspace) -> None:
    folder = small_desk.root / "strategies"
    (folder / "trend.py").write_text(PYTHON, encoding="utf-8")
    plan = replace(
        compiled(small_desk),
        signal=None,
        construct=None,
        code=StrategyEntry("strategies.trend:Trend", {}, "0"),
    )
    clean = prepare(plan, reader_of(small_desk, plan))
    cut = 60
    dirty = assemble(plan, poisoned(clean.panel, clean.first + cut, seed=1))
    before, after = run_stepped(clean, folder), run_stepped(dirty, folder)
    assert before.chain()[: cut + 1] == after.chain()[: cut + 1]
    assert before.chain()[-1] != after.chain()[-1]
    assert len(before.fills()["row"]) > 0


def test_every_shipped_factor_reads_the_past_alone(small_desk: Workspace) -> None:
    from quant.core.errors import Location
    from quant.native.factor import evaluate
    from quant.research.columns import PanelColumns
    from quant.specs.compile.programs import factor_program
    from quant.specs.schema import FactorSpec
    from quant.specs.validate import validate

    plan = compiled(small_desk)
    dates = calendar("XSHG")
    panel = load_panel(
        reader_of(small_desk, plan), dates, dates.sessions(*_range())[0], dates.sessions(*_range())[-1]
    )
    registry = load_workspace(small_desk.root)
    assert len(registry.names("factor")) >= 5
    for document in registry.of("factor"):
        spec, errors = validate("factor", document.tree, document.marks)
        assert isinstance(spec, FactorSpec) and not errors
        program = factor_program(spec, document.marks, "after_close")
        cut = 150
        clean = evaluate(program, PanelColumns(panel), mask=None)
        dirty = evaluate(program, PanelColumns(poisoned(panel, cut, seed=3)), mask=None)
        np.testing.assert_array_equal(clean[: cut + 1], dirty[: cut + 1], err_msg=document.name)
        assert np.isfinite(clean[cut]).any(), document.name
        assert Location is not None


def _range() -> tuple:
    from datetime import date

    return date(2021, 1, 4), date(2022, 12, 30)
