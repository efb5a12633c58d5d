"""The kinds of documents and the form of a name; imports nothing, so that a reader stays cheap."""

from __future__ import annotations

import re

KINDS = (
    "project",
    "source",
    "table",
    "universe",
    "factor",
    "strategy",
    "cost",
    "risk",
    "backtest",
    "deployment",
)
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
