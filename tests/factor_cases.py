"""Random factor programs and panels, shared by the factor tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from quant.specs.expr import OPCODES, Instruction, Program
from quant.specs.expr.ops import Parameter
from quant.specs.expr.program import lookbacks

COLUMNS = ("a", "b", "c")
POOL = np.array(
    [
        np.nan,
        np.nan,
        0.0,
        -0.0,
        1.0,
        1.0,
        2.0,
        3.0,
        -1.0,
        0.5,
        10.25,
        -7.75,
        1e-6,
        1e6,
        0.1,
        0.3,
        1 / 3,
        np.inf,
        -np.inf,
    ]
)
OPERATIONS = tuple(name for name in OPCODES if name not in ("load", "const"))


def panel(seed: int, sessions: int, instruments: int) -> dict[str, NDArray[np.float64]]:
    """Ties, unknowns, zeros of both signs and infinities on top of noise; a constant instrument."""
    rng = np.random.default_rng(seed)
    shape = (sessions, instruments)
    columns = {}
    for name in COLUMNS:
        values = np.where(rng.random(shape) < 0.5, rng.choice(POOL[:-2], shape), rng.normal(5.0, 3.0, shape))
        values = np.where(rng.random(shape) < 0.01, rng.choice(POOL[-2:], shape), values)
        values[:, 0] = 0.1
        columns[name] = values
    return columns


def universe(seed: int, sessions: int, instruments: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed + 1).random((sessions, instruments)) < 0.7


def program_of(instructions: list[Instruction], output: int | None = None) -> Program:
    last = len(instructions) - 1 if output is None else output
    draft = Program(COLUMNS, tuple(instructions), last, 0)
    return Program(COLUMNS, tuple(instructions), last, lookbacks(draft)[last])


def instruction_of(op: str, args: tuple[int, ...], window: int) -> Instruction:
    opcode = OPCODES[op]
    if opcode.parameter is Parameter.NONE:
        return Instruction(op, args)
    return Instruction(op, args, (float(max(window, opcode.least)),))


@st.composite
def programs(draw: st.DrawFn, most: int = 10) -> Program:
    """Three columns and a constant, then up to ``most`` operations on any earlier slots."""
    code = [Instruction("load", (), (float(i),)) for i in range(3)]
    code.append(Instruction("const", (), (draw(st.sampled_from([0.0, 1.0, -2.5, 3.0])),)))
    for _ in range(draw(st.integers(1, most))):
        op = draw(st.sampled_from(OPERATIONS))
        slots = st.integers(0, len(code) - 1)
        args = tuple(draw(slots) for _ in range(OPCODES[op].arity))
        code.append(instruction_of(op, args, draw(st.sampled_from([1, 2, 3, 5, 8, 40]))))
    return program_of(code)


panels = st.tuples(st.integers(0, 2**16), st.integers(1, 90), st.integers(1, 40))
