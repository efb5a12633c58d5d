"""Rules over several rows: each planted fault is found by its name, and sound data by none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from tiny_market import bar_rows

from quant.core.market.calendar import calendar
from quant.warehouse.audit import Listing, TableRule, absences, applies, run_check
from quant.warehouse.contracts.check import check
from quant.warehouse.contracts.tables import contract

DAYS = list(calendar("XSHG").sessions(date(2024, 1, 2), date(2024, 1, 12)))
INSTRUMENTS = pl.DataFrame(
    [(11, date(2020, 1, 2), None), (22, None, None)],
    schema={"instrument_id": pl.Int64, "list_date": pl.Date, "delist_date": pl.Date},
    orient="row",
)
LISTING = Listing(INSTRUMENTS, DAYS[0], DAYS[-1])
KEY = ("instrument_id", "session")


def chained() -> pl.DataFrame:
    """Bars whose reference prices follow each other, different every day and instrument."""
    rows = bar_rows(DAYS).sort(KEY)
    n = pl.int_range(pl.len()).over("instrument_id").cast(pl.Decimal(18, 4))
    base = pl.col("instrument_id").cast(pl.Decimal(18, 4)) * Decimal("0.01") + n * Decimal("0.1")
    money = pl.Decimal(18, 4)
    rows = rows.with_columns(
        (pl.col(name) + base).cast(money)
        for name in ("open", "high", "low", "close", "limit_up", "limit_down")
    )
    before = pl.col("close").shift(1).over("instrument_id")
    return rows.with_columns(
        pre_close=before.fill_null(pl.col("close")),
        amount=(pl.col("close") * pl.col("volume")).cast(pl.Decimal(20, 4)),
        known_at=pl.col("ts") + timedelta(hours=2),
    )


def change(rows: pl.DataFrame, day: int, instrument: int = 11, **values: object) -> pl.DataFrame:
    at = (pl.col("session") == DAYS[day]) & (pl.col("instrument_id") == instrument)
    return rows.with_columns(
        pl.when(at).then(pl.lit(value, rows.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def rules(check: str, rows: pl.DataFrame, listing: Listing = LISTING) -> list[str]:
    result = run_check(TableRule(check, tolerance=0), "bars_1d", rows, listing)
    assert result.passed == (result.failing == 0)
    assert result.sample.height == min(result.failing, 5)
    return result.sample["rule"].to_list()


@pytest.mark.parametrize(
    "check",
    ["pre_close_chain", "time_order", "duplicate_rate", "missing_rate", "price_consistency", "absence"],
)
def test_sound_rows_break_no_rule(check: str) -> None:
    assert rules(check, chained()) == []


EVENT = pl.DataFrame(
    [(11, DAYS[3], Decimal("0.5"))],
    schema={"instrument_id": pl.Int64, "ex_session": pl.Date, "cash_per_share": pl.Decimal(18, 6)},
    orient="row",
)


def test_a_reference_price_must_follow_from_the_close_before_and_the_events() -> None:
    rows = chained()
    before = rows.filter(pl.col("session") == DAYS[2], pl.col("instrument_id") == 11)["close"][0]
    paid = change(rows, 3, pre_close=before - Decimal("0.5"))
    told = replace(LISTING, events=EVENT)
    assert rules("pre_close_chain", paid, told) == []
    assert rules("pre_close_chain", rows, told) == ["chain.ignored"]
    assert rules("pre_close_chain", change(rows, 3, pre_close=before - Decimal("0.4")), told) == [
        "chain.wrong"
    ]
    assert rules("pre_close_chain", change(paid, 5, pre_close=Decimal("9.00")), told) == ["chain.unexplained"]
    assert (
        rules("pre_close_chain", paid) == []
    )  # nothing is known that would explain it, and nothing against it
    assert rules("pre_close_chain", change(rows, 3, pre_close=before + Decimal("0.5"))) == [
        "chain.unexplained"
    ]


def test_where_only_factors_are_known_they_decide() -> None:
    rows = chained()
    before = float(rows.filter(pl.col("session") == DAYS[2], pl.col("instrument_id") == 11)["close"][0])
    step = before / (before - 0.5)
    factors = rows.select(KEY).with_columns(
        factor=pl.when((pl.col("session") >= DAYS[3]) & (pl.col("instrument_id") == 11))
        .then(round(step * 1.5, 4))
        .otherwise(1.5)
    )
    told = replace(LISTING, factors=factors)
    assert (
        rules("pre_close_chain", change(rows, 3, pre_close=Decimal(str(round(before - 0.5, 2)))), told) == []
    )
    assert rules("pre_close_chain", rows, told) == ["chain.ignored"]


def test_a_price_spike_breaks_the_chain_of_the_next_session() -> None:
    assert (
        rules("pre_close_chain", change(chained(), 4, close=Decimal("21.00"))) == []
    )  # a fall may be a dividend
    told = replace(LISTING, events=EVENT.clear())
    assert rules("pre_close_chain", change(chained(), 4, close=Decimal("21.00")), told) == [
        "chain.unexplained"
    ]


def test_time_that_goes_back_or_lies_elsewhere_is_named() -> None:
    rows = chained()
    noon = datetime(2024, 1, 2, 4, tzinfo=UTC)
    assert rules("time_order", change(rows, 3, ts=noon, known_at=noon)) == ["time.backwards"]
    wrong_zone = rows.with_columns(ts=pl.col("ts") + timedelta(hours=10), known_at=None)
    assert set(rules("time_order", wrong_zone)) == {"time.session"}
    early = change(rows, 3, known_at=datetime(2024, 1, 4, 23, tzinfo=UTC))
    assert rules("time_order", early) == ["time.known"]
    later = rows.with_columns(
        recorded_at=pl.lit(datetime(2024, 1, 12, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    )
    assert set(rules("time_order", later)) == {"time.future"}


def test_rows_that_repeat_others_are_named() -> None:
    rows = chained()
    same = {n: rows.filter(pl.col("session") == DAYS[2], pl.col("instrument_id") == 11)[n][0]
            for n in ("open", "high", "low", "close", "volume", "amount")}  # fmt: skip
    assert rules("duplicate_rate", change(rows, 3, **same)) == ["row.stale"]
    assert rules("duplicate_rate", change(rows, 2, 22, **same)) == ["row.copied"]
    assert rules("duplicate_rate", pl.concat([rows, rows.head(1)])) == ["row.key"]


@pytest.mark.parametrize("column", ["open", "close", "pre_close", "amount"])
def test_a_missing_cell_is_named(column: str) -> None:
    rows = change(chained(), 3, **{column: None})
    assert rules("missing_rate", rows) == [f"null.{column}"]
    assert rules("missing_rate", change(rows, 3, volume=0)) == []


@pytest.mark.parametrize(
    ("volume", "amount", "rule"),
    [
        (0.01, 1, "unit.volume_in_lots"), (100, 1, "unit.volume_times_100"),
        (1, 0.001, "unit.amount_in_thousands"), (1, 1000, "unit.amount_times_1000"),
        (1, 0.0001, "unit.amount_in_ten_thousands"), (1, 10_000, "unit.amount_times_10000"),
        (0.01, 0.001, "unit.tenth"), (100, 1000, "unit.tenfold"),
        (1, 1.7, "amount.range"),
    ],
)  # fmt: skip
def test_a_wrong_unit_is_named_by_what_would_explain_it(volume: float, amount: float, rule: str) -> None:
    rows = chained().with_columns(volume=pl.lit(100_000, pl.Int64))
    rows = rows.with_columns(amount=(pl.col("close") * 100_000).cast(pl.Decimal(20, 4)))
    bad = rows.with_columns(
        (pl.col("volume") * volume).cast(pl.Int64),
        (pl.col("amount").cast(pl.Float64) * amount).round(4).cast(pl.Decimal(20, 4)),
    )
    assert rules("price_consistency", rows) == []
    assert set(rules("price_consistency", bad)) == {rule}


def test_prices_in_cents_are_told_from_lots_by_limits_or_the_reference_price() -> None:
    prices = ("open", "high", "low", "close")
    rows = chained().with_columns(volume=pl.lit(100_000, pl.Int64))
    rows = rows.with_columns(amount=(pl.col("close") * 100_000).cast(pl.Decimal(20, 4)))
    cents = rows.with_columns((pl.col(n) * 100).cast(pl.Decimal(18, 4)) for n in prices)
    assert set(rules("price_consistency", cents)) == {"unit.price_scale"}
    silent = cents.with_columns(pl.lit(None, pl.Decimal(18, 4)).alias(n)
                                for n in ("pre_close", "limit_up", "limit_down"))  # fmt: skip
    assert set(rules("price_consistency", silent)) == {"unit.volume_times_100"}
    reason = check(contract("bars_1d"), silent).bad["reason"]
    assert all("in shares already" in text and "in cents" in text for text in reason)
    told = check(contract("bars_1d"), cents).bad
    assert set(told["rule"]) == {"unit.price_scale"} and "in cents" in told["reason"][0]


def test_every_absent_row_has_a_reason() -> None:
    rows = chained()
    gone = rows.filter(~((pl.col("instrument_id") == 11) & pl.col("session").is_in(DAYS[3:5])))
    flat = change(
        gone,
        5,
        pre_close=gone.filter(pl.col("session") == DAYS[2], pl.col("instrument_id") == 11)["close"][0],
    )
    assert absences(flat, INSTRUMENTS).select("session", "reason", "evidence").rows() == [
        (DAYS[3], "suspended", "chain"),
        (DAYS[4], "suspended", "chain"),
    ]
    assert set(absences(gone, INSTRUMENTS)["reason"]) == {"unknown"}
    stated = pl.DataFrame(
        [(11, "suspended", "true", DAYS[3], DAYS[3])],
        schema={"instrument_id": pl.Int64, "attribute": pl.String, "value": pl.String,
                "from_session": pl.Date, "to_session": pl.Date}, orient="row",
    )  # fmt: skip
    assert absences(gone, INSTRUMENTS, "XSHG", stated).select("reason", "evidence").rows() == [
        ("suspended", "stated"), ("unknown", "")]  # fmt: skip
    later = INSTRUMENTS.with_columns(
        list_date=pl.Series([DAYS[4], None]), delist_date=pl.Series([DAYS[7], None], dtype=pl.Date)
    )
    alive = rows.filter((pl.col("instrument_id") == 22) | pl.col("session").is_between(DAYS[4], DAYS[6]))
    assert absences(alive, later)["reason"].value_counts(sort=True).rows() == [
        ("not_listed", 4),
        ("delisted", 2),
    ]


def test_one_row_of_five_thousand_that_is_missing_is_found() -> None:
    """Completeness at the size of a market: 5,000 names, one row deleted."""
    ids = tuple(range(1, 5001))
    rows = bar_rows([DAYS[0], DAYS[1]], ids)
    names = pl.DataFrame({"instrument_id": ids}).with_columns(
        list_date=pl.lit(date(2020, 1, 2)), delist_date=pl.lit(None, pl.Date)
    )
    listing = Listing(names, DAYS[0], DAYS[1])
    assert rules("absence", rows, listing) == []
    missing = rows.filter(~((pl.col("instrument_id") == 2500) & (pl.col("session") == DAYS[1])))
    result = run_check(TableRule("absence"), "bars_1d", missing, listing)
    assert (result.passed, result.failing, result.total) == (False, 1, 10_000)
    assert result.sample.select("instrument_id", "session", "rule").rows() == [
        (2500, DAYS[1], "rows.unknown")
    ]


def test_a_check_is_asked_only_of_tables_that_have_its_columns() -> None:
    assert applies("pre_close_chain", "bars_1d") and not applies("pre_close_chain", "adjustment_factors")
    assert applies("time_order", "ticks") and not applies("time_order", "corporate_actions")
    assert applies("missing_rate", "adjustment_factors") and not applies("absence", "sync_log")


def test_ticks_may_share_an_instant_but_not_go_back() -> None:
    at = datetime(2024, 1, 2, 2, tzinfo=UTC)
    rows = pl.DataFrame(
        {"instrument_id": [1, 1, 1], "session": [DAYS[0]] * 3, "seq": [0, 1, 2],
         "ts": [at, at, at - timedelta(seconds=1)], "known_at": [at] * 3,
         "recorded_at": [datetime(2024, 1, 3, tzinfo=UTC)] * 3},
    )  # fmt: skip
    result = run_check(TableRule("time_order"), "ticks", rows, LISTING)
    assert result.sample["rule"].to_list() == ["time.backwards"]
