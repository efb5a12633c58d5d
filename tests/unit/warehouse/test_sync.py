from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from tiny_market import BARS, files_source, tables

from quant.core.errors import CheckFailed, SpecError, StateConflict
from quant.warehouse.lake import Lake
from quant.warehouse.lock import WriterLock
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import IngestReport, ingest, plan_sync, sync

START, END = date(2024, 1, 1), date(2024, 1, 31)
GOLDEN = ("instruments", "bars_1d", "adjustment_factors", "corporate_actions", "calendar")
SIMULATED = SourceSettings("a", "simulated", params={"seed": 3, "instruments": 12})


def run(
    lake: Lake, source: SourceSettings, start: date = START, end: date = END, names: tuple[str, ...] = ()
) -> list[IngestReport]:
    plan = plan_sync(tables(source.name, names=names), {source.name: source}, lake, start, end)
    return list(sync(plan, lake, run="r"))


def hashes(lake: Lake) -> dict[str, str]:
    return {name: lake.content_hash(name) for name in lake.tables()}


def test_everything_is_planned_once(lake: Lake, vendor_folder: Path) -> None:
    source = files_source(vendor_folder)
    reports = run(lake, source)
    assert [report.table for report in reports] == [
        "instruments", "calendar", "bars_1d", "corporate_actions", "adjustment_factors",
    ]  # fmt: skip
    assert run(lake, source) == []
    assert sorted(lake.tables()) == sorted(GOLDEN)


def test_only_missing_sessions_are_fetched(lake: Lake) -> None:
    run(lake, SIMULATED, date(2020, 3, 2), date(2020, 6, 30))
    plan = plan_sync(
        tables("a", names=("bars_1d",)), {"a": SIMULATED}, lake, date(2019, 12, 2), date(2020, 8, 31)
    )
    bars = [(item.start, item.end) for item in plan.items if item.table.name == "bars_1d"]
    assert bars == [
        (date(2019, 12, 2), date(2019, 12, 31)),
        (date(2020, 1, 1), date(2020, 3, 1)),
        (date(2020, 7, 1), date(2020, 8, 31)),
    ]


def test_syncing_in_pieces_says_the_same_as_syncing_at_once(lake: Lake, tmp_path: Path) -> None:
    ends = (date(2020, 2, 14), date(2020, 7, 1), date(2021, 3, 31))
    for end in ends:
        run(lake, SIMULATED, date(2019, 11, 1), end)
    whole = Lake(tmp_path / "whole" / "lake")
    run(whole, SIMULATED, date(2019, 11, 1), ends[-1])
    assert hashes(lake) == hashes(whole)


def test_a_weekend_at_the_end_is_nothing_missing(lake: Lake) -> None:
    run(lake, SIMULATED, date(2020, 3, 2), date(2020, 3, 6))
    plan = plan_sync(
        tables("a", names=("bars_1d",)), {"a": SIMULATED}, lake, date(2020, 3, 2), date(2020, 3, 8)
    )
    assert [item for item in plan.items if item.table.name == "bars_1d"] == []


def test_changed_settings_or_files_make_stored_intervals_stale(lake: Lake, vendor_folder: Path) -> None:
    source = files_source(vendor_folder)
    run(lake, source)
    known = lake.content_hash("bars_1d")
    assert run(lake, replace(source, license="other words")) == []
    again = run(lake, replace(source, known_at="close"))
    assert {report.table for report in again} == {
        "instruments",
        "bars_1d",
        "adjustment_factors",
        "corporate_actions",
    }
    (vendor_folder / "bars.csv").write_text(BARS.replace("9.15,9.2,", "9.15,9.21,"), encoding="utf-8")
    changed = [report.table for report in run(lake, replace(source, known_at="close")) if report.changed]
    assert changed == ["bars_1d"]
    assert lake.content_hash("bars_1d") != known


def test_restating_writes_only_what_changed(lake: Lake, vendor_folder: Path) -> None:
    source = files_source(vendor_folder)
    run(lake, source)
    before = {name: lake.version(name) for name in GOLDEN}
    plan = plan_sync(tables("tiny"), {"tiny": source}, lake, START, END, restate=True)
    reports = list(sync(plan, lake, run="again"))
    assert [report.changed for report in reports] == [False] * len(reports)
    assert {name: lake.version(name) for name in GOLDEN} == before


