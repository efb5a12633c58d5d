from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from tiny_market import bar_rows

from quant.core.errors import UsageError
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.lake.lake import CROWD

BARS = table_ref("bars_1d")
D1, D2, D3 = date(2023, 12, 28), date(2023, 12, 29), date(2024, 1, 2)


def write(lake: Lake, rows: pl.DataFrame, start: date = D1, end: date = D3) -> int:
    return lake.write_interval(BARS, rows, start, end).version


def test_writing_the_same_interval_again_changes_nothing(lake: Lake) -> None:
    rows = bar_rows([D1, D2, D3])
    first = lake.write_interval(BARS, rows, D1, D3)
    again = lake.write_interval(BARS, rows.reverse(), D1, D3)
    assert first.changed
    assert (again.changed, again.version) == (False, first.version)


def test_restating_an_interval_replaces_it_and_leaves_the_rest(lake: Lake) -> None:
    write(lake, bar_rows([D1, D2, D3]))
    write(lake, bar_rows([D2], ids=(11,), close="10.75"), D2, D2)
    rows = lake.read("bars_1d", columns=["instrument_id", "session", "close"]).sort(
        "session", "instrument_id"
    )
    assert rows["session"].to_list() == [D1, D1, D2, D3, D3]
    assert [str(c) for c in rows["close"]] == ["10.5000", "10.5000", "10.7500", "10.5000", "10.5000"]


def test_emptying_an_interval_removes_its_rows(lake: Lake) -> None:
    write(lake, bar_rows([D1, D2, D3]))
    write(lake, bar_rows([]), D2, D2)
    assert lake.read("bars_1d")["session"].unique().sort().to_list() == [D1, D3]


def test_rows_outside_the_interval_are_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="outside"):
        write(lake, bar_rows([D1, D3]), D1, D2)
    assert lake.version("bars_1d") is None


def test_reading_cuts_by_dates_columns_and_version(lake: Lake) -> None:
    first = write(lake, bar_rows([D1, D3]))
    write(lake, bar_rows([D1, D3], close="10.60"))
    assert lake.read("bars_1d", start=D3).height == 2
    assert lake.read("bars_1d", end=D2, columns=["close"]).shape == (2, 1)
    assert [str(c) for c in lake.read("bars_1d", version=first)["close"].unique()] == ["10.5000"]
    pinned = lake.at({"bars_1d": first})
    assert str(pinned.read("bars_1d", start=D3)["close"][0]) == "10.5000"
    assert pinned.read("instruments").height == 0


def test_absent_tables_read_as_no_rows_and_errors_say_what_there_is(lake: Lake) -> None:
    assert lake.read("bars_1d").schema == pl.Schema(contract("bars_1d").schema)
    write(lake, bar_rows([D1]))
    with pytest.raises(UsageError, match="no column nope"):
        lake.read("bars_1d", columns=["nope"])
    with pytest.raises(UsageError) as caught:
        lake.read("bars_1d", version=77)
    assert caught.value.fault.expected == "0 to 1"
    with pytest.raises(UsageError, match="no table 'nope'"):
        lake.read("nope")
    with pytest.raises(UsageError, match="no layer"):
        lake.read("bars_1d", layer="vendor", source="../../etc")


def test_content_hash_ignores_layout_order_and_provenance(lake: Lake, tmp_path: Path) -> None:
    rows = bar_rows([D1, D2, D3])
    write(lake, rows)
    other = Lake(tmp_path / "other")
    moved = rows.with_columns(payload=pl.lit("q"), source=pl.lit("elsewhere"), recorded_at=pl.col("known_at"))
    for day in (D3, D1, D2):
        other.write_interval(BARS, moved.filter(pl.col("session") == day).reverse(), day, day)
    assert other.content_hash("bars_1d") == lake.content_hash("bars_1d")
    assert other.compact() == ["golden/bars_1d"]
    assert other.content_hash("bars_1d") == lake.content_hash("bars_1d")
    assert other.read("bars_1d").height == rows.height


def test_content_hash_sees_every_content_column(lake: Lake) -> None:
    rows = bar_rows([D1])
    write(lake, rows)
    seen = {lake.content_hash("bars_1d")}
    nulls = [c.name for c in contract("bars_1d").columns if c.nullable and c.name not in ("st",)]
    for name in nulls:
        write(lake, rows.with_columns(pl.lit(None, rows.schema[name]).alias(name)))
        seen.add(lake.content_hash("bars_1d"))
    assert len(seen) == 1 + len(nulls)


