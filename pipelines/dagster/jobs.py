"""Jobs: one for each group of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from quant.assets import DeclaredTable, group_of


def job_name(group: str) -> str:
    return f"sync_{group}_tables"


def group_jobs(tables: Sequence[DeclaredTable]) -> list[Any]:
    """A job for each group that has tables, over their assets and checks."""
    groups = dict.fromkeys(group_of(table.settings.dataset) for table in tables)
    return [
        dg.define_asset_job(
            job_name(group),
            selection=dg.AssetSelection.groups(group),
            description=f"Bring the tables of the group {group} up to date and check them.",
            tags={"quant/group": group},
        )
        for group in groups
    ]
