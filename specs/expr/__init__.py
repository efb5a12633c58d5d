"""Expressions: text to typed nodes to a flat factor program. Nothing is ever evaluated as Python."""

from __future__ import annotations

from quant.specs.expr.compile import compile_expression
from quant.specs.expr.fields import FIELDS, Field
from quant.specs.expr.ops import OPCODES, OPERATORS, Opcode, Operator
from quant.specs.expr.program import Instruction, Program, validate
from quant.specs.expr.types import Availability

__all__ = [
    "FIELDS",
    "OPCODES",
    "OPERATORS",
    "Availability",
    "Field",
    "Instruction",
    "Opcode",
    "Operator",
    "Program",
    "compile_expression",
    "validate",
]