def test_content_hash_is_kept_and_not_confused_by_a_new_table(lake: Lake) -> None:
    version = write(lake, bar_rows([D1]))
    known = lake.content_hash("bars_1d", version)
    sidecar = lake.root / "hashes" / "golden.bars_1d.json"
    text = sidecar.read_text()
    assert known in text
    sidecar.write_text(text.replace(known, "f" * 64))
    assert lake.content_hash("bars_1d", version) == "f" * 64
    sidecar.write_text("{ torn")
    assert lake.content_hash("bars_1d", version) == known


def test_gc_keeps_the_latest_and_pinned_versions_only(lake: Lake) -> None:
    versions = [write(lake, bar_rows([D1], close=close)) for close in ("10.10", "10.20", "10.30")]
    lake.pin("run-1", {"bars_1d": versions[1]})
    before = lake.content_hash("bars_1d", versions[1])
    doomed = lake.gc(keep_hours=0, dry_run=True)
    assert lake.read("bars_1d", version=versions[0]).height == 2
    assert lake.gc(keep_hours=0) == doomed
    assert len(doomed) == 1
    assert lake.gc(keep_hours=0) == []
    (lake.root / "hashes" / "golden.bars_1d.json").unlink()
    assert lake.content_hash("bars_1d", versions[1]) == before
    assert str(lake.read("bars_1d")["close"][0]) == "10.3000"
    with pytest.raises(UsageError, match="removed by gc"):
        lake.read("bars_1d", version=versions[0])
    lake.unpin("run-1")
    assert len(lake.gc(keep_hours=0)) == 1


def test_pins_must_exist_and_run_ids_cannot_leave_the_folder(lake: Lake) -> None:
    write(lake, bar_rows([D1]))
    with pytest.raises(UsageError, match="no version 9"):
        lake.pin("run", {"bars_1d": 9})
    with pytest.raises(UsageError, match="not a run id"):
        lake.pin("../run", {"bars_1d": 1})
    assert lake.pins() == {}


def test_gc_removes_what_a_killed_write_left(lake: Lake) -> None:
    write(lake, bar_rows([D1]))
    orphan = lake.root / "golden" / "bars_1d" / "year=2023" / "part-orphan.parquet"
    orphan.write_bytes(b"half a file")
    assert lake.gc(keep_hours=0) == ["golden/bars_1d/year=2023/part-orphan.parquet"]
    assert not orphan.exists()


def test_tables_without_intervals_are_merged_by_key(lake: Lake) -> None:
    ref = table_ref("identities")
    day = date(1999, 11, 10)
    row = {
        "code": "600000.SH",
        "first_session": day,
        "instrument_id": 1,
        "recorded_at": bar_rows([D1])["ts"][0],
    }
    one = pl.DataFrame([row], schema=ref.contract.schema)
    assert lake.merge(ref, one).changed
    assert not lake.merge(ref, one).changed
    two = one.with_columns(code=pl.lit("000001.SZ"), instrument_id=pl.lit(2, pl.Int64))
    lake.merge(ref, two)
    assert sorted(lake.read("identities")["instrument_id"].to_list()) == [1, 2]
    assert lake.count("identities") == 2
    assert lake.tables() == []


def test_a_log_of_many_small_writes_is_compacted_on_the_way(lake: Lake) -> None:
    ref = table_ref("identities")
    stamp = bar_rows([D1])["ts"][0]
    for number in range(CROWD + 5):
        row = {
            "code": f"{number:06d}.SZ",
            "first_session": D1,
            "instrument_id": number + 1,
            "recorded_at": stamp,
        }
        lake.append(ref, pl.DataFrame([row], schema=ref.contract.schema))
    assert sorted(lake.read("identities")["instrument_id"].to_list()) == list(range(1, CROWD + 6))
    files = set((lake.root / "system" / "identities").rglob("*.parquet"))
    assert len(files - {lake.root / name for name in lake.gc(keep_hours=0)}) < CROWD


def test_a_table_of_an_earlier_contract_gets_the_columns_it_lacks(lake: Lake) -> None:
    from deltalake import write_deltalake

    ref = table_ref("identities")
    old = pl.DataFrame(
        {"code": ["600000.SH"], "first_session": [date(1999, 11, 10)], "instrument_id": [7],
         "recorded_at": [datetime(2026, 1, 1, tzinfo=UTC)]},
        schema_overrides={"recorded_at": pl.Datetime("us", "UTC")},
    )  # fmt: skip
    write_deltalake(str(lake.path(ref)), old.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert lake.read("identities")["until"].to_list() == [None]
    more = lake.read("identities").with_columns(code=pl.lit("600001.SH"), until=pl.lit(date(2009, 12, 29)))
    lake.merge(ref, more)
    assert lake.read("identities").sort("code").select("code", "until").rows() == [
        ("600000.SH", None), ("600001.SH", date(2009, 12, 29))]  # fmt: skip
