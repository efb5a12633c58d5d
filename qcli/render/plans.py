"""Plans and reviews on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import console

if TYPE_CHECKING:
    from rich.tree import Tree

    from quant.pipelines.flows.review import Review
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


def print_review(review: Review) -> None:
    """Print what changed between two states of the specs, and the runs it touches."""
    from quant.qcli.screen import note, print_table

    note(f"{review.old} -> {review.new}: {review.verdict}")
    if not review.changes:
        return
    print_table(
        ("effect", "document", "field", "old", "new", "touches"),
        [
            (c.effect, c.document, c.path, c.old, c.new, ", ".join(review.affected.get(c.document, ())))
            for c in review.changes
        ],
    )
