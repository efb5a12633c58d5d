"""Several vendors, no declared rule: the first is followed, what the others say is on record."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from three_vendors import Market, market, sources, with_faults

from quant.warehouse.lake import Lake
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import IngestReport, plan_sync, sync

START, END = date(2024, 1, 1), date(2024, 2, 29)
DERIVED = ("limit_up", "limit_down")
PAIR = ("a", "b")


def run(lake: Lake, known: dict[str, SourceSettings], names: tuple[str, ...]) -> list[IngestReport]:
    tables = [TableSettings(t, t, names) for t in ("instruments", "bars_1d")]
    return list(sync(plan_sync(tables, known, lake, START, END, restate=True), lake, run="r"))


def stated(told: Market) -> set[tuple[str, date, str]]:
    """The cells of rows that both vendors have and of which they say different things."""
    found = set()
    for key, truth in told.truth.items():
        a, b = (told.told[name].get(key, truth) for name in PAIR)
        if a is not None and b is not None:
            found |= {
                (*key, column) for column in a if "" not in (a[column], b[column]) and a[column] != b[column]
            }
    return found


def test_the_first_vendor_is_followed_and_every_disagreement_is_on_record(lake: Lake, tmp_path: Path) -> None:
    told = with_faults(market())
    told.write(tmp_path / "v")
    known = sources(tmp_path / "v")
    run(lake, known, ("a",))
    alone = lake.content_hash("bars_1d")
    reports = run(lake, known, PAIR)
    assert lake.content_hash("bars_1d") == alone
    decided = lake.read("arbitrations").filter(~pl.col("field").is_in(DERIVED))
    assert stated(told)
    assert set(decided.select("code", "session", "field").iter_rows()) == stated(told)
    assert set(decided["losers"]) == {"b"}
    assert set(decided["rule"]) == {"priority: a stands first"}
    last = [r for r in reports if r.table == "bars_1d"][-1]
    assert sum(last.contested.values()) == lake.read("arbitrations").height
    assert set(last.lost) == set(PAIR)
    assert not last.lost["a"]


def test_what_a_vendor_mended_is_no_disagreement_any_more(lake: Lake, tmp_path: Path) -> None:
    told = with_faults(market())
    told.write(tmp_path / "v")
    run(lake, sources(tmp_path / "v"), PAIR)
    assert lake.read("arbitrations").height
    told.told = {"b": told.told["a"], "a": told.told["a"]}
    told.write(tmp_path / "v")
    run(lake, sources(tmp_path / "v"), PAIR)
    assert lake.read("arbitrations").height == 0


def test_rounding_to_thousand_yuan_is_no_disagreement(lake: Lake, tmp_path: Path) -> None:
    told = market()
    told.told = {"b": {k: {**bar, "amount": str(round(float(bar["amount"]) / 10) * 10)}
                       for k, bar in told.truth.items()}}  # fmt: skip
    told.write(tmp_path / "v")
    reports = run(lake, sources(tmp_path / "v"), PAIR)
    assert not lake.exists("arbitrations")
    assert not any(report.contested for report in reports)
