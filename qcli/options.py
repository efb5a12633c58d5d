"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", help="Workspace folder (default: the nearest quant.toml).", show_default=False
    ),
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", "-p", help="Profile of quant.toml.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
LangOption = Annotated[
    str | None, typer.Option("--lang", help="Language of reports: en or zh.", show_default=False)
]


def open_workspace(path: Path | None, profile: str | None) -> Workspace:
    """The workspace a command works in."""
    from quant.pipelines.workspace import Workspace

    return Workspace.find(path, profile=profile)
