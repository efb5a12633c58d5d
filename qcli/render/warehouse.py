"""Screens of ``quant data``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import note, print_fault, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.query import Answer
    from quant.pipelines.flows.sync import SyncOutcome, SyncPreview


def print_sync_plan(plan: SyncPreview) -> None:
    """What a sync would fetch."""
    if not plan.items:
        note("nothing is missing")
        return
    print_table(
        ("source", "dataset", "from", "to", "sessions", "calls"),
        [(i.source, i.dataset, i.start, i.end, i.sessions, i.calls) for i in plan.items],
    )


def print_sync(result: SyncOutcome) -> None:
    """What a sync did, a line a table, and the checks that failed."""
    for failure in result.failures:
        print_fault(failure.fault)
    if not result.tables and not result.failures:
        note("nothing was missing: the lake is up to date")
    elif result.tables:
        print_table(
            ("table", "source", "from", "to", "rows", "quarantined", "version"),
            [(t.table, t.source, t.start, t.end, t.rows, t.quarantined, t.version) for t in result.tables],
        )
    for check in result.failed_checks:
        word = "check failed" if check.severity == "error" else "warning"
        note(f"{word}: {check.table}.{check.name}: {check.detail}")
    note(f"checks: {result.checks_passed} passed, {len(result.failed_checks)} failed")


def print_frame(answer: Answer, limit: int) -> None:
    """Rows of a query."""
    print_table(answer.columns, answer.rows[:limit])
    if len(answer.rows) > limit:
        note(f"{len(answer.rows):,} rows, {limit:,} shown; --limit shows more, --json all")
    pinned = ", ".join(f"{name}@{version}" for name, version in sorted(answer.versions.items()))
    note(f"{len(answer.rows):,} rows in {answer.seconds:.3f} s on {answer.engine}; {pinned}")
