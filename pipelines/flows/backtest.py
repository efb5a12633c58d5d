"""Walk 1: a spec becomes a plan, the plan a run folder and a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from quant.core.errors import UsageError
from quant.core.time import to_datetime, utc_now
from quant.core.versions import RUN_FORMAT

if TYPE_CHECKING:
    from quant.native.kernel import Kernel
    from quant.pipelines.flows.runs import RunSummary
    from quant.pipelines.wiring import Prepared
    from quant.pipelines.workspace import Workspace
    from quant.specs import ResolvedSpec
    from quant.specs.compile.plan import BacktestPlan
    from quant.warehouse.lake import Lake


class Progress(Protocol):
    """What a flow reports to: the beginning of each stage."""

    def __call__(self, stage: str, /) -> None: ...


def _silent(_stage: str) -> None:
    return None


def compile_plan(desk: Workspace, spec: str, overrides: Sequence[str] = ()) -> BacktestPlan:
    """The plan of a backtest spec against the tables that the lake holds now."""
    return _compile(desk, resolve_spec(desk, "backtest", spec, overrides))


def default_backtest(desk: Workspace) -> str:
    """The workspace's own backtest; raises UsageError when quant.toml names none."""
    name = str(desk.get("defaults.backtest") or "")
    if not name:
        raise UsageError(
            "backtest.spec",
            "no backtest is named",
            expected="a spec, or defaults.backtest in quant.toml",
            hint="quant backtest NAME",
        )
    return name


def resolve_spec(desk: Workspace, kind: str, spec: str, overrides: Sequence[str]) -> ResolvedSpec:
    """A spec by file or name, with overrides composed, under the workspace's profile."""
    from quant.specs.registry import load_workspace
    from quant.specs.resolution import resolve

    given, mark, name = spec.partition("#")
    file = Path(given)
    is_file = file.suffix in {".yaml", ".yml", ".toml"}
    found = (
        next((p for p in (file, desk.root / file, desk.specs / file) if p.is_file()), None)
        if is_file
        else None
    )
    if is_file and found is None:
        raise UsageError(
            "spec.missing",
            f"there is no spec file {spec}",
            found=spec,
            hint=f"name a file that exists, or a {kind} by its name",
        )
    registry = load_workspace(desk.root, [found] if found else [])
    text = spec if found is None else f"{found.resolve()}{mark}{name}"
    document = registry.find(text, [kind])
    return resolve(registry, kind, document.name, list(overrides), profile=desk.profile)


def _compile(desk: Workspace, resolved: ResolvedSpec) -> BacktestPlan:
    from quant.core.market.rules import rulebook
    from quant.native.kernel import KERNEL_HASH
    from quant.specs.compile import compile_backtest
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.lake import Lake

    return compile_backtest(
        resolved,
        DeltaCatalog(Lake(desk.lake)),
        rulebook_hash=rulebook().fingerprint,
        kernel_hash=KERNEL_HASH,
    )


def backtest(
    desk: Workspace,
    spec: str,
    overrides: Sequence[str] = (),
    *,
    lang: str | None = None,
    progress: Progress = _silent,
) -> RunSummary:
    """Run a backtest spec and write its run folder; the newest run of the workspace afterwards."""
    from quant.pipelines.flows.runs import report_language
    from quant.warehouse.lake import Lake

    language = report_language(desk, lang)
    progress("compile")
    resolved = resolve_spec(desk, "backtest", spec, overrides)
    plan = _compile(desk, resolved)
    lake = Lake(desk.lake)
    progress("load panel and factors")
    prepared = load(desk, plan, lake)
    progress("run session")
    kernel = execute(desk, prepared)
    progress("write run and report")
    return record(
        desk, prepared, kernel, lake=lake, resolved=resolved, overrides=overrides, language=language
    )


