"""``quant plan``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


def plan(
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 10 when something is stale.")
    ] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """What is stale: tables to fetch, factors, runs and deployments that would come out otherwise."""
    from quant.pipelines.flows.plan import blast_radius
    from quant.qcli.render.plans import print_blast_radius
    from quant.qcli.screen import print_json

    found = blast_radius(open_workspace(workspace, profile))
    print_json(found.as_dict()) if json_output else print_blast_radius(found)
    if detailed and found.pending:
        raise typer.Exit(10)
