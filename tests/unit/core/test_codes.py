"""Code spellings, bare symbols and opaque ids."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import UsageError
from quant.core.ids import Code, CodeStyle, mint_instrument_id, parse_code

CODES = st.builds(
    Code, st.text("0123456789", min_size=6, max_size=6), st.sampled_from(["XSHG", "XSHE", "BJSE"])
)


@given(CODES, st.sampled_from(get_args(CodeStyle)), st.sampled_from([str, str.upper, str.lower]))
def test_every_style_reads_back_in_any_case(code, style, case):
    assert parse_code(case(code.show(style))) == code


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ("tushare", "600519.SH"),
        ("joinquant", "600519.XSHG"),
        ("qlib", "SH600519"),
        ("baostock", "sh.600519"),
        ("vnpy", "600519.SSE"),
    ],
)
def test_a_code_is_shown_as_each_vendor_writes_it(style, shown):
    assert Code("600519", "XSHG").show(style) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("600519", "600519.SH"),
        ("688981", "688981.SH"),
        ("000001", "000001.SZ"),
        ("300750", "300750.SZ"),
        ("920002", "920002.BJ"),
        ("833819", "833819.BJ"),
        ("430489", "430489.BJ"),
        ("900901", "900901.SH"),
        ("200012", "200012.SZ"),
        ("510300", "510300.SH"),
        ("159915", "159915.SZ"),
        (" 600519.SH ", "600519.SH"),
        ("430489.BSE", "430489.BJ"),
    ],
)
def test_a_bare_symbol_finds_its_exchange_by_prefix(text, shown):
    assert str(parse_code(text)) == shown


def test_a_bare_symbol_is_looked_up_among_the_known_codes_first():
    index, stock = Code("000001", "XSHG"), Code("000001", "XSHE")
    assert parse_code("000001", [index]) == index
    with pytest.raises(UsageError) as ambiguous:
        parse_code("000001", [index, stock])
    assert ambiguous.value.fault.code == "code.ambiguous"
    assert ambiguous.value.fault.expected == "000001.SZ or 000001.SH"
    with pytest.raises(UsageError) as unknown:
        parse_code("600519", [index, stock])
    assert unknown.value.fault.code == "code.unknown"


def test_an_explicit_exchange_is_never_overruled_by_the_known_codes():
    assert parse_code("000001.SH", [Code("000001", "XSHE")]) == Code("000001", "XSHG")


@pytest.mark.parametrize(
    "text",
    ["", ".", "60051", "6005190", "600519.", ".SH", "600519.XX", "XX600519", "sh.sz", "SH600519.SZ",
     "６００５１９.SH", "600519.SH.SH", "SH 600519", 600519, None],
)  # fmt: skip
def test_anything_else_is_refused_with_the_accepted_forms(text):
    with pytest.raises(UsageError) as refused:
        parse_code(text)
    assert refused.value.fault.code == "code.invalid"
    assert "600519.SH" in str(refused.value.fault.expected)


@given(st.text(max_size=12))
def test_no_text_crashes_the_parser(text):
    try:
        assert parse_code(parse_code(text).show()) == parse_code(text)
    except UsageError as refused:
        assert refused.fault.code.startswith("code.")


def test_an_unknown_style_is_refused():
    with pytest.raises(UsageError):
        Code("600519", "XSHG").show("bloomberg")


def test_codes_sort_by_symbol_then_exchange():
    codes = [parse_code(text) for text in ("600519.SH", "000001.SH", "000001.SZ")]
    assert [str(code) for code in sorted(codes)] == ["000001.SZ", "000001.SH", "600519.SH"]


@given(CODES, st.dates(date(1990, 12, 19), date(2100, 1, 1)))
def test_ids_are_positive_63_bit_and_depend_on_code_and_first_session(code, session):
    minted = mint_instrument_id(code, session)
    assert 0 < minted < 2**63
    assert minted == mint_instrument_id(Code(code.symbol, code.mic), session)
    assert minted != mint_instrument_id(code, date(1990, 12, 18))


def test_minted_ids_never_change_between_versions():
    assert mint_instrument_id(Code("600519", "XSHG"), date(2001, 8, 27)) == 4286370814250091464
