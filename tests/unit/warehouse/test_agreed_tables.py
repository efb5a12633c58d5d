"""Golden tables agreed from three vendors: what they say, how they are repeated, what a failure costs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from three_vendors import NAMES, Market, market, source, sources, with_faults

from quant.core.errors import QuantError, SpecError
from quant.warehouse.arbitrate import ArbitrationSettings, ColumnRule, Margin
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import Agreement, IngestReport, SyncItem, ingest, plan_sync, sync

SOAK = os.environ.get("QUANT_SOAK") == "1"
START, END = date(2024, 1, 1), date(2024, 2, 29)
DERIVED = ("limit_up", "limit_down")
"""Computed from pre_close where a vendor has none."""
VOTE = ArbitrationSettings(rule="vote", quorum=2)


def tables(rules: ArbitrationSettings = VOTE, names: tuple[str, ...] = NAMES) -> list[TableSettings]:
    plain = replace(rules, columns={}, tolerance={})
    return [
        TableSettings("instruments", "instruments", names, plain),
        TableSettings("bars_1d", "bars_1d", names, rules),
    ]


def run(
    lake: Lake,
    known: dict[str, SourceSettings],
    rules: ArbitrationSettings = VOTE,
    *,
    end: date = END,
    start: date = START,
) -> list[IngestReport]:
    plan = plan_sync(tables(rules, tuple(known)), known, lake, start, end)
    return list(sync(plan, lake, run="r"))


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Path, Market]:
    told = with_faults(market())
    told.write(tmp_path / "vendors")
    return tmp_path / "vendors", told


def as_truth(told: Market) -> dict[tuple[str, date], tuple[Decimal, ...]]:
    return {
        key: tuple(Decimal(bar[n]) for n in ("open", "high", "low", "close", "pre_close", "volume", "amount"))
        for key, bar in told.truth.items()
    }


def as_stored(lake: Lake) -> dict[tuple[str, date], tuple[Decimal, ...]]:
    rows = lake.read("bars_1d").join(lake.read("instruments").select("instrument_id", "code"),
                                     on="instrument_id")  # fmt: skip
    named = rows.select("code", "session", "open", "high", "low", "close", "pre_close", "volume", "amount")
    return {(row[0], row[1]): tuple(Decimal(v) for v in row[2:]) for row in named.iter_rows()}


def test_two_against_one_gives_the_truth_and_every_fault_is_on_record(
    lake: Lake, faulty: tuple[Path, Market]
) -> None:
    root, told = faulty
    reports = run(lake, sources(root))
    assert as_stored(lake) == as_truth(told)
    assert not lake.read("bars_1d")["st"].any()
    decided = lake.read("arbitrations")
    derived = decided.filter(pl.col("field").is_in(DERIVED))
    stated = decided.filter(~pl.col("field").is_in(DERIVED))
    assert derived.height == 2 * stated.filter(pl.col("field") == "pre_close").height
    wrong = {
        (name, key[0], key[1], column)
        for name, bars in told.told.items()
        for key, bar in bars.items()
        if bar is not None
        for column in bar
        if bar[column] not in ("", told.truth[key][column])
    }
    assert {(r["losers"], r["code"], r["session"], r["field"]) for r in stated.to_dicts()} == wrong
    (golden,) = [r for r in reports if r.table == "bars_1d" and r.source == "a+b+c"]
    assert sum(golden.contested.values()) == decided.height
    assert {name: lost["close"] for name, lost in golden.lost.items()} == {
        name: sum(1 for loser, *_, column in wrong if (loser, column) == (name, "close")) for name in NAMES
    }


def test_a_decision_shows_votes_payloads_rule_and_winner(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, _ = faulty
    run(lake, sources(root))
    row = lake.read("arbitrations").filter(pl.col("losers") == "b").row(0, named=True)
    votes = json.loads(row["votes"])
    assert set(votes) == {"a", "b", "c"}
    assert votes["a"]["value"] == votes["c"]["value"] == row["chosen"] != votes["b"]["value"]
    for name, vote in votes.items():
        stored = lake.read("bars_1d", layer="vendor", source=name)
        assert vote["payload"] in stored["payload"].to_list()
        assert vote["recorded_at"].endswith("+00:00")
    assert (row["winner"], row["rule"]) == ("a", "vote: 2 of 3 agree, quorum 2")
    assert json.loads(row["row"]) == {"instrument_id": row["instrument_id"], "session": str(row["session"])}


def test_golden_rows_name_the_sources_they_were_taken_from(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, told = faulty
    run(lake, sources(root))
    golden = lake.read("bars_1d").join(lake.read("instruments").select("instrument_id", "code"),
                                       on="instrument_id")  # fmt: skip
    by_key = {(r["code"], r["session"]): r["source"] for r in golden.to_dicts()}
    for key in told.truth:
        said = told.told["a"].get(key, told.truth[key])
        expected = "b" if said is None else "a" if said == told.truth[key] else "a+b"
        assert by_key[key] == expected


def test_syncing_again_plans_nothing_and_restating_changes_nothing(
    lake: Lake, faulty: tuple[Path, Market]
) -> None:
    root, _ = faulty
    known = sources(root)
    run(lake, known)
    before = {str(ref): lake.version(ref.table, layer=ref.layer, source=ref.source) for ref in lake.refs()
              if ref.table != "sync_log"}  # fmt: skip
    assert plan_sync(tables(), known, lake, START, END).items == ()
    again = plan_sync(tables(), known, lake, START, END, restate=True)
    assert any(isinstance(item, Agreement) for item in again.items)
    assert not any(report.changed for report in sync(again, lake, run="r2"))
    after = {str(ref): lake.version(ref.table, layer=ref.layer, source=ref.source) for ref in lake.refs()
             if ref.table != "sync_log"}  # fmt: skip
    assert after == before
    assert plan_sync(tables(), known, lake, START, END).items == ()


def test_pieces_in_any_order_say_the_same_as_the_whole(
    lake: Lake, tmp_path: Path, faulty: tuple[Path, Market]
) -> None:
    root, _ = faulty
    known = sources(root)
    whole = Lake(tmp_path / "whole" / "lake")
    run(whole, known)
    run(lake, known, start=date(2024, 2, 1), end=date(2024, 2, 9))
    run(lake, known, start=date(2024, 1, 1), end=date(2024, 1, 19))
    run(lake, known)
    for name in ("bars_1d", "instruments"):
        assert lake.content_hash(name) == whole.content_hash(name)
    columns = ["row", "field", "chosen", "winner", "losers", "rule"]
    sides = [each.read("arbitrations").select(columns).sort(columns) for each in (lake, whole)]
    assert sides[0].equals(sides[1])


def test_after_every_prefix_of_a_sync_the_next_one_completes_it(
    tmp_path: Path, faulty: tuple[Path, Market]
) -> None:
    root, _ = faulty
    known = sources(root)
    whole = Lake(tmp_path / "whole" / "lake")
    run(whole, known)
    count = len(plan_sync(tables(), known, Lake(tmp_path / "none" / "lake"), START, END).items)
    for done in range(0 if SOAK else 1, count, 1 if SOAK else 3):
        lake = Lake(tmp_path / f"cut{done}" / "lake")
        for item in plan_sync(tables(), known, lake, START, END).items[:done]:
            ingest(item, lake, run="cut")
        run(lake, known)
        assert lake.content_hash("bars_1d") == whole.content_hash("bars_1d")
        assert plan_sync(tables(), known, lake, START, END).items == ()


def test_one_vendors_new_data_are_agreed_again_only_where_they_changed(
    lake: Lake, faulty: tuple[Path, Market]
) -> None:
    root, told = faulty
    known = sources(root)
    run(lake, known)
    version = lake.version("bars_1d")
    told.told = {}
    told.write(root)
    reports = run(lake, known)
    assert {r.source for r in reports if r.table == "bars_1d"} == {"a", "b", "c", "a+b+c"}
    assert lake.read("arbitrations").filter(pl.col("table") == "bars_1d").height == 0
    assert lake.version("bars_1d") != version  # the same values, now all from the preferred source
    assert as_stored(lake) == as_truth(told)
    assert lake.read("bars_1d")["source"].unique().to_list() == ["a"]


def test_a_restated_day_makes_only_that_day_stale(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, _ = faulty
    known = sources(root)
    run(lake, known)
    day = date(2024, 1, 15)
    again = plan_sync(tables()[1:], known, lake, day, day, restate=True, only={"b"})
    bars = [item for item in again.items if item.table.name == "bars_1d"]
    assert [(type(i), i.label, i.start, i.end) for i in bars] == [
        (SyncItem, "b", day, day), (Agreement, "a+b+c", day, day),
    ]  # fmt: skip
    ingest(bars[0], lake, run="killed here")
    left = plan_sync(tables()[1:], known, lake, START, END).items
    assert [(i.label, i.start, i.end) for i in left] == [("a+b+c", day, day)]
    ingest(left[0], lake, run="r3")
    assert plan_sync(tables(), known, lake, START, END).items == ()


def fail(lake: Lake, items: Sequence[object], lost: str) -> list[IngestReport]:
    """Store all items but those of one source, as when that source cannot be reached."""
    return [ingest(item, lake, run="r") for item in items  # type: ignore[arg-type]
            if not (isinstance(item, SyncItem) and item.source.name == lost)]  # fmt: skip


def test_without_one_vendor_the_others_are_agreed_and_its_return_is_taken_in(
    lake: Lake, tmp_path: Path, faulty: tuple[Path, Market]
) -> None:
    root, _ = faulty
    known = sources(root)
    reports = fail(lake, plan_sync(tables(), known, lake, START, END).items, "a")
    golden = next(r for r in reports if r.source == "a+b+c" and r.table == "bars_1d")
    assert (set(golden.delivered), golden.waiting) == ({"b", "c"}, ())
    assert set(lake.read("bars_1d")["source"].to_list()) <= {"b", "c", "b+c"}
    left = plan_sync(tables(), known, lake, START, END)
    assert {(i.table.name, i.label) for i in left.items} == {
        (table, label) for table in ("instruments", "bars_1d") for label in ("a", "a+b+c")
    }
    run(lake, known)
    whole = Lake(tmp_path / "whole" / "lake")
    run(whole, known)
    assert lake.content_hash("bars_1d") == whole.content_hash("bars_1d")


def test_with_needs_a_table_waits_for_its_sources(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, _ = faulty
    rules = replace(VOTE, needs=3)
    known = sources(root)
    reports = fail(lake, plan_sync(tables(rules), known, lake, START, END).items, "c")
    golden = next(r for r in reports if r.source == "a+b+c" and r.table == "bars_1d")
    assert golden.waiting == ((START, END),)
    assert (golden.rows, lake.read("bars_1d").height) == (0, 0)
    run(lake, known, rules)
    assert lake.read("bars_1d").height > 0


def test_rows_stored_under_other_settings_do_not_vote(lake: Lake, faulty: tuple[Path, Market]) -> None:
    """A vendor whose unit was mended but whose fetch fails must not vote with the rows of before."""
    root, _ = faulty
    run(lake, sources(root))
    mended = {**sources(root), "b": source(root, "b", known_at="close")}
    reports = fail(lake, plan_sync(tables(), mended, lake, START, END).items, "b")
    golden = next(r for r in reports if r.source == "a+b+c" and r.table == "bars_1d")
    assert set(golden.delivered) == {"a", "c"}


def test_other_rules_or_another_order_agree_everything_again(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, _ = faulty
    known = sources(root)
    run(lake, known)
    for rules in (replace(VOTE, prefer=("c",)), ArbitrationSettings(rule="priority")):
        items = plan_sync(tables(rules), known, lake, START, END).items
        assert {(type(i), i.table.name) for i in items} == {
            (Agreement, "instruments"),
            (Agreement, "bars_1d"),
        }
        list(sync(plan_sync(tables(rules), known, lake, START, END), lake, run="x"))
        assert plan_sync(tables(rules), known, lake, START, END).items == ()
    assert plan_sync(tables(VOTE), known, lake, START, END).items != ()


def test_from_agreed_back_to_one_source_and_back_again(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, _ = faulty
    known = sources(root)
    alone = [TableSettings(t, t, ("a",)) for t in ("instruments", "bars_1d")]
    list(sync(plan_sync(alone, known, lake, START, END), lake, run="1"))
    first = lake.content_hash("bars_1d")
    run(lake, known)
    assert lake.content_hash("bars_1d") != first
    items = plan_sync(alone, known, lake, START, END).items
    assert [(i.table.name, i.fetch) for i in items] == [("instruments", False), ("bars_1d", False)]
    list(sync(plan_sync(alone, known, lake, START, END), lake, run="2"))
    assert lake.content_hash("bars_1d") == first
    assert plan_sync(alone, known, lake, START, END).items == ()


def test_rows_that_no_source_states_any_more_are_removed_and_ids_stay(
    lake: Lake, faulty: tuple[Path, Market]
) -> None:
    root, _ = faulty
    known = sources(root)
    run(lake, known)
    ids = dict(lake.read("instruments").select("code", "instrument_id").iter_rows())
    for name in NAMES:
        file = root / name / "names.csv"
        file.write_text(file.read_text().replace("600007.SH,600007,1999-11-10\n", ""), encoding="utf-8")
    run(lake, known)
    left = dict(lake.read("instruments").select("code", "instrument_id").iter_rows())
    assert left == {code: known_id for code, known_id in ids.items() if code != "600007.SH"}
    for name in NAMES:
        file = root / name / "names.csv"
        file.write_text(file.read_text() + "600007.SH,600007,1999-11-10\n", encoding="utf-8")
    run(lake, known)
    assert dict(lake.read("instruments").select("code", "instrument_id").iter_rows()) == ids


def traded(bar: dict[str, str], volume: str) -> dict[str, str]:
    return {**bar, "volume": volume, "amount": str(Decimal(volume) * Decimal(bar["open"]))}


def test_a_row_on_which_nobody_agrees_is_set_aside(lake: Lake, tmp_path: Path) -> None:
    told, key = market(), ("600000.SH", date(2024, 1, 15))
    bar = told.truth[key]
    told.told = {n: {key: traded(bar, volume)} for n, volume in (("b", "77700"), ("c", "88800"))}
    told.write(tmp_path / "v")
    rules = ArbitrationSettings(rule="vote", columns={"volume": ColumnRule("vote", 2, (), "quarantine")})
    run(lake, sources(tmp_path / "v"), rules)
    assert key not in as_stored(lake)
    row = lake.read("quarantine").row(0, named=True)
    assert (row["source"], row["rule"], row["code"]) == ("a+b+c", "arbitration.volume", "600000.SH")
    assert json.loads(row["row_json"])["votes"] == {"a": bar["volume"], "b": "77700", "c": "88800"}
    decided = lake.read("arbitrations").filter(pl.col("field") == "volume").row(0, named=True)
    assert (decided["winner"], decided["chosen"]) == (None, None)


def test_tolerated_differences_are_no_disagreements(lake: Lake, tmp_path: Path) -> None:
    told = market()
    told.told = {"b": {k: {**bar, "amount": str(round(float(bar["amount"]) / 10) * 10)}
                       for k, bar in told.truth.items()}}  # fmt: skip
    told.write(tmp_path / "v")
    rules = ArbitrationSettings(rule="vote", tolerance={"amount": Margin(abs=Decimal(6))})
    run(lake, sources(tmp_path / "v"), rules)
    assert lake.read("arbitrations").height == 0
    assert as_stored(lake) == as_truth(told)


@pytest.mark.parametrize(
    ("rules", "about"),
    [
        (ArbitrationSettings(rule="vote", quorum=4), "quorum can never be reached"),
        (ArbitrationSettings(prefer=("x",)), "prefer names 'x'"),
        (ArbitrationSettings(needs=4), "more sources are needed"),
        (ArbitrationSettings(tolerance={"clos": Margin()}), "no column 'clos'"),
        (ArbitrationSettings(columns={"volume": ColumnRule("vote", otherwise="null")}), "always be given"),
    ],
)
def test_rules_that_can_never_be_kept_are_refused(
    lake: Lake, faulty: tuple[Path, Market], rules: ArbitrationSettings, about: str
) -> None:
    known = sources(faulty[0])
    with pytest.raises(SpecError, match=about):
        plan_sync([TableSettings("bars_1d", "bars_1d", NAMES, rules)], known, lake, START, END)


def test_a_vendor_whose_files_are_gone_fails_alone(lake: Lake, faulty: tuple[Path, Market]) -> None:
    root, _ = faulty
    known = sources(root)
    shutil.rmtree(root / "b")
    plan = plan_sync(tables(), known, lake, START, END)
    failed = []
    for item in plan.items:
        try:
            ingest(item, lake, run="r")
        except QuantError as error:
            failed.append((item.label, error.fault.code))
    assert failed == [("b", "source.root"), ("b", "source.root")]
    assert lake.read("bars_1d").height > 0


def test_a_vendor_that_cannot_be_reached_votes_with_what_it_said_last(
    lake: Lake, faulty: tuple[Path, Market]
) -> None:
    root, told = faulty
    known = sources(root)
    run(lake, known)
    shutil.rmtree(root / "c")
    touched = root / "b" / "bars.csv"
    touched.write_text(touched.read_text() + "\n", encoding="utf-8")
    plan = plan_sync(tables(), known, lake, START, END)
    reports = fail(lake, plan.items, "c")
    golden = next(r for r in reports if r.source == "a+b+c" and r.table == "bars_1d")
    assert (set(golden.delivered), golden.changed) == ({"a", "b", "c"}, False)
    assert as_stored(lake) == as_truth(told)


def test_a_golden_table_keeps_its_contract(lake: Lake, faulty: tuple[Path, Market]) -> None:
    from quant.warehouse.contracts.check import check

    run(lake, sources(faulty[0]))
    assert check(contract("bars_1d"), lake.read("bars_1d")).bad.height == 0
