"""``quant rules``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quant.core.time import parse_date
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="Market rules: dated rows with their sources.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Market rules: dated rows with their sources."""


@app.command("show")
def show(
    what: Annotated[
        str | None, typer.Argument(help="A table, or a code as 300750.SZ.", show_default=False)
    ] = None,
    on: Annotated[
        str | None, typer.Argument(help="The date, as 2020-08-24; needed with a code.", show_default=False)
    ] = None,
    problems: Annotated[
        bool,
        typer.Option("--problems", help="Check the tables: overlaps, gaps, sources. Exit 3 if any is found."),
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """The tables, the rows of one table, or the rules of an instrument on a date."""
    from quant.qcli.render import rules as screen

    if problems:
        if not screen.show_problems(as_json=json_output):
            raise typer.Exit(3)
    elif what is None:
        screen.show_tables(as_json=json_output)
    elif on is None:
        screen.show_table(what, as_json=json_output)
    else:
        screen.show_rules(what, parse_date(on), as_json=json_output)


@app.command("explain")
def explain(
    code: Annotated[str, typer.Argument(help="A code, as 300750.SZ.")],
    on: Annotated[str, typer.Argument(help="The date, as 2020-08-24.")],
    json_output: JsonOption = False,
) -> None:
    """Which row answers each question, since when, from which document, and how certain it is."""
    from quant.qcli.render import rules as screen

    screen.explain_rules(code, parse_date(on), as_json=json_output)


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="A YAML file with vectors: {id, func, given, expect}.")],
    json_output: JsonOption = False,
) -> None:
    """Run worked cases against the compiled rules; exit 3 when one comes out otherwise."""
    from quant.qcli.render import rules as screen

    if not screen.show_verification(file, as_json=json_output):
        raise typer.Exit(3)


@app.command("check")
def check(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TABLE | PATH...]",
            help="The stored table of daily bars (default: bars_1d); after --files further paths.",
            show_default=False,
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--files",
            metavar="PATH",
            help="A file, folder, pattern or source spec instead of a workspace; several are each other's "
            "witnesses.",
            show_default=False,
        ),
    ] = None,
    specs: Annotated[
        list[str] | None,
        typer.Option(
            "--spec",
            metavar="SPEC",
            help="What describes the files: a spec or a library source, once for all or for each in order "
            "(- for none).",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="DATE", help="First session.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DATE", help="Last session.", show_default=False)
    ] = None,
    codes: Annotated[
        str | None, typer.Option("--codes", metavar="A,B", help="Only these codes.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Prints and faults to show.")] = 50,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Replay real bars against the limits of their day; exit 3 when a print outside has no known cause."""
    from quant.pipelines.flows.rule_check import CheckRequest, check_files, check_workspace, failure
    from quant.qcli.render import rule_check as screen
    from quant.qcli.screen import note, print_fault

    named = tuple(code.strip() for code in (codes or "").split(",") if code.strip())
    first, last = (parse_date(each) if each else None for each in (start, end))
    request = CheckRequest(tuple(what or ()), first, last, named)
    if files:
        outcome = check_files((*files, *request.tables), request, specs=tuple(specs or ()), said=note)
    else:
        outcome = check_workspace(open_workspace(workspace, profile), request, said=note)
    screen.show(outcome, limit, as_json=json_output)
    failed = failure(outcome)
    if failed is not None:
        if not json_output:
            print_fault(failed.fault)
        raise typer.Exit(failed.exit_code)
