"""Sources: whoever has data, behind one port."""

from __future__ import annotations

from quant.warehouse.sources.port import Payload, Source
from quant.warehouse.sources.registry import PROVIDERS, Provider, open_source, provider, revision
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings, TableSettings

__all__ = [
    "PROVIDERS",
    "DatasetSettings",
    "FieldSettings",
    "Payload",
    "Provider",
    "Source",
    "SourceSettings",
    "TableSettings",
    "open_source",
    "provider",
    "revision",
]
