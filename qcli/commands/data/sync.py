"""``quant data sync`` and ``quant data backfill``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

if TYPE_CHECKING:
    from quant.pipelines.flows.sync import SyncRequest
    from quant.pipelines.workspace import Workspace

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show the missing intervals, calls, rows and minutes, and stop.")
]
MaxCallsOption = Annotated[
    int | None,
    typer.Option(
        "--max-calls",
        min=1,
        help="Stop before the interval with which more calls would be made.",
        show_default=False,
    ),
]


@app.command("sync")
def sync(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Tables to sync (default: all of the profile).", show_default=False),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", "--from", help="First session (ISO date).", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", "--to", help="Last session (ISO date).", show_default=False)
    ] = None,
    dry_run: DryRunOption = False,
    max_calls: MaxCallsOption = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Fetch what is missing, check it, and add it to the lake, as Dagster runs."""
    from quant.pipelines.flows.sync import SyncRequest

    request = SyncRequest(tables=tuple(tables or ()), start=start, end=end, max_calls=max_calls)
    _run(open_workspace(workspace, profile), request, dry_run=dry_run, json_output=json_output)


@app.command("backfill")
def backfill(
    table: Annotated[str, typer.Argument(help="Table to fill.", show_default=False)],
    start: Annotated[str, typer.Option("--from", "--start", help="First session (ISO date).")],
    end: Annotated[str, typer.Option("--to", "--end", help="Last session (ISO date).")],
    dry_run: DryRunOption = False,
    max_calls: MaxCallsOption = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Fetch what a table lacks between two dates, year by year; begun again it goes on where it stopped."""
    from quant.pipelines.flows.sync import SyncRequest

    request = SyncRequest(tables=(table,), start=start, end=end, max_calls=max_calls)
    _run(open_workspace(workspace, profile), request, dry_run=dry_run, json_output=json_output)


def _run(desk: Workspace, request: SyncRequest, *, dry_run: bool, json_output: bool) -> None:
    from quant.pipelines.flows import sync as flow
    from quant.pipelines.flows.preview import preview
    from quant.qcli.render.progress import stages
    from quant.qcli.render.warehouse import print_sync, print_sync_plan
    from quant.qcli.screen import print_json

    if dry_run:
        plan = preview(desk, request)
        print_json(plan.as_dict()) if json_output else print_sync_plan(plan)
        return
    with stages("sync", quiet=json_output) as progress:
        result = flow.sync(desk, request, progress=progress)
    print_json(result.as_dict()) if json_output else print_sync(result)
    if result.exit_code:
        raise typer.Exit(result.exit_code)
