"""``quant doctor``."""

from __future__ import annotations

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption


def doctor(
    workspace: WorkspaceOption = None, profile: ProfileOption = None, json_output: JsonOption = False
) -> None:
    """Check the installation and the workspace: versions, kernel variants, engines, locks, orphaned runs."""
    from quant.pipelines.flows.doctor import examine
    from quant.qcli.screen import print_json, print_table

    findings = examine(workspace, profile)
    if json_output:
        print_json({"findings": [f.as_dict() for f in findings]})
    else:
        print_table(
            ("check", "state", "detail", "fix"),
            [(f.check, f.state, f.detail, f.hint or "") for f in findings],
        )
    if any(f.state == "fail" for f in findings):
        raise typer.Exit(3)
    if any(f.state == "missing" for f in findings):
        raise typer.Exit(7)
