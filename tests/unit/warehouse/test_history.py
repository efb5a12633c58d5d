"""What a table said before is kept, and can be read as it was known."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tiny_market import bar_rows

from quant.core.errors import StateConflict, TransientError, UsageError
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, delta, log, superseded, table_ref
from quant.warehouse.lake.layout import history_ref
from quant.warehouse.lake.upkeep import histories

BARS = table_ref("bars_1d")
D1, D2 = date(2024, 1, 2), date(2024, 1, 3)
R1, R2, R3 = (datetime(2024, month, 1, tzinfo=UTC) for month in (2, 3, 4))
HOUR = timedelta(hours=1)


def bars(close: str, recorded: datetime, days: tuple[date, ...] = (D1, D2)) -> pl.DataFrame:
    known = pl.col("ts") + timedelta(hours=2)
    return bar_rows(list(days), close=close).with_columns(
        recorded_at=pl.lit(recorded).cast(pl.Datetime("us", "UTC")), known_at=known
    )


def write(lake: Lake, rows: pl.DataFrame, start: date = D1, end: date = D2) -> int:
    return lake.write_interval(BARS, rows, start, end).version


def closes(lake: Lake, moment: datetime, **more: object) -> dict[tuple[int, date], str]:
    rows = lake.read("bars_1d", as_of=moment, **more)  # type: ignore[arg-type]
    return {(i, d): str(c) for i, d, c in rows.select("instrument_id", "session", "close").iter_rows()}


def history(lake: Lake) -> pl.DataFrame:
    return lake.scan(history_ref(BARS), None, None, None).collect()


def test_a_first_write_has_no_history(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    assert histories(lake) == []
    assert history(lake).height == 0


def test_only_rows_that_changed_are_superseded_and_the_others_keep_their_stamp(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    second = pl.concat(
        [bars("10.50", R2, (D1,)), bars("10.60", R2, (D2,)).filter(pl.col("instrument_id") == 11)]
    )
    second = pl.concat([second, bars("10.50", R2, (D2,)).filter(pl.col("instrument_id") == 22)])
    write(lake, second)
    past = history(lake)
    assert past.select("instrument_id", "session", "removed").rows() == [(11, D2, False)]
    assert past["superseded_at"].to_list() == [R2]
    now = lake.read("bars_1d").sort("session", "instrument_id")
    assert now["recorded_at"].to_list() == [R1, R1, R2, R1]


def test_each_instant_reads_what_was_recorded_by_then(lake: Lake) -> None:
    for close, stamp in (("10.50", R1), ("10.60", R2), ("10.70", R3)):
        write(lake, bars(close, stamp))
    seen = {moment: closes(lake, moment)[11, D1] for moment in (R1, R2 - HOUR, R2, R3 - HOUR, R3, R3 + HOUR)}
    assert list(seen.values()) == ["10.5000", "10.5000", "10.6000", "10.6000", "10.7000", "10.7000"]


def test_before_anything_was_recorded_the_earliest_version_stands_for_it(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    write(lake, bars("10.60", R2))
    evening = datetime(2024, 1, 2, 9, tzinfo=UTC)
    assert closes(lake, evening) == {(11, D1): "10.5000", (22, D1): "10.5000"}
    assert closes(lake, evening - HOUR) == {}


def test_a_removed_row_is_there_until_it_was_removed(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    write(lake, bars("10.50", R2).filter(pl.col("instrument_id") == 22))
    assert history(lake)["removed"].to_list() == [True, True]
    later = datetime(2999, 1, 1, tzinfo=UTC)
    assert (11, D1) in closes(lake, R1 + HOUR)
    assert set(closes(lake, later)) == {(22, D1), (22, D2)}


def test_a_row_that_comes_back_has_both_lives(lake: Lake) -> None:
    for close, stamp in (("10.50", R1), ("10.60", R2), ("10.50", R3)):
        write(lake, bars(close, stamp))
    seen = [closes(lake, moment)[22, D2] for moment in (R1, R2, R3)]
    assert seen == ["10.5000", "10.6000", "10.5000"]
    assert history(lake).height == 8


def test_a_version_reads_the_same_whatever_is_restated_later(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    version = write(lake, bars("10.60", R2))
    moments = (R1, R2, R3 + HOUR)
    before = [closes(lake, moment, version=version) for moment in moments]
    digest = [lake.content_hash("bars_1d", version, as_of=moment) for moment in moments]
    write(lake, bars("10.70", R3).filter(pl.col("instrument_id") == 11))
    assert [closes(lake, moment, version=version) for moment in moments] == before
    (lake.root / "hashes" / "golden.bars_1d.json").unlink()
    assert [lake.content_hash("bars_1d", version, as_of=moment) for moment in moments] == digest
    assert len(set(digest)) == 2
    pinned = lake.at({"bars_1d": version}, R1)
    assert {str(c) for c in pinned.read("bars_1d")["close"]} == {"10.5000"}


def test_a_write_that_died_before_its_commit_neither_loses_nor_doubles(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake, bars("10.50", R1))
    with monkeypatch.context() as patched:
        patched.setattr(delta, "overwrite", _die)
        with pytest.raises(KeyboardInterrupt):
            write(lake, bars("10.60", R2))
    assert history(lake).height == 0
    assert closes(lake, R3)[11, D1] == "10.5000"
    write(lake, bars("10.60", R3))
    assert history(lake).height == 4
    assert closes(lake, R2)[11, D1] in ("10.5000", "10.6000")
    assert closes(lake, R1)[11, D1] == "10.5000"
    assert closes(lake, R3)[11, D1] == "10.6000"


def test_what_a_dead_write_left_is_mended_when_the_row_is_really_superseded(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake, bars("10.50", R1))
    with monkeypatch.context() as patched:
        patched.setattr(delta, "overwrite", _die)
        with pytest.raises(KeyboardInterrupt):
            write(lake, bars("10.60", R2))
    lake.write_interval(BARS, bars("10.50", R2, (date(2024, 1, 4),)), date(2024, 1, 4), date(2024, 1, 4))
    assert closes(lake, R3)[11, D1] == "10.5000"
    write(lake, bars("10.70", R3))
    past = history(lake)
    assert past.height == 4
    assert set(past["superseded_at"].to_list()) == {R3}
    assert closes(lake, R2)[11, D1] == "10.5000"


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_merged_tables_have_a_history_and_ends_after_the_instant_are_unknown(lake: Lake) -> None:
    ref = table_ref("index_members")
    row = {
        "index_code": "000300.SH",
        "instrument_id": 1,
        "from_session": D1,
        "to_session": None,
        "known_at": datetime(2024, 1, 1, tzinfo=UTC),
        "recorded_at": R1,
        "source": "s",
        "payload": "p",
    }
    open_ended = pl.DataFrame([row], schema=ref.contract.schema)
    lake.merge(ref, open_ended)
    ended = open_ended.with_columns(
        to_session=pl.lit(date(2024, 2, 20)), recorded_at=pl.lit(R2).cast(pl.Datetime("us", "UTC"))
    )
    lake.merge(ref, ended)
    assert lake.read("index_members", as_of=R1)["to_session"].to_list() == [None]
    assert lake.read("index_members", as_of=R2)["to_session"].to_list() == [date(2024, 2, 20)]
    fresh = Lake(lake.root.parent / "other")
    fresh.merge(ref, ended)
    early = datetime(2024, 2, 10, tzinfo=UTC)
    assert fresh.read("index_members", as_of=early)["to_session"].to_list() == [None]


def test_gc_and_listings_leave_the_history_alone(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    write(lake, bars("10.60", R2))
    assert [str(ref) for ref in histories(lake)] == ["history/golden/bars_1d"]
    assert [str(ref) for ref in lake.refs()] == ["golden/bars_1d"]
    lake.gc(keep_hours=0)
    assert closes(lake, R1)[11, D1] == "10.5000"
    assert lake.compact(min_files=1) is not None
    assert closes(lake, R1)[11, D1] == "10.5000"


def test_many_restatements_are_settled_and_compacted_on_the_way(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(superseded, "PENDING", 1)
    for step in range(40):
        write(lake, bars(f"10.{step + 10}", R1 + step * HOUR, (D1,)), D1, D1)
    opened = delta.open_table(lake.path(history_ref(BARS)))
    assert opened is not None
    assert len(opened.files) < 32
    assert history(lake).height == 78
    for step in (0, 17, 39):
        assert closes(lake, R1 + step * HOUR)[11, D1] == f"10.{step + 10}00"


def settled(lake: Lake) -> int:
    """Rows in the files of the history."""
    opened = delta.open_table(lake.path(history_ref(BARS)))
    return 0 if opened is None else opened.rows


def test_what_is_superseded_reads_the_same_before_and_after_it_is_settled(lake: Lake) -> None:
    for close, stamp in (("10.50", R1), ("10.60", R2), ("10.70", R3)):
        write(lake, bars(close, stamp))
    order = ["instrument_id", "session", "last_version"]
    before, moments = history(lake).sort(order), (R1, R2 - HOUR, R2, R3)
    seen = [closes(lake, moment) for moment in moments]
    day = lake.scan(history_ref(BARS), None, D2, D2).collect()
    assert (settled(lake), before.height, day.height) == (0, 8, 4)
    for _ in range(2):
        superseded.settle(lake, BARS)
        assert settled(lake) == 8
        assert history(lake).sort(order).equals(before)
        assert [closes(lake, moment) for moment in moments] == seen
    write(lake, bars("10.80", R3 + HOUR, (D2,)), D2, D2)
    assert (settled(lake), history(lake).height) == (8, 10)
    log._CACHE.clear()
    assert history(lake).height == 10
    lake.compact(min_files=1)
    superseded.settle(lake, BARS)
    assert (settled(lake), history(lake).height) == (10, 10)


def test_a_settling_that_died_is_done_again_and_only_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake, bars("10.50", R1))
    write(lake, bars("10.60", R2))
    with monkeypatch.context() as patched:
        patched.setattr(delta, "put", _die)
        with pytest.raises(KeyboardInterrupt):
            superseded.settle(lake, BARS)
    assert (settled(lake), history(lake).height) == (0, 4)
    superseded.settle(lake, BARS)
    assert (settled(lake), history(lake).height) == (4, 4)


def test_what_is_not_settled_survives_gc_on_a_full_disk(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    write(lake, bars("10.50", R1))
    write(lake, bars("10.60", R2))

    def full(*_: object) -> None:
        raise TransientError("storage.full", "no room")

    with monkeypatch.context() as patched:
        patched.setattr(delta, "put", full)
        assert [name for name in lake.gc(keep_hours=0) if name.startswith("golden/")] == []
    assert closes(lake, R1)[11, D1] == "10.5000"
    doomed = lake.gc(keep_hours=0, dry_run=True)
    assert len(doomed) == 1
    assert lake.gc(keep_hours=0) == doomed
    assert closes(lake, R1)[11, D1] == "10.5000"


def test_a_table_made_again_in_its_place_has_a_history_of_its_own(lake: Lake) -> None:
    for close, stamp in (("10.50", R1), ("10.60", R2), ("10.70", R3)):
        write(lake, bars(close, stamp))
    superseded.settle(lake, BARS)
    shutil.rmtree(lake.root / "golden")
    write(lake, bars("10.50", R1, (D1,)), D1, D1)
    write(lake, bars("10.90", R2, (D1,)), D1, D1)
    assert [str(c) for c in history(lake).filter(pl.col("last_version") == 1)["close"]].count("10.5000") >= 2
    assert history(lake).height == 10


def test_rows_deleted_by_another_program_are_missed_not_passed_over(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    first = delta.open_table(lake.path(BARS))
    assert first is not None
    write(lake, bars("10.60", R2))
    for name in first.files:
        lake.path(BARS).remove(name)
    with pytest.raises(StateConflict, match="deleted before it was in the history"):
        lake.read("bars_1d", as_of=R3)


def test_vendor_tables_keep_theirs_and_system_tables_have_none(lake: Lake) -> None:
    ref = table_ref("bars_1d", "vendor", "a")
    lake.write_interval(ref, bars("10.50", R1), D1, D2)
    lake.write_interval(ref, bars("10.60", R2), D1, D2)
    rows = lake.read("bars_1d", layer="vendor", source="a", as_of=R1)
    assert {str(c) for c in rows["close"]} == {"10.5000"}
    assert [str(r) for r in histories(lake)] == ["history/vendor/a/bars_1d"]


def test_an_instant_without_zone_is_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        lake.read("bars_1d", as_of=datetime(2024, 1, 1))


def test_the_definition_holds_on_random_restatements(tmp_path: Path) -> None:
    """Against a plain reading of the rule over every version ever written."""
    import random

    choose = random.Random(5)
    for case in range(6):
        lake = Lake(tmp_path / f"case{case}" / "lake")
        written: list[tuple[datetime, dict[int, str]]] = []
        stamp = R1
        for _ in range(6):
            stamp += HOUR * choose.randint(1, 9)
            values = {i: f"10.{choose.randint(10, 14)}" for i in (11, 22, 33) if choose.random() > 0.2}
            parts = [bars(c, stamp, (D1,)).filter(pl.col("instrument_id") == 11)
                     .with_columns(instrument_id=pl.lit(i, pl.Int64)) for i, c in values.items()]  # fmt: skip
            rows = pl.concat(parts) if parts else pl.DataFrame(schema=contract("bars_1d").schema)
            if rows.height:
                lake.write_interval(BARS, rows, D1, D1)
                written.append((stamp, values))
        for moment in [w[0] for w in written]:
            known = [values for at, values in written if at <= moment]
            expected = {(i, D1): f"{c}00" for i, c in known[-1].items()}
            later = {i for at, values in written if at > moment for i in values} - {
                i for values in known for i in values
            }
            found = {k: v for k, v in closes(lake, moment).items() if k[0] not in later}
            assert found == expected, (case, moment)


def test_columns_are_cut_after_the_versions_were_told_apart(lake: Lake) -> None:
    write(lake, bars("10.50", R1))
    write(lake, bars("10.60", R2))
    rows = lake.read("bars_1d", columns=["close"], as_of=R1)
    assert rows.columns == ["close"]
    assert [str(c) for c in rows["close"].unique()] == ["10.5000"]
    with pytest.raises(UsageError, match="no column nope"):
        lake.read("bars_1d", columns=["nope"], as_of=R1)
    assert lake.read("adjustment_factors", as_of=R1).height == 0


def test_a_version_that_gc_removed_says_so_as_of_an_instant_too(lake: Lake) -> None:
    first = write(lake, bars("10.50", R1))
    write(lake, bars("10.60", R2))
    lake.gc(keep_hours=0)
    with pytest.raises(UsageError, match="removed by gc"):
        lake.read("bars_1d", version=first, as_of=R1)
