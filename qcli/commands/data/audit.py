"""``quant data audit`` and ``quant data diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace

if TYPE_CHECKING:
    from datetime import date

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First session.", show_default=False)
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="Last session.", show_default=False)
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows to show.")]


@app.command("audit")
def audit(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Tables to audit (default: all with two sources).")
    ] = None,
    start: FromOption = None,
    end: ToOption = None,
    sources: Annotated[
        str | None, typer.Option("--sources", metavar="A,B", help="Only these sources.", show_default=False)
    ] = None,
    files: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--files",
            metavar="A B",
            help="Compare two source specs, files or folders instead; needs no workspace.",
            show_default=False,
        ),
    ] = None,
    spec_a: Annotated[
        str | None,
        typer.Option("--spec-a", help="The spec, or library source, that describes A.", show_default=False),
    ] = None,
    spec_b: Annotated[
        str | None,
        typer.Option("--spec-b", help="The spec, or library source, that describes B.", show_default=False),
    ] = None,
    allowed: Annotated[
        str, typer.Option("--max-diff-rate", help="With --files: the share of cells that may differ.")
    ] = "0",
    limit: LimitOption = 50,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compare what sources say, cell by cell, and name every cause. Exit 3 past the tolerance."""
    from quant.pipelines.flows.audit import AuditRequest, audit_files, audit_workspace, failure
    from quant.qcli.screen import print_fault, print_json

    first, last = _day(start), _day(end)
    if files is not None:
        outcome = audit_files(
            *files, spec_a=spec_a, spec_b=spec_b, tables=tuple(tables or ()), start=first, end=last,
            allowed=_share(allowed),
        )  # fmt: skip
    else:
        named = tuple(s.strip() for s in (sources or "").split(",") if s.strip())
        request = AuditRequest(tuple(tables or ()), named, first, last)
        outcome = audit_workspace(open_workspace(workspace, profile), request)
    if json_output:
        print_json(outcome.as_dict())
    else:
        from quant.qcli.render.audit import print_audit

        print_audit(outcome, limit)
    failed = failure(outcome)
    if failed is not None:
        if not json_output:
            print_fault(failed.fault)
        raise typer.Exit(failed.exit_code)


@app.command("diff")
def diff(
    a: Annotated[str, typer.Argument(help="A source, golden, or a version as tushare@12.")],
    b: Annotated[str, typer.Argument(help="What it is compared with.")],
    table: Annotated[str, typer.Argument(help="The table.")] = "bars_1d",
    start: FromOption = None,
    end: ToOption = None,
    code: Annotated[
        str | None, typer.Option("--code", help="Only this instrument.", show_default=False)
    ] = None,
    limit: LimitOption = 50,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Rows and cells in which two sources, or two versions of one, differ."""
    from quant.pipelines.flows.audit import diff_tables
    from quant.qcli.screen import print_json

    found = diff_tables(open_workspace(workspace, profile), a, b, table, _day(start), _day(end), code)
    if json_output:
        print_json(found.as_dict())
    else:
        from quant.qcli.render.audit import print_diff

        print_diff(found, limit)


def _day(text: str | None) -> date | None:
    from quant.core.time import parse_date

    return parse_date(text) if text else None


def _share(text: str):  # type: ignore[no-untyped-def]  # decimal is imported when it is needed
    from decimal import Decimal, InvalidOperation

    from quant.core.errors import UsageError

    try:
        percent = text.strip().endswith("%")
        value = Decimal(text.strip().removesuffix("%")) / (100 if percent else 1)
        if 0 <= value <= 1:
            return value
    except InvalidOperation:
        pass
    raise UsageError("audit.rate", f"{text!r} is no share", expected="0.1% or 0.001", found=text)
