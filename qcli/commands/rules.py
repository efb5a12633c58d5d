"""``quant rules``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quant.core.time import parse_date
from quant.qcli.options import JsonOption

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
        str | None, typer.Argument(help="With a code: the date, as 2020-08-24.", show_default=False)
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
