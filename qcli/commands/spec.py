"""``quant spec``: the language."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

app = typer.Typer(help="Specs: lint, show, schema, diff.", no_args_is_help=True)


@app.command("lint")
def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders (default: the workspace's specs).", show_default=False),
    ] = None,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """Every error of every spec at once, with file, line and the fix."""
    from quant.pipelines.flows.specs import lint_specs
    from quant.qcli.screen import note, print_json

    report = lint_specs(workspace, paths or [])
    if json_output:
        print_json(report.as_dict())
        return
    for warning in report.warnings:
        note(f"{warning.where or ''}: warning: {warning.message}")
    note(f"{report.files} files, {report.documents} documents: no errors, {len(report.warnings)} warnings")


@app.command("show")
def show(
    kind: Annotated[str, typer.Argument(help="Kind, or a spec file.")],
    name: Annotated[str | None, typer.Argument(help="Name of the document.", show_default=False)] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", show_default=False)
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="With every reference and default filled in.")
    ] = False,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """A document as it is understood."""
    from quant.pipelines.flows.specs import show_spec
    from quant.qcli.screen import print_json

    shown = show_spec(open_workspace(workspace, profile), kind, name, overrides or [], resolved=resolved)
    print_json({"spec": shown.body}) if json_output else typer.echo(shown.text)


@app.command("schema")
def schema(
    kind: Annotated[
        str | None, typer.Argument(help="One kind (default: all, for an editor).", show_default=False)
    ] = None,
) -> None:
    """The JSON Schema of spec files."""
    import json

    from quant.pipelines.flows.specs import schema_of

    sys.stdout.write(json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n")


@app.command("diff")
def diff(
    old: Annotated[str, typer.Argument(help="A git revision of the workspace, a spec file or a folder.")],
    new: Annotated[
        str | None, typer.Argument(help="The newer one (default: the working tree).", show_default=False)
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table, or markdown for a review comment.")] = "table",
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 10 when results or stored data change.")
    ] = False,
    workspace: WorkspaceOption = None,
    json_output: JsonOption = False,
) -> None:
    """What changed between two states of the specs: breaking, result-changing or cosmetic, and which runs
    it touches.
    """
    from quant.core.errors import UsageError
    from quant.pipelines.flows.review import review
    from quant.qcli.render.plans import print_review
    from quant.qcli.screen import print_json

    if form not in ("table", "markdown"):
        raise UsageError("spec.format", f"no format {form!r}", expected="table or markdown", found=form)
    found = review(old, new, workspace)
    if json_output:
        print_json(found.as_dict())
    elif form == "markdown":
        typer.echo(found.markdown())
    else:
        print_review(found)
    if detailed and found.verdict in ("breaking", "result-changing"):
        raise typer.Exit(10)
