"""The group ``quant data``; each module beside this one adds its verbs."""

from __future__ import annotations

import typer

app = typer.Typer(help="The warehouse: sync, status, audit, SQL, quarantine.", no_args_is_help=True)
