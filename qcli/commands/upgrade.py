"""``quant upgrade``."""

from __future__ import annotations

from quant.qcli.options import JsonOption, WorkspaceOption


def upgrade(workspace: WorkspaceOption = None, json_output: JsonOption = False) -> None:
    """Bring an older workspace to this version's formats, with a backup."""
    from quant.pipelines.flows.upgrade import upgrade_workspace
    from quant.pipelines.workspace import find_root
    from quant.qcli.screen import note, print_json

    done = upgrade_workspace(find_root(workspace))
    if json_output:
        print_json(done.as_dict())
    elif done.steps:
        for step in done.steps:
            note(step)
        note(f"backup: {done.backup}")
    else:
        note("nothing to upgrade: every format is current")
