"""Where tables lie below the lake's root."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from quant.core.errors import UsageError
from quant.warehouse.contracts.columns import INSTANT, column
from quant.warehouse.contracts.tables import TableContract, contract
from quant.warehouse.store import Storage

GOLDEN: Final = "golden"
VENDOR: Final = "vendor"
SYSTEM: Final = "system"
HISTORY: Final = "history"
FEATURES: Final = "features"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,63}")


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table of the lake: the agreed (golden), a source's own (vendor), the warehouse's (system), or
    computed (features, whose source is the factor).
    """

    table: str
    layer: str = GOLDEN
    source: str | None = None
    past: bool = False
    """Whether it is the history of that table: the rows that it held before."""

    @property
    def contract(self) -> TableContract:
        return history_contract(self.table) if self.past else contract(self.table)

    @property
    def relative(self) -> Path:
        parts = (self.layer, self.source, self.table) if self.source else (self.layer, self.table)
        return Path(HISTORY, *parts) if self.past else Path(*parts)

    def __str__(self) -> str:
        return self.relative.as_posix()


def history_ref(ref: TableRef) -> TableRef:
    """Where the superseded rows of a table lie."""
    return replace(ref, past=True)


@cache
def history_contract(table: str) -> TableContract:
    """The contract of a table's history: its columns, when and with which version they ceased to hold."""
    known = contract(table)
    return replace(
        known,
        about=f"Rows that {table} held before.",
        columns=(
            *known.columns,
            column("superseded_at", INSTANT, "UTC instant at which another row took its place"),
            column("last_version", pl.Int64(), "last version of the table that held the row"),
            column("removed", pl.Boolean(), "no row took its place"),
        ),
        key=(*known.key, "last_version"),
        rules=(),
    )


def named_refs(folder: Storage, layer: str, source: str | None = None) -> list[TableRef]:
    """The tables that the folders of a layer are named after."""
    found = []
    for name in folder.folders():
        with contextlib.suppress(UsageError):
            ref = table_ref(name, layer, source)
            if ref.layer == layer:
                found.append(ref)
    return found


def table_ref(table: str, layer: str | None = None, source: str | None = None) -> TableRef:
    """The reference for a table name; system tables are found without naming their layer.

    Raises UsageError for unknown tables, layers, or names that could leave the lake.
    """
    known = contract(table)
    if known.system:
        return TableRef(table, SYSTEM)
    if known.derived and source is not None and _NAME.fullmatch(source):
        return TableRef(table, FEATURES, source)
    chosen = layer or (VENDOR if source else GOLDEN)
    if chosen == GOLDEN:
        return TableRef(table)
    if chosen == VENDOR and source is not None and _NAME.fullmatch(source):
        return TableRef(table, VENDOR, source)
    raise UsageError(
        "table.layer",
        f"no layer {chosen!r} with source {source!r} for table {table}",
        expected="golden, or vendor with a source name",
        found=f"{chosen}/{source}",
    )
