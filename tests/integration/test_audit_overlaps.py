"""Every overlap of the real files at hand, with the result that was examined by hand.

A line says what counts against the vendors (defects and unknowns by field and cause) and what they merely
write in another way. Differences that stay are the vendors': Tushare's factors blink on 2024-06-25, Baostock
kept seven digits for some years, JoinQuant's plain bars are adjusted forward without saying so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import CheckFailed
from quant.pipelines.flows.audit import TableAudit, audit_files

TEN = "data/ashare_10_tushare_multi_endpoint_2023_2025/stock/raw"
FILES = {
    "tushare 2024": "data/ashare_01_tushare_factorpro_2024/by_stock",
    "baostock 300": "data/ashare_02_baostock_raw_csi300_2020_2025",
    "baostock 000001": "data/ashare_03_baostock_raw_2010_2024/000001.csv.gz",
    "joinquant": "data/ashare_08_zvt_joinquant_eastmoney/stock_1d_kdata.csv.gz",
    "joinquant hfq": "data/ashare_08_zvt_joinquant_eastmoney/stock_1d_hfq_kdata.csv.gz",
    "tushare newest first": "data/ashare_09_tushare_daily_raw_small/jenny",
    "tushare dates first": "data/ashare_09_tushare_daily_raw_small/ccp",
    "tushare hfq": f"{TEN}/002594.SZ_indiv_d.csv.gz",
    "tushare factors": f"{TEN}/002594.SZ_indiv_techin.csv.gz",
    "tushare basics": f"{TEN}/002594.SZ_indiv_din.csv.gz",
    "tdx day": "data/ashare_13_tdx_binary_and_text/vipdoc/sh/lday/sh600000.day",
    "tdx hdf5": "data/ashare_13_tdx_binary_and_text/hikyuu/sh_day.h5.gz",
    "tdx hdf5 sz": "data/ashare_13_tdx_binary_and_text/hikyuu/sz_day.h5.gz",
    "baostock 600000": "data/ashare_18_reference_lists/baostock_600000_since_listing.csv.gz",
    "zipline adjusted": "data/us_31_zipline_resources/csvdir_samples/csvdir/daily",
    "zipline raw": "data/us_31_zipline_resources/pipeline_inputs",
    "chan ige": "data/golden_08_pyalgotrade_chan_sharpe/sharpe-ratio-test-ige.csv.gz",
    "pyalgotrade ige": "data/us_33_misc_daily_minute/pyalgotrade/sharpe-ratio-test-ige.csv.gz",
    "stoxx 2006": "data/us_33_misc_daily_minute/backtrader/2006-day-001.txt.gz",
    "stoxx 2005": "data/us_33_misc_daily_minute/backtrader/2005-2006-day-001.txt.gz",
    "stoxx golden": "data/golden_04_backtrader_indicator_checkpoints/2006-day-001.txt.gz",
    "oracle yahoo": "data/us_33_misc_daily_minute/backtrader/orcl-1995-2014.txt.gz",
    "lean goog": "data/us_30_lean_sample_data/equity/usa/daily/goog.zip",
    "lean aapl": "data/us_30_lean_sample_data/equity/usa/daily/aapl.zip",
    "lean spy": "data/us_30_lean_sample_data/equity/usa/daily/spy.zip",
    "lean ibm": "data/us_30_lean_sample_data/equity/usa/daily/ibm.zip",
    "goog": "data/us_33_misc_daily_minute/backtestingpy/GOOG.csv.gz",
    "spy": "data/golden_03_lean_talib_indicator_values/spy_ohlcv.txt.gz",
    "spy months": "data/golden_03_lean_talib_indicator_values/spy_with_macd.txt.gz",
    "zipline aapl": "data/us_31_zipline_resources/csvdir_samples/csvdir/daily/AAPL.csv.gz",
    "zipline ibm": "data/us_31_zipline_resources/csvdir_samples/csvdir/daily/IBM.csv.gz",
    "quandl archive": "data/us_31_zipline_resources/quandl_samples/QUANDL_ARCHIVE.zip",
    "ffn matrix": "data/us_33_misc_daily_minute/ffn_test_data.csv.gz",
    "sp500 arch": "data/us_33_misc_daily_minute/arch/sp500.csv.gz",
    "sp500 golden": "data/golden_09_index_year_metrics/SP500_daily.csv.gz",
    "joinquant minutes": "data/ashare_08_zvt_joinquant_eastmoney/stock_5m_kdata.csv.gz",
    "joinquant weeks": "data/ashare_08_zvt_joinquant_eastmoney/stock_1wk_kdata.csv.gz",
    "future minutes": "data/cnfut_20_wondertrader_bars_ticks/csv/CFFEX.IF.HOT_m5.csv.gz",
    "future": "data/cnfut_20_wondertrader_bars_ticks/csv/CFFEX.IF.HOT_d.csv.gz",
    "tdx index": "data/ashare_13_tdx_binary_and_text/vipdoc/sh/lday/sh000001.day",
    "oracle quandl": "data/us_33_misc_daily_minute/pyalgotrade/WIKI-ORCL-2000-quandl.csv.gz",
}


@pytest.fixture(scope="module")
def compared(shared: Callable[[str], Path]) -> Callable[[str, str], TableAudit]:
    def run(a: str, b: str) -> TableAudit:
        (table,) = audit_files(str(shared(FILES[a])), str(shared(FILES[b]))).tables
        return table

    return run


def told(table: TableAudit, *kinds: str) -> set[tuple[str, str]]:
    """Field and cause of the findings of some kinds."""
    found = table.report.findings.filter(pl.col("kind").is_in(kinds))
    return set(found.select("field", "cause").rows())


def wrong(table: TableAudit) -> set[tuple[str, str]]:
    return told(table, "defect", "unknown")


@pytest.mark.parametrize(
    ("a", "b", "rows", "names"),
    [
        ("tushare 2024", "baostock 300", 7495, 31),
        ("tushare 2024", "baostock 000001", 154, 1),
        ("tushare 2024", "tushare newest first", 726, 3),
        ("baostock 300", "tushare newest first", 7272, 6),
        ("baostock 300", "tushare factors", 367, 1),
        ("baostock 000001", "tushare newest first", 1124, 1),
        ("tushare newest first", "tushare dates first", 563, 1),
        ("tushare newest first", "tushare factors", 306, 1),
        ("tdx day", "tushare dates first", 2416, 1),
        ("tushare basics", "tushare factors", 500, 1),
        ("chan ige", "pyalgotrade ige", 1504, 1),
        ("stoxx 2006", "stoxx 2005", 255, 1),
        ("stoxx 2006", "stoxx golden", 255, 1),
    ],
)
def test_vendors_who_agree(
    compared: Callable[[str, str], TableAudit], a: str, b: str, rows: int, names: int
) -> None:
    """No difference but the last digits, whatever the units, spellings, orders and suspended sessions."""
    table = compared(a, b)
    assert (table.report.rows[0]["matched"], table.report.rows[0]["instruments"]) == (rows, names)
    assert wrong(table) == set()
    assert told(table, "convention") == set()
    assert table.verdict == "agrees"


def test_tushare_and_baostock_agree_to_six_yuan(compared: Callable[[str, str], TableAudit]) -> None:
    """Lots and thousand yuan against shares and yuan: amounts are rounded, and nothing else is reported."""
    report = compared("tushare 2024", "baostock 300").report
    sums = {
        row["field"]: row
        for row in report.summary.group_by("field")
        .agg(pl.col("cells", "equal", "tolerated").sum())
        .to_dicts()
    }
    for field in ("open", "high", "low", "close", "pre_close", "volume"):
        assert sums[field]["equal"] == sums[field]["cells"] == 7495
    assert sums["amount"]["equal"] + sums["amount"]["tolerated"] == 7495
    (finding,) = report.findings.to_dicts()
    assert (finding["field"], finding["cause"], finding["verdict"]) == ("amount", "rounding", "tolerated")
    assert finding["difference"] <= 6
    asleep = {row["cause"]: row["cells"] for row in report.coverage.to_dicts() if row["cause"] != "coverage"}
    assert asleep == {"suspended_rows": 7}


def test_the_same_through_the_library_sources(shared: Callable[[str], Path]) -> None:
    a, b = (
        shared("data/ashare_01_tushare_factorpro_2024"),
        shared("data/ashare_02_baostock_raw_csi300_2020_2025"),
    )
    bars = audit_files(str(a), str(b), spec_a="tushare_files", spec_b="baostock_files").tables[0]
    assert bars.verdict == "agrees"
    assert bars.report.findings.select("field", "cause").rows() == [("amount", "rounding")]
    assert bars.report.rows[0]["matched"] == 7495


@pytest.mark.parametrize(
    ("other", "rows", "share"),
    [("baostock 300", 218, 0.5), ("baostock 000001", 2470, 0.99), ("tushare newest first", 218, 0.5)],
)
def test_joinquant_bars_are_adjusted_without_saying_so(
    compared: Callable[[str, str], TableAudit], other: str, rows: int, share: float
) -> None:
    table = compared(other, "joinquant")
    assert table.report.rows[0]["matched"] == rows
    prices = table.report.findings.filter(pl.col("cause") == "unmarked_adjustment")
    assert prices["suspect"].unique().to_list() == [table.report.rows[0]["b"]]
    assert all("pre-adjusted" in detail and "steps on ex-dates" in detail for detail in prices["detail"])
    assert ("volume", "adjusted_volume") in told(table, "convention")
    rate = table.report.rates().filter(field="close")["rate"][0]
    assert 0.3 < rate <= 1.0
    assert not table.passed


def test_a_backward_adjusted_file_that_says_so(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("joinquant hfq", "joinquant")
    assert wrong(table) == set()
    assert told(table, "convention") == {("prices", "adjusted"), ("volume", "adjusted_volume")}


def test_tushare_bars_adjusted_backward_without_a_word(compared: Callable[[str, str], TableAudit]) -> None:
    """The split of 2025 and two dividends; on 2024-06-25 the vendor's factor was another one for a day."""
    table = compared("tushare hfq", "tushare factors")
    found = {
        r["cause"]: r
        for r in table.report.findings.filter(pl.col("kind").is_in(["defect", "unknown"])).to_dicts()
    }
    assert found["unmarked_adjustment"]["suspect"] == table.report.rows[0]["a"]
    assert "post-adjusted" in found["unmarked_adjustment"]["detail"]
    others = table.report.findings.filter(
        pl.col("kind").is_in(["defect", "unknown"]) & (pl.col("cause") != "unmarked_adjustment")
    )
    assert others["session"].cast(pl.String).unique().to_list() == ["2024-06-25"]


