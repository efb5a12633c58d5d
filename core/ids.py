"""Codes people type and vendors print, and the opaque ids that stay when codes change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, Literal, get_args

from quant.core.errors import QuantError, UsageError
from quant.core.venues import MIC_OF_NAME, PRODUCTS, VENUES, Venue, normal_symbol, split_pair

__all__ = ["Code", "CodeStyle", "currency_of", "mint_instrument_id", "parse_code"]

CodeStyle = Literal[
    "tushare",
    "joinquant",
    "qlib",
    "baostock",
    "vnpy",
    "akshare",
    "tdx",
    "eastmoney",
    "yahoo",
    "wind",
    "rqalpha",
    "ricequant",
    "wondertrader",
    "ccxt",
    "bare",
]

_STYLES: Final = ", ".join(get_args(CodeStyle))
_EXPECTED: Final = (
    "600519.SH, 600519.XSHG, SH600519, sh.600519, 600519.SSE or a bare 600519; IF2101.CFFEX, "
    "BTCUSDT.BINANCE, AAPL.XNAS, 00700.HK"
)
_UPPER_FUTURES: Final = ("tushare", "joinquant", "wind", "rqalpha", "ricequant", "akshare")
_TDX_MARKETS: Final = {"0": "XSHE", "1": "XSHG", "2": "BJSE"}


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A symbol on an exchange (``mic``), as it is written there. Codes are dated attributes, not identities.

    Stocks, funds, bonds and indices of China have six digits; futures the product in the exchange's own case
    and four digits of the month (Zhengzhou's three are kept where the decade is not known); US shares letters
    (BRK.B); Hong Kong five digits; crypto pairs BTCUSDT, BTCUSDT-PERP or BTCUSDT-240927.

    >>> Code("600519", "XSHG").show("qlib")
    'SH600519'
    >>> Code("cu2202", "XSGE").show("wind")
    'CU2202.SHF'
    """

    symbol: str
    mic: str

    def __post_init__(self) -> None:
        venue = VENUES.get(self.mic)
        if venue is None:
            raise _invalid(self.mic, "unknown exchange", expected=" or ".join(VENUES))
        if normal_symbol(venue, self.symbol) != self.symbol:
            what = "has six digits" if venue.shape == "six" else f"of {venue.ours} is not written so"
            raise _invalid(self.symbol, f"a symbol {what}")

    def show(self, style: CodeStyle | None = None) -> str:
        """The code as a vendor writes it, without a style as we do.

        Raises UsageError ``code.style`` for an unknown style, or one that has no codes of the exchange.
        """
        venue = VENUES[self.mic]
        if style is None:
            return f"{self.symbol}.{venue.ours}"
        name = venue.names.get(style)
        if name is None:
            known = style in get_args(CodeStyle)
            raise UsageError(
                "code.style",
                f"{style} writes no codes of {venue.ours}" if known else f"unknown code style {style!r}",
                expected=", ".join(venue.names) if known else _STYLES,
                found=str(self) if known else None,
            )
        symbol = _styled(self, venue, style)
        match style:
            case "qlib" | "akshare":
                return name + symbol
            case "baostock" | "eastmoney" | "wondertrader":
                return f"{name}.{symbol}"
            case "tdx":
                return f"{name}#{symbol}"
            case _:
                return f"{symbol}.{name}" if name else symbol

    def __str__(self) -> str:
        return self.show()


def parse_code(
    text: str,
    known: Collection[Code] | None = None,
    *,
    style: str | None = None,
    venue: str | None = None,
    on: date | None = None,
) -> Code:
    """The code behind any accepted spelling; upper and lower case are the same.

    A bare symbol must be unique: among ``known`` when given, else by the prefixes of the exchanges'
    boards (920xxx is Beijing, 900xxx Shanghai B; indices are no board, so 000001 is Shenzhen's stock) or by
    the futures product (IF2101). ``venue`` is the exchange of spellings that name none (BTC/USDT);
    ``style`` tells what is read otherwise elsewhere (BRK.N is New York's for wind); ``on``, a date the
    code was in use, gives Zhengzhou's CF201 its decade.

    >>> str(parse_code("sh.600519"))
    '600519.SH'
    >>> str(parse_code("CU2202.SHF"))
    'cu2202.SHFE'

    Raises UsageError: ``code.invalid`` (no such form), ``code.ambiguous``, ``code.unknown`` (bare only).
    """
    try:
        symbol, mic = _split(text, style, venue)
    except UsageError:
        same = {code for code in known or () if isinstance(text, str) and code.symbol == text.strip()}
        if len(same) == 1:
            return same.pop()
        raise
    if mic == "XZCE" and on is not None:
        symbol = _with_decade(symbol, on)
    if mic:
        return Code(symbol, mic)
    if known is None:
        return Code(symbol, _mic_of_prefix(symbol))
    matches = sorted(code for code in known if code.symbol == symbol)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(
            "code.ambiguous",
            f"{symbol} is more than one instrument",
            expected=" or ".join(map(str, matches)),
            found=text,
            hint="name the exchange",
        )
    raise UsageError("code.unknown", f"{symbol} is none of the {len(known)} known codes", found=text)


