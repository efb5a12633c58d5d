"""``quant data quarantine``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


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
