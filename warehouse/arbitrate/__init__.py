"""Agreeing several sources' tables: rules as data, pure functions over frames, no I/O."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    **dict.fromkeys(("Agreed", "arbitrate", "voted_columns"), "agreement"),
    **dict.fromkeys(("as_text", "key_text"), "decisions"),
    "within": "settle",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: whoever reads settings needs no polars."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'settings')}"), name)
