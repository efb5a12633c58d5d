"""Vendor rows to canonical rows: one path for every source, driven by tables of settings."""

from __future__ import annotations

from quant.warehouse.normalize.context import Context
from quant.warehouse.normalize.events import infer_events
from quant.warehouse.normalize.identities import FormerCode, Identities
from quant.warehouse.normalize.rows import Normalized, VendorRows, normalize, stack

__all__ = [
    "Context",
    "FormerCode",
    "Identities",
    "Normalized",
    "VendorRows",
    "infer_events",
    "normalize",
    "stack",
]
