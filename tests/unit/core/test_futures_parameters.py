"""Daily parameters of futures: the file, what it goes before, and what neither it nor a row says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import RuleMissing, SpecErrors
from quant.core.ids import parse_code
from quant.core.market.futures_parameters import DailyParameters, _limits, contract_terms
from quant.native.extension import native

RB = parse_code("rb2410.SHFE")
IF = parse_code("IF2406.CFFEX")
ON = date(2024, 6, 3)
FILE = (
    "date,contract,limit_up,limit_down,margin_long,margin_short,open_rate,close_rate,close_today_lot,"
    "last_trading_day\n"
    "2024-06-03,rb2410.SHFE,3950,3434,0.09,0.09,0.0001,0.0001,3.5,2024-10-15\n"
    "2024-06-03,IF2406.CFFEX,,,0.12,0.12,,,,\n"
)


def test_a_commodity_takes_the_file_and_the_dated_rows_of_its_product() -> None:
    terms = contract_terms(RB, ON, parameters=DailyParameters.read(FILE, "day.csv"))
    assert (terms.multiplier, terms.tick, terms.limit_up, terms.limit_down) == (
        10,
        10_000,
        39_500_000,
        34_340_000,
    )
    assert (terms.margin_long, terms.explicit_today) == (90_000_000, True)
    assert terms.fees == (100_000, 100_000, 0, 0, 0, 3_500_000)
    assert terms.last_trading_day == date(2024, 10, 15)
    assert [row.table for row in terms.rows] == ["futures_contracts", "futures_close_today"]


def test_an_index_future_takes_limits_fees_and_expiry_from_dated_rows() -> None:
    parameters = DailyParameters.read(FILE, "day.csv")
    terms = contract_terms(IF, ON, Decimal("3566.6"), parameters)
    assert (terms.limit_up, terms.limit_down) == (39_232_000, 32_100_000)
    assert terms.fees == (23_000, 23_000, 230_000, 0, 0, 0)
    assert terms.last_trading_day == date(2024, 6, 21)
    with pytest.raises(RuleMissing, match="previous settlement price"):
        contract_terms(IF, ON, None, parameters)


def test_what_nobody_says_is_missing_and_the_error_names_the_column() -> None:
    with pytest.raises(RuleMissing, match="margin_long of IF2406"):
        contract_terms(IF, ON, Decimal("3566.6"))
    header = "date,contract,limit_up,limit_down,margin_long,margin_short,last_trading_day\n"
    row = "2024-06-03,rb2410.SHFE,3950,3434,0.09,0.09,2024-10-15\n"
    with pytest.raises(RuleMissing, match="open_rate or open_lot of rb2410"):
        contract_terms(RB, ON, parameters=DailyParameters.read(header + row, "day.csv"))
    with pytest.raises(RuleMissing, match=r"no futures_contracts rule"):
        contract_terms(parse_code("si2409.GFEX"), ON)


def test_every_fault_of_a_file_is_told_with_its_line() -> None:
    bad = (
        "date,contract,tick\n"
        "2024-06-03,rb2410.SHFE,0\n"
        "2024-06-33,rb2410.SHFE,1\n"
        "2024-06-04,rb2410.SHFE,1\n"
        "2024-06-04,rb2410.SHFE,2\n"
        "2024-06-05,rb2410.SHFE,0.00001\n"
        "2024-06-06,rb2410.SHFE\n"
    )
    with pytest.raises(SpecErrors) as caught:
        DailyParameters.read(bad, "day.csv")
    assert [error.fault.where.line for error in caught.value.errors if error.fault.where] == [2, 3, 5, 6, 7]
    with pytest.raises(SpecErrors) as caught:
        DailyParameters.read("date,kontrakt\n", "day.csv")
    assert len(caught.value.errors) == 2


@given(st.integers(1, 10**9), st.integers(0, 500_000_000), st.sampled_from([1, 50, 2_000, 10_000, 50_000]))
def test_limits_are_those_of_the_compiled_core_and_never_beyond_the_rate(
    settle: int, rate: int, tick: int
) -> None:
    up, down = native.futures_price_limits(settle, rate, tick)
    assert (up, down) == _limits(settle, rate, tick)
    assert up * 10**9 <= settle * (10**9 + rate)
    assert down == tick or down * 10**9 >= settle * (10**9 - rate)
    assert up % tick == down % tick == 0