def test_a_binary_with_whole_lots_in_its_early_years(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("tdx day", "baostock 600000")
    assert table.report.rows[0]["matched"] == 5637
    assert ("volume", "rounded_volume") in wrong(table)
    assert ("bar", "restated_bar") in wrong(table), "2003-08-27 closed at 10.32 or at 10.33"
    prices = table.report.rates().filter(pl.col("field").is_in(["open", "high", "low"]))
    assert prices["rate"].max() == 0


@pytest.mark.parametrize(
    ("a", "b"), [("tdx hdf5", "tdx day"), ("tdx hdf5", "baostock 600000"), ("tdx hdf5 sz", "baostock 000001")]
)
def test_mills_thousand_yuan_and_lots(compared: Callable[[str, str], TableAudit], a: str, b: str) -> None:
    table = compared(a, b)
    assert told(table, "convention") >= {
        ("prices", "price_scale"),
        ("amount", "thousand_yuan"),
        ("volume", "lots"),
    }
    assert (
        table.report.rates().filter(pl.col("field").is_in(["open", "high", "low", "close"]))["rate"].max()
        < 0.001
    )


def test_a_split_that_one_side_has_taken_into_its_prices(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("zipline adjusted", "zipline raw")
    (prices,) = table.report.findings.filter(pl.col("field") == "prices").to_dicts()
    assert prices["cause"] == "unmarked_adjustment"
    assert prices["suspect"] == table.report.rows[0]["a"]
    assert "1 to 7" in prices["detail"]


def test_adjusted_closes_of_two_downloads(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("oracle yahoo", "oracle quandl")
    assert ("adj_close", "base") in told(table, "convention")
    assert ("prices", "unmarked_adjustment") in wrong(table)


def test_files_without_a_common_row_do_not_agree(shared: Callable[[str], Path]) -> None:
    with pytest.raises(CheckFailed, match="in common"):
        audit_files(str(shared(FILES["tushare 2024"])), str(shared(FILES["tdx day"])))


@pytest.mark.parametrize(
    ("a", "b", "rows"),
    [("lean goog", "goog", 2148), ("lean ibm", "zipline ibm", 754), ("lean spy", "spy", 500)],
)
def test_a_consolidated_tape_against_yahoo(
    compared: Callable[[str, str], TableAudit], a: str, b: str, rows: int
) -> None:
    """Without a header, in ten-thousandths of a dollar; opens and volumes are another tape's."""
    table = compared(a, b)
    assert table.report.rows[0]["matched"] == rows
    assert told(table, "convention") == {("prices", "price_scale")}
    assert {field for field, _ in wrong(table)} == {"open", "high", "low", "close", "volume"}
    assert {cause for _, cause in wrong(table)} <= {
        *(f"wrong_{n}" for n in ("open", "high", "low", "close", "volume")),
        "rounded_volume",
    }


def test_a_split_between_two_tapes(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("lean aapl", "zipline aapl")
    prices = table.report.findings.filter(pl.col("cause") == "unmarked_adjustment")
    assert prices["suspect"].to_list() == [table.report.rows[0]["b"]]
    assert "0.142857 to 1, in 2 pieces" in prices["detail"][0]


def test_volumes_of_today_beside_prices_as_traded(compared: Callable[[str, str], TableAudit]) -> None:
    """AAPL's split of 2014: one of two vendors with raw prices counts the shares of today."""
    table = compared("quandl archive", "zipline raw")
    (volumes,) = table.report.findings.filter(pl.col("cause") == "adjusted_volume").to_dicts()
    assert (str(volumes["to_session"]), volumes["code"]) == ("2014-06-06", "AAPL")


def test_a_matrix_of_tickers(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("ffn matrix", "quandl archive")
    assert (table.report.rows[0]["matched"], table.verdict) == (92, "agrees")


def test_two_downloads_of_an_index(compared: Callable[[str, str], TableAudit]) -> None:
    """Volumes were restated in single years, 21 closes differ by cents."""
    table = compared("sp500 arch", "sp500 golden")
    closes = table.report.findings.filter(pl.col("cause") == "wrong_close")
    assert closes["cells"].sum() == 21
    assert "bar" not in {field for field, cause in wrong(table) if cause == "identity"}


def test_an_index_in_mills(compared: Callable[[str, str], TableAudit]) -> None:
    table = compared("tdx index", "tdx hdf5")
    assert ("prices", "price_scale") in told(table, "convention")
    assert not {cause for _, cause in wrong(table)} & {"unmarked_adjustment", "identity"}


def test_mills_and_lots_under_an_adjustment(compared: Callable[[str, str], TableAudit]) -> None:
    """No ratio between the files is a power of ten: digits, amounts and prices show the units."""
    table = compared("joinquant", "tdx hdf5 sz")
    assert told(table, "convention") >= {
        ("prices", "price_scale"),
        ("volume", "lots"),
        ("volume", "adjusted_volume"),
        ("amount", "thousand_yuan"),
    }
    prices = table.report.findings.filter(pl.col("cause") == "unmarked_adjustment")
    assert prices["suspect"].unique().to_list() == [table.report.rows[0]["a"]]


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [
        ("joinquant minutes", "joinquant", "intraday"),
        ("joinquant weeks", "joinquant", "weekly"),
        ("future minutes", "future", "intraday"),
        ("spy months", "lean spy", "monthly"),
    ],
)
def test_bars_of_another_length(shared: Callable[[str], Path], a: str, b: str, length: str) -> None:
    with pytest.raises(CheckFailed, match=f"{length} bars, .* daily ones"):
        audit_files(str(shared(FILES[a])), str(shared(FILES[b])))
