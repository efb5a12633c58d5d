"""Our Delta logs against delta-rs, and the layout of data files."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from tiny_market import bar_rows

from quant.core.errors import StateConflict
from quant.core.versions import TABLE_FORMAT
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, delta, log, table_ref
from quant.warehouse.store import LocalFolder

BARS = table_ref("bars_1d")
FIRST = date(2023, 12, 1)
DAYS = [FIRST + timedelta(n) for n in range(60)]


def by_delta_rs(lake: Lake, version: int | None = None) -> pl.DataFrame:
    """The table as another reader of Delta tables sees it."""
    table = DeltaTable(str(lake.path(BARS)), version=version)
    return pl.DataFrame(pl.from_arrow(table.to_pyarrow_table()))


def content(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    return rows.select(contract("bars_1d").names).sort("instrument_id", "session").rows()


def test_other_readers_see_the_same_rows_at_every_version(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "CHECKPOINT_EVERY", 4)
    for n, day in enumerate(DAYS[:9]):
        lake.write_interval(BARS, bar_rows([day]), day, day)
        if n % 3 == 2:
            lake.write_interval(BARS, bar_rows([day], close="10.60"), day, day)
    lake.compact()
    latest = lake.version("bars_1d")
    assert latest is not None
    assert (lake.path(BARS).root / "_delta_log" / f"{8:020d}.checkpoint.parquet").is_file()  # type: ignore[attr-defined]
    for version in range(latest + 1):
        assert content(by_delta_rs(lake, version)) == content(lake.read("bars_1d", version=version))
    log._CACHE.clear()
    assert content(lake.read("bars_1d")) == content(by_delta_rs(lake))
    assert content(lake.read("bars_1d", version=6)) == content(by_delta_rs(lake, 6))


def old_table(lake: Lake, rows: pl.DataFrame) -> None:
    """A table as earlier versions of the program wrote it: one file a year, by delta-rs."""
    stored = rows.sort("instrument_id", "session").with_columns(
        pl.col("session").dt.year().cast(pl.Int32).alias("year")
    )
    write_deltalake(
        str(lake.path(BARS)), stored.to_arrow(compat_level=pl.CompatLevel.oldest()), partition_by=["year"],
        mode="append",
    )  # fmt: skip


def test_tables_of_the_first_format_are_read_and_upgraded_by_the_next_write(
    lake: Lake, tmp_path: Path
) -> None:
    rows = bar_rows(DAYS)
    old_table(lake, rows)
    opened = delta.open_table(lake.path(BARS))
    assert opened is not None
    assert (opened.format, opened.rows) == (1, 120)
    assert content(lake.read("bars_1d")) == content(rows)
    before = lake.content_hash("bars_1d")
    other = Lake(tmp_path / "other" / "lake")
    other.write_interval(BARS, rows, DAYS[0], DAYS[-1])
    assert other.content_hash("bars_1d") == before
    assert lake.read("bars_1d", start=DAYS[3], end=DAYS[4]).height == 4
    lake.write_interval(BARS, bar_rows([DAYS[3]], close="10.70"), DAYS[3], DAYS[3])
    opened = delta.open_table(lake.path(BARS))
    assert opened is not None
    assert opened.format == TABLE_FORMAT
    assert lake.count("bars_1d") == 120
    assert content(lake.read("bars_1d", version=0)) == content(rows)
    assert content(by_delta_rs(lake)) == content(lake.read("bars_1d"))


def edit_last_commit(lake: Lake, change: dict[str, object]) -> None:
    folder = lake.root / "golden" / "bars_1d" / "_delta_log"
    last = sorted(folder.glob("*.json"))[-1]
    following = folder / f"{int(last.stem) + 1:020d}.json"
    following.write_text(json.dumps(change), encoding="utf-8")


def test_a_table_of_a_newer_format_is_refused(lake: Lake) -> None:
    lake.write_interval(BARS, bar_rows(DAYS[:2]), DAYS[0], DAYS[1])
    opened = delta.open_table(lake.path(BARS))
    assert opened is not None
    newer = {**opened.metadata, "configuration": {log.FORMAT_KEY: str(TABLE_FORMAT + 1)}}
    edit_last_commit(lake, {"metaData": newer})
    for attempt in (lake.read, lake.version, lake.count):
        with pytest.raises(StateConflict) as caught:
            attempt("bars_1d")
        assert (caught.value.fault.code, caught.value.exit_code) == ("table.newer", 5)
    with pytest.raises(StateConflict):
        lake.write_interval(BARS, bar_rows(DAYS[:2], close="10.7"), DAYS[0], DAYS[1])


def test_features_of_other_programs_are_refused_not_misread(lake: Lake) -> None:
    lake.write_interval(BARS, bar_rows(DAYS[:2]), DAYS[0], DAYS[1])
    features = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}
    edit_last_commit(lake, {"protocol": {**features, "writerFeatures": ["deletionVectors"]}})
    with pytest.raises(StateConflict) as caught:
        lake.read("bars_1d")
    assert (caught.value.fault.code, caught.value.fault.found) == ("table.features", "deletionVectors")


def test_a_table_made_again_in_its_place_is_noticed(lake: Lake) -> None:
    lake.write_interval(BARS, bar_rows(DAYS[:2]), DAYS[0], DAYS[1])
    shutil.rmtree(lake.root / "golden")
    assert lake.version("bars_1d") is None
    lake.write_interval(BARS, bar_rows(DAYS[:1]), DAYS[0], DAYS[0])
    shutil.rmtree(lake.root / "golden")
    Lake(lake.root).write_interval(BARS, bar_rows(DAYS[:3], close="10.8"), DAYS[0], DAYS[2])
    assert lake.count("bars_1d") == 6


def test_what_another_process_commits_is_seen(lake: Lake) -> None:
    lake.write_interval(BARS, bar_rows(DAYS[:1]), DAYS[0], DAYS[0])
    assert lake.count("bars_1d") == 2
    kept = dict(log._CACHE)
    lake.write_interval(BARS, bar_rows(DAYS[1:2]), DAYS[1], DAYS[1])
    log._CACHE.clear()
    log._CACHE.update(kept)
    assert lake.count("bars_1d") == 4


def test_opening_reads_the_last_checkpoint_and_what_came_after(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = table_ref("identities")
    stamp = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(130):
        row = {"code": f"{n:06d}.SZ", "first_session": FIRST, "instrument_id": n + 1, "recorded_at": stamp}
        full = {name: row.get(name) for name in stamps.contract.names}
        lake.append(stamps, pl.DataFrame([full], schema=stamps.contract.schema))
    read: list[str] = []
    plain = LocalFolder.read

    def counted(self: LocalFolder, name: str) -> bytes:
        read.append(name)
        return plain(self, name)

    monkeypatch.setattr(LocalFolder, "read", counted)
    log._CACHE.clear()
    assert lake.count("identities") == 130
    latest = lake.version("identities")
    assert latest is not None
    assert len([name for name in read if name.endswith(".json")]) <= latest - 100 + 2
    assert sorted(lake.read("identities", version=50)["instrument_id"].to_list()) == list(range(1, 51))


def many(days: list[date], names: int, close: str = "10.50") -> pl.DataFrame:
    return bar_rows(days, ids=tuple(range(1, names + 1)), close=close)


def test_files_hold_whole_dates_up_to_a_segment(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "SEGMENT_ROWS", 100)
    lake.write_interval(BARS, many(DAYS, 30), DAYS[0], DAYS[-1])
    opened = delta.open_table(lake.path(BARS))
    assert opened is not None
    spans = sorted((file.low["session"], file.high["session"], file.rows) for file in opened.files.values())
    assert max(rows for _, _, rows in spans) == 90
    assert all(a[1] < b[0] for a, b in pairwise(spans))
    for file in opened.files.values():
        rows = pl.read_parquet(lake.path(BARS).location(file.path))
        assert rows.equals(rows.sort("instrument_id", "session"))
        assert file.path.startswith(f"year={file.low['session'][:4]}/")


def test_a_day_costs_the_same_after_ten_years_as_after_one(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in files read and written, not in seconds."""
    monkeypatch.setattr(delta, "SEGMENT_ROWS", 100)
    costs = []
    for year in (2015, 2024):
        while (
            latest := lake.read("bars_1d", columns=["session"])["session"].max()
        ) is None or latest.year < year:
            begin = date(2015 if latest is None else latest.year + 1, 1, 1)
            days = [begin + timedelta(7 * n) for n in range(20)]
            lake.write_interval(BARS, many(days, 30), begin, date(begin.year, 12, 31))
        for day in (date(year, 12, 30), date(year, 1, 15)):
            before = delta.open_table(lake.path(BARS))
            lake.write_interval(BARS, many([day], 30, "10.70"), day, day)
            after = delta.open_table(lake.path(BARS))
            assert before is not None and after is not None
            gone, made = set(before.files) - set(after.files), set(after.files) - set(before.files)
            costs.append((len(gone), len(made)))
    assert costs[:2] == costs[2:] == [(0, 1), (1, 1)]


def test_minute_bars_lie_by_month(lake: Lake) -> None:
    ref = table_ref("bars_1m")
    days = [date(2024, 1, 31), date(2024, 2, 1)]
    row = {
        "instrument_id": 1, "volume": 1, "source": "s", "payload": "p",
        "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    made = [
        {**row, "session": day, "ts": datetime(day.year, day.month, day.day, 2, tzinfo=UTC)} for day in days
    ]
    rows = pl.DataFrame([{n: r.get(n) for n in ref.contract.names} for r in made], schema=ref.contract.schema)
    lake.write_interval(ref, rows, days[0], days[1])
    opened = delta.open_table(lake.path(ref))
    assert opened is not None
    assert opened.partition_column == "month"
    assert sorted(opened.partitions()) == ["202401", "202402"]
    assert lake.read("bars_1m", start=days[1])["session"].to_list() == days[1:]
