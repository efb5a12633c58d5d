"""``quant data resample``: longer bars out of finer ones."""

from __future__ import annotations

from typing import Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


@app.command("resample")
def resample(
    table: Annotated[str, typer.Argument(help="The finer table: ticks, bars_1m, bars_5m, bars_1h.")],
    to: Annotated[str, typer.Option("--to", help="The table to fill: bars_1m, bars_5m, bars_1h, bars_1d.")],
    start: Annotated[str | None, typer.Option("--start", help="First session.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last session.", show_default=False)] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Also bars in which nothing was traded, at the last close.")
    ] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make bars of ticks or of shorter bars, along the trading hours; volume and amount are conserved."""
    from dataclasses import asdict

    from quant.core.time import parse_date
    from quant.pipelines.flows.intraday import resample_bars
    from quant.qcli.screen import note, print_json

    report = resample_bars(
        open_workspace(workspace, profile),
        table,
        to,
        start=parse_date(start) if start else None,
        end=parse_date(end) if end else None,
        empty=empty,
    )
    if json_output:
        print_json({k: str(v) if k in ("start", "end") else v for k, v in asdict(report).items()})
        return
    note(
        f"{report.table}: {report.bars:,} bars of {report.instruments} instruments from {report.rows:,} rows "
        f"of {report.made_from}, {report.start} to {report.end}; version {report.version}"
    )
    if report.outside:
        note(f"{report.outside:,} rows lie at times when nothing is traded: they are in no bar")
