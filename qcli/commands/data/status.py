"""``quant data status``."""

from __future__ import annotations

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


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
