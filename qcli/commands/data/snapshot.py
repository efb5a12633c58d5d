"""``quant data snapshot``: versions of all golden tables under a name."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

group = typer.Typer(help="Versions of all golden tables under a name: create, ls, rm.", no_args_is_help=True)
app.add_typer(group, name="snapshot")

NameArgument = Annotated[str, typer.Argument(help="Name of the snapshot.", show_default=False)]


@group.command("create")
def create(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Keep the newest versions of all golden tables: gc never removes them while the snapshot is there.

    A name that is taken: exit 0 where it pins these very versions, exit 5 where it pins others, which stay.
    """
    from quant.pipelines.flows.upkeep import create_snapshot
    from quant.qcli.screen import note, print_json

    made = create_snapshot(open_workspace(workspace, profile), name)
    print_json(made.as_dict()) if json_output else note(f"{made.name} pins {len(made.versions)} tables")


@group.command("ls")
def ls(
    workspace: WorkspaceOption = None, profile: ProfileOption = None, json_output: JsonOption = False
) -> None:
    """The snapshots and the versions they pin."""
    from quant.pipelines.flows.upkeep import list_snapshots
    from quant.qcli.screen import print_json, print_table

    found = list_snapshots(open_workspace(workspace, profile))
    if json_output:
        print_json({"snapshots": [s.as_dict() for s in found]})
    else:
        pinned = [(s.name, ", ".join(f"{t}={v}" for t, v in sorted(s.versions.items()))) for s in found]
        print_table(("name", "versions"), pinned)


@group.command("rm")
def rm(
    name: NameArgument,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let go of a snapshot; its versions go with the next gc unless a run needs them."""
    from quant.pipelines.flows.upkeep import remove_snapshot
    from quant.qcli.screen import note, print_json

    gone = remove_snapshot(open_workspace(workspace, profile), name)
    print_json(gone.as_dict()) if json_output else note(f"{gone.name} no longer pins anything")
