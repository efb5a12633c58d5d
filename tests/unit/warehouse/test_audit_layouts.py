"""Files without a word of explanation: no header, tickers for columns, brackets, bars of another length."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quant.core.errors import CheckFailed
from quant.pipelines.flows.audit import AuditOutcome, audit_files
from quant.warehouse.audit.vendor_files import from_path

DAYS = 300
OHLC = ("open", "high", "low", "close")


def bars(seed: int = 1, start: float = 90.0) -> pl.DataFrame:
    """A series of one instrument on week-days."""
    draw = np.random.default_rng(seed)
    days: list[date] = []
    day = date(2013, 1, 2)
    while len(days) < DAYS:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    close = start * np.exp(np.cumsum(draw.normal(0, 0.015, DAYS)))
    opened = close * np.exp(draw.normal(0, 0.005, DAYS))
    high = np.maximum(opened, close) * (1 + draw.uniform(0, 0.01, DAYS))
    low = np.minimum(opened, close) * (1 - draw.uniform(0, 0.01, DAYS))
    prices = {name: np.round(x, 2) for name, x in zip(OHLC, (opened, high, low, close), strict=True)}
    volume = draw.integers(10_000, 900_000, DAYS)
    return pl.DataFrame({"date": days, **prices, "volume": volume})


def outcome(a: Path, b: Path) -> AuditOutcome:
    return audit_files(str(a), str(b))


def causes(found: AuditOutcome, *kinds: str) -> set[tuple[str, str]]:
    rows = found.tables[0].report.findings.filter(pl.col("kind").is_in(kinds))
    return set(rows.select("field", "cause").rows())


def plain(folder: Path, frame: pl.DataFrame, name: str = "SPY.csv") -> Path:
    frame.write_csv(folder / name)
    return folder / name


def lean(folder: Path, frame: pl.DataFrame) -> Path:
    """Ten-thousandths of a dollar, a time behind the date, no header."""
    shown = frame.select(
        pl.col("date").dt.strftime("%Y%m%d 00:00"),
        *((pl.col(n) * 10_000).round(0).cast(pl.Int64) for n in OHLC), "volume",
    )  # fmt: skip
    path = folder / "other" / "SPY.csv"
    path.parent.mkdir()
    shown.write_csv(path, include_header=False)
    return path


def test_a_file_without_a_header(tmp_path: Path) -> None:
    found = outcome(plain(tmp_path, bars()), lean(tmp_path, bars()))
    assert causes(found, "convention") == {("prices", "price_scale")}
    assert causes(found, "defect", "unknown") == set()
    assert found.tables[0].report.rows[0]["matched"] == DAYS


def test_the_order_of_prices_is_read_from_them(tmp_path: Path) -> None:
    """Some vendors print open, close, high, low."""
    path = tmp_path / "eastmoney.csv"
    bars().select("date", "open", "close", "high", "low", "volume").write_csv(path, include_header=False)
    frame = from_path(path, "x").relation.frame
    assert frame["high"].to_list() == bars()["high"].to_list()
    assert frame["close"].to_list() == bars()["close"].to_list()


def test_numbers_that_are_no_prices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    bars().select("date", low="high", open="low", high="close", close="open").write_csv(
        path, include_header=False
    )
    with pytest.raises(CheckFailed, match="neither date nor price"):
        from_path(path, "x")


def test_a_clock_behind_the_date(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    timed = bars().with_columns(time=pl.lit("15:00")).select("date", "time", *OHLC, "volume")
    timed.write_csv(path, include_header=False, separator=";")
    frame = from_path(path, "x").relation.frame
    assert frame["open"].to_list() == bars()["open"].to_list()
    assert frame["volume"].to_list() == bars()["volume"].to_list()


def test_headers_in_angle_brackets_and_american_dates(tmp_path: Path) -> None:
    path = tmp_path / "SPY.txt"
    american = bars().with_columns(pl.col("date").dt.strftime("%m/%d/%Y 12:00:00 AM"))
    american.rename({n: f"<{n.upper()}>" for n in american.columns}).write_csv(path)
    other = plain(tmp_path, bars())
    found = outcome(path, other)
    assert causes(found, "convention", "defect", "unknown") == set()
    assert found.tables[0].report.rows[0]["matched"] == DAYS


def test_a_matrix_of_closes_by_ticker(tmp_path: Path) -> None:
    """C is an instrument there, not a close."""
    series = {"AAPL": bars(1), "MSFT": bars(2), "C": bars(3)}
    wide = pl.DataFrame({"Date": bars()["date"], **{name: b["close"] for name, b in series.items()}})
    long = pl.concat(b.with_columns(ticker=pl.lit(name)) for name, b in series.items())
    found = outcome(plain(tmp_path, wide, "wide.csv"), plain(tmp_path, long, "long.csv"))
    assert found.tables[0].report.rows[0]["matched"] == 3 * DAYS
    assert causes(found, "convention", "defect", "unknown") == set()


@pytest.mark.parametrize("every", [5, 21])
def test_bars_of_another_length_are_not_compared(tmp_path: Path, every: int) -> None:
    few = bars().gather_every(every)
    with pytest.raises(CheckFailed, match="daily") as caught:
        outcome(plain(tmp_path, few, "a.csv"), plain(tmp_path, bars(), "b.csv"))
    assert caught.value.fault.code == "audit.pace"


def test_minutes_are_not_duplicates_of_a_day(tmp_path: Path) -> None:
    minutes = pl.concat(
        [bars().with_columns(pl.col("date").cast(pl.String) + f" 10:{n:02}:00") for n in range(6)]
    )
    with pytest.raises(CheckFailed, match="intraday"):
        outcome(plain(tmp_path, minutes.sort("date"), "a.csv"), plain(tmp_path, bars(), "b.csv"))


def noisy(frame: pl.DataFrame) -> pl.DataFrame:
    """The same instrument from another exchange's tape: a third of the prices off by a cent or two."""
    draw = np.random.default_rng(7)
    off = {n: np.where(draw.random(DAYS) < 0.35, draw.integers(1, 3, DAYS) / 100, 0.0) for n in OHLC}
    return frame.with_columns((pl.col(n) + pl.Series(off[n])).round(2) for n in OHLC)


