"""``quant init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quant.qcli.options import JsonOption


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new workspace; made if absent.")],
    template: Annotated[str, typer.Option("--template", "-t", help="Template: ashare.")] = "ashare",
    json_output: JsonOption = False,
) -> None:
    """Write a workspace of your own: quant.toml, specs/, strategies/, editor settings."""
    from quant.pipelines.flows.init import create_workspace
    from quant.qcli.screen import note, print_json

    created = create_workspace(folder, template)
    if json_output:
        print_json({"workspace": str(created.root), "template": template, "files": list(created.files)})
        return
    note(f"workspace {created.root} is ready ({len(created.files)} files)")
    note("next:")
    note(f"  cd {folder}")
    note("  quant data sync                  # the simulated market of profile demo")
    note("  quant backtest momentum n=50     # report.html opens offline")
    note("  quant deploy --env paper")
    note("  quant ui")
