"""``--explain``: a plan as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import console

if TYPE_CHECKING:
    from rich.tree import Tree

    from quant.specs.compile.plan import BacktestPlan
    from quant.specs.explain import Node


def print_plan(plan: BacktestPlan) -> None:
    """Print the plan: data, program, schedule, construction, costs, risk, assumptions."""
    from rich.text import Text
    from rich.tree import Tree

    from quant.specs.explain import explain

    def grow(tree: Tree, node: Node) -> None:
        branch = tree.add(Text(node.label))
        for child in node.children:
            grow(branch, child)

    root = explain(plan)
    tree = Tree(Text(root.label, style="bold"))
    for child in root.children:
        grow(tree, child)
    console().print(tree)
