"""``quant data``: the warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="The warehouse: sync, status, SQL, quarantine.", no_args_is_help=True)


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


@app.command("status")
def status(
    workspace: WorkspaceOption = None, profile: ProfileOption = None, json_output: JsonOption = False
) -> None:
    """Tables of the lake: rows, coverage, versions, what is known to be absent."""
    from quant.pipelines.flows.sync import table_status
    from quant.qcli.screen import print_json, print_table

    rows = table_status(open_workspace(workspace, profile))
    if json_output:
        print_json({"tables": [r.as_dict() for r in rows]})
        return
    print_table(
        ("table", "layer", "version", "rows", "from", "to", "content"),
        [(r.table, r.layer, r.version, r.rows, r.start, r.end, r.content_hash[:12]) for r in rows],
    )


@app.command("sql")
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; tables of the lake by name.")],
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", help="clickhouse (embedded) or duckdb (default: engine.sql).", show_default=False
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", help="Pin a table: bars_1d=12 (repeatable).", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows shown on a terminal.")] = 200,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Query the lake in place; every table is pinned to one version for the whole query."""
    from quant.pipelines.flows.query import run_query
    from quant.qcli.render.warehouse import print_frame
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    answer = run_query(desk, query, engine=engine or str(desk.get("engine.sql")), at=at or [])
    if json_output:
        print_json(answer.as_dict())
    else:
        print_frame(answer, limit)


@app.command("quarantine")
def quarantine(
    table: Annotated[str | None, typer.Argument(help="Only this table.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows to show.")] = 50,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Rows that broke a contract, with the rule and the reason."""
    from quant.pipelines.flows.query import quarantined
    from quant.qcli.screen import print_json, print_table

    rows = quarantined(open_workspace(workspace, profile), table, limit)
    if json_output:
        print_json({"rows": rows})
    else:
        print_table(
            ("table", "source", "rule", "reason", "row"),
            [(r["table"], r["source"], r["rule"], r["reason"], r["row_json"]) for r in rows],
        )


@app.command("gc")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compact the lake and remove versions that no run has pinned."""
    from quant.pipelines.flows.sync import collect_garbage
    from quant.qcli.screen import note, print_json

    removed = collect_garbage(open_workspace(workspace, profile), dry_run=dry_run)
    if json_output:
        print_json({"removed": removed, "dry_run": dry_run})
    else:
        note(f"{'would remove' if dry_run else 'removed'} {len(removed)} files that no pinned version needs")
