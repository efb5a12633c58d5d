"""``quant config``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="Settings and where each comes from.", no_args_is_help=True)


@app.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Name each value's source.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """The settings in force: flag > QUANT__A__B > profile > quant.toml > default."""
    from quant.qcli.screen import print_json, print_table

    desk = open_workspace(workspace, profile)
    settings = desk.settings
    if json_output:
        print_json({"settings": [s.as_dict() for s in settings]})
    elif origin:
        print_table(("setting", "value", "origin"), [(s.key, s.shown, s.origin) for s in settings])
    else:
        print_table(("setting", "value"), [(s.key, s.shown) for s in settings])
