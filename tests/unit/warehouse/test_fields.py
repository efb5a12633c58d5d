from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import SpecError
from quant.warehouse.contracts.tables import AMOUNT, PRICE
from quant.warehouse.normalize.fields import Reading, convert, from_units, to_codes, to_dates, to_flags
from quant.warehouse.normalize.texts import plain_headers
from quant.warehouse.sources.settings import FieldSettings

PRICE_FIELD = FieldSettings("收盘价", "close")


def texts(series: pl.Series) -> list[str | None]:
    return [None if value is None else str(value) for value in series]


def test_decimals_are_read_digit_by_digit_and_rounded_half_up() -> None:
    given_ = pl.Series(["1.23455", "2.00005", "0.00005", "116.713", " 9.2 ", "1e2"])
    values = convert(given_, PRICE_FIELD, PRICE).values
    assert texts(values) == ["1.2346", "2.0001", "0.0001", "116.7130", "9.2000", "100.0000"]


@given(st.decimals(min_value=0, max_value=10**9, places=7))
def test_text_is_rounded_as_exact_decimals_are(number: Decimal) -> None:
    value = convert(pl.Series([str(number)]), PRICE_FIELD, PRICE).values[0]
    assert value == number.quantize(Decimal("0.0001"), ROUND_HALF_UP)


@given(st.integers(min_value=0, max_value=10**12))
def test_floats_mean_their_shortest_text(units: int) -> None:
    exact = Decimal(units) / 10_000
    assert convert(pl.Series([float(exact)]), PRICE_FIELD, PRICE).values[0] == exact


@pytest.mark.parametrize(
    ("unit", "text", "dtype", "expected"),
    [
        ("lot100", "1158366.45", pl.Int64(), "115836645"),
        ("kCNY", "1075742.25", AMOUNT, "1075742250.0000"),
        ("wan", "12.5", AMOUNT, "125000.0000"),
        ("percent", "12.345678", PRICE, "0.1235"),
        ("per_10_shares", "3", PRICE, "0.3000"),
    ],
)
def test_units_become_shares_and_yuan(unit: str, text: str, dtype: pl.DataType, expected: str) -> None:
    for given_ in (pl.Series([text]), pl.Series([float(text)])):
        assert texts(convert(given_, FieldSettings("v", "v", unit=unit), dtype).values) == [expected]


def test_an_unknown_unit_is_a_fault_of_the_spec() -> None:
    with pytest.raises(SpecError, match="unknown unit"):
        convert(pl.Series(["1"]), FieldSettings("v", "v", unit="furlong"), PRICE)


def test_what_cannot_be_read_is_told_from_what_is_not_given() -> None:
    field = FieldSettings("close", "close", sentinels=("停牌",))
    converted = convert(pl.Series(["1.5", "", "停牌", None, "NaN", "abc", "12a"]), field, PRICE)
    assert texts(converted.values) == ["1.5000", None, None, None, None, None, None]
    assert converted.unreadable.to_list() == [False] * 5 + [True] * 2


def test_dates_in_the_forms_of_vendors() -> None:
    day = date(2024, 1, 2)
    for text in ("2024-01-02", "20240102", "2024/01/02", "2024-01-02 00:00:00"):
        assert to_dates(pl.Series([text, None]), None).to_list() == [day, None]
    assert to_dates(pl.Series(["02.01.2024"]), "%d.%m.%Y").to_list() == [day]
    assert to_dates(pl.Series(["2024-01-02 15:00:00"]), "%Y-%m-%d %H:%M:%S").to_list() == [day]
    assert to_dates(pl.Series([20240102]), None).to_list() == [day]
    assert to_dates(pl.Series([datetime(2024, 1, 2, 15)]), None).to_list() == [day]
    assert to_dates(pl.Series(["2024-02-30", "n/a"]), None).to_list() == [None, None]


def test_flags_and_codes_in_the_words_of_vendors() -> None:
    assert to_flags(pl.Series(["1", "0", "是", "否", "maybe"])).to_list() == [True, False, True, False, None]
    assert to_flags(pl.Series([1, 0])).to_list() == [True, False]
    spelled = pl.Series(["600519.SH", "600519.XSHG", "sh.600519", "SH600519", "600519", "920819", "x", None])
    assert to_codes(spelled).to_list() == ["600519.SH"] * 5 + ["920819.BJ", None, None]
    assert to_codes(pl.Series(["1"])).to_list() == ["000001.SZ"]


def test_declared_words_become_ours() -> None:
    field = FieldSettings("状态", "suspended", values={"停牌": "true", "交易": "false"})
    assert convert(pl.Series(["停牌", "交易"]), field, pl.Boolean()).values.to_list() == [True, False]


