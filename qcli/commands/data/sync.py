"""``quant data sync``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("sync")
def sync(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Tables to sync (default: all of the profile).", show_default=False),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", help="First session (ISO date).", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="Last session (ISO date).", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the missing intervals and stop.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Fetch what is missing, check it, and add it to the lake, as Dagster runs."""
    from quant.pipelines.flows import sync as flow
    from quant.qcli.render.progress import stages
    from quant.qcli.render.warehouse import print_sync, print_sync_plan
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    request = flow.SyncRequest(tables=tuple(tables or ()), start=start, end=end)
    if dry_run:
        plan = flow.plan(desk, request)
        print_json(plan.as_dict()) if json_output else print_sync_plan(plan)
        return
    with stages("sync", quiet=json_output) as progress:
        result = flow.sync(desk, request, progress=progress)
    print_json(result.as_dict()) if json_output else print_sync(result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)
