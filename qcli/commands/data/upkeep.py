"""Upkeep of the lake: ``quant data gc``."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("gc")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compact the lake and remove versions that no run or snapshot has pinned."""
    from quant.pipelines.flows.upkeep import collect_garbage
    from quant.qcli.screen import note, print_json

    removed = collect_garbage(open_workspace(workspace, profile), dry_run=dry_run)
    if json_output:
        print_json({"removed": removed, "dry_run": dry_run})
    else:
        note(f"{'would remove' if dry_run else 'removed'} {len(removed)} files that no pinned version needs")
