"""``quant warehouse``: copies of the lake on a ClickHouse server."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(
    help="A ClickHouse server: make, load and check its copies of the lake.", no_args_is_help=True
)

TablesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Tables: bars_1d, or source.bars_1d (default: the golden ones).", show_default=False),
]
AllOption = Annotated[bool, typer.Option("--all", help="Also vendors' and system tables.")]


@app.command("init")
def init(
    tables: TablesArgument = None,
    everything: AllOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the CREATE TABLE statements.")
    ] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Create the server's database and empty tables; what is there stays."""
    from quant.pipelines.flows.warehouse import init_server, server_definitions
    from quant.qcli.screen import note, print_json

    desk = open_workspace(workspace, profile)
    if dry_run:
        texts = server_definitions(desk, tables or [], everything=everything)
        print_json({"definitions": texts}) if json_output else typer.echo(";\n\n".join([*texts, ""]).rstrip())
        return
    made = init_server(desk, tables or [], everything=everything)
    if json_output:
        print_json(made)
    else:
        note(f"database {made['database']}: {', '.join(made['tables']) or 'no tables yet'}")


@app.command("load")
def load(
    tables: TablesArgument = None,
    everything: AllOption = False,
    again: Annotated[bool, typer.Option("--again", help="Load every partition, changed or not.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Bring the server to the lake's latest versions: only partitions that changed, each table at once."""
    from quant.pipelines.flows.warehouse import load_server
    from quant.qcli.render.progress import stages
    from quant.qcli.render.server import print_loads, rows_progress
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    with stages("load", quiet=json_output) as reporter:
        done = load_server(
            desk, tables or [], everything=everything, again=again, progress=rows_progress(reporter, "rows")
        )
    if json_output:
        print_json({"tables": [asdict(each) for each in done]})
    else:
        print_loads(done)


@app.command("verify")
def verify(
    tables: TablesArgument = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compare row counts and checksums of every loaded partition with the lake; exit 3 where they differ."""
    from quant.pipelines.flows.warehouse import verify_server
    from quant.qcli.render.progress import stages
    from quant.qcli.render.server import print_verification, rows_progress
    from quant.qcli.screen import print_fault, print_json

    desk = open_workspace(workspace, profile)
    with stages("verify", quiet=json_output) as reporter:
        found = verify_server(desk, tables or [], progress=rows_progress(reporter, "tables"))
    failure = found.failure()
    if json_output:
        print_json(
            found.as_dict() if failure is None else {**found.as_dict(), "error": failure.fault.as_dict()}
        )
    else:
        print_verification(found)
        if failure is not None:
            print_fault(failure.fault)
    if failure is not None:
        raise typer.Exit(failure.exit_code)


@app.command("status")
def status(
    tables: TablesArgument = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Which version of each table the server holds, and which the lake has."""
    from quant.pipelines.flows.warehouse import server_status
    from quant.qcli.render.server import print_status
    from quant.qcli.screen import print_json

    found = server_status(open_workspace(workspace, profile), tables or [])
    if json_output:
        print_json({"tables": [{**asdict(each), "current": each.current} for each in found]})
    else:
        print_status(found)
