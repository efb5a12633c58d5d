"""``quant data export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("export")
def export(
    table: Annotated[str, typer.Argument(help="Golden table, as bars_1d.", show_default=False)],
    to: Annotated[
        Path, typer.Option("--to", "-o", metavar="FILE", help="A .parquet or .csv file.", show_default=False)
    ],
    start: Annotated[
        str | None, typer.Option("--start", "--from", help="First date (ISO).", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", "--until", help="Last date (ISO).", show_default=False)
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", "-c", help="Only these, with commas between.", show_default=False),
    ] = None,
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", help="As a snapshot pins it.", show_default=False)
    ] = None,
    adjust: Annotated[str, typer.Option("--adjust", help="Prices: none, pre or post.")] = "none",
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Write rows of a golden table into one file, whole or not at all."""
    from quant.core.time import parse_date
    from quant.pipelines.flows.export import ExportRequest, split_columns
    from quant.pipelines.flows.export import export as flow
    from quant.qcli.screen import note, print_json

    request = ExportRequest(
        table=table,
        file=to,
        start=parse_date(start) if start else None,
        end=parse_date(end) if end else None,
        columns=split_columns(columns or ()),
        snapshot=snapshot,
        adjust=adjust,
    )
    done = flow(open_workspace(workspace, profile), request)
    if json_output:
        print_json(done.as_dict())
    else:
        if done.new_folder is not None:
            note(f"made the folder {done.new_folder}")
        note(f"{done.rows:,} rows of {done.table}@{done.version} in {done.file} ({done.bytes:,} bytes)")
