"""The dated rules, executed: rows are resolved into numeric tables here and run in C++.

``cases``: worked cases in a file against those functions. One module a market, each with ``CASES``.
"""

from __future__ import annotations

__all__ = [
    "a_share",
    "calendars",
    "cases",
    "corporate",
    "costs",
    "crypto",
    "futures",
    "given",
    "in_force",
    "named",
    "numbers",
    "options",
    "phases",
    "resolved",
    "us",
    "verdict",
]
