"""Runs that were made: list, load, render."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.errors import CheckFailed, Location, StateConflict, UsageError
from quant.core.versions import RUN_FORMAT

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.ledger import RunRecord


RECEIPT = "receipt.json"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run folder read back: what a screen and ``--json`` show."""

    run_id: str
    name: str
    mode: str
    start: str
    end: str
    folder: Path
    report: Path
    metrics: dict[str, Any]
    state_hash: str
    plan_fingerprint: str
    assumptions: tuple[str, ...]
    receipt: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "name": self.name,
            "mode": self.mode,
            "start": self.start,
            "end": self.end,
            "folder": str(self.folder),
            "report": str(self.report),
            "metrics": self.metrics,
            "state_hash": self.state_hash,
            "plan_fingerprint": self.plan_fingerprint,
            "assumptions": list(self.assumptions),
        }


def list_runs(desk: Workspace, limit: int = 20) -> list[RunRecord]:
    """Registered runs, newest first."""
    from quant.warehouse.ledger import Ledger

    return Ledger(desk.ledger).runs(limit=limit)


def find_run(desk: Workspace, run: str) -> Path:
    """Folder of a run by id, unique beginning, or ``last``; raises UsageError with what is there."""
    folders = (
        sorted(p for p in desk.runs.glob("*") if p.is_dir() and not p.name.startswith("."))
        if desk.runs.is_dir()
        else []
    )
    if not folders:
        raise UsageError("run.none", "this workspace has no runs yet", hint="quant backtest SPEC")
    matches = (
        [folders[-1]]
        if run == "last"
        else [p for p in folders if p.name == run] or [p for p in folders if p.name.startswith(run)]
    )
    if len(matches) != 1:
        newest = ", ".join(p.name for p in folders[-3:])
        what = "no run is called" if not matches else f"{len(matches)} runs begin with"
        raise UsageError("run.unknown", f"{what} {run!r}", expected=newest, found=run, hint="quant run ls")
    return matches[0]


def load_run(desk: Workspace, run: str) -> RunSummary:
    """A run's summary from its folder."""
    return read_run(find_run(desk, run))


def read_part(folder: Path, name: str) -> Any:
    """A JSON file of a run folder; raises CheckFailed when it is gone or no longer readable."""
    try:
        part = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckFailed(
            "run.damaged",
            f"run {folder.name} is damaged: {name} cannot be read",
            where=Location(str(folder / name)),
            found=str(error).splitlines()[0],
            hint="bring the folder back from a copy, or run the spec again",
        ) from error
    if name == RECEIPT and part.get("format", 0) > RUN_FORMAT:
        raise StateConflict(
            "run.newer",
            f"run {folder.name} was written by a newer quant",
            expected=f"format <= {RUN_FORMAT}",
            found=str(part["format"]),
            hint="pip install -U quant-toolkit",
        )
    return part


def read_run(folder: Path) -> RunSummary:
    """From the folder alone; a newer format is refused (exit 5)."""
    receipt = read_part(folder, RECEIPT)
    plan = read_part(folder, "plan.json")
    metrics = read_part(folder, "metrics.json")
    report = folder / ("report.zh.html" if receipt.get("lang") == "zh" else "report.html")
    return RunSummary(
        run_id=folder.name,
        name=receipt["name"],
        mode=receipt["mode"],
        start=plan["start"],
        end=plan["end"],
        folder=folder,
        report=report,
        metrics=metrics,
        state_hash=receipt["state_hash"],
        plan_fingerprint=receipt["plan_fingerprint"],
        assumptions=tuple(
            a["text_zh" if receipt.get("lang") == "zh" else "text_en"] for a in receipt["assumptions"]
        ),
        receipt=receipt,
    )


def render_report(desk: Workspace, run: str, *, lang: str | None = None) -> Path:
    """Render again into the run folder; returns the file."""
    from quant.research.reports import render

    folder = find_run(desk, run)
    read_part(folder, RECEIPT)
    return render(folder, lang=report_language(desk, lang), up=str(desk.get("report.up")))


def report_language(desk: Workspace, lang: str | None) -> str:
    """The language asked for, else the workspace's; raises UsageError for an unknown one."""
    chosen = lang or str(desk.get("report.lang"))
    if chosen not in {"en", "zh"}:
        raise UsageError("report.lang", f"no report language {chosen!r}", expected="en or zh", found=chosen)
    return chosen
