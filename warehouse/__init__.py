"""Everything fetched or stored: sources, contracts, lake, engines, audit, registry and ledger database."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.warehouse: one file must never be loaded under two names")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.contracts import contract_docs
    from quant.warehouse.engines import query
    from quant.warehouse.lake import Lake
    from quant.warehouse.ledger import Ledger
    from quant.warehouse.lock import WriterLock
    from quant.warehouse.sources import DatasetSettings, FieldSettings, SourceSettings, TableSettings
    from quant.warehouse.sync import IngestReport, SyncItem, SyncPlan, ingest, plan_sync, sync

__all__ = [
    "DatasetSettings",
    "DeltaCatalog",
    "FieldSettings",
    "IngestReport",
    "Lake",
    "Ledger",
    "SourceSettings",
    "SyncItem",
    "SyncPlan",
    "TableSettings",
    "WriterLock",
    "contract_docs",
    "ingest",
    "plan_sync",
    "query",
    "sync",
]

_HOMES = {
    "DeltaCatalog": "catalog",
    "Lake": "lake",
    "Ledger": "ledger",
    "WriterLock": "lock",
    "contract_docs": "contracts",
    "query": "engines",
    **dict.fromkeys(("DatasetSettings", "FieldSettings", "SourceSettings", "TableSettings"), "sources"),
    **dict.fromkeys(("IngestReport", "SyncItem", "SyncPlan", "ingest", "plan_sync", "sync"), "sync"),
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for: polars and deltalake are heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
