"""``quant data status``."""

from __future__ import annotations

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("status")
def status(
    workspace: WorkspaceOption = None, profile: ProfileOption = None, json_output: JsonOption = False
) -> None:
    """What is stored: coverage against the calendar, what is late, quota spent, rows set aside."""
    from quant.pipelines.flows.status import status as flow
    from quant.qcli.render.warehouse import print_status
    from quant.qcli.screen import print_json

    found = flow(open_workspace(workspace, profile))
    print_json(found.as_dict()) if json_output else print_status(found)
