"""``quant data restate``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("restate")
def restate(
    table: Annotated[str, typer.Argument(help="Table to fetch again.", show_default=False)],
    start: Annotated[str, typer.Option("--from", "--start", help="First session (ISO date).")],
    end: Annotated[str, typer.Option("--to", "--end", help="Last session (ISO date).")],
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="Only from this source (repeatable).", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Changed cells to show.")] = 50,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Fetch an interval again, rewrite it, show what changed and which past decisions that puts in doubt."""
    from quant.pipelines.flows.rewrite import restate as flow
    from quant.pipelines.flows.sync import SyncRequest
    from quant.qcli.render.progress import stages
    from quant.qcli.render.warehouse import print_restated
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    request = SyncRequest((table,), start, end, restate=True, only=tuple(source or ()))
    with stages("restate", quiet=json_output) as progress:
        found = flow(desk, request, progress=progress)
    print_json(found.as_dict()) if json_output else print_restated(found, limit)
    if found.outcome.exit_code:
        raise typer.Exit(found.outcome.exit_code)