def currency_of(code: Code) -> str:
    """The currency of its prices by its exchange: CNY, HKD, USD, of a crypto pair its quote.

    >>> currency_of(Code("BTCUSDT-PERP", "BINANCE"))
    'USDT'
    """
    match VENUES[code.mic].shape:
        case "us":
            return "USD"
        case "hongkong":
            return "HKD"
        case "crypto":
            pair = split_pair(_pair_and_term(code.symbol)[0])
            return pair[1] if pair else "USDT"
        case _:
            shanghai_b = code.mic == "XSHG" and code.symbol.startswith("900")
            shenzhen_b = code.mic == "XSHE" and code.symbol.startswith(("200", "201"))
            return "USD" if shanghai_b else "HKD" if shenzhen_b else "CNY"


def mint_instrument_id(code: Code, first_session: date) -> int:
    """A positive 63-bit id for a newly met instrument, from its first code and first session.

    Opaque: minted once, stored, never computed again; a later change of code, name or board keeps it.
    """
    from hashlib import sha256

    seed = f"instrument/{code.mic}/{code.symbol}/{first_session.isoformat()}"
    return int.from_bytes(sha256(seed.encode("ascii")).digest()[:8], "big") >> 1 or 1


@lru_cache(maxsize=65536)
def _split(text: str, style: str | None = None, venue: str | None = None) -> tuple[str, str]:
    """(symbol, mic) of a spelling; mic is "" for a bare symbol that must be looked up."""
    if not isinstance(text, str):
        raise _invalid(repr(text), "a code is text: 000001 without quotes loses its zeros")
    if style is not None and style not in get_args(CodeStyle):
        raise UsageError("code.style", f"unknown code style {style!r}", expected=_STYLES)
    given = text.strip()
    found = (_named(given, style) if given.isascii() else None) or _unnamed(given, style, venue)
    if found is None:
        raise _invalid(text, f"{text!r} is not a code")
    return found


def _named(text: str, style: str | None) -> tuple[str, str] | None:
    """The code of a spelling that names its exchange, behind, before, or as a number."""
    head, dot, tail = text.rpartition(".")
    if dot:
        own = _mics_of(style).get(tail.upper()) or MIC_OF_NAME.get(tail.upper())
        if own and (symbol := normal_symbol(VENUES[own], head)):
            return symbol, own
    head, dot, tail = text.partition(".")
    if not dot:
        head, dot, tail = text.partition("#")
        if dot:
            mic = _TDX_MARKETS.get(head)
            return (tail, mic) if mic and _is_symbol(tail) else None
        digits = 6 if _is_symbol(text[-6:]) else 5
        head, tail = text[:-digits], text[-digits:]
        mic = MIC_OF_NAME.get(head.upper(), "") if tail.isdigit() and len(tail) == digits else ""
    elif head in ("0", "1") and _is_symbol(tail):
        return tail, "XSHG" if head == "1" else _shenzhen_or_beijing(tail)
    else:
        mic = MIC_OF_NAME.get(head.upper(), "")
    if not mic:
        return None
    if VENUES[mic].shape == "future" and not tail.upper().endswith((".HOT", ".2ND")):
        tail = tail.replace(".", "")
    symbol = normal_symbol(VENUES[mic], tail)
    return (symbol, mic) if symbol else None


def _unnamed(text: str, style: str | None, venue: str | None) -> tuple[str, str] | None:
    """The code of a spelling without an exchange: that of ``venue``, of the style, or of the product."""
    if venue is not None:
        mic = MIC_OF_NAME.get(venue.upper())
        if mic is None:
            raise UsageError("code.venue", f"unknown exchange {venue!r}", expected=", ".join(VENUES))
        symbol = normal_symbol(VENUES[mic], text)
        return (symbol, mic) if symbol else None
    if _is_symbol(text):
        return text, ""
    product = text.rstrip("0123456789")
    if 3 <= len(text) - len(product) <= 4 and (mic := PRODUCTS.get(product.upper())):
        symbol = normal_symbol(VENUES[mic], text)
        return (symbol, mic) if symbol else None
    if style in ("yahoo", "tushare") and (symbol := normal_symbol(VENUES["US"], text)):
        return symbol, "US"
    if text.isascii() and text.isalpha() and len(text) <= 6:
        raise UsageError(
            "code.ambiguous",
            f"{text} may be traded on many exchanges",
            expected=f"{text.upper()}.XNAS, {text.upper()}.XNYS or {text.upper()}.US",
            found=text,
            hint="name the exchange",
        )
    pair = normal_symbol(VENUES["BINANCE"], text)
    if pair is not None and ("/" in text or split_pair(pair.removesuffix("-PERP"))):
        raise UsageError(
            "code.ambiguous",
            f"{text} is traded on many exchanges",
            expected="BTCUSDT.BINANCE, BTCUSDT-PERP.OKX",
            found=text,
            hint="name the exchange",
        )
    return None


