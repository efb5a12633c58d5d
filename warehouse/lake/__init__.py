"""The lake: Delta tables with pinned versions and content hashes."""

from __future__ import annotations

from quant.warehouse.lake.lake import Lake, WriteResult
from quant.warehouse.lake.layout import GOLDEN, SYSTEM, VENDOR, TableRef, table_ref
from quant.warehouse.lake.pinned import PinnedLake

__all__ = [
    "GOLDEN",
    "SYSTEM",
    "VENDOR",
    "Lake",
    "PinnedLake",
    "TableRef",
    "WriteResult",
    "table_ref",
]
