"""``quant deploy``: run a deployment's session."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


def deploy(
    spec: Annotated[
        str | None,
        typer.Argument(help="A deployment spec or its name (default: quant.toml's).", show_default=False),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, as for a backtest.", show_default=False),
    ] = None,
    env: Annotated[
        str, typer.Option("--env", help="Environment of the deployment; this version has: paper.")
    ] = "paper",
    start: Annotated[
        str | None, typer.Option("--from", help="First session to replay (ISO date).", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last session to replay (ISO date).", show_default=False)
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Run in the background; see it with quant live status.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Archive an earlier session of the same name and start anew.")
    ] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run the paper session of a deployment day by day over a replayed range; resumes after a crash."""
    from dataclasses import asdict

    from quant.pipelines.flows import session as flow
    from quant.qcli.render.sessions import live_view, print_detached, print_session
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    request = flow.SessionRequest(
        spec=spec, env=env, start=start, end=end, fresh=fresh, overrides=tuple(overrides or ())
    )
    if detach:
        status = flow.detach(desk, request)
        print_json(asdict(status)) if json_output else print_detached(status)
        return
    with live_view(quiet=json_output) as view:
        result = flow.deploy(desk, request, on_day=view)
    print_json(result.as_dict()) if json_output else print_session(result)
