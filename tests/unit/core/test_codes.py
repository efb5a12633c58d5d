"""Code spellings, bare symbols and opaque ids."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import UsageError
from quant.core.ids import Code, mint_instrument_id, parse_code
from quant.core.venues import PRODUCTS

CODES = st.builds(
    Code, st.text("0123456789", min_size=6, max_size=6), st.sampled_from(["XSHG", "XSHE", "BJSE"])
)


NAMING = ("tushare", "joinquant", "qlib", "baostock", "vnpy", "akshare", "tdx", "yahoo", "wind", "rqalpha",
          "ricequant")  # fmt: skip
"""Styles that name the exchange of a six-digit symbol."""


@given(CODES, st.sampled_from(NAMING), st.sampled_from([str, str.upper, str.lower]))
def test_every_style_reads_back_in_any_case(code, style, case):
    assert parse_code(case(code.show(style))) == code
    assert parse_code(case(code.show(style)), style=style) == code


LISTED = st.builds(
    lambda home, tail: Code(home[0] + tail[: 6 - len(home[0])], home[1]),
    st.sampled_from([("600", "XSHG"), ("688", "XSHG"), ("510", "XSHG"), ("113", "XSHG"), ("000", "XSHE"),
                     ("300", "XSHE"), ("159", "XSHE"), ("123", "XSHE"), ("920", "BJSE"), ("83", "BJSE"),
                     ("43", "BJSE")]),
    st.text("0123456789", min_size=4, max_size=4),
)  # fmt: skip


@given(LISTED, st.sampled_from(["bare", "eastmoney", *NAMING]))
def test_styles_without_an_exchange_read_back_by_the_boards_prefix(code, style):
    assert parse_code(code.show(style)) == code


MONTHS = st.builds("{:02d}{:02d}".format, st.integers(10, 35), st.integers(1, 12))
FUTURES = st.builds(
    lambda product, month: parse_code(f"{product[0]}{month}", venue=product[1]),
    st.sampled_from(sorted(PRODUCTS.items())),
    MONTHS,
)
FUTURE_STYLES = ("tushare", "joinquant", "vnpy", "wind", "rqalpha", "ricequant", "akshare", "wondertrader")


@given(FUTURES, st.sampled_from((None, *FUTURE_STYLES)), st.sampled_from([str, str.upper, str.lower]))
def test_futures_read_back_in_every_style_and_case(code, style, case):
    delivers = date(2000 + int(code.symbol[-4:-2]), int(code.symbol[-2:]), 1)
    assert parse_code(case(code.show(style)), on=delivers) == code


US = st.builds(
    Code,
    st.from_regex(r"[A-Z]{1,5}(\.[A-D])?", fullmatch=True),
    st.sampled_from(["XNAS", "XNYS", "XASE", "ARCX", "BATS", "US"]),
)


@given(US, st.sampled_from([str, str.lower]))
def test_us_shares_read_back_with_their_exchange_and_share_class(code, case):
    assert parse_code(case(code.show())) == code
    assert parse_code(case(code.show("vnpy"))) == code
    if code.mic in ("XNAS", "XNYS", "XASE"):
        assert parse_code(case(code.show("wind")), style="wind") == code
    assert parse_code(case(code.show("yahoo")), style="yahoo").symbol == code.symbol


HONGKONG = st.builds(Code, st.integers(1, 99999).map("{:05d}".format), st.just("XHKG"))


@given(
    HONGKONG, st.sampled_from(["tushare", "joinquant", "qlib", "vnpy", "yahoo", "akshare", "rqalpha", None])
)
def test_hong_kong_codes_read_back_with_and_without_zeros(code, style):
    assert parse_code(code.show(style)) == code


COINS = st.sampled_from(
    ["BTC", "ETH", "SOL", "1000PEPE", "DOGE", "USDT", "USDC", "T", "BNB", "1INCH", "FUSD"]
)
CRYPTO = st.builds(
    lambda base, quote, term, mic: parse_code(f"{base}/{quote}{term}", venue=mic),
    COINS,
    st.sampled_from(["USDT", "USDC", "USD", "BTC", "TUSD", "FDUSD"]),
    st.sampled_from(["", "-PERP", "-240927"]),
    st.sampled_from(["BINANCE", "OKX", "BYBIT"]),
)


@given(CRYPTO, st.sampled_from([str, str.lower]))
def test_crypto_pairs_read_back_and_never_lose_where_base_ends(code, case):
    assert parse_code(case(code.show())) == code
    assert parse_code(case(code.show("ccxt")), venue=code.mic) == code


@pytest.mark.parametrize(
    ("text", "style", "shown"),
    [
        ("IF2101.CFFEX", "tushare", "IF2101.CFX"),
        ("IF2101.CFFEX", "wind", "IF2101.CFE"),
        ("IF2101.CFFEX", "joinquant", "IF2101.CCFX"),
        ("cu2202.SHFE", "tushare", "CU2202.SHF"),
        ("cu2202.SHFE", "wondertrader", "SHFE.cu.2202"),
        ("CF2201.CZCE", "vnpy", "CF201.CZCE"),
        ("CF2201.CZCE", "rqalpha", "CF2201"),
        ("IF.HOT.CFFEX", "wondertrader", "CFFEX.IF.HOT"),
        ("600000.SH", "tdx", "1#600000"),
        ("600000.SH", "akshare", "sh600000"),
        ("600000.SH", "yahoo", "600000.SS"),
        ("920002.BJ", "eastmoney", "0.920002"),
        ("00700.HK", "yahoo", "0700.HK"),
        ("00700.HK", "vnpy", "700.SEHK"),
        ("BRK.B.XNYS", "wind", "BRK.B.N"),
        ("BRK.B.XNYS", "yahoo", "BRK-B"),
        ("BTCUSDT.BINANCE", "ccxt", "BTC/USDT"),
        ("BTCUSDT-PERP.BINANCE", "ccxt", "BTC/USDT:USDT"),
        ("BTCUSD-PERP.OKX", "ccxt", "BTC/USD:BTC"),
        ("BTCUSDT-240927.BINANCE", "ccxt", "BTC/USDT:USDT-240927"),
        ("000300.SH", "qlib", "SH000300"),
        ("930050.CSI", "tushare", "930050.CSI"),
        ("801010.SI", "wind", "801010.SI"),
    ],
)
def test_other_markets_are_shown_as_each_vendor_writes_them(text, style, shown):
    assert str(parse_code(text)) == text
    assert parse_code(text).show(style) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1#000001", "000001.SH"), ("0#000001", "000001.SZ"), ("sh000001", "000001.SH"),
        ("1.000001", "000001.SH"), ("0.000001", "000001.SZ"), ("sz399001", "399001.SZ"),
        ("IF2101", "IF2101.CFFEX"), ("CU2202", "cu2202.SHFE"), ("SH2405", "SH2405.CZCE"),
        ("SH405.CZC", "SH405.CZCE"), ("BTC-USDT-SWAP.OKX", "BTCUSDT-PERP.OKX"),
        ("BTCUSD_PERP.BINANCE", "BTCUSD-PERP.BINANCE"), ("hk00700", "00700.HK"), ("US.AAPL", "AAPL.US"),
        ("BRK-B.NYSE", "BRK.B.XNYS"), ("usdt/usd.okx", "USDT-USD.OKX"),
    ],
)  # fmt: skip
def test_what_vendors_print_elsewhere_is_read(text, shown):
    assert str(parse_code(text)) == shown


@pytest.mark.parametrize("text", ["AAPL", "BTCUSDT", "BTC/USDT", "BTCUSDT-PERP", "if"])
def test_a_bare_symbol_of_many_exchanges_is_refused(text):
    with pytest.raises(UsageError) as refused:
        parse_code(text)
    assert refused.value.fault.code == "code.ambiguous"
    assert refused.value.fault.hint == "name the exchange"


def test_zhengzhou_codes_get_their_decade_from_the_date_they_were_used():
    assert str(parse_code("CF201.CZCE")) == "CF201.CZCE"
    assert str(parse_code("CF201.CZCE", on=date(2021, 6, 1))) == "CF2201.CZCE"
    assert str(parse_code("CF201.CZCE", on=date(2011, 6, 1))) == "CF1201.CZCE"
    assert str(parse_code("CF912.CZCE", on=date(2019, 12, 2))) == "CF1912.CZCE"


def test_a_letter_that_names_an_exchange_for_one_vendor_is_a_share_class_for_the_others():
    assert str(parse_code("BRK.A", style="wind")) == "BRK.XASE"
    with pytest.raises(UsageError):
        parse_code("BRK.A")


def test_a_style_refuses_exchanges_it_has_no_codes_of():
    with pytest.raises(UsageError) as refused:
        parse_code("IF2101.CFFEX").show("baostock")
    assert refused.value.fault.code == "code.style"


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
