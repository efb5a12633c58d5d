"""Read access to the lake for a plan: every table at the version that the plan pinned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from quant.specs.compile.plan import PinnedTable
    from quant.warehouse.lake import Lake


class PinnedReader:
    """The reader port of the panel over a lake; at its pinned versions, as known at ``as_of`` if given."""

    def __init__(self, lake: Lake, tables: Iterable[PinnedTable], as_of: str | None = None) -> None:
        self._lake = lake
        self._as_of = datetime.fromisoformat(as_of) if as_of is not None else None
        self._versions = {t.name: t.version for t in tables}

    def read(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of the pinned version with ``start <= session <= end``.

        A table that the plan did not pin because no source fills it reads as no rows, never as newer ones.
        """
        if table not in self._versions:
            return self._lake.read(table, columns=list(columns) if columns else None).clear()
        return self._lake.read(
            table,
            version=self._versions[table],
            start=start,
            end=end,
            columns=list(columns) if columns else None,
            as_of=self._as_of,
        )

    def parts(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str],
        every: int = 1,
    ) -> list[Callable[[], pl.DataFrame]]:
        """The same in parts, each read by a function of its own; rows outside of ``[start, end]`` may come
        too. With ``every`` a sample will do, one file of so many.
        """
        if table not in self._versions:
            return []
        version = self._versions[table]
        return self._lake.parts(
            table, version=version, start=start, end=end, columns=columns, as_of=self._as_of, every=every
        )