def test_vendors_who_disagree_on_many_prices_have_the_same_instrument(tmp_path: Path) -> None:
    """Neither another instrument, nor a rounding: each price that differs is told."""
    found = outcome(plain(tmp_path, bars()), lean(tmp_path, noisy(bars())))
    assert causes(found, "convention") == {("prices", "price_scale")}
    assert causes(found, "defect", "unknown") == {(n, f"wrong_{n}") for n in OHLC}
    report = found.tables[0].report
    wrong = report.findings.filter(pl.col("cause") == "wrong_close")["cells"].sum()
    assert wrong == (noisy(bars())["close"] != bars()["close"]).sum()


def test_a_split_between_vendors_who_disagree_on_many_prices(tmp_path: Path) -> None:
    before = pl.int_range(pl.len()) < 200
    split = bars(start=600.0).with_columns(
        *(pl.when(before).then(pl.col(n)).otherwise(pl.col(n) / 7).round(2).alias(n) for n in OHLC),
        volume=pl.when(before).then("volume").otherwise(pl.col("volume") * 7),
    )
    undone = noisy(split).with_columns(
        *(pl.when(before).then(pl.col(n) / 7).otherwise(n).round(4).alias(n) for n in OHLC),
        volume=pl.when(before).then(pl.col("volume") * 7).otherwise("volume"),
    )
    found = outcome(plain(tmp_path, split), lean(tmp_path, undone))
    assert ("prices", "unmarked_adjustment") in causes(found, "defect")
    assert causes(found, "convention") == {("prices", "price_scale"), ("volume", "adjusted_volume")}
    assert "bar" not in {field for field, _ in causes(found, "defect", "unknown")}


def test_volumes_in_shares_of_today_beside_prices_as_traded(tmp_path: Path) -> None:
    """One vendor counts shares after the split, both print prices as traded; some volumes differ as well."""
    draw = np.random.default_rng(3)
    off = np.where(draw.random(DAYS) < 0.06, 1.1, 1.0)
    times = pl.when(pl.int_range(pl.len()) < 120).then(7).otherwise(1)
    b = bars().with_columns((pl.col("volume") * times * pl.Series(off)).cast(pl.Int64))
    found = outcome(plain(tmp_path, bars(), "a.csv"), plain(tmp_path, b, "b.csv"))
    assert causes(found, "convention") == {("volume", "adjusted_volume")}
    report = found.tables[0].report.findings
    told = report.filter(pl.col("cause") == "adjusted_volume")["cells"].sum()
    assert told == int((off[:120] == 1).sum())
    assert report.filter(pl.col("cause") == "wrong_volume")["cells"].sum() == int((off != 1).sum())
