"""``quant deploy`` and ``quant live``: a deployment's session, run here or in the background."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.errors import PolicyRefused, QuantError, StateConflict, UsageError
from quant.core.money import MONEY_SCALE
from quant.core.time import parse_date, show_instant, to_datetime, utc_now

if TYPE_CHECKING:
    from quant.native.kernel import Kernel
    from quant.pipelines.flows.backtest import Progress
    from quant.pipelines.flows.runs import RunSummary
    from quant.pipelines.wiring import Prepared
    from quant.pipelines.workspace import Workspace
    from quant.specs.compile.plan import BacktestPlan
    from quant.specs.resolution import ResolvedSpec
    from quant.trading.session import DayReport, SessionResult
    from quant.trading.status import SessionStatus

ENVIRONMENTS = ("paper",)
NEED_REASON = ("halt", "reset")


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What to deploy: a spec (default: the workspace's), its environment, and the range to replay."""

    spec: str | None = None
    env: str = "paper"
    start: str | None = None
    end: str | None = None
    fresh: bool = False
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a session ended; money in yuan."""

    name: str
    end: str
    sessions: int
    nav: float
    total_return: float
    orders: int
    fills: int
    state: str
    state_hash: str
    resumed_after: str | None
    folder: str
    run: str | None
    report: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ControlOutcome:
    session: str
    verb: str
    effect: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def deploy(
    desk: Workspace,
    request: SessionRequest,
    *,
    on_day: Callable[[DayReport], None] | None = None,
    progress: Progress | None = None,
) -> SessionOutcome:
    """Run or resume a deployment's session to the end of its range, then write its run folder.

    Raises:
        StateConflict: the session runs elsewhere, or its journal is of another plan (``fresh`` archives it).
    """
    from quant.pipelines.wiring import paper_data, session_strategy
    from quant.trading.folder import SessionFolder
    from quant.trading.paper import PaperOptions, run_paper
    from quant.warehouse.lake import Lake
    from quant.warehouse.lake.upkeep import pin

    say = progress or (lambda _stage: None)
    say("compile")
    resolved = _resolve(desk, request)
    plan = compile_deployment(desk, resolved, request)
    place = SessionFolder.of(desk.state, plan.name)
    if request.fresh:
        place.archive(f"{to_datetime(utc_now()):%Y%m%dT%H%M%S}")
    plan = _under_way(place.plan, plan)
    lake = Lake(desk.lake)
    say("load panel and factors")
    prepared = _prepare(desk, plan, lake)
    pin(lake, f"session-{plan.name}", {t.name: t.version for t in plan.tables})
    say("run session")
    result = run_paper(
        plan,
        paper_data(prepared),
        prepared.config,
        session_strategy(prepared, desk.strategies),
        place.root,
        on_day=on_day,
        options=PaperOptions(rows=decision_rows_of(prepared)),
    )
    return _finish(desk, prepared, resolved, result, place.root, lake)


def _under_way(path: Path, plan: BacktestPlan) -> BacktestPlan:
    """The stored plan of a session that began with the same meaning: it keeps the tables of its start.

    A plan of another meaning is returned as it is; the journal then refuses it.
    """
    from quant.specs.compile.plan import BacktestPlan

    if not path.is_file():
        return plan
    stored = BacktestPlan.from_json(path.read_bytes())
    return stored if replace(stored, tables=plan.tables).fingerprint == plan.fingerprint else plan


def decision_rows_of(prepared: Prepared) -> Any:
    """The decision rows of a declarative plan; a Python strategy decides every session."""
    return prepared.rows if prepared.plan.code is None else None


def _resolve(desk: Workspace, request: SessionRequest) -> ResolvedSpec:
    from quant.pipelines.flows.backtest import resolve_spec

    if request.env not in ENVIRONMENTS:
        raise PolicyRefused(
            "deploy.env",
            f"environment {request.env!r} is not part of this version",
            expected=" or ".join(ENVIRONMENTS),
            found=request.env,
            hint="--env paper",
        )
    spec = request.spec or str(desk.get("defaults.deployment") or "")
    if not spec:
        raise UsageError(
            "deploy.spec",
            "no deployment is named",
            expected="a spec, or defaults.deployment in quant.toml",
            hint="quant deploy NAME --env paper",
        )
    return resolve_spec(desk, "deployment", spec, request.overrides)


def compile_deployment(desk: Workspace, resolved: ResolvedSpec, request: SessionRequest) -> BacktestPlan:
    """The plan of the session; one that is under way keeps the table versions that it began with."""
    from quant.core.market.rules import rulebook
    from quant.native.kernel import KERNEL_HASH
    from quant.specs.compile import compile_session
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.lake import Lake

    return compile_session(
        resolved,
        DeltaCatalog(Lake(desk.lake)),
        rulebook_hash=rulebook().fingerprint,
        kernel_hash=KERNEL_HASH,
        start=_date(request.start),
        end=_date(request.end),
    )


def _prepare(desk: Workspace, plan: BacktestPlan, lake: Any) -> Prepared:
    from quant.pipelines.flows.backtest import load

    return load(desk, plan, lake)


def _finish(
    desk: Workspace,
    prepared: Prepared,
    resolved: ResolvedSpec,
    result: SessionResult,
    folder: Path,
    lake: Any,
) -> SessionOutcome:
    from quant.pipelines.flows.backtest import record
    from quant.pipelines.flows.runs import report_language

    kernel = result.kernel
    run = _recorded(desk, prepared, kernel) or record(
        desk,
        prepared,
        kernel,
        lake=lake,
        resolved=resolved,
        overrides=resolved.overrides,
        language=report_language(desk, None),
        control=_instructions(folder),
    )
    cash = prepared.config.cash_micro / MONEY_SCALE
    nav = kernel.nav / MONEY_SCALE
    return SessionOutcome(
        name=prepared.plan.name,
        end=prepared.plan.end,
        sessions=result.sessions,
        nav=nav,
        total_return=nav / cash - 1.0 if cash else 0.0,
        orders=len(kernel.orders()["order_id"]),
        fills=len(kernel.fills()["order_id"]),
        state=result.state,
        state_hash=result.state_hash,
        resumed_after=show_instant(result.resumed_after) if result.resumed_after is not None else None,
        folder=str(folder),
        run=run.run_id,
        report=str(run.report),
    )


def _instructions(folder: Path) -> list[str]:
    """The lines of the session's control file: what people told it while it ran."""
    file = folder / "control.jsonl"
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []


