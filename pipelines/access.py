"""Read access to the lake for a plan: every table at the version that the plan pinned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from quant.core.errors import InvariantBroken

if TYPE_CHECKING:
    import polars as pl

    from quant.specs.compile.plan import PinnedTable
    from quant.warehouse.lake import Lake


class PinnedReader:
    """The reader port of the panel over a lake; a table that the plan did not pin cannot be read."""

    def __init__(self, lake: Lake, tables: Iterable[PinnedTable]) -> None:
        self._lake = lake
        self._versions = {t.name: t.version for t in tables}

    def read(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of the pinned version with ``start <= session <= end``."""
        if table not in self._versions:
            raise InvariantBroken("plan.unpinned", f"the plan pins no table {table}")
        return self._lake.read(
            table,
            version=self._versions[table],
            start=start,
            end=end,
            columns=list(columns) if columns else None,
        )
