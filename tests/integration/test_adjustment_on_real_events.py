"""Reference prices and factors computed from real events against real prices. The figures are measured."""

from __future__ import annotations

import gzip
import io
import re
import sqlite3
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from quant.core.market.instrument import Board, Status
from quant.core.market.rules import rulebook
from quant.warehouse.adjust import adjusted, compare_factors, factors_from_events

PRICE, CASH, RATIO = pl.Decimal(18, 4), pl.Decimal(18, 6), pl.Decimal(18, 8)
LIMITS_SINCE = date(1996, 12, 16)
c = pl.col


def _table(packed: Path) -> pl.DataFrame:
    return pl.read_csv(gzip.decompress(packed.read_bytes()), infer_schema=False)


@pytest.fixture(scope="module")
def eastmoney(shared: Callable[[str], Path]) -> pl.DataFrame:
    """Distributions as announced: 10送6转2派1.7元."""
    packed = shared("data/ashare_08*/eastmoney_dividend_financing.db.gz")
    base = sqlite3.connect(":memory:")
    base.deserialize(gzip.decompress(packed.read_bytes()))
    rows = []
    query = "select code, dividend_date, dividend from dividend_detail where dividend_date is not null"
    for code, day, text in base.execute(query):
        parts = {word: Decimal(number) / 10 for word, number in re.findall(r"(送|转|派)([\d.]+)", text)}
        new = parts.get("送", Decimal(0)) + parts.get("转", Decimal(0))
        rows.append((int(code), date.fromisoformat(day[:10]), parts.get("派", Decimal(0)), new))
    schema = {"instrument_id": pl.Int64, "ex_session": pl.Date, "cash_per_share": CASH, "bonus_ratio": RATIO}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture(scope="module")
def baostock(shared: Callable[[str], Path]) -> pl.DataFrame:
    """000001.SZ, 2010 to 2024, with the exchange's reference prices."""
    raw = _table(shared("data/ashare_03*/000001.csv.gz"))
    return raw.select(
        pl.lit(1, pl.Int64).alias("instrument_id"),
        c("date").str.to_date().alias("session"),
        c("close").cast(PRICE),
        c("preclose").cast(PRICE).alias("pre_close"),
        c("volume").cast(pl.Int64),
    )


def test_every_reference_price_the_exchange_published_is_computed_to_the_cent(
    baostock: pl.DataFrame, eastmoney: pl.DataFrame
) -> None:
    """Nine of nine ex-dates of 000001.SZ from 2012 to 2020; the vendor's list of events ends there."""
    made = factors_from_events(baostock, eastmoney.filter(instrument_id=1))
    told = made.steps.join(
        baostock, left_on=["instrument_id", "ex_session"], right_on=["instrument_id", "session"]
    )
    assert told.height == 9
    assert told.filter(c("reference") != c("pre_close")).height == 0
    listed = baostock.filter(c("session") <= date(2021, 1, 1)).with_columns(before=c("close").shift(1))
    breaks = listed.filter(c("before") != c("pre_close"))
    assert breaks["session"].to_list() == told["ex_session"].to_list()


def test_factors_chained_from_reference_prices_show_which_events_a_list_lacks(
    baostock: pl.DataFrame, eastmoney: pl.DataFrame
) -> None:
    step = c("close").shift(1).cast(pl.Float64) / c("pre_close").cast(pl.Float64)
    chained = baostock.filter(c("volume") > 0).with_columns(factor=step.fill_null(1.0).cum_prod())
    found = compare_factors(
        baostock, eastmoney.filter(instrument_id=1), chained.select("instrument_id", "session", "factor")
    )
    assert found.select("session", "cause").rows() == [
        (date(2021, 5, 14), "extra_event"),
        (date(2022, 7, 22), "extra_event"),
        (date(2023, 6, 14), "extra_event"),
        (date(2024, 6, 14), "extra_event"),
    ]


