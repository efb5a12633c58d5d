"""Typed graph to flat program."""

from __future__ import annotations

from quant.specs.expr.lexer import Source
from quant.specs.expr.ops import MAX_NODES, MAX_WORK, OPCODES
from quant.specs.expr.program import Instruction, Program
from quant.specs.expr.types import Graph, Value


def lower(graph: Graph, source: Source) -> Program:
    """Columns are numbered in the order of their first use. Raises SpecError ``expr.limit``."""
    if len(graph.nodes) > MAX_NODES:
        raise source.error(
            "expr.limit",
            "the program is too long",
            graph.nodes[graph.result].at,
            expected=f"at most {MAX_NODES} operations",
            found=str(len(graph.nodes)),
        )
    work = sum(OPCODES[node.op].reach(node.params) for node in graph.nodes if OPCODES[node.op].windowed)
    if work > MAX_WORK:
        raise source.error(
            "expr.limit",
            "the windows of the expression are too long together",
            graph.nodes[graph.result].at,
            expected=f"at most {MAX_WORK} sessions in all",
            found=str(work),
            hint="shorter windows, or fewer of them",
        )
    columns: dict[str, int] = {}
    instructions = tuple(_instruction(node, columns) for node in graph.nodes)
    return Program(
        tuple(columns), instructions, graph.result, graph.nodes[graph.result].lookback, source.text
    )


def _instruction(node: Value, columns: dict[str, int]) -> Instruction:
    if node.op != "load":
        return Instruction(node.op, node.args, node.params)
    return Instruction("load", (), (float(columns.setdefault(node.column, len(columns))),))
