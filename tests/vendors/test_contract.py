"""What every provider promises, on one market that all of them show in their own way.

Crypto exchanges have no such market: ``test_ccxt`` holds the same promises for them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import psutil
import pytest
from desks import sync_desk, write_desk
from rigs import FIRST, LAST, RIGS, SECRET, VENDORS, Rig, one_worker
from truth import factor_events, truth

from quant.core.errors import QuantError
from quant.core.ids import parse_code
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources.calling import CallingSource
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.quota import Quota
from quant.warehouse.sources.registry import PROVIDERS, open_adapter
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import VendorAdapter, VendorFault, VendorWorld

PRICES = ["open", "high", "low", "close"]
MIDDLE = date(2021, 4, 16)


@pytest.fixture(scope="module", params=list(RIGS))
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = RIGS[request.param](tmp_path_factory.mktemp("rig"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, made.secret or "none")
        patch.setenv("QUANT_QUOTA_DB", str(tmp_path_factory.mktemp("quota") / "quota.db"))
        yield made
    made.stop()


@pytest.fixture(scope="module", params=VENDORS)
def vendor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = RIGS[request.param](tmp_path_factory.mktemp("vendor"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET, made.secret or "none")
        patch.setenv("QUANT_QUOTA_DB", str(tmp_path_factory.mktemp("quota") / "quota.db"))
        yield made
    made.stop()


@pytest.fixture(scope="module")
def desk(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace synced from the stand-in."""
    made = write_desk(tmp_path_factory.mktemp("desk"), "v", rig.document, FIRST, LAST)
    with one_worker():
        _, failures = sync_desk(made, *rig.datasets)
    assert failures == []
    return made


def settings_of(rig: Rig, folder: Path) -> SourceSettings:
    return data_specs(write_desk(folder, "v", rig.document, FIRST, LAST)).sources["v"]


def world_of(rig: Rig) -> VendorWorld:
    def codes(start: date, end: date) -> list[str]:
        listed = (pl.col("list_date") <= end) & (pl.col("delist_date").fill_null(date.max) > start)
        found = truth().instruments.filter(listed)["code"].to_list()
        return sorted(code for code in found if code.rpartition(".")[2] in rig.markets)

    return VendorWorld(codes, lambda: rig.secret)


