"""Agreeing several sources' tables: rules as data, pure functions over frames, no I/O."""

from quant.warehouse.arbitrate.agreement import Agreed, arbitrate, voted_columns
from quant.warehouse.arbitrate.decisions import as_text, key_text
from quant.warehouse.arbitrate.settings import (
    AGREED_BY,
    ArbitrationSettings,
    AuditSettings,
    ColumnRule,
    Margin,
    refuse_unsound,
)
from quant.warehouse.arbitrate.settle import within

__all__ = [
    "AGREED_BY",
    "Agreed",
    "ArbitrationSettings",
    "AuditSettings",
    "ColumnRule",
    "Margin",
    "arbitrate",
    "as_text",
    "key_text",
    "refuse_unsound",
    "voted_columns",
    "within",
]