def test_broken_rows_go_to_quarantine_with_rule_reason_and_row(lake: Lake, vendor_folder: Path) -> None:
    broken = BARS.replace("9.39,9.42,9.21,9.21", "9.39,9.42,9.21,abc").replace(
        "6.60,6.62,1000,660", "6.60,6.62,1000,0"
    )
    broken += "600000.SH,20240106,6.6,6.7,6.5,6.6,6.6,10,6.6,10.0\n999999.ZZ,20240103,1,1,1,1,1,1,0.1,1\n"
    (vendor_folder / "bars.csv").write_text(broken, encoding="utf-8")
    source = replace(files_source(vendor_folder), quarantine_max=0.9)
    report = next(r for r in run(lake, source, names=("instruments", "bars_1d")) if r.table == "bars_1d")
    rows = lake.read("quarantine").sort("rule")
    assert rows["rule"].to_list() == ["amount.sign", "close.unreadable", "code.unreadable", "session.closed"]
    assert (report.rows, report.quarantined) == (3, 4)
    shown = json.loads(rows["row_json"][1])
    assert (shown["ts_code"], shown["close"]) == ("000001.SZ", "abc")
    assert rows["code"].to_list() == ["600000.SH", "000001.SZ", None, "600000.SH"]
    assert rows.select(pl.col("reason", "payload").is_null().any()).row(0) == (False, False)


def test_quarantine_is_replaced_when_the_vendor_mends_its_data(lake: Lake, vendor_folder: Path) -> None:
    source = replace(files_source(vendor_folder), quarantine_max=0.9)
    (vendor_folder / "bars.csv").write_text(BARS.replace("9.21,9.21,9.39", "9.21,abc,9.39"), encoding="utf-8")
    run(lake, source, names=("instruments", "bars_1d"))
    assert lake.read("quarantine").height == 1
    (vendor_folder / "bars.csv").write_text(BARS, encoding="utf-8")
    run(lake, source, names=("instruments", "bars_1d"))
    assert (lake.read("quarantine").height, lake.read("bars_1d").height) == (0, 5)


def test_beyond_the_tolerance_the_table_is_unchanged_and_payloads_are_kept(
    lake: Lake, vendor_folder: Path
) -> None:
    source = files_source(vendor_folder)
    run(lake, source)
    before = lake.content_hash("bars_1d")
    (vendor_folder / "bars.csv").write_text(BARS.replace("9.21,9.21,9.39", "9.21,abc,9.39"), encoding="utf-8")
    with pytest.raises(CheckFailed) as caught:
        run(lake, source)
    assert caught.value.exit_code == 3
    assert (caught.value.fault.expected, caught.value.fault.found) == ("at most 1.00% of the rows", "20.00%")
    assert lake.content_hash("bars_1d") == before
    assert lake.read("quarantine")["rule"].to_list() == ["close.unreadable"]
    log = lake.read("sync_log").filter(pl.col("status") == "refused").row(0, named=True)
    assert (log["table"], log["quarantined"]) == ("bars_1d", 1)
    digest = lake.read("quarantine")["payload"][0]
    assert (lake.root / "raw" / "tiny" / digest[:2] / digest).read_bytes().count(b"abc") == 1
    assert run_tables(lake, source) == ["bars_1d", "corporate_actions", "adjustment_factors"]


def run_tables(lake: Lake, source: SourceSettings) -> list[str]:
    """What would be fetched now."""
    return list(plan_sync(tables("tiny"), {"tiny": source}, lake, START, END).by_table())


def test_the_golden_table_follows_the_preferred_source(lake: Lake) -> None:
    other = replace(SIMULATED, name="b", params={**SIMULATED.params, "view": "b", "disagreements": 10.0})
    sources = {"a": SIMULATED, "b": other}
    span = (date(2020, 1, 2), date(2020, 3, 31))
    names = ("instruments", "instrument_attributes", "bars_1d")
    list(sync(plan_sync(tables("a", "b", names=names), sources, lake, *span), lake, run="r"))
    golden = lake.content_hash("bars_1d")
    assert golden == lake.content_hash("bars_1d", layer="vendor", source="a")
    assert golden != lake.content_hash("bars_1d", layer="vendor", source="b")
    plan = plan_sync(tables("b", "a", names=names), sources, lake, *span)
    assert {(item.table.name, item.fetch, item.source.name) for item in plan.items} == {
        (name, False, "b") for name in names
    }
    list(sync(plan, lake, run="r2"))
    assert lake.content_hash("bars_1d") == lake.content_hash("bars_1d", layer="vendor", source="b")
    assert lake.read("bars_1d")["source"].unique().to_list() == ["b"]


