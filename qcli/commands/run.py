"""``quant run``: runs that were made."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import JsonOption, LangOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="Runs: list, show, report, replay.", no_args_is_help=True)
RunArgument = Annotated[str, typer.Argument(help="Run id, a unique beginning of it, or 'last'.")]


@app.command("ls")
def ls(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many, newest first.")
    ] = 20,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """List runs, newest first."""
    from quant.pipelines.flows.runs import list_runs
    from quant.qcli.screen import print_json, print_table

    rows = list_runs(open_workspace(workspace, profile), limit)
    if json_output:
        print_json({"runs": [r.as_dict() for r in rows]})
        return
    print_table(
        ("run", "kind", "name", "status", "started (UTC)", "state hash"),
        [(r.run_id, r.kind, r.name, r.status, r.started[:19], (r.state_hash or "")[:16]) for r in rows],
    )


@app.command("show")
def show(
    run: RunArgument,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Metrics and receipt of a run."""
    from quant.pipelines.flows.runs import load_run
    from quant.qcli.render.runs import print_run
    from quant.qcli.screen import print_json

    result = load_run(open_workspace(workspace, profile), run)
    print_json(result.as_dict()) if json_output else print_run(result)


@app.command("report")
def report(
    run: RunArgument,
    lang: LangOption = None,
    open_report: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Render the report again, from the run folder alone."""
    from quant.pipelines.flows.runs import render_report
    from quant.qcli.screen import print_json

    path = render_report(open_workspace(workspace, profile), run, lang=lang)
    print_json({"report": str(path)}) if json_output else typer.echo(path)
    if open_report:
        typer.launch(path.as_uri())


@app.command("replay")
def replay(
    run: RunArgument,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run the receipt again: the same state hash, or what differs and since which session."""
    from quant.pipelines.flows.replay import replay_run
    from quant.qcli.render.runs import print_replay
    from quant.qcli.screen import print_json

    verdict = replay_run(open_workspace(workspace, profile), run)
    print_json(verdict.as_dict()) if json_output else print_replay(verdict)
    if not verdict.same:
        raise typer.Exit(3)


@app.command("recall")
def recall(
    run: Annotated[
        str | None,
        typer.Argument(
            help="Run id, a unique beginning of it, or 'last' (default: every run and session).",
            show_default=False,
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Past decisions that would be others with the data as they are now: rebalances, orders, fills."""
    from quant.pipelines.flows.recalled import summary
    from quant.pipelines.flows.restate import affected_decisions
    from quant.qcli.render.recall import print_recalls
    from quant.qcli.screen import print_json

    found = affected_decisions(open_workspace(workspace, profile), run=run)
    if json_output:
        print_json({"runs": [r.as_dict() for r in found], "summary": summary(found)})
    else:
        print_recalls(found)
