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
    old: Annotated[Path, typer.Argument(help="A spec file or folder.", exists=True)],
    new: Annotated[Path, typer.Argument(help="The other one.", exists=True)],
    json_output: JsonOption = False,
) -> None:
    """What changed between two specs, by effect: breaking, result-changing or cosmetic."""
    from quant.pipelines.flows.specs import diff_specs
    from quant.qcli.screen import print_json, print_table

    changes = diff_specs(old, new)
    if json_output:
        print_json({"changes": [c.as_dict() for c in changes]})
    else:
        print_table(
            ("effect", "document", "field", "old", "new"),
            [(c.effect, c.document, c.path, c.old, c.new) for c in changes],
        )
