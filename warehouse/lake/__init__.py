"""The lake: Delta tables with pinned versions and content hashes."""

from __future__ import annotations

from quant.warehouse.lake.lake import Lake, PinnedLake, WriteResult
from quant.warehouse.lake.layout import GOLDEN, SYSTEM, VENDOR, TableRef, table_ref
from quant.warehouse.lake.upkeep import Removed, compact, gc, pin, pins, unpin

__all__ = [
    "GOLDEN",
    "SYSTEM",
    "VENDOR",
    "Lake",
    "PinnedLake",
    "Removed",
    "TableRef",
    "WriteResult",
    "compact",
    "gc",
    "pin",
    "pins",
    "table_ref",
    "unpin",
]
