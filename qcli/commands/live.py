"""``quant live``: a running session, seen and steered from another process."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="A session: status, pause, resume, halt, reset.", no_args_is_help=True)
SessionArgument = Annotated[
    str | None, typer.Argument(help="Session name (default: the only or newest one).", show_default=False)
]
ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", help="Why; goes into the journal and the audit log.")
]
WhyOption = Annotated[
    str | None, typer.Option("--reason", "-r", help="Why; goes into the audit log.", show_default=False)
]


@app.command("status")
def status(
    session: SessionArgument = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until it ends.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """State, progress, net asset value, positions of a session."""
    from dataclasses import asdict

    from quant.pipelines.flows.session import session_status
    from quant.qcli.render.sessions import print_status, watch_status
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    if watch and not json_output:
        watch_status(lambda: session_status(desk, session))
        return
    shown = session_status(desk, session)
    print_json(asdict(shown)) if json_output else print_status(shown)


def _control(
    verb: str,
    session: str | None,
    reason: str | None,
    workspace: WorkspaceOption,
    profile: ProfileOption,
    json_output: bool,
) -> None:
    from quant.pipelines.flows.session import control_session
    from quant.qcli.screen import note, print_json

    done = control_session(open_workspace(workspace, profile), session, verb, reason)
    if json_output:
        print_json(done.as_dict())
    else:
        note(f"{verb} sent to session {done.session}: {done.effect}")


@app.command("pause")
def pause(
    session: SessionArgument = None,
    reason: WhyOption = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Send no new orders until resume."""
    _control("pause", session, reason, workspace, profile, json_output)


@app.command("resume")
def resume(
    session: SessionArgument = None,
    reason: WhyOption = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """End a pause."""
    _control("resume", session, reason, workspace, profile, json_output)


@app.command("halt")
def halt(
    reason: ReasonOption,
    session: SessionArgument = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Stop trading now: cancel open orders, refuse new ones until reset. Needs no database, no network."""
    _control("halt", session, reason, workspace, profile, json_output)


@app.command("reset")
def reset(
    reason: ReasonOption,
    session: SessionArgument = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Lift a halt."""
    _control("reset", session, reason, workspace, profile, json_output)
