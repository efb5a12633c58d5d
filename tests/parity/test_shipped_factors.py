"""Shipped factors, formulas, filters: equal to the polars twin, blind to the future, exact in their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quant.native.factor import evaluate
from quant.research.factors.oracle import evaluate_slowly
from quant.specs.compile.programs import factor_program, formula_program, where_programs
from quant.specs.expr import Program
from quant.specs.registry import load_workspace
from quant.specs.schema import FactorSpec, StrategySpec, UniverseSpec
from quant.specs.validate import validate

Columns = dict[str, NDArray[np.float64]]
SHAPE = (110, 40)


def shipped_programs() -> dict[str, Program]:
    programs: dict[str, Program] = {}
    registry = load_workspace(Path(__file__).parent)
    for document in registry.documents.values():
        if document.kind not in ("factor", "strategy", "universe"):
            continue
        spec, faults = validate(document.kind, document.tree, document.marks)
        assert not faults, faults
        name = f"{document.kind}/{document.name}"
        if isinstance(spec, FactorSpec):
            programs[name] = factor_program(spec, document.marks, "after_close")
        elif isinstance(spec, StrategySpec) and spec.expr:
            programs[name] = formula_program(spec, document.marks, "after_close")
        elif isinstance(spec, UniverseSpec):
            found = where_programs(spec, document.marks, "after_close")
            programs |= {f"{name}[{i}]": program for i, program in enumerate(found)}
    return programs


PROGRAMS = shipped_programs()


@pytest.fixture(scope="module")
def columns() -> Columns:
    rng = np.random.default_rng(11)
    close = np.round(10 * np.exp(np.cumsum(rng.normal(0, 0.02, SHAPE), axis=0)), 2)
    panel = {
        "close": close,
        "amount": np.round(rng.lognormal(17, 1, SHAPE), 2),
        "volume": np.round(rng.lognormal(13, 1, SHAPE)),
        "adj_factor": np.cumprod(np.where(rng.random(SHAPE) < 0.01, 1.05, 1.0), axis=0),
        "list_days": np.arange(SHAPE[0])[:, None] + np.arange(SHAPE[1])[None, :] * 1.0,
        "is_st": rng.choice([0.0, 0.0, 0.0, 1.0, np.nan], SHAPE),
        "suspended": rng.choice([0.0, 0.0, 1.0], SHAPE),
    }
    for name in ("close", "amount", "volume"):
        panel[name][rng.random(SHAPE) < 0.03] = np.nan
    return panel


def test_the_library_ships_at_least_five_factors() -> None:
    assert sum(name.startswith("factor/") for name in PROGRAMS) >= 5


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_equals_its_polars_twin(name: str, columns: Columns) -> None:
    expected = evaluate_slowly(PROGRAMS[name], columns)
    assert np.isfinite(expected).sum() > 1000
    np.testing.assert_allclose(evaluate(PROGRAMS[name], columns), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_garbage_in_the_future_changes_nothing_decided_before(name: str, columns: Columns) -> None:
    last = 87
    rng = np.random.default_rng(1)
    poisoned = {}
    for column, values in columns.items():
        garbage = rng.choice([np.nan, np.inf, -np.inf, -1e300, 0.0, 1e300], values.shape)
        poisoned[column] = np.where(np.arange(SHAPE[0])[:, None] > last, garbage, values)
    before = evaluate(PROGRAMS[name], columns)[: last + 1]
    assert evaluate(PROGRAMS[name], poisoned)[: last + 1].tobytes() == before.tobytes()


@pytest.mark.parametrize("name", PROGRAMS)
def test_one_row_needs_no_more_than_its_lookback(name: str, columns: Columns) -> None:
    program, row = PROGRAMS[name], 100
    window = {c: values[row - program.lookback : row + 1] for c, values in columns.items()}
    alone = evaluate(program, window, rows=np.array([program.lookback], np.int32))
    assert alone.tobytes() == evaluate(program, columns)[row].tobytes()
