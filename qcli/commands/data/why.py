"""``quant data why``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("why")
def why(
    code: Annotated[str, typer.Argument(help="Instrument, as 600519.SH.", show_default=False)],
    day: Annotated[str, typer.Argument(metavar="DATE", help="Session (ISO date).", show_default=False)],
    field: Annotated[str, typer.Argument(help="Column, as close.", show_default=False)],
    table: Annotated[str, typer.Option("--table", "-t", help="Golden table.")] = "bars_1d",
    payload: Annotated[
        str | None,
        typer.Option(
            "--payload", metavar="SOURCE", help="Print what this source sent, as bytes.", show_default=False
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Where a golden value comes from: every source's vote, the rule, who won, the payloads."""
    from quant.core.time import parse_date
    from quant.pipelines.flows.why import payload_of
    from quant.pipelines.flows.why import why as flow
    from quant.qcli.render.warehouse import print_cell
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    cell = flow(desk, table, code, parse_date(day), field)
    if payload is not None:
        sys.stdout.buffer.write(payload_of(desk, cell, payload))
        return
    print_json(cell.as_dict()) if json_output else print_cell(cell)
