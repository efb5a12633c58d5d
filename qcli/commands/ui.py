"""``quant ui``: the Dagster UI on loopback."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.options import ProfileOption, WorkspaceOption, open_workspace


def ui(
    port: Annotated[int, typer.Option("--port", min=1024, max=65535, help="Port on 127.0.0.1.")] = 3000,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Lineage, runs, checks and schedules: Dagster's webserver and daemon on loopback, until Ctrl-C."""
    from quant.pipelines.flows.ui import serve
    from quant.qcli.screen import note

    desk = open_workspace(workspace, profile)

    def ready(url: str) -> None:
        note(f"serving {url} (Ctrl-C ends it)")
        if open_browser:
            typer.launch(url)

    serve(desk, port=port, on_ready=ready)
