"""``quant init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quant.qcli.options import JsonOption

NEXT = {
    "ashare": (
        "quant data sync                  # the simulated market of profile demo",
        "quant backtest momentum n=50     # report.html opens offline",
        "quant deploy --env paper",
        "quant ui",
    ),
    "crypto": (
        "quant data sync --dry-run        # what would be asked of Binance, OKX and Bybit",
        "quant data sync instruments funding_rates",
        "quant data sync                  # three exchanges at a time",
        "quant ui",
    ),
}


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new workspace; made if absent.")],
    template: Annotated[str, typer.Option("--template", "-t", help="Template: ashare or crypto.")] = "ashare",
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
    for line in NEXT.get(template, ()):
        note(f"  {line}")
