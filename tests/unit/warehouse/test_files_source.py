from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from tiny_market import BAR_FIELDS, BARS, HEADER, files_source, tables

from quant.core.errors import CheckFailed, SpecError
from quant.warehouse.lake import Lake
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources import open_source
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings
from quant.warehouse.sync import IngestReport, plan_sync, sync

START, END = date(2024, 1, 1), date(2024, 1, 31)


def run(lake: Lake, source: SourceSettings, *names: str) -> list[IngestReport]:
    plan = plan_sync(tables(source.name, names=names), {source.name: source}, lake, START, END)
    return list(sync(plan, lake, run="r"))


def with_bars(root: Path, **changes: object) -> SourceSettings:
    source = files_source(root)
    bars = replace(source.datasets["bars_1d"], **changes)
    return replace(source, datasets={**source.datasets, "bars_1d": bars})


def closes(lake: Lake) -> dict[tuple[str, date], Decimal]:
    rows = lake.read("bars_1d").join(
        lake.read("instruments").select("instrument_id", "code"), on="instrument_id"
    )
    return {(r["code"], r["session"]): r["close"] for r in rows.iter_rows(named=True)}


def test_units_codes_dates_and_instants_are_ours(lake: Lake, vendor_folder: Path) -> None:
    run(lake, files_source(vendor_folder))
    rows = lake.read("bars_1d").join(
        lake.read("instruments").select("instrument_id", "code"), on="instrument_id"
    )
    row = rows.filter((pl.col("code") == "000001.SZ") & (pl.col("session") == date(2024, 1, 2))).row(
        0, named=True
    )
    assert (row["volume"], row["amount"]) == (115_836_645, Decimal("1075742250.0000"))
    assert (row["open"], row["close"], row["pre_close"]) == tuple(map(Decimal, ("9.39", "9.21", "9.39")))
    assert (row["limit_up"], row["limit_down"], row["no_limit"]) == (Decimal("10.33"), Decimal("8.45"), False)
    assert row["st"] is None
    assert row["ts"].isoformat() == "2024-01-02T07:00:00+00:00"
    assert row["known_at"].isoformat() == "2024-01-02T09:00:00+00:00"
    master = lake.read("instruments").sort("code")
    assert master["board"].to_list() == ["SZSE_MAIN", "SSE_MAIN"]
    assert master["list_date"].to_list() == [date(1991, 4, 3), date(1999, 11, 10)]


def test_events_are_inferred_from_the_reference_price(lake: Lake, vendor_folder: Path) -> None:
    reports = run(lake, files_source(vendor_folder))
    row = lake.read("corporate_actions").row(0, named=True)
    assert lake.read("corporate_actions").height == 1
    assert (row["ex_session"], row["cash_per_share"], row["bonus_ratio"]) == (
        date(2024, 1, 4),
        Decimal("0.2"),
        0,
    )
    assert (row["inferred"], row["kind"]) == (True, "inferred")
    facts = {report.table: dict(report.facts) for report in reports}
    assert facts["corporate_actions"] == {"events": "inferred"}
    assert facts["bars_1d"] == {"limits": "derived", "st_history": "absent", "suspensions": "absent"}
    assert facts["instruments"] == {"delistings": "absent"}


