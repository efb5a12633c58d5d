"""Versions of everything that is stored or sent. A newer one is refused, an older one is upgraded."""

from __future__ import annotations

from typing import Final

API_VERSION: Final = "quant/v1"
"""``apiVersion`` of every spec document."""

WORKSPACE_FORMAT: Final = 1
RUN_FORMAT: Final = 1
JOURNAL_FORMAT: Final = 1
PLAN_FORMAT: Final = 1
TABLE_FORMAT: Final = 2
"""Of the lake's tables, in their metadata. 1: files by partition. 2: files hold whole dates."""
JSON_SCHEMA_VERSION: Final = 1
"""``schema_version`` of every object printed with ``--json``."""

__all__ = [
    "API_VERSION",
    "JOURNAL_FORMAT",
    "JSON_SCHEMA_VERSION",
    "PLAN_FORMAT",
    "RUN_FORMAT",
    "TABLE_FORMAT",
    "WORKSPACE_FORMAT",
]
