"""``quant data quarantine``: list, show, release, drop."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from quant.qcli.commands.data.app import app
from quant.qcli.options import JsonOption, ProfileOption, WorkspaceOption, open_workspace


class _ListingByDefault(TyperGroup):
    """What is no verb belongs to ``ls``: ``quant data quarantine bars_1d`` lists that table's rows."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["ls", *args]
        return super().parse_args(ctx, args)


group = typer.Typer(cls=_ListingByDefault, help="Rows set aside: ls, show, release, drop.")
app.add_typer(group, name="quarantine")

IdsArgument = Annotated[list[str], typer.Argument(metavar="ID..", help="Ids, or unique beginnings.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why, in a sentence; it is kept.")]


@group.command("ls")
def ls(
    table: Annotated[str | None, typer.Argument(help="Only this table.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Only from this source.", show_default=False)
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only what broke this rule.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also rows that were decided on.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows to show.")] = 50,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Rows that broke a contract or that sources could not agree on, with the rule and the reason."""
    from quant.pipelines.flows.quarantine import Asked, list_rows
    from quant.qcli.render.warehouse import print_quarantine
    from quant.qcli.screen import print_json

    asked = Asked(table, source, rule, everything, limit)
    found = list_rows(open_workspace(workspace, profile), asked)
    print_json(found.as_dict()) if json_output else print_quarantine(found)


@group.command("show")
def show(
    row_id: Annotated[str, typer.Argument(metavar="ID", help="Id, or its unique beginning.")],
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """One row as the source gave it, why it was set aside, what was decided, where its payload lies."""
    from quant.pipelines.flows.quarantine import show_row
    from quant.qcli.render.warehouse import print_set_aside
    from quant.qcli.screen import print_json

    found = show_row(open_workspace(workspace, profile), row_id)
    print_json(found) if json_output else print_set_aside(found)


@group.command("release")
def release(
    ids: IdsArgument,
    reason: ReasonOption,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let rows into their table although they break a rule, now and whenever they are fetched again."""
    from quant.pipelines.flows.quarantine import release_rows
    from quant.qcli.render.warehouse import print_decided
    from quant.qcli.screen import print_json

    found = release_rows(open_workspace(workspace, profile), ids, reason)
    print_json(found.as_dict()) if json_output else print_decided(found)


@group.command("drop")
def drop(
    ids: IdsArgument,
    reason: ReasonOption,
    workspace: WorkspaceOption = None,
    profile: ProfileOption = None,
    json_output: JsonOption = False,
) -> None:
    """Hide rows for good; they no longer count against their source's tolerance."""
    from quant.pipelines.flows.quarantine import drop_rows
    from quant.qcli.render.warehouse import print_decided
    from quant.qcli.screen import print_json

    found = drop_rows(open_workspace(workspace, profile), ids, reason)
    print_json(found.as_dict()) if json_output else print_decided(found)
