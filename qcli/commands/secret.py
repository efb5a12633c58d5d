"""``quant secret``: credentials that specs refer to."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from quant.qcli.options import JsonOption, WorkspaceOption

app = typer.Typer(
    help="Credentials that specs refer to: set, ls, rm. Values are never shown.", no_args_is_help=True
)
NameArgument = Annotated[
    str, typer.Argument(help="keyring://service/name, file://name, or a bare name (the encrypted file).")
]


@app.command("set")
def set_(name: NameArgument, workspace: WorkspaceOption = None, json_output: JsonOption = False) -> None:
    """Keep a credential; it is asked for, or read from standard input, never from the command line."""
    from quant.pipelines.flows.secrets import keep
    from quant.qcli.screen import note, print_json

    kept = keep(name, _value(name), workspace)
    print_json({"secret": kept.as_dict()}) if json_output else note(f"{kept.reference} is set ({kept.kept})")


@app.command("ls")
def ls(json_output: JsonOption = False) -> None:
    """Names of what is kept here."""
    from quant.pipelines.flows.secrets import kept
    from quant.qcli.screen import print_json, print_table

    rows = kept()
    if json_output:
        print_json({"secrets": [row.as_dict() for row in rows]})
    else:
        print_table(("reference", "kept in"), [(row.reference, row.kept) for row in rows])


@app.command("rm")
def rm(name: NameArgument, workspace: WorkspaceOption = None, json_output: JsonOption = False) -> None:
    """Forget a credential."""
    from quant.pipelines.flows.secrets import forget
    from quant.qcli.screen import note, print_json

    gone = forget(name, workspace)
    print_json({"secret": gone.as_dict()}) if json_output else note(f"{gone.reference} is gone")


def _value(name: str) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"Value of {name}: ")
    return sys.stdin.readline().rstrip("\r\n") if sys.stdin is not None else ""