def test_the_golden_backtests_dividend_has_its_reference_price(baostock: pl.DataFrame) -> None:
    """10 bonus 2 and 1.74 yuan on 2015-04-13, as in the recorded rqalpha run."""
    schema = {"instrument_id": pl.Int64, "ex_session": pl.Date, "cash_per_share": CASH, "bonus_ratio": RATIO}
    row = (1, date(2015, 4, 13), Decimal("0.174"), Decimal("0.2"))
    made = factors_from_events(baostock, pl.DataFrame([row], schema=schema, orient="row"))
    assert made.steps.select("prev_close", "reference").row(0) == (Decimal("19.8"), Decimal("16.36"))
    day = adjusted(baostock, made.rows, "post").filter(session=date(2015, 4, 13))
    by_hand = 1.2 * float(baostock.filter(session=date(2015, 4, 13))["close"][0]) + 0.174
    assert day["close"][0] == pytest.approx(by_hand, rel=0.0005)


@pytest.fixture(scope="module")
def history(shared: Callable[[str], Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Seven stocks from 1991 to 2011: daily bars, and bonus, conversion, rights and cash by ex-date."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    frames = []
    for market in ("sh", "sz"):
        packed = shared(f"data/ashare_13*/hikyuu/{market}_day.h5.gz")
        with h5py.File(io.BytesIO(gzip.decompress(packed.read_bytes()))) as file:
            for name, data in file["data"].items():
                if name != "SH000001":
                    frames.append(_bars(name, data[:]))
    weights = shared("data/ashare_14*/stkWeight.csv.gz")
    paid = c("countAsGift", "countForSell", "bonus", "countOfIncreasement")
    raw = _table(weights).with_columns(paid.cast(pl.Int64), c("priceForSell").cast(pl.Int64))
    bars = pl.concat(frames)
    events = raw.filter(pl.any_horizontal(paid > 0)).select(
        c("code").cast(pl.Int64).alias("instrument_id"),
        c("market"),
        c("date").str.to_date("%Y%m%d").alias("ex_session"),
        _over("bonus", 10_000, CASH).alias("cash_per_share"),
        (_over("countAsGift", 100_000, RATIO) + _over("countOfIncreasement", 100_000, RATIO))
        .cast(RATIO)
        .alias("bonus_ratio"),
        _over("countForSell", 100_000, RATIO).alias("rights_ratio"),
        _over("priceForSell", 1000, CASH).alias("rights_price"),
    )
    listed = bars.select("instrument_id", "market").unique()
    return bars, events.join(listed, on=["instrument_id", "market"]).drop("market")


def _over(name: str, divisor: int, dtype: pl.Decimal) -> pl.Expr:
    return (c(name).cast(pl.Decimal(38, 8)) / pl.lit(divisor, pl.Decimal(38, 8))).cast(dtype)


def _bars(name: str, data: object) -> pl.DataFrame:
    prices = {n: data[f"{n}Price"].astype("i8") for n in ("open", "high", "low", "close")}  # type: ignore[index]
    day = (data["datetime"] // 10_000).astype("i8")  # type: ignore[index]
    volume = data["transCount"].astype("i8")  # type: ignore[index]
    frame = pl.DataFrame({**prices, "volume": volume, "day": day})
    return frame.select(
        pl.lit(int(name[2:]), pl.Int64).alias("instrument_id"),
        pl.lit(name[:2]).alias("market"),
        c("day").cast(pl.String).str.to_date("%Y%m%d").alias("session"),
        *(_over(n, 1000, PRICE).alias(n) for n in prices),
        c("volume"),
    )


REFORMS = {
    (600000, date(2006, 5, 12)),
    (600004, date(2005, 12, 20)),
    (600005, date(2005, 11, 21)),
    (1, date(2007, 6, 20)),
    (4, date(2006, 8, 18)),
    (4, date(2007, 5, 28)),
    (5, date(2006, 7, 31)),
}
"""Shares that compensated holders in the share reform, which this list does not tell from bonus shares."""


def test_prices_of_an_ex_date_lie_within_the_limits_of_the_computed_reference(
    history: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    """Of 82 ex-dates, 63 since prices are limited and no share reform. One breaks its limits: 000002's rights
    issue of 2000-01-10, of which fewer shares were subscribed than offered.
    """
    bars, events = history
    made = factors_from_events(bars, events)
    assert made.unapplied.height == 0
    seen = made.steps.join(
        bars, left_on=["instrument_id", "ex_session"], right_on=["instrument_id", "session"]
    )
    assert seen.height == made.steps.height == 82
    judged, broken = 0, []
    for row in seen.filter(c("ex_session") >= LIMITS_SINCE).iter_rows(named=True):
        key = (row["instrument_id"], row["ex_session"])
        if key in REFORMS:
            continue
        board = Board.SSE_MAIN if row["market"] == "SH" else Board.SZSE_MAIN
        up, down = rulebook().price_limit(board, Status.NORMAL, row["ex_session"], row["reference"])
        judged += 1
        if not down <= row["low"] <= row["high"] <= up:
            broken.append(key)
    assert (judged, broken) == (63, [(2, date(2000, 1, 10))])


def test_each_kind_of_real_event_returns_what_the_holder_has(
    history: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    """Wealth over each ex-date by hand: shares held, shares bought for their rights, cash spent at the
    reference price; equal to the adjusted closes' growth within the rounding of the reference.
    """
    bars, events = history
    made = factors_from_events(bars, events)
    closes = adjusted(bars, made.rows, "post").sort("instrument_id", "session")
    closes = closes.with_columns(growth=c("close") / c("close").shift(1).over("instrument_id"))
    rows = made.steps.join(events, on=["instrument_id", "ex_session"])
    rows = rows.join(
        bars.select("instrument_id", "session", "close"),
        left_on=["instrument_id", "ex_session"],
        right_on=["instrument_id", "session"],
    ).join(
        closes.select("instrument_id", "session", "growth"),
        left_on=["instrument_id", "ex_session"],
        right_on=["instrument_id", "session"],
    )
    kinds = {"cash": 0, "bonus": 0, "rights": 0, "mixed": 0}
    for row in rows.iter_rows(named=True):
        cash, bonus, rights = (float(row[n]) for n in ("cash_per_share", "bonus_ratio", "rights_ratio"))
        spent = cash - rights * float(row["rights_price"])
        before, after, reference = (float(row[n]) for n in ("prev_close", "close", "reference"))
        by_hand = (1 + bonus + rights + spent / reference) * after / before
        slack = (1 + bonus + rights) * 0.005 / before * after / reference + 1e-12
        assert row["growth"] == pytest.approx(by_hand, abs=slack)
        given = [n for n, v in (("cash", cash), ("bonus", bonus), ("rights", rights)) if v]
        kinds[given[0] if len(given) == 1 else "mixed"] += 1
    assert kinds == {"cash": 37, "bonus": 13, "rights": 5, "mixed": 27}


def test_the_shares_of_the_share_reform_are_told_from_bonus_shares_by_a_vendor_that_does_not_adjust(
    history: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    bars, events = history
    reform = pl.DataFrame(
        sorted(REFORMS), schema={"instrument_id": pl.Int64, "ex_session": pl.Date}, orient="row"
    )
    theirs = factors_from_events(bars, events.join(reform, on=["instrument_id", "ex_session"], how="anti"))
    found = compare_factors(bars, events, theirs.rows.select("instrument_id", "session", "factor"))
    assert set(found.select("instrument_id", "session").iter_rows()) == REFORMS
    assert set(found["cause"]) == {"share_reform"}


def test_tushares_factors_are_those_of_its_reference_prices(shared: Callable[[str], Path]) -> None:
    """500 names of 2024: the falls of the reference price explain all steps of the factor but for rounding,
    and the steps of two June days on which the vendor printed other decimals than before.
    """
    folder = shared("data/ashare_01*/by_stock")
    frames = []
    for file in sorted(folder.glob("*.csv.gz")):
        raw = _table(file)
        frames.append(
            raw.select(
                pl.lit(int(file.name[:6]), pl.Int64).alias("instrument_id"),
                c("交易日期").str.to_date().alias("session"),
                c("收盘价").cast(PRICE).alias("close"),
                c("昨收价").cast(PRICE).alias("pre_close"),
                c("复权因子").cast(pl.Float64).alias("factor"),
            )
        )
    bars = pl.concat(frames).sort("instrument_id", "session")
    before = c("close").shift(1).over("instrument_id")
    events = bars.with_columns(before=before).filter(c("pre_close") < c("before")).select(
        "instrument_id", c("session").alias("ex_session"),
        (c("before") - c("pre_close")).cast(CASH).alias("cash_per_share"),
        pl.lit(0).cast(RATIO).alias("bonus_ratio"),
    )  # fmt: skip
    found = compare_factors(bars, events, bars.select("instrument_id", "session", "factor"))
    counts = dict(found.group_by("cause").len().iter_rows())
    assert (events.height, set(counts)) == (393, {"rounding"})
