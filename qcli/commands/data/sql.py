"""``quant data sql``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.core.time import parse_instant
from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("sql")
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; tables of the lake by name.")],
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="clickhouse (embedded), duckdb or server (default: engine.sql).",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="Pin a table: bars_1d=12 (repeatable).", show_default=False),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Rows as they were known at this instant, as 2026-01-05T00:00+08:00.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows shown on a terminal.")] = 200,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Query the lake, in place or on a server; every table is of one version for the whole query."""
    from quant.pipelines.flows.query import run_query
    from quant.qcli.render.warehouse import print_frame
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    moment = parse_instant(as_of) if as_of is not None else None
    answer = run_query(desk, query, engine=engine or str(desk.get("engine.sql")), at=at or [], as_of=moment)
    if json_output:
        print_json(answer.as_dict())
    else:
        print_frame(answer, limit)
