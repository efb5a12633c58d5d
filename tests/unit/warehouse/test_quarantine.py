"""Deciding on rows set aside: what is released is stored and stays, what is dropped no longer counts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from tiny_market import BARS, files_source, tables

from quant.core.errors import CheckFailed, UsageError
from quant.warehouse.lake import Lake
from quant.warehouse.quarantine import (
    DROP,
    ID,
    RELEASE,
    decide,
    decisions,
    find,
    listed,
    refuse_unreleasable,
    table_of,
)
from quant.warehouse.release import release_from_source, withdraw_from_source
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sync import plan_sync, sync
from quant.warehouse.sync_log import Ingest

START, END = date(2024, 1, 1), date(2024, 1, 31)
NAMES = ("instruments", "bars_1d")
BROKEN = BARS.replace("6.62,6.65,6.58,6.60,6.62,1000,660", "6.62,6.65,6.58,6.60,6.62,1000,0")
ACTOR = {"user": "li"}
STAMP = datetime(2026, 3, 1, tzinfo=UTC)
BY = Ingest("test", ACTOR, STAMP)


def run(lake: Lake, source: SourceSettings, *, restate: bool = False) -> None:
    plan = plan_sync(
        tables(source.name, names=NAMES), {source.name: source}, lake, START, END, restate=restate
    )
    list(sync(plan, lake, run="r"))


@pytest.fixture
def source(vendor_folder: Path) -> SourceSettings:
    (vendor_folder / "bars.csv").write_text(BROKEN, encoding="utf-8")
    return files_source(vendor_folder, quarantine_max=0.5)


def say(lake: Lake, decision: str) -> pl.DataFrame:
    rows = listed(lake)
    decide(lake, rows, decision, reason="looked at it", actor=ACTOR, stamp=STAMP)
    return listed(lake)


def stored(lake: Lake, **where: str) -> set[date]:
    rows = lake.read("bars_1d", **where)  # type: ignore[arg-type]
    return set(rows.filter(pl.col("amount") == 0)["session"].to_list())


def test_a_released_row_is_stored_at_once_and_survives_the_next_fetch(
    lake: Lake, source: SourceSettings
) -> None:
    run(lake, source)
    assert stored(lake) == set()
    rows = say(lake, RELEASE)
    done = release_from_source(lake, tables(source.name, names=("bars_1d",))[0], source, rows, BY)
    assert (done.stored, done.waiting) == (1, 0)
    assert stored(lake) == stored(lake, source="tiny") == {date(2024, 1, 3)}
    content = lake.content_hash("bars_1d")
    run(lake, source, restate=True)
    assert lake.content_hash("bars_1d") == content
    assert listed(lake)["decision"].to_list() == [RELEASE]


def test_releasing_twice_changes_nothing(lake: Lake, source: SourceSettings) -> None:
    run(lake, source)
    table = tables(source.name, names=("bars_1d",))[0]
    for _ in range(2):
        release_from_source(lake, table, source, say(lake, RELEASE), BY)
    versions = (lake.version("bars_1d"), lake.version("quarantine_decisions"))
    assert decide(lake, listed(lake), RELEASE, reason="again", actor=ACTOR, stamp=STAMP) == 0
    release_from_source(lake, table, source, listed(lake), BY)
    assert (lake.version("bars_1d"), lake.version("quarantine_decisions")) == versions


def test_what_was_released_and_then_dropped_is_taken_out_again(lake: Lake, source: SourceSettings) -> None:
    run(lake, source)
    before = lake.content_hash("bars_1d")
    table = tables(source.name, names=("bars_1d",))[0]
    rows = say(lake, RELEASE)
    release_from_source(lake, table, source, rows, BY)
    say(lake, DROP)
    withdraw_from_source(lake, table, source, rows, BY)
    assert lake.content_hash("bars_1d") == before
    run(lake, source, restate=True)
    assert lake.content_hash("bars_1d") == before


def test_a_release_before_any_kill_takes_effect_with_the_next_fetch(
    lake: Lake, source: SourceSettings
) -> None:
    run(lake, source)
    say(lake, RELEASE)  # and killed here
    run(lake, source, restate=True)
    assert stored(lake) == {date(2024, 1, 3)}


def test_dropped_rows_do_not_count_against_the_tolerance(lake: Lake, vendor_folder: Path) -> None:
    (vendor_folder / "bars.csv").write_text(BROKEN, encoding="utf-8")
    strict = files_source(vendor_folder)
    with pytest.raises(CheckFailed, match="1 of 5 rows"):
        run(lake, strict)
    assert decisions(lake, "bars_1d", "tiny").dropped == frozenset()
    say(lake, DROP)
    run(lake, strict)
    assert lake.read("bars_1d").height == 4


def test_a_row_that_changed_is_another_row(lake: Lake, source: SourceSettings, vendor_folder: Path) -> None:
    run(lake, source)
    say(lake, RELEASE)
    file = vendor_folder / "bars.csv"
    file.write_text(BROKEN.replace("6.60,6.62,1000,0", "6.60,6.62,2000,0"), encoding="utf-8")
    run(lake, source)
    assert stored(lake) == set()
    assert listed(lake)["decision"].to_list() == [None]


@pytest.mark.parametrize(
    ("bars", "rule"),
    [
        (BARS.replace("9.39,9.42,9.21,9.21", "9.39,9.42,9.21,abc"), "close.unreadable"),
        (BARS + "999999.SH,20240103,1,1,1,1,1,1,0.1,1\n", "code.unknown"),
        (BARS + "600000.SH,20240106,6.6,6.7,6.5,6.6,6.6,10,6.6,10.0\n", "session.closed"),
        (BARS + "600000.SH,20240103,6.62,6.65,6.58,6.61,6.62,1000,660,10.0\n", "key.unique"),
    ],
)
def test_what_can_never_be_a_row_cannot_be_released(
    lake: Lake, vendor_folder: Path, bars: str, rule: str
) -> None:
    (vendor_folder / "bars.csv").write_text(bars, encoding="utf-8")
    run(lake, files_source(vendor_folder, quarantine_max=0.9))
    row = next(r for r in listed(lake).to_dicts() if r["rule"] == rule)
    with pytest.raises(UsageError, match="cannot be released"):
        refuse_unreleasable(row, table_of(row))


def test_rows_are_found_by_unique_beginnings_of_their_ids(lake: Lake, source: SourceSettings) -> None:
    run(lake, source)
    rows = listed(lake)
    whole = rows[ID][0]
    assert find(rows, [whole[:6], whole]).height == 1
    for text in ("zzzzzz", whole[:2]):
        with pytest.raises(UsageError, match=r"names (no row|1 rows) set aside"):
            find(rows, [text])


def test_the_same_interval_cut_otherwise_leaves_nothing_behind(lake: Lake, source: SourceSettings) -> None:
    run(lake, source)
    plan = plan_sync(tables("tiny", names=NAMES), {"tiny": source}, lake, date(2024, 1, 3), date(2024, 1, 3),
                     restate=True)  # fmt: skip
    list(sync(plan, lake, run="r2"))
    assert listed(lake).height == 1
