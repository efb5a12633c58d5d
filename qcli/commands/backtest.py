"""``quant backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quant.core.time import parse_instant
from quant.qcli.options import JsonOption, LangOption, ProfileOption, WorkspaceOption, open_workspace


def backtest(
    spec: Annotated[
        str | None,
        typer.Argument(
            help="A spec file, or the name of a backtest (default: quant.toml's).", show_default=False
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Overrides: a short name the spec declares (n=50) or a dotted path "
            "(strategy.construct.top=50).",
            show_default=False,
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Use only what was known and recorded by this instant, as 2026-01-05T00:00+08:00.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print the plan as a tree and stop.")] = False,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compile a backtest spec, run it in the C++ kernel, write the run folder and its report."""
    from quant.pipelines.flows import backtest as flow
    from quant.qcli.render.progress import stages
    from quant.qcli.render.runs import print_run
    from quant.qcli.screen import print_json

    desk = open_workspace(workspace, profile)
    spec = spec or flow.default_backtest(desk)
    if as_of is not None:
        overrides = [*(overrides or []), f"as_of={parse_instant(as_of).isoformat()}"]
    if explain:
        from quant.qcli.render.plans import print_plan

        plan = flow.compile_plan(desk, spec, overrides or [])
        print_json({"plan": plan.to_dict()}) if json_output else print_plan(plan)
        return
    with stages("backtest", quiet=json_output) as progress:
        result = flow.backtest(desk, spec, overrides or [], lang=lang, progress=progress)
    if json_output:
        print_json(result.as_dict())
    else:
        print_run(result)
    if open_report:
        typer.launch(Path(result.report).as_uri())
