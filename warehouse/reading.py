"""From a source's payloads to one frame in vendor columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from quant.core.ids import parse_code
from quant.warehouse.contracts.tables import contract
from quant.warehouse.normalize.complete import unadjusted
from quant.warehouse.normalize.events import infer_events
from quant.warehouse.normalize.rows import VendorRows, converted, stack
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources.port import Source
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings

if TYPE_CHECKING:
    from quant.warehouse.sync import SyncItem


def read_vendor(item: SyncItem, source: Source, store: PayloadStore) -> tuple[VendorRows, int]:
    """The rows of an item and the number of payloads; every payload is stored before it is read.

    Corporate actions of a source that has none are inferred from its bars.
    """
    wanted = item.table.dataset
    if wanted == "corporate_actions" and item.source.infer_events and wanted not in item.source.datasets:
        bars, calls = _read(item, source, store, "bars_1d", _bars_with_factor(item.source))
        return _inferred(bars), calls
    return _read(item, source, store, wanted, item.source.dataset(wanted))


def read_former_codes(item: SyncItem, source: Source, store: PayloadStore) -> dict[str, list[str]]:
    """The earlier codes of each code, oldest first, from the source's dated attributes."""
    name = "instrument_attributes"
    if item.table.dataset != "instruments" or not item.source.offers(name):
        return {}
    vendor, _ = _read(item, source, store, name, item.source.dataset(name))
    rows = converted(contract(name), vendor)
    if not {"code", "attribute", "value", "from_session"} <= set(rows.columns):
        return {}
    codes = rows.filter(pl.col("attribute") == "code").sort("from_session")
    former: dict[str, list[str]] = {}
    for code, value in codes.select("code", "value").iter_rows():
        if code is not None and value is not None and value != code:
            former.setdefault(code, []).append(str(parse_code(value)))
    return former


def _read(
    item: SyncItem, source: Source, store: PayloadStore, name: str, dataset: DatasetSettings
) -> tuple[VendorRows, int]:
    frames: list[tuple[str, pl.DataFrame]] = []
    for payload in source.fetch(name, item.start, item.end):
        store.put(item.source.name, payload)
        frames.append((payload.digest, source.parse(payload)))
    return stack(frames, dataset), len(frames)


def _bars_with_factor(source: SourceSettings) -> DatasetSettings:
    """The bars' settings, with the factor column where the same files hold it."""
    bars, factors = source.dataset("bars_1d"), source.datasets.get("adjustment_factors")
    if factors is None or factors.endpoint != bars.endpoint or any(f.name == "factor" for f in bars.fields):
        return bars
    return replace(bars, fields=bars.fields + tuple(f for f in factors.fields if f.name == "factor"))


def _inferred(bars: VendorRows) -> VendorRows:
    rows = unadjusted(converted(contract("bars_1d"), bars), bars.dataset)
    events = infer_events(rows).with_columns(inferred=pl.lit(value=True), kind=pl.lit("inferred"))
    return VendorRows(DatasetSettings("corporate_actions"), events.drop("row").with_row_index("row"))
