"""Expressions of a spec as programs, each fault located in its file."""

from __future__ import annotations

from collections.abc import Sequence

from quant.specs.document import Marks
from quant.specs.expr import compile_expression
from quant.specs.expr.program import Instruction, Program
from quant.specs.schema import FactorSpec, StrategySpec, UniverseSpec


def factor_program(factor: FactorSpec, marks: Marks, decide: str) -> Program:
    """The program of a factor as it is known at the decision. Raises SpecError."""
    params = {k: float(v) for k, v in factor.params.items()}
    return compile_expression(
        factor.expr, origin=marks.text(("expr",)), price=factor.price, decide=decide, params=params
    )


def formula_program(strategy: StrategySpec, marks: Marks, decide: str) -> Program:
    """The program of a strategy's own formula. Raises SpecError."""
    params = {k: float(v) for k, v in strategy.params.items()}
    return compile_expression(
        strategy.expr or "", origin=marks.text(("expr",)), price=strategy.price, decide=decide, params=params
    )


def where_programs(universe: UniverseSpec, marks: Marks, decide: str) -> list[Program]:
    """One program for each condition. Raises SpecError at the first that is wrong."""
    return [
        compile_expression(text, origin=marks.text(("where", n)), decide=decide)
        for n, text in enumerate(universe.where)
    ]


def conjunction(programs: Sequence[Program]) -> Program | None:
    """One program that is 1 where all are; None for no program."""
    if not programs:
        return None
    columns = tuple(dict.fromkeys(c for p in programs for c in p.columns))
    instructions: list[Instruction] = []
    result = -1
    for program in programs:
        offset = len(instructions)
        for step in program.instructions:
            params = step.params
            if step.op == "load":
                params = (float(columns.index(program.columns[int(params[0])])),)
            instructions.append(Instruction(step.op, tuple(a + offset for a in step.args), params))
        output = program.output + offset
        if result >= 0:
            instructions.append(Instruction("and", (result, output)))
            output = len(instructions) - 1
        result = output
    lookback = max(p.lookback for p in programs)
    return Program(
        columns, tuple(instructions), result, lookback, " and ".join(f"({p.source})" for p in programs)
    )