def load(desk: Workspace, plan: BacktestPlan, lake: Lake) -> Prepared:
    """The plan's panel, scores and market."""
    from quant.pipelines.access import PinnedReader
    from quant.pipelines.wiring import prepare
    from quant.research.panel_cache import PanelCache

    return prepare(
        plan,
        PinnedReader(lake, plan.tables, plan.as_of),
        threads=int(desk.get("engine.threads")),
        cache=PanelCache(desk.state / "cache" / "panels", int(desk.get("engine.panel_cache_mb")) << 20),
    )


def execute(desk: Workspace, prepared: Prepared) -> Kernel:
    """Fused in C++ for a declarative strategy; stepped through the session loop when Python decides."""
    from quant.native.kernel import run_fused
    from quant.pipelines.wiring import run_stepped

    if prepared.plan.code is not None:
        return run_stepped(prepared, desk.strategies)
    return run_fused(
        prepared.config,
        prepared.market,
        prepared.construct,
        prepared.scores,
        prepared.eligible,
        prepared.rows,
    ).kernel


def record(
    desk: Workspace,
    prepared: Prepared,
    kernel: Kernel,
    *,
    lake: Lake,
    resolved: ResolvedSpec,
    overrides: Sequence[str],
    language: str,
    control: Sequence[str] = (),
) -> RunSummary:
    """Write, seal and register the run; a kill before the rename leaves no run.

    ``control`` are the instructions that people gave while it ran.
    """
    from quant.pipelines import run_folder
    from quant.pipelines.actor import current_actor
    from quant.pipelines.flows.runs import read_run
    from quant.research.reports import render, run_metrics
    from quant.warehouse.lake.upkeep import pin
    from quant.warehouse.ledger import Ledger

    started = to_datetime(utc_now())
    plan = prepared.plan
    run_id = run_folder.new_run_id(plan.name, started, plan.fingerprint)
    actor = current_actor(desk.root)
    receipt = {
        **make_receipt(prepared, kernel),
        "run_id": run_id,
        "created": started.isoformat(),
        "lang": language,
        "overrides": list(overrides),
        "actor": actor.as_dict(),
        "control": list(control),
    }
    temporary = desk.runs / f".tmp-{run_id}"
    try:
        run_folder.write_run(temporary, prepared, kernel, receipt=receipt, sources=resolved.sources_text)
        metrics = run_metrics(temporary)
        (temporary / "metrics.json").write_text(
            json.dumps(metrics, indent=1, allow_nan=False), encoding="utf-8"
        )
        render(temporary, lang=language, up=str(desk.get("report.up")))
        pin(lake, run_id, {t.name: t.version for t in plan.tables})
        run_folder.seal(temporary, desk.runs / run_id)
    except BaseException:
        run_folder.discard(temporary)
        raise
    Ledger(desk.ledger).record_run(
        run_id=run_id,
        kind=plan.mode,
        name=plan.name,
        plan_fingerprint=plan.fingerprint,
        state_hash=receipt["state_hash"],
        folder=str(desk.runs / run_id),
        started=started.isoformat(),
        actor=actor.as_dict(),
    )
    return read_run(desk.runs / run_id)


def make_receipt(prepared: Prepared, kernel: Kernel) -> dict[str, Any]:
    """What is needed to say whether another run is the same one."""
    from quant.pipelines.assumptions import describe, halted, warnings
    from quant.pipelines.environment import environment

    plan = prepared.plan
    return {
        "format": RUN_FORMAT,
        "name": plan.name,
        "mode": plan.mode,
        "spec_fingerprint": plan.spec_fingerprint,
        "plan_fingerprint": plan.fingerprint,
        "as_of": plan.as_of,
        "tables": [
            {"name": t.name, "version": t.version, "content_hash": t.content_hash} for t in plan.tables
        ],
        "rulebook_hash": plan.rulebook_hash,
        "kernel_hash": plan.kernel_hash,
        "state_hash": kernel.state_hash(),
        "environment": environment(),
        "assumptions": [
            a.as_dict() for a in (*halted(prepared, kernel), *warnings(prepared), *describe(plan))
        ],
    }
