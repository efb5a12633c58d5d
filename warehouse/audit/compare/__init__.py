"""Two sources' rows side by side: aligned, compared, and every difference named."""

from __future__ import annotations

from quant.warehouse.audit.compare.causes import CAUSES, Cause, cause
from quant.warehouse.audit.compare.comparison import Request, compare, compare_feed
from quant.warehouse.audit.compare.feed import Chunk, Feed, MemoryFeed
from quant.warehouse.audit.compare.relation import Claims, Instruments, Listing, Relation, Tolerance
from quant.warehouse.audit.compare.report import AuditReport, combined

__all__ = [
    "CAUSES",
    "AuditReport",
    "Cause",
    "Chunk",
    "Claims",
    "Feed",
    "Instruments",
    "Listing",
    "MemoryFeed",
    "Relation",
    "Request",
    "Tolerance",
    "cause",
    "combined",
    "compare",
    "compare_feed",
]
