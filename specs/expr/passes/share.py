"""Common-subexpression elimination and removal of what the result does not need."""

from __future__ import annotations

import struct
from dataclasses import replace

from quant.specs.expr.types import Graph, Value

_COMMUTES = frozenset({"add", "mul", "eq", "ne", "and", "or"})


def share_equal(graph: Graph) -> Graph:
    """Nodes that compute the same become one; ``a + b`` and ``b + a`` are the same to the last bit."""
    kept: list[Value] = []
    index_of: dict[tuple[object, ...], int] = {}
    moved: list[int] = []
    for node in graph.nodes:
        args = tuple(moved[a] for a in node.args)
        key = _key(node, args)
        if key not in index_of:
            index_of[key] = len(kept)
            kept.append(replace(node, args=args))
        moved.append(index_of[key])
    return Graph(tuple(kept), moved[graph.result])


def _key(node: Value, args: tuple[int, ...]) -> tuple[object, ...]:
    operands = tuple(sorted(args)) if node.op in _COMMUTES else args
    return node.op, operands, struct.pack(f"<{len(node.params)}d", *node.params), node.column


def drop_unused(graph: Graph) -> Graph:
    """Only what the result depends on, in the same order."""
    needed = {graph.result}
    for index in range(graph.result, -1, -1):
        if index in needed:
            needed.update(graph.nodes[index].args)
    order = sorted(needed)
    moved = {old: new for new, old in enumerate(order)}
    nodes = tuple(replace(graph.nodes[i], args=tuple(moved[a] for a in graph.nodes[i].args)) for i in order)
    return Graph(nodes, moved[graph.result])