@lru_cache(maxsize=32)
def _mics_of(style: str | None) -> dict[str, str]:
    """Exchanges by the names that a style gives them."""
    names = {v.names[style].upper(): v.mic for v in VENUES.values() if style in v.names} if style else {}
    return {name: mic for name, mic in names.items() if name}


def _styled(code: Code, venue: Venue, style: str) -> str:
    """The symbol as a style writes it."""
    symbol = code.symbol
    match venue.shape:
        case "future":
            if style == "wondertrader" and not symbol.endswith((".HOT", ".2ND")):
                product = symbol.rstrip("0123456789")
                return ".".join(filter(None, (product, symbol.removeprefix(product))))
            letters = symbol.rstrip("0123456789")
            digits = symbol.removeprefix(letters)
            if code.mic == "XZCE" and style in ("vnpy", "wind") and len(digits) == 4 and digits < "9000":
                digits = digits[1:]
            return (letters.upper() if style in _UPPER_FUTURES else letters) + digits
        case "hongkong":
            width = {"yahoo": 4, "vnpy": 1}.get(style, 5)
            return symbol.lstrip("0").zfill(width)
        case "us":
            return symbol.replace(".", "-") if style == "yahoo" else symbol
        case "crypto":
            return _ccxt(code) if style == "ccxt" else symbol
        case _:
            return symbol


def _ccxt(code: Code) -> str:
    """BTC/USDT, BTC/USDT:USDT, BTC/USD:BTC, BTC/USDT:USDT-240927."""
    name, term = _pair_and_term(code.symbol)
    pair = split_pair(name)
    if pair is None:
        raise UsageError("code.style", f"the quote currency of {code} is not known", found=str(code))
    base, quote = pair
    if not term:
        return f"{base}/{quote}"
    settles = base if quote == "USD" else quote
    return f"{base}/{quote}:{settles}" + ("" if term == "PERP" else f"-{term}")


def _pair_and_term(symbol: str) -> tuple[str, str]:
    name, dash, term = symbol.rpartition("-")
    return (name, term) if dash and (term == "PERP" or term.isdigit()) else (symbol, "")


def _with_decade(symbol: str, on: date) -> str:
    """Zhengzhou's CF201 as CF2201: the first such month that has not ended a year before ``on``."""
    letters = symbol.rstrip("0123456789")
    digits = symbol.removeprefix(letters)
    if len(digits) != 3:
        return symbol
    decade = (on.year - 1) // 10
    year = decade * 10 + int(digits[0])
    return f"{letters}{(year if year >= on.year - 1 else year + 10) % 100:02d}{digits[1:]}"


def _shenzhen_or_beijing(symbol: str) -> str:
    homes = _prefix_homes()
    mics = next((homes[symbol[:n]] for n in range(6, 0, -1) if symbol[:n] in homes), ())
    return "BJSE" if mics == ("BJSE",) or symbol.startswith("899") else "XSHE"


def _mic_of_prefix(symbol: str) -> str:
    """Exchange of a bare symbol from the board table, longest prefix first, whatever the date."""
    homes = _prefix_homes()
    for length in range(6, 0, -1):
        mics = homes.get(symbol[:length])
        if mics and len(mics) == 1:
            return mics[0]
        if mics:
            spellings = " or ".join(str(Code(symbol, mic)) for mic in mics)
            raise UsageError(
                "code.ambiguous", f"{symbol} is more than one code", expected=spellings, found=symbol
            )
    raise UsageError(
        "code.unknown",
        f"no board has codes like {symbol}",
        found=symbol,
        hint=f"name the exchange: {symbol}.SH, {symbol}.SZ or {symbol}.BJ",
    )


@lru_cache(maxsize=1)
def _prefix_homes() -> dict[str, tuple[str, ...]]:
    from quant.core.market.tables import load_toml

    homes: dict[str, set[str]] = {}
    for row in load_toml("boards")["boards"]:
        for prefix in row["prefix"]:
            homes.setdefault(prefix, set()).add(row["exchange"])
    return {prefix: tuple(sorted(mics)) for prefix, mics in homes.items()}


def _is_symbol(text: str) -> bool:
    return len(text) == 6 and text.isascii() and text.isdigit()


def _invalid(found: str, message: str, *, expected: str = _EXPECTED) -> QuantError:
    return UsageError("code.invalid", message, expected=expected, found=found)
