"""Past decisions that the data as they are now would have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quant.qcli.screen import note, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.recalled import DecisionChange, Recall


def print_recalls(recalls: Sequence[Recall]) -> None:
    """A line per order, target or fill that would have been another, then one line per run."""
    rows = [row for recall in recalls for row in _rows(recall)]
    if rows:
        print_table(("run", "decided", "what", "session", "code", "was", "would be"), rows)
    for recall in recalls:
        cells = ", ".join(f"{table} {count:,}" for table, count in recall.cells.items()) or "none"
        note(f"{recall.run}: {_verdict(recall)} (changed cells: {cells})")
    if not recalls:
        note("no run or session read data that have changed since")


def _rows(recall: Recall) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for decision in recall.decisions:
        found += _decision(recall.run, decision)
    found += [
        (recall.run, "", "fill price", f.session, f.code, f"{f.before:.4f}", f"{f.after:.4f}")
        for f in recall.fills
    ]
    return found


def _decision(run: str, decision: DecisionChange) -> list[tuple[object, ...]]:
    day = decision.session
    targets = [
        (run, day, "target", day, t.code, _weight(t.before), _weight(t.after)) for t in decision.targets
    ]
    orders = [
        (run, day, "order", o.session, o.code, f"{o.before:+,}", f"{o.after:+,}") for o in decision.orders
    ]
    return [*targets, *orders]


def _weight(share: float | None) -> str:
    return "none" if share is None else f"{share:.2%}"


def _verdict(recall: Recall) -> str:
    if recall.problem:
        return f"cannot be replayed: {recall.problem}"
    if not recall.affected:
        return "every decision would be the same"
    orders = sum(len(d.orders) for d in recall.decisions)
    words = f"{len(recall.decisions)} decisions and {orders} orders would differ"
    if recall.fills:
        words += f", {len(recall.fills)} fills were at prices that are others now"
    if recall.method == "replayed":
        words += "; those after the first may follow from it"
    return words