@pytest.fixture(scope="module")
def settings(vendor: Rig, tmp_path_factory: pytest.TempPathFactory) -> SourceSettings:
    return settings_of(vendor, tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def adapter(vendor: Rig, settings: SourceSettings) -> Iterator[VendorAdapter]:
    made = open_adapter(settings, world_of(vendor))
    yield made
    made.close()


def vendor_rows(desk: Workspace, rig: Rig, table: str, on: str = "session") -> pl.DataFrame:
    """The source's own rows with the code in force, as far as the vendor has the market."""
    lake = Lake(desk.lake)
    rows = lake.read(table, layer="vendor", source="v")
    codes = lake.read("instruments", layer="vendor", source="v").select("instrument_id", "code")
    return rows.join(codes, on="instrument_id").sort("code", on)


def true_rows(rig: Rig, table: pl.DataFrame, on: str = "session") -> pl.DataFrame:
    market = pl.col("code").str.slice(7).is_in(rig.markets)
    return table.filter(market & pl.col(on).is_between(FIRST, LAST)).sort("code", on)


def payloads(adapter: VendorAdapter, dataset: str, start: date, end: date) -> Iterator[Payload]:
    for call in adapter.calls(dataset, start, end):
        answer = adapter.ask(call, 5.0)
        yield Payload(dataset, answer.content, answer.media_type, {"endpoint": call.endpoint, **call.params})


# --- units, codes, rows: every source says the same ---------------------------------------------------------


def test_bars_are_those_of_the_market(desk: Workspace, rig: Rig) -> None:
    found, expected = vendor_rows(desk, rig, "bars_1d"), true_rows(rig, truth().bars)
    if not rig.halts:
        expected = expected.filter(~pl.col("suspended"))
    assert found.select("code", "session").rows() == expected.select("code", "session").rows()
    traded = ~expected["suspended"]
    columns = [*PRICES, "volume", "amount"]
    ours = found.filter(traded).select(columns)
    assert ours.equals(expected.filter(traded).select(pl.col(n).cast(t) for n, t in ours.schema.items()))
    if found["pre_close"].null_count() < found.height:
        assert found.filter(traded)["pre_close"].to_list() == expected.filter(traded)["pre_close"].to_list()
    if rig.halts:
        assert found["suspended"].fill_null(value=False).to_list() == expected["suspended"].to_list()
        assert found["volume"].filter(expected["suspended"]).sum() == 0
    if "st" not in rig.gaps:
        assert found["st"].fill_null(value=False).to_list() == expected["st"].to_list()
    if "limits" not in rig.gaps:
        limits = ["limit_up", "limit_down"]
        assert found.filter(traded).select(limits).equals(expected.filter(traded).select(limits))


def test_instruments_are_those_of_the_market_with_the_delisted(desk: Workspace, rig: Rig) -> None:
    found = Lake(desk.lake).read("instruments", layer="vendor", source="v").sort("code")
    listed = (pl.col("list_date") <= LAST) & (pl.col("delist_date").fill_null(date.max) >= FIRST)
    expected = truth().instruments.filter(pl.col("code").str.slice(7).is_in(rig.markets)).sort("code")
    assert set(expected.filter(listed)["code"]) <= set(found["code"]) <= set(expected["code"])
    if rig.name != "files":
        dates = dict(expected.select("code", "list_date").iter_rows())
        assert {c: d for c, d in found.select("code", "list_date").iter_rows() if dates[c] != d} == {}


def test_factors_are_those_of_the_market(desk: Workspace, rig: Rig) -> None:
    if "adjustment_factors" not in rig.datasets:
        pytest.skip("the files hold no factors")
    found = vendor_rows(desk, rig, "adjustment_factors").select("code", "session", "factor")
    table = factor_events(truth().factors) if rig.events else truth().factors
    expected = true_rows(rig, table).select("code", "session", "factor")
    assert found.rows() == expected.rows() and found.height


def test_distributions_are_those_of_the_market(desk: Workspace, rig: Rig) -> None:
    if "corporate_actions" not in rig.datasets:
        pytest.skip("the source has no distributions of its own")
    found = vendor_rows(desk, rig, "corporate_actions", "ex_session")
    expected = true_rows(rig, truth().actions, "ex_session")
    columns = ["code", "ex_session", "record_session", "pay_session", "cash_per_share", "bonus_ratio"]
    assert found.select(columns).rows() == expected.select(columns).rows() and found.height
    assert not found["inferred"].any()


def test_every_dataset_has_rows_and_nothing_is_set_aside(desk: Workspace, rig: Rig) -> None:
    lake = Lake(desk.lake)
    stored = {name: lake.read(name, layer="vendor", source="v").height for name in rig.datasets}
    assert all(stored.values()), stored
    assert lake.read("quarantine").height == 0


def test_a_second_sync_asks_nothing(desk: Workspace, rig: Rig) -> None:
    before = rig.asked()
    reports, failures = sync_desk(desk, *rig.datasets)
    assert (reports, failures, rig.asked() - before) == ([], [], 0)


def test_stored_payloads_give_the_same_rows_without_the_vendor(
    desk: Workspace, rig: Rig, tmp_path: Path
) -> None:
    if "calls" in rig.gaps:
        pytest.skip(rig.gaps["calls"])
    store = PayloadStore(Lake(desk.lake).store)
    reader = open_adapter(settings_of(rig, tmp_path), world_of(rig))
    before, read = rig.asked(), 0
    for digest in Lake(desk.lake).read("bars_1d", layer="vendor", source="v")["payload"].unique():
        stored = store.get("v", digest)
        frame = reader.parse(stored)
        assert frame.equals(reader.parse(stored)) and frame.height
        read += 1
    reader.close()
    assert read and rig.asked() == before


def test_the_secret_is_in_nothing_that_is_stored(desk: Workspace, rig: Rig) -> None:
    if not rig.secret:
        pytest.skip("the source has no secret")
    parts = [rig.secret, *(part for part in rig.secret.split(":") if len(part) > 8)]
    for path in desk.root.rglob("*"):
        if path.is_file():
            kept = path.read_bytes()
            assert not [part for part in parts if part.encode() in kept], path


# --- calls ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["bars_1d", "adjustment_factors"])
def test_calls_of_two_halves_are_those_of_the_whole(
    adapter: VendorAdapter, settings: SourceSettings, dataset: str
) -> None:
    """No day is asked for twice, none is left out, and nothing outside."""

    def rows(start: date, end: date) -> set[str]:
        return {
            json.dumps(row, default=str, sort_keys=True)
            for payload in payloads(adapter, dataset, start, end)
            if payload.request["endpoint"] == settings.datasets[dataset].endpoint
            for row in adapter.parse(payload).rows(named=True)
        }

    whole = rows(FIRST, LAST)
    first, second = rows(FIRST, MIDDLE), rows(MIDDLE + timedelta(days=1), LAST)
    assert whole == first | second and whole
    if dataset == "bars_1d":
        assert not first & second


def test_a_call_is_plain_data_that_names_no_secret_and_no_today(
    adapter: VendorAdapter, vendor: Rig, settings: SourceSettings
) -> None:
    other = open_adapter(settings, world_of(vendor))
    for dataset in vendor.datasets:
        calls = list(adapter.calls(dataset, FIRST, LAST))
        assert [c.key for c in calls] == [c.key for c in other.calls(dataset, FIRST, LAST)]
        assert len({c.key for c in calls}) == len(calls)
        shown = json.dumps([[c.endpoint, dict(c.params)] for c in calls])
        assert not vendor.secret or vendor.secret not in shown
        assert date.today().isoformat() not in shown
    other.close()


def test_only_listed_codes_are_asked_for(adapter: VendorAdapter, vendor: Rig) -> None:
    gone = truth().instruments.filter(pl.col("delist_date") < date(2022, 1, 1))["code"].to_list()
    assert gone
    asked = json.dumps(
        [dict(c.params) for c in adapter.calls("bars_1d", date(2022, 1, 4), date(2022, 3, 31))]
    )
    for code in gone:
        assert parse_code(code).symbol not in asked


def test_a_full_page_is_split_until_nothing_is_missing(
    vendor: Rig, settings: SourceSettings, tmp_path: Path
) -> None:
    """With the page of the vendor taken to be tiny, the rows are still those of the whole."""
    dataset = settings.datasets["bars_1d"]
    parts = tuple(replace(part, max_rows=10) for part in dataset.parts)
    small = {**settings.datasets, "bars_1d": replace(dataset, max_rows=10, parts=parts)}
    tiny = replace(settings, limits=replace(settings.limits, max_rows=10), datasets=small)

    def rows(chosen: SourceSettings, folder: Path) -> pl.DataFrame:
        world, lake = world_of(vendor), Lake(folder)
        adapter = open_adapter(chosen, world)
        asking = CallingSource(chosen, adapter, world, lake=lake.store, quota=Quota(folder / "q.db"))
        frames = [
            asking.parse(payload)
            for payload in asking.fetch("bars_1d", FIRST, MIDDLE)
            if payload.request["endpoint"] == dataset.endpoint
        ]
        whole = pl.concat([frame for frame in frames if frame.height], how="diagonal_relaxed")
        return whole.sort(whole.columns)

    before = vendor.asked()
    with one_worker():
        first = rows(settings, tmp_path / "whole")
        once = vendor.asked() - before
        vendor.cap(10)
        try:
            assert rows(tiny, tmp_path / "tiny").equals(first) and first.height >= 90
        finally:
            vendor.cap(6000)
    assert vendor.asked() - before > 2 * once


# --- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["transient", "quota", "invalid", "refused"])
def test_a_fault_is_what_it_is_and_never_an_empty_answer(
    trouble: str, adapter: VendorAdapter, vendor: Rig
) -> None:
    if trouble in vendor.gaps:
        pytest.skip(vendor.gaps[trouble])
    call = next(iter(adapter.calls("bars_1d", FIRST, LAST)))
    assert adapter.ask(call, 5.0).rows > 0
    vendor.fault(vendor.faults[trouble])
    try:
        with pytest.raises(VendorFault) as raised:
            adapter.ask(call, 5.0)
    finally:
        vendor.calm()
    assert raised.value.trouble == trouble
    assert adapter.ask(call, 5.0).rows > 0


def test_what_cannot_be_read_is_an_error_not_an_empty_frame(
    adapter: VendorAdapter, vendor: Rig, settings: SourceSettings, tmp_path: Path
) -> None:
    reader = CallingSource(settings, adapter, world_of(vendor), quota=Quota(tmp_path / "q.db"))
    call = next(iter(adapter.calls("bars_1d", FIRST, LAST)))
    request = {"endpoint": call.endpoint, **call.params}
    for content in (b"", b"<html></html>", b"{}", b'{"columns"'):
        with pytest.raises(QuantError):
            reader.parse(Payload("bars_1d", content, "application/json", request))


# --- ends -------------------------------------------------------------------------------------------------


def test_closing_leaves_no_process_no_thread_and_can_be_repeated(
    vendor: Rig, settings: SourceSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fresh = RIGS[vendor.name](tmp_path_factory.mktemp("fresh"))
    chosen = settings_of(fresh, tmp_path_factory.mktemp("more"))
    children, threads = set(psutil.Process().children(recursive=True)), set(threading.enumerate())
    adapter = open_adapter(chosen, world_of(fresh))
    call = next(iter(adapter.calls("bars_1d", FIRST, LAST)))
    answer = adapter.ask(call, 5.0)
    adapter.close()
    adapter.close()
    assert set(psutil.Process().children(recursive=True)) <= children
    ours = [t for t in set(threading.enumerate()) - threads if "process_request" not in t.name]
    assert ours == []
    assert adapter.ask(call, 5.0) == answer
    adapter.close()
    fresh.stop()


def test_every_provider_is_in_the_suite() -> None:
    assert set(PROVIDERS) == {*RIGS, "ccxt", "calendar", "events"}