def _recorded(desk: Workspace, prepared: Prepared, kernel: Kernel) -> RunSummary | None:
    """The run that this session already left when it finished before, so that it is not written twice."""
    from quant.pipelines.flows.runs import read_run
    from quant.warehouse.ledger import Ledger

    for known in Ledger(desk.ledger).runs(kind=prepared.plan.mode, name=prepared.plan.name, limit=5):
        same = known.state_hash == kernel.state_hash() and known.plan_fingerprint == prepared.plan.fingerprint
        if same and known.folder and (Path(known.folder) / "receipt.json").is_file():
            return read_run(Path(known.folder))
    return None


def detach(desk: Workspace, request: SessionRequest) -> SessionStatus:
    """Start the session in a process of its own and return once it can be seen.

    Raises the error with which it ended when it ends before that.
    """
    import time

    resolved = _resolve(desk, request)
    compile_deployment(desk, resolved, request)
    command = [
        sys.executable,
        "-m",
        "quant.qcli.main",
        "deploy",
        resolved.name,
        "--env",
        request.env,
        "--json",
        "--workspace",
        str(desk.root),
        "--profile",
        desk.profile,
    ]
    command += ["--from", request.start] if request.start else []
    command += ["--to", request.end] if request.end else []
    command += ["--fresh"] if request.fresh else []
    command += request.overrides
    desk.sessions.mkdir(parents=True, exist_ok=True)
    log = desk.sessions / f"{resolved.name}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd=desk.root,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        status = _status_of(desk, resolved.name)
        if status is not None and status.pid == child.pid:
            return status
        if child.poll() is not None and child.returncode:
            raise QuantError(
                "session.start",
                f"the session ended with code {child.returncode} before it began",
                found=log.read_text(encoding="utf-8", errors="replace")[-800:],
                hint=f"see {log}",
            )
        time.sleep(0.05)
    raise QuantError("session.start", "the session did not begin within a minute", hint=f"see {log}")


def _status_of(desk: Workspace, name: str) -> SessionStatus | None:
    from quant.trading.status import read_status

    try:
        return read_status(desk.sessions / name)
    except QuantError:
        return None


def session_status(desk: Workspace, name: str | None) -> SessionStatus:
    """What a second process sees of a session; the newest one when none is named."""
    from quant.trading.status import read_status

    return read_status(session_folder(desk, name))


def session_folder(desk: Workspace, name: str | None) -> Path:
    """Folder of a session by name, else the one touched last; raises UsageError with what is there."""
    folders = (
        [p for p in desk.sessions.glob("*") if (p / "status.json").is_file()]
        if desk.sessions.is_dir()
        else []
    )
    if not folders:
        raise UsageError(
            "session.none", "this workspace has no sessions yet", hint="quant deploy --env paper"
        )
    if name is None:
        return max(folders, key=lambda p: (p / "status.json").stat().st_mtime_ns)
    found = next((p for p in folders if p.name == name), None)
    if found is None:
        raise UsageError(
            "session.unknown",
            f"no session is called {name!r}",
            found=name,
            expected=", ".join(sorted(p.name for p in folders)),
        )
    return found


def control_session(desk: Workspace, name: str | None, verb: str, reason: str | None) -> ControlOutcome:
    """Pause, resume, halt or reset a session through its control file; a halt also leaves a lock file."""
    from quant.pipelines.actor import current_actor
    from quant.trading.control import ControlFiles, request

    if verb in NEED_REASON and not (reason or "").strip():
        raise UsageError("session.reason", f"{verb} needs a reason", hint=f'quant live {verb} --reason "…"')
    folder = session_folder(desk, name)
    status = _status_of(desk, folder.name)
    if status is not None and status.state == "finished":
        raise StateConflict(
            "session.finished",
            f"session {folder.name} has finished; there is nothing left to {verb}",
            expected="a session that is running or was interrupted",
            hint="quant deploy --env paper --fresh begins it anew",
        )
    actor = current_actor(desk.root)
    request(ControlFiles.in_folder(folder), verb, actor=f"{actor.user}@{actor.host}", reason=reason or "")
    effect = (
        "takes effect at its next instant"
        if status and status.alive
        else "no process runs it now; it takes effect when it is resumed"
    )
    _note(desk, verb, folder.name, reason, actor.as_dict())
    return ControlOutcome(folder.name, verb, effect)


def _note(desk: Workspace, verb: str, session: str, reason: str | None, actor: dict[str, str | None]) -> None:
    """The audit log after the fact: a halt must work even when the database does not."""
    from quant.warehouse.ledger import Ledger

    try:
        Ledger(desk.ledger).audit(
            f"live.{verb}", f"session/{session}", actor=actor, detail={"reason": reason or ""}
        )
    except Exception as error:  # the control file already holds the instruction
        sys.stderr.write(f"warning: the audit log could not be written: {error}\n")


def _date(text: str | None) -> date | None:
    return parse_date(text) if text else None
