"""Screens of runs: metrics, receipt, replay verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import note, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.replay import ReplayVerdict
    from quant.pipelines.flows.runs import RunSummary


NOTES = {"run.halted", "data.ends", "universe.empty"}


def print_run(run: RunSummary) -> None:
    """The metrics table, what was assumed, and where the report is."""
    from quant.research.reports.summary import summary_table

    print_table(("metric", "value"), summary_table(run.metrics), title=f"{run.name}  {run.start} … {run.end}")
    if run.metrics.get("orders_blocked"):
        from quant.research.reports.folder import RunFolder
        from quant.research.reports.tables import blocked_reasons

        said = [f"{count} {word}" for word, count, _ in blocked_reasons(RunFolder.read(run.folder), "en")]
        note(f"blocked or cut: {'; '.join(said)}")
    for assumption in run.receipt["assumptions"]:
        text = assumption["text_zh" if run.receipt.get("lang") == "zh" else "text_en"]
        note(f"{'warning' if assumption['code'] in NOTES else 'assumed'}: {text}")
    note(f"run    {run.run_id}  state {run.state_hash[:16]}  plan {run.plan_fingerprint[:12]}")
    note(f"report {run.report}")


def print_replay(verdict: ReplayVerdict) -> None:
    """Same, or what differs."""
    if verdict.same:
        note(f"same: state hash {verdict.state_hash[:16]} reproduced over {verdict.sessions} sessions")
    else:
        note(f"differs: state hash {verdict.state_hash[:16]} over {verdict.sessions} sessions")
    if verdict.differences:
        print_table(("part", "recorded", "now"), [(d.part, d.recorded, d.now) for d in verdict.differences])
    if verdict.first_difference:
        note(f"first session that differs: {verdict.first_difference}")
