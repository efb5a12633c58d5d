"""Plans and reviews on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import console

if TYPE_CHECKING:
    from rich.tree import Tree

    from quant.pipelines.flows.plan import BlastRadius
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


def print_blast_radius(found: BlastRadius) -> None:
    """Print what is stale, group by group."""
    from quant.qcli.screen import note, print_table

    if not found.pending:
        note("nothing is stale")
        return
    if found.assets:
        print_table(
            ("table", "source", "from", "to", "why", "rows stored", "calls"),
            [(a.table, a.source, a.start, a.end, a.reason, a.rows, a.calls) for a in found.assets],
            title="tables",
        )
    if found.factors:
        print_table(("factor", "why"), [(f.factor, f.reason) for f in found.factors], title="factors")
    for title, entries in (("runs", found.runs), ("deployments", found.deployments)):
        if entries:
            rows = [(e.run, e.name, "\n".join(e.reasons)) for e in entries]
            print_table((title[:-1], "spec", "why"), rows, title=title)
    note(
        f"{found.rows:,} stored rows to write again, {found.calls:,} calls; "
        f"{len(found.factors)} factors, {len(found.runs)} runs, {len(found.deployments)} deployments"
    )
