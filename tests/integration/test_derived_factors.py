"""Factors computed from a synced market's bars and events against those the market states itself."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from quant.pipelines.workspace import Workspace
from quant.warehouse.adjust import compare_factors
from quant.warehouse.adjust.derived import derived_factors, derived_stamp
from quant.warehouse.contracts.check import check
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_computed_factors_are_those_the_simulated_market_states(small_desk: Workspace) -> None:
    lake = Lake(small_desk.lake)
    stated = lake.read("adjustment_factors")
    rows = derived_factors(lake, date(2020, 1, 1), date(2023, 1, 1), NOW)
    assert rows.height == lake.count("bars_1d") > 20_000
    assert check(contract("adjustment_factors"), rows).bad.height == 0
    found = compare_factors(
        lake.read("bars_1d"),
        lake.read("corporate_actions"),
        stated.select("instrument_id", "session", "factor"),
    )
    assert found.filter(pl.col("verdict") == "open").height == 0
    steps = rows.sort("instrument_id", "session").filter(
        pl.col("factor") != pl.col("factor").shift(1).over("instrument_id")
    )
    assert steps.height > 30


def test_a_part_of_the_history_has_the_factors_of_the_whole(small_desk: Workspace) -> None:
    lake = Lake(small_desk.lake)
    whole = derived_factors(lake, date(2020, 1, 1), date(2023, 1, 1), NOW)
    part = derived_factors(lake, date(2022, 3, 1), date(2022, 6, 30), NOW)
    same = whole.filter(pl.col("session").is_between(date(2022, 3, 1), date(2022, 6, 30)))
    assert part.equals(same)
    assert part["payload"].unique().to_list() == [derived_stamp(lake, date(2022, 6, 30))]
    assert part.select(
        (pl.col("known_at").dt.convert_time_zone("Asia/Shanghai").dt.date() == pl.col("session")).all()
    ).item()
