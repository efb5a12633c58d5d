"""``quant universe``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.core.time import parse_date, parse_instant
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="Universes: who may be held on a date.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Universes: who may be held on a date."""


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A universe of the workspace or the library.")],
    on: Annotated[str, typer.Option("--on", help="The session, as 2024-06-03.")],
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at",
            help="Use only what was known and recorded by this instant, as 2024-06-03T20:00+08:00.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Members that fail the conditions or do not trade too.")
    ] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Who a universe holds after the close of a session; delisted names while they were listed."""
    from quant.pipelines.flows.universe import show_universe
    from quant.qcli.screen import note, print_json, print_table

    moment = parse_instant(known_at) if known_at is not None else None
    day = show_universe(open_workspace(workspace, profile), name, parse_date(on), moment)
    if json_output:
        print_json(day.as_dict())
        return
    shown = day.members if every else day.held
    print_table(
        ("code", "name", "listed", "held"),
        [(m.code, m.name, "yes" if m.listed else "no", "yes" if m.held else "no") for m in shown],
    )
    note(f"{len(day.held)} of {len(day.members)} members are held on {day.session}")