@pytest.mark.parametrize(
    ("name", "encoding", "change"),
    [
        ("bars.csv.gz", "utf-8", {}),
        ("bars.csv", "utf-8-sig", {"encoding": "utf-8"}),
        ("bars.csv", "gb18030", {"encoding": "gbk"}),
        ("bars.csv", "utf-8", {"delimiter": ";"}),
    ],
)
def test_packing_encoding_and_delimiter_do_not_count(
    lake: Lake, vendor_folder: Path, tmp_path: Path, name: str, encoding: str, change: dict[str, str]
) -> None:
    run(lake, files_source(vendor_folder))
    text = BARS.replace("ts_code", "股票代码").replace(",", change.get("delimiter", ","))
    content = text.encode(encoding)
    (vendor_folder / "bars.csv").unlink()
    (vendor_folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    fields = (FieldSettings("股票代码", "code"), *BAR_FIELDS[1:])
    other = Lake(tmp_path / "other")
    source = with_bars(vendor_folder, endpoint=name, fields=fields, **change)
    run(other, source, "instruments", "bars_1d")
    assert other.content_hash("bars_1d") == lake.content_hash("bars_1d")


def test_parquet_and_a_code_in_the_file_name(lake: Lake, vendor_folder: Path, tmp_path: Path) -> None:
    run(lake, files_source(vendor_folder))
    whole = pl.read_csv(vendor_folder / "bars.csv", schema_overrides={"trade_date": pl.String})
    for (code,), part in whole.group_by("ts_code"):
        part.drop("ts_code").write_parquet(vendor_folder / f"{code}.parquet")
    source = with_bars(vendor_folder, endpoint="*.parquet", format="parquet", code_from="file_name",
                       fields=BAR_FIELDS[1:])  # fmt: skip
    other = Lake(tmp_path / "other")
    run(other, source, "instruments", "bars_1d")
    assert other.content_hash("bars_1d") == lake.content_hash("bars_1d")


@pytest.mark.parametrize("kind", ["post", "pre"])
def test_adjusted_prices_are_read_as_traded(
    lake: Lake, vendor_folder: Path, tmp_path: Path, kind: str
) -> None:
    run(lake, files_source(vendor_folder), "instruments", "bars_1d")
    raw = pl.read_csv(vendor_folder / "bars.csv", schema_overrides={"trade_date": pl.String})
    scale = (
        pl.col("adj_factor")
        if kind == "post"
        else pl.col("adj_factor") / pl.col("adj_factor").last().over("ts_code")
    )
    prices = ("open", "high", "low", "close", "pre_close")
    # A vendor adjusts the reference price with the day's own factor.
    raw.with_columns((pl.col(n) * scale).round(3) for n in prices).write_csv(vendor_folder / "bars.csv")
    fields = (*BAR_FIELDS, FieldSettings("adj_factor", "factor"))
    other = Lake(tmp_path / "other")
    run(other, with_bars(vendor_folder, adjustment=kind, fields=fields), "instruments", "bars_1d")
    assert closes(other) == closes(lake)
    assert other.content_hash("bars_1d") == lake.content_hash("bars_1d")


def test_adjusted_prices_need_a_factor(lake: Lake, vendor_folder: Path) -> None:
    with pytest.raises(SpecError, match="need a factor"):
        run(lake, with_bars(vendor_folder, adjustment="post"), "instruments", "bars_1d")


def test_an_unreadable_file_is_set_aside_and_does_not_stop_the_rest(lake: Lake, vendor_folder: Path) -> None:
    (vendor_folder / "bars_torn.csv.gz").write_bytes(gzip.compress(BARS.encode())[:50])
    source = replace(with_bars(vendor_folder, endpoint="bars*"), quarantine_max=0.6)
    run(lake, source, "instruments", "bars_1d")
    row = lake.read("quarantine").row(0, named=True)
    assert (row["rule"], row["table"]) == ("payload.unreadable", "bars_1d")
    assert "bars_torn.csv.gz" in row["row_json"]
    assert lake.read("bars_1d").height == 5
    assert PayloadStore(lake.root).path("tiny", row["payload"]).is_file()


def test_missing_columns_stop_the_table_missing_files_and_folders_are_faults_of_the_spec(
    lake: Lake, vendor_folder: Path
) -> None:
    (vendor_folder / "bars.csv").write_text(BARS.replace("pre_close", "preclose"), encoding="utf-8")
    with pytest.raises(CheckFailed, match="no column pre_close"):
        run(lake, files_source(vendor_folder), "instruments", "bars_1d")
    with pytest.raises(SpecError, match="no file of source tiny matches"):
        run(lake, with_bars(vendor_folder, endpoint="nothing/*.csv"), "instruments", "bars_1d")
    with pytest.raises(SpecError, match="folder of source tiny does not exist"):
        run(lake, files_source(vendor_folder / "gone"), "instruments", "bars_1d")


def test_a_pattern_cannot_leave_the_folder_through_a_link(
    lake: Lake, vendor_folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text(BARS, encoding="utf-8")
    try:
        (vendor_folder / "link.csv").symlink_to(outside)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    with pytest.raises(SpecError, match="leads out of the folder"):
        run(lake, with_bars(vendor_folder, endpoint="link.csv"), "instruments", "bars_1d")


def test_a_stored_payload_is_the_file_as_received_and_can_be_read_again(
    lake: Lake, vendor_folder: Path
) -> None:
    source = files_source(vendor_folder)
    run(lake, source, "instruments", "bars_1d")
    store = PayloadStore(lake.root)
    digest = lake.read("bars_1d")["payload"][0]
    payload = store.get("tiny", digest)
    assert payload.content == BARS.encode()
    assert open_source(source).parse(payload).height == 5
    store.path("tiny", digest).write_bytes(b"changed")
    with pytest.raises(CheckFailed, match="has changed"):
        store.get("tiny", digest)


def test_the_empty_file_is_no_rows(lake: Lake, vendor_folder: Path) -> None:
    (vendor_folder / "bars.csv").write_text(HEADER, encoding="utf-8")
    reports = run(lake, files_source(vendor_folder))
    assert {report.table: report.rows for report in reports}["bars_1d"] == 0


def test_datasets_that_a_source_lacks_are_named() -> None:
    source = SourceSettings("s", "files", datasets={"bars_1d": DatasetSettings("bars_1d", "x")})
    with pytest.raises(SpecError, match="does not offer instruments"):
        source.dataset("instruments")


def test_a_suspended_session_without_volume_traded_nothing(lake: Lake, vendor_folder: Path) -> None:
    text = re.sub(r",[0-9.]+\n", ",1\n", BARS.replace("adj_factor", "status"))
    text = text.replace("9.19,9.22,9.15,9.2,9.21,733610.31,673673.61,1", "9.21,9.21,9.21,9.21,9.21,,,0")
    (vendor_folder / "bars.csv").write_text(text, encoding="utf-8")
    status = FieldSettings("status", "suspended", values={"1": "false", "0": "true"})
    run(lake, with_bars(vendor_folder, fields=(*BAR_FIELDS, status)), "instruments", "bars_1d")
    row = lake.read("bars_1d").filter(pl.col("suspended")).row(0, named=True)
    assert (row["volume"], row["amount"], row["close"]) == (0, 0, Decimal("9.21"))
    assert lake.read("quarantine").height == 0