def test_units_of_a_price_are_exact() -> None:
    assert texts(pl.select(from_units(pl.Series([123456, 5]), 10_000)).to_series()) == ["12.3456", "0.0005"]
    assert texts(pl.select(from_units(pl.Series([941]), 100)).to_series()) == ["9.4100"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,234.50", "1234.5000"), ("１２．５", "12.5000"), ("12.5%", "0.1250"), ("5‰", "0.0050"),
     ("1.2万", "12000.0000"), ("3.45亿", "345000000.0000"), ("(1,234.5)", "-1234.5000"), ("+7.5", "7.5000"),
     ("-0.5", "-0.5000"), ("1,23.5", None), ("12%5", None), ("1.2.3", None), ("0x1F", None), ("inf", None),
     ("1e40", None), ("五", None), ("12 万", "120000.0000"), ("１，２３４", "1234.0000")],
)  # fmt: skip
def test_numbers_in_the_habits_of_people_are_exact_or_unreadable(text: str, number: str | None) -> None:
    found = convert(pl.Series([text, "1.5"]), FieldSettings("v", "v"), AMOUNT)
    assert texts(found.values) == [number, "1.5000"]
    assert found.unreadable.to_list() == [number is None, False]


def test_a_percent_sign_in_a_column_of_percents_is_not_counted_twice() -> None:
    found = convert(pl.Series(["12.5%", "12.5"]), FieldSettings("v", "v", unit="percent"), PRICE)
    assert texts(found.values) == ["0.1250", "0.1250"]


@pytest.mark.parametrize(
    "noisy", [10.299999999999999, 10.300000000000001, float(pl.Series([10.3], dtype=pl.Float32)[0])]
)
def test_float_noise_does_not_reach_the_price(noisy: float) -> None:
    assert texts(convert(pl.Series([noisy]), PRICE_FIELD, PRICE).values) == ["10.3000"]


def test_numbers_that_are_none_are_unreadable_not_stored() -> None:
    found = convert(pl.Series([float("inf"), float("-inf"), float("nan"), 1.0]), FieldSettings("f", "factor"),
                    pl.Float64())  # fmt: skip
    assert found.values.to_list() == [None, None, None, 1.0]
    assert found.unreadable.to_list() == [True, True, False, False]


@pytest.mark.parametrize(
    "text",
    ["2024.01.02", "2024年01月02日", "2024-01-02T15:00:00", "2024-01-02 15:00:00.000000", "20240102.0",
     "２０２４-０１-０２", "2024-01-02T00:00:00+08:00", "2024-01-01T16:00:00Z", "1704124800",
     "1704124800000"],
)  # fmt: skip
def test_dates_in_the_habits_of_vendors_need_no_format(text: str) -> None:
    assert to_dates(pl.Series([text]), None).to_list() == [date(2024, 1, 2)]


def test_the_zone_of_a_source_decides_the_exchanges_date() -> None:
    utc = Reading(zone="UTC")
    given_ = pl.Series(["2024-01-01 16:00:00", "2024-01-02 00:00:00", "2024-01-02 07:00:00", "2024-01-02"])
    assert to_dates(given_, None, utc).to_list() == [date(2024, 1, 2)] * 4
    york = Reading(zone="America/New_York", exchange_zone="America/New_York")
    assert to_dates(pl.Series(["2024-01-01 20:00:00"]), None, york).to_list() == [date(2024, 1, 1)]


def test_codes_that_a_spreadsheet_or_a_float_has_damaged_are_read() -> None:
    assert to_codes(pl.Series(['="000001"', "'600519", "600519.0", "６００５１９"])).to_list() == [
        "000001.SZ", "600519.SH", "600519.SH", "600519.SH"]  # fmt: skip
    assert to_codes(pl.Series([1.0, 600519.0])).to_list() == ["000001.SZ", "600519.SH"]


def test_the_declared_style_and_exchange_say_what_a_code_means() -> None:
    assert to_codes(pl.Series(["BRK.A", "AAPL.O"]), "wind").to_list() == ["BRK.XASE", "AAPL.XNAS"]
    assert to_codes(pl.Series(["BTC/USDT", "BTC/USDT:USDT"]), "ccxt", "binance").to_list() == [
        "BTCUSDT.BINANCE", "BTCUSDT-PERP.BINANCE"]  # fmt: skip
    found = convert(pl.Series(["1#000001"]), FieldSettings("code", "code", style="tdx"), pl.String())
    assert found.values.to_list() == ["000001.SH"]


def test_headers_lose_marks_and_blanks_and_nothing_else() -> None:
    frame = pl.DataFrame({"\ufeffts_code": [1], " 成交量（手） ": [2]})
    assert plain_headers(frame).columns == ["ts_code", "成交量（手）"]
