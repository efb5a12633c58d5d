"""Constant folding.

Only operations whose IEEE result is exactly rounded are folded, so that folding never changes a bit;
logarithms and powers stay in the program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from quant.specs.expr.types import Graph

_FOLDS: dict[str, Callable[..., float]] = {
    "neg": lambda x: -x,
    "abs": abs,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y if y != 0 else math.nan,
    "max2": lambda x, y: y if y > x else x,
    "min2": lambda x, y: y if y < x else x,
    "gt": lambda x, y: float(x > y),
    "ge": lambda x, y: float(x >= y),
    "lt": lambda x, y: float(x < y),
    "le": lambda x, y: float(x <= y),
    "eq": lambda x, y: float(x == y),
    "ne": lambda x, y: float(x != y),
    "and": lambda x, y: float(x != 0 and y != 0),
    "or": lambda x, y: float(x != 0 or y != 0),
    "not": lambda x: float(x == 0),
    "where": lambda c, x, y: x if c != 0 else y,
}


def folded(op: str, constants: Sequence[float | None]) -> float | None:
    """The operation's value where every argument is a constant and the result is finite, else None."""
    fold = _FOLDS.get(op)
    if fold is None:
        return None
    values: list[float] = []
    for constant in constants:
        if constant is None:
            return None
        values.append(constant)
    result = fold(*values)
    return result if math.isfinite(result) else None


def fold_constants(graph: Graph) -> Graph:
    """Nodes of a known constant value become ``const``."""
    nodes = tuple(
        n if n.constant is None or n.op == "const" else replace(n, op="const", args=(), params=(n.constant,))
        for n in graph.nodes
    )
    return Graph(nodes, graph.result)
