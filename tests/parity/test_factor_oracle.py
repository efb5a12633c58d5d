"""The factor virtual machine against its polars twin, to 1e-12 relative."""

from __future__ import annotations

import numpy as np
import pytest
from factor_cases import (
    COLUMNS,
    OPERATIONS,
    instruction_of,
    panel,
    panels,
    program_of,
    programs,
    universe,
)
from hypothesis import given, settings
from numpy.typing import NDArray

from quant.core.errors import Location
from quant.native.factor import evaluate
from quant.research.factors.oracle import apply, evaluate_slowly
from quant.specs.expr import OPCODES, Instruction, Program, compile_expression

Floats = NDArray[np.float64]
SUMS = ("mean", "std", "sum", "delta", "add", "sub")  # the error is relative to what was added


def magnitude(instruction: Instruction, arguments: list[Floats]) -> Floats:
    """The largest finite value that entered each cell, or 1 for pure numbers."""
    if instruction.op not in SUMS:
        return np.ones_like(arguments[0]) if OPCODES[instruction.op].arity else np.array(1.0)
    sizes = np.max([np.where(np.isfinite(a), np.abs(a), 0.0) for a in arguments], axis=0)
    reach = OPCODES[instruction.op].reach(instruction.params)
    return np.array([sizes[max(0, t - reach) : t + 1].max(axis=0) for t in range(len(sizes))])


def assert_close(actual: Floats, expected: Floats, scale: Floats | float, what: object) -> None:
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        near = np.abs(actual - expected) <= 1e-12 * np.maximum(np.abs(expected), scale)
    wrong = np.argwhere(~(same | near))
    assert not len(wrong), f"{what}: {[(tuple(w), actual[tuple(w)], expected[tuple(w)]) for w in wrong[:3]]}"


def slot_values(program: Program, columns: dict[str, Floats], mask: NDArray[np.bool_]) -> list[Floats]:
    count = len(program.instructions)
    return [evaluate(program_of(list(program.instructions), i), columns, mask=mask) for i in range(count)]


@pytest.mark.parametrize("window", [1, 2, 7, 40])
@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_equals_its_polars_twin(op: str, window: int) -> None:
    columns, mask = panel(window, 45, 37), universe(window, 45, 37)
    if OPCODES[op].reach((float(window),)) == 0 and window > 1:
        window = 1
    loads = [Instruction("load", (), (float(i),)) for i in range(3)]
    step = instruction_of(op, tuple(range(OPCODES[op].arity)), window)
    actual = evaluate(program_of([*loads, step]), columns, mask=mask)
    arguments = [columns[c] for c in COLUMNS[: OPCODES[op].arity]]
    expected = apply(step, arguments, list(columns.values()), actual.shape, mask)
    assert np.isfinite(expected).any()
    assert_close(actual, expected, magnitude(step, arguments), step)


@given(program=programs(), size=panels)
@settings(max_examples=40)
def test_every_slot_of_a_random_program_equals_its_twin(program: Program, size: tuple[int, int, int]) -> None:
    seed, sessions, instruments = size[0], min(size[1], 25), min(size[2], 36)
    columns, mask = panel(seed, sessions, instruments), universe(seed, sessions, instruments)
    slots = slot_values(program, columns, mask)
    for slot, instruction in enumerate(program.instructions):
        arguments = [slots[a] for a in instruction.args]
        expected = apply(instruction, arguments, list(columns.values()), slots[slot].shape, mask)
        assert_close(slots[slot], expected, magnitude(instruction, arguments), instruction)


@pytest.mark.parametrize(
    "text",
    [
        "$close / Ref($close, 20) - 1",
        "r = $close / Ref($close, 1) - 1\nCSZScore(-Sum(r, 5) / Std(r, 20))",
        "Mean($close, 5) - Mean($close, 20)",
        "-Corr(CSRank($close), CSRank($volume), 10)",
        "If($close > Ref($close, 1), Rank($volume, 10), -Rank($volume, 10))",
        "CSRank(Max($high, 20) / $close) + CSRank(Log($amount))",
    ],
)
def test_factors_of_the_usual_kind_equal_their_twin(text: str) -> None:
    rng = np.random.default_rng(4)
    shape = (60, 33)
    close = 10 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    columns = {"close": close, "high": close * 1.01, "volume": rng.lognormal(10, 1, shape)}
    columns["amount"] = columns["volume"] * close
    columns["adj_factor"] = np.cumprod(np.where(rng.random(shape) < 0.01, 1.1, 1.0), axis=0)
    for values in columns.values():
        values[rng.random(shape) < 0.03] = np.nan
    program = compile_expression(text, origin=Location("factor"))
    mask = rng.random(shape) < 0.9
    expected = evaluate_slowly(program, columns, mask=mask)
    assert np.isfinite(expected).sum() > 100
    assert_close(evaluate(program, columns, mask=mask), expected, 1.0, text)
