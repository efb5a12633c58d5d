"""From a source's payloads to one frame in vendor columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from quant.core.errors import CheckFailed
from quant.core.hashing import canonical_json
from quant.core.ids import parse_code
from quant.warehouse.contracts.tables import contract
from quant.warehouse.normalize.complete import unadjusted
from quant.warehouse.normalize.events import infer_events
from quant.warehouse.normalize.identities import FormerCode
from quant.warehouse.normalize.rows import REJECTED, VendorRows, converted, stack
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources.parts import joined, joined_settings
from quant.warehouse.sources.port import Payload, Source
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings

if TYPE_CHECKING:
    from quant.warehouse.planning import SyncItem


@dataclass(frozen=True, slots=True)
class Read:
    """``vendor`` rows of ``calls`` payloads; ``unreadable`` payloads as rows for the quarantine."""

    vendor: VendorRows
    calls: int
    unreadable: pl.DataFrame
    facts: Mapping[str, str] = field(default_factory=dict)


def read_vendor(item: SyncItem, source: Source, store: PayloadStore) -> Read:
    """The rows of an item; every payload is stored before it is read.

    Corporate actions of a source that has none are inferred from its bars.
    """
    wanted = item.table.dataset
    if wanted == "corporate_actions" and item.source.infer_events and wanted not in item.source.datasets:
        bars = _read(item, source, store, "bars_1d", _bars_with_factor(item.source))
        return replace(bars, vendor=_inferred(bars.vendor), facts={"events": "inferred"})
    return _read(item, source, store, wanted, item.source.dataset(wanted))


def read_former_codes(item: SyncItem, source: Source, store: PayloadStore) -> dict[str, list[FormerCode]]:
    """The earlier codes of each code, oldest first, from the source's dated attributes."""
    name = "instrument_attributes"
    if item.table.dataset != "instruments" or not item.source.offers(name):
        return {}
    rows = converted(contract(name), _read(item, source, store, name, item.source.dataset(name)).vendor)
    if not {"code", "attribute", "value", "from_session"} <= set(rows.columns):
        return {}
    codes = rows.filter(pl.col("attribute") == "code").sort("from_session")
    if "to_session" not in codes.columns:
        codes = codes.with_columns(to_session=pl.lit(None, pl.Date))
    former: dict[str, list[FormerCode]] = {}
    for code, value, last in codes.select("code", "value", "to_session").iter_rows():
        if code is not None and value is not None and value != code:
            until = last + timedelta(days=1) if last else None
            former.setdefault(code, []).append(FormerCode(str(parse_code(value)), until))
    return former


def _read(item: SyncItem, source: Source, store: PayloadStore, name: str, dataset: DatasetSettings) -> Read:
    frames: list[tuple[str, str, pl.DataFrame]] = []
    unreadable: list[tuple[Payload, CheckFailed]] = []
    for payload in source.fetch(name, item.start, item.end):
        store.put(item.source.name, payload)
        try:
            frames.append((str(payload.request.get("endpoint", "")), payload.digest, source.parse(payload)))
        except CheckFailed as failure:
            unreadable.append((payload, failure))
    calls = len(frames) + len(unreadable)
    if dataset.parts:
        rows = stack(joined(frames, dataset), joined_settings(dataset))
    else:
        rows = stack(((digest, frame) for _, digest, frame in frames), dataset)
    return Read(rows, calls, _set_aside(unreadable))


def _set_aside(unreadable: list[tuple[Payload, CheckFailed]]) -> pl.DataFrame:
    rows = [
        (None, None, failure.fault.code, f"{failure.fault.message}: {failure.fault.found}",
         payload.digest, canonical_json(dict(payload.request)).decode())
        for payload, failure in unreadable
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=REJECTED, orient="row")


def _bars_with_factor(source: SourceSettings) -> DatasetSettings:
    """The bars' settings, with the factor column where the same files hold it."""
    bars, factors = source.dataset("bars_1d"), source.datasets.get("adjustment_factors")
    known = any(field.name == "factor" for field in bars.fields)
    if factors is None or factors.endpoint != bars.endpoint or known:
        return bars
    return replace(bars, fields=bars.fields + tuple(f for f in factors.fields if f.name == "factor"))


def _inferred(bars: VendorRows) -> VendorRows:
    rows = unadjusted(converted(contract("bars_1d"), bars), bars.dataset)
    events = infer_events(rows).with_columns(inferred=pl.lit(value=True), kind=pl.lit("inferred"))
    dataset = DatasetSettings("corporate_actions", codes=bars.dataset.codes)
    return VendorRows(dataset, events.drop("row").with_row_index("row"))