def test_both_vendors_mean_the_same_instruments(lake: Lake) -> None:
    other = replace(SIMULATED, name="b", params={**SIMULATED.params, "view": "b"})
    plan = plan_sync(tables("a", "b", names=("instruments",)), {"a": SIMULATED, "b": other}, lake,
                     date(2020, 1, 2), date(2020, 3, 31))  # fmt: skip
    list(sync(plan, lake, run="r"))
    ids = [set(lake.read("instruments", layer="vendor", source=s)["instrument_id"]) for s in ("a", "b")]
    assert ids[0] == ids[1]


def test_an_instrument_keeps_its_id_when_its_code_changes(lake: Lake, vendor_folder: Path) -> None:
    from quant.core.ids import parse_code
    from quant.warehouse.normalize import Identities
    from quant.warehouse.normalize.identities import mint_instrument_id

    listed = date(2021, 11, 15)
    identities = Identities(lake)
    old = identities.mint("830799.BJ", listed)
    assert identities.mint("920799.BJ", listed, ["830799.BJ"]) == old
    assert identities.mint("920799.BJ", date(1999, 1, 4)) == old
    assert old == mint_instrument_id(parse_code("830799.BJ"), listed)
    identities.save(pl.Series([0]).cast(pl.Datetime("us", "UTC"))[0])
    later = Identities(lake)
    assert later.lookup(pl.Series(["830799.BJ", "920799.BJ", "600000.SH"])).to_list() == [old, old, None]


def test_a_second_writer_is_refused(lake: Lake, vendor_folder: Path) -> None:
    plan = plan_sync(tables("tiny"), {"tiny": files_source(vendor_folder)}, lake, START, END)
    with WriterLock(lake.lock.path).hold("other"), pytest.raises(StateConflict):
        ingest(plan.items[0], lake, run="r")


def test_the_log_says_who_asked_and_when(lake: Lake, vendor_folder: Path, clock: Callable[[], int]) -> None:
    plan = plan_sync(tables("tiny"), {"tiny": files_source(vendor_folder)}, lake, START, END)
    list(sync(plan, lake, run="r7", actor={"user": "li"}, now=clock))
    rows = lake.read("sync_log")
    assert set(rows["run"]) == {"r7"}
    assert {json.loads(text)["user"] for text in rows["actor"]} == {"li"}
    assert {stamp.isoformat() for stamp in rows["recorded_at"]} == {"2026-01-01T00:00:00+00:00"}
    assert {stamp.isoformat() for stamp in lake.read("bars_1d")["recorded_at"]} == {
        "2026-01-01T00:00:00+00:00"
    }


def test_a_table_needs_a_source_that_exists_and_its_datasets_name(lake: Lake) -> None:
    with pytest.raises(SpecError, match="names a source that does not exist"):
        plan_sync(tables("gone"), {}, lake, START, END)
    with pytest.raises(SpecError, match="named after its dataset"):
        plan_sync([TableSettings("prices", "bars_1d", ("a",))], {"a": SIMULATED}, lake, START, END)
    with pytest.raises(SpecError, match="no provider 'ftp'"):
        plan_sync(tables("x"), {"x": SourceSettings("x", "ftp")}, lake, START, END)


def test_before_the_market_began_there_is_nothing_to_store(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    source = SourceSettings(
        "sim", "simulated", params={"seed": 3, "instruments": 5, "start": date(2021, 1, 4)}
    )
    table = TableSettings("bars_1d", "bars_1d", ("sim",))
    plan = plan_sync([table], {"sim": source}, lake, date(2020, 6, 1), date(2020, 6, 30))
    assert [r.rows for r in sync(plan, lake, run="t") if r.table == "bars_1d"] == [0]
