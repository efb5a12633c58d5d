"""Rules over stored rows: what breaks them, how much of it is tolerated, what they can be asked of."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from quant.core.errors import SpecError
from quant.core.market.calendar import calendar
from quant.warehouse.audit import Listing, TableRule, applies, combined, run_check
from quant.warehouse.contracts.tables import contract

START, END = date(2024, 1, 2), date(2024, 1, 31)
SESSIONS = calendar("XSHG").sessions(START, END)
STAMP = datetime(2024, 2, 1, tzinfo=UTC)
BARS = contract("bars_1d")


def bars(ids: tuple[int, ...] = (1, 2)) -> pl.DataFrame:
    """One quiet bar an instrument and session."""
    rows = [
        {
            "instrument_id": i,
            "session": day,
            "ts": STAMP,
            **{name: Decimal(10) for name in ("open", "high", "low", "close", "pre_close")},
            "limit_up": Decimal(11),
            "limit_down": Decimal(9),
            "volume": 100,
            "amount": Decimal(1000),
            "suspended": False,
            "st": False,
            "delisting": False,
            "no_limit": False,
            "known_at": STAMP,
            "recorded_at": STAMP,
            "source": "s",
            "payload": "p",
        }
        for i in ids
        for day in SESSIONS
    ]
    return pl.DataFrame(rows, schema=BARS.schema)


def listing(ids: tuple[int, ...] = (1, 2), **dates: date | None) -> Listing:
    rows = {
        "instrument_id": list(ids),
        "list_date": [dates.get("listed", date(2020, 1, 2))] * len(ids),
        "delist_date": [dates.get("delisted")] * len(ids),
    }
    types = {"instrument_id": pl.Int64, "list_date": pl.Date, "delist_date": pl.Date}
    return Listing(pl.DataFrame(rows, schema=types), START, END)


def change(rows: pl.DataFrame, index: int, **values: object) -> pl.DataFrame:
    marked = rows.with_row_index("at")
    return marked.with_columns(
        pl.when(pl.col("at") == index)
        .then(pl.lit(value, rows.schema[name]))
        .otherwise(pl.col(name))
        .alias(name)
        for name, value in values.items()
    ).drop("at")


@pytest.mark.parametrize("name", ["contract", "unique", "ohlc_order", "within_limits", "rows_vs_calendar"])
def test_quiet_bars_pass_every_check(name: str) -> None:
    result = run_check(TableRule(name), "bars_1d", bars(), listing())
    assert result.passed
    assert (result.failing, result.total) == (0, 2 * len(SESSIONS))
    assert result.sample.height == 0


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        ("ohlc_order", {"low": Decimal("10.5")}, "ohlc.order"),
        ("ohlc_order", {"open": None}, "ohlc.missing"),
        ("within_limits", {"high": Decimal(12), "amount": Decimal(1100)}, "limit.exceeded"),
        ("within_limits", {"limit_up": Decimal("8.5")}, "limit.order"),
        ("contract", {"volume": -1}, "volume.low"),
    ],
)
def test_a_broken_row_is_counted_and_shown(name: str, values: dict[str, object], rule: str) -> None:
    result = run_check(TableRule(name), "bars_1d", change(bars(), 3, **values), listing())
    assert not result.passed
    assert result.failing == 1
    assert result.sample["rule"].to_list() == [rule]
    assert result.detail.startswith("1 of 44 rows")


def test_a_repeated_key_is_not_unique() -> None:
    rows = pl.concat([bars(), bars().head(2)])
    result = run_check(TableRule("unique"), "bars_1d", rows, listing())
    assert (result.passed, result.failing) == (False, 2)


def test_a_breach_within_the_tolerance_passes() -> None:
    rows = change(bars(), 0, low=Decimal("10.5"))
    assert run_check(TableRule("ohlc_order", tolerance=0.03), "bars_1d", rows, listing()).passed
    assert not run_check(TableRule("ohlc_order", tolerance=0.02), "bars_1d", rows, listing()).passed


def test_a_missing_session_and_a_row_outside_the_calendar_both_count() -> None:
    without = bars().filter(~((pl.col("instrument_id") == 1) & (pl.col("session") == SESSIONS[4])))
    saturday = bars((1,)).head(1).with_columns(pl.lit(date(2024, 1, 6)).alias("session"))
    result = run_check(TableRule("rows_vs_calendar"), "bars_1d", pl.concat([without, saturday]), listing())
    assert result.failing == 2
    assert result.sample["instrument_id"].to_list() == [1]


def test_rows_are_expected_only_while_listed() -> None:
    first, last = SESSIONS[5], SESSIONS[10]
    rows = bars().filter(pl.col("session").is_between(first, last, closed="left"))
    within = listing(listed=first, delisted=last)
    assert run_check(TableRule("rows_vs_calendar"), "bars_1d", rows, within).passed
    result = run_check(TableRule("rows_vs_calendar"), "bars_1d", bars(), within)
    assert result.failing == 2 * (len(SESSIONS) - 5)


def test_an_unknown_listing_date_is_the_first_row() -> None:
    rows = bars().filter(pl.col("session") >= SESSIONS[3])
    assert run_check(TableRule("rows_vs_calendar"), "bars_1d", rows, listing(listed=None)).passed


def test_an_instrument_without_rows_is_missing_all_of_them() -> None:
    result = run_check(TableRule("rows_vs_calendar"), "bars_1d", bars((1,)), listing())
    assert result.failing == len(SESSIONS)
    assert result.sample["instrument_id"].to_list() == [2]


def test_a_row_of_an_unknown_instrument_is_unexpected() -> None:
    result = run_check(TableRule("rows_vs_calendar"), "bars_1d", bars((1, 2, 3)), listing())
    assert result.failing == len(SESSIONS)
    assert result.sample["rule"].to_list()[0] == "rows.unexpected"


def test_no_rows_at_all_pass_row_rules_and_fail_the_calendar() -> None:
    assert run_check(TableRule("contract"), "bars_1d", bars().clear(), listing()).passed
    assert not run_check(TableRule("rows_vs_calendar"), "bars_1d", bars().clear(), listing()).passed


def test_a_check_without_columns_for_it_is_refused() -> None:
    assert not applies("ohlc_order", "instruments")
    assert not applies("rows_vs_calendar", "corporate_actions")
    assert applies("rows_vs_calendar", "adjustment_factors")
    with pytest.raises(SpecError, match="cannot be checked by ohlc_order"):
        run_check(TableRule("ohlc_order"), "instruments", pl.DataFrame(), listing())


def test_years_judged_apart_add_up() -> None:
    rule, broken = TableRule("ohlc_order", tolerance=0.02), change(bars(), 0, low=Decimal("10.5"))
    quiet = run_check(rule, "bars_1d", bars(), listing())
    loud = run_check(rule, "bars_1d", broken, listing())
    both = combined(rule, [quiet, loud])
    assert (both.failing, both.total) == (1, 88)
    assert both.passed and not loud.passed
    assert both.sample["rule"].to_list() == ["ohlc.order"]
