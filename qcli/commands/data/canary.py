"""``quant data canary``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("canary")
def canary(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Sources to ask (default: every vendor of the profile).", show_default=False),
    ] = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Ask each vendor one tiny known question: lost rows, columns, units or sessions are exit 3 or 4."""
    from quant.pipelines.flows.canary import canary as flow
    from quant.qcli.screen import print_fault, print_json, print_table

    outcome = flow(open_workspace(workspace, profile), tuple(sources or ()))
    if json_output:
        print_json(outcome.as_dict())
    else:
        print_table(
            ("source", "dataset", "endpoint", "day", "rows", "verdict", "note"),
            [
                (a.source, a.dataset, a.endpoint, a.day, a.rows, a.verdict, "" if a.error else a.note)
                for a in outcome.answers
            ],
        )
        for answer in outcome.answers:
            if answer.error is not None:
                print_fault(answer.error.fault)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
