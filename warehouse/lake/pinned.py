"""The tables of a run: each at the version that was pinned for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from quant.warehouse.contracts.tables import contract

if TYPE_CHECKING:
    from quant.warehouse.lake.lake import Lake


@dataclass(frozen=True, slots=True)
class PinnedLake:
    """Golden tables at fixed versions; tables that are not pinned read as no rows."""

    lake: Lake
    versions: dict[str, int]
    as_of: datetime | None = None

    def read(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        version = self.versions.get(table)
        if version is None:
            empty = pl.DataFrame(schema=contract(table).schema)
            return empty.select(columns) if columns is not None else empty
        return self.lake.read(table, version=version, start=start, end=end, columns=columns, as_of=self.as_of)
