"""Exchanges: how vendors name them, and what the symbols traded on them look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

__all__ = ["MIC_OF_NAME", "PRODUCTS", "QUOTES", "VENUES", "Shape", "Venue", "normal_symbol", "split_pair"]

Shape = Literal["six", "hongkong", "us", "index", "future", "crypto"]


@dataclass(frozen=True, slots=True)
class Venue:
    """One exchange. ``names`` are those of the styles that write its codes, ``ours`` the one we show;
    ``lower``: its own symbols are in lower case (futures).
    """

    mic: str
    shape: Shape
    ours: str
    names: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    lower: bool = False


def _china(mic: str, ours: str, vnpy: str, yahoo: str, market: str, eastmoney: str) -> Venue:
    low = ours.lower()
    suffixes = {"tushare": ours, "wind": ours, "joinquant": mic, "rqalpha": mic, "ricequant": mic}
    prefixes = {"qlib": ours, "baostock": low, "akshare": low, "tdx": market, "eastmoney": eastmoney}
    return Venue(mic, "six", ours, {**suffixes, **prefixes, "vnpy": vnpy, "yahoo": yahoo, "bare": ""})


def _future(mic: str, ours: str, tushare: str, wind: str, *, lower: bool) -> Venue:
    names = {"tushare": tushare, "wind": wind, "joinquant": mic, "vnpy": ours, "wondertrader": ours}
    bare = dict.fromkeys(("rqalpha", "ricequant", "akshare", "bare"), "")
    return Venue(mic, "future", ours, {**names, **bare}, lower=lower)


def _us(mic: str, vnpy: str, wind: str | None) -> Venue:
    names = {"joinquant": mic, "vnpy": vnpy, "yahoo": "", "bare": ""}
    return Venue(mic, "us", mic, names | ({"wind": wind} if wind else {}))


def _crypto(name: str, *aliases: str) -> Venue:
    return Venue(name, "crypto", name, {"vnpy": name, "ccxt": "", "bare": ""}, aliases)


_ALL: Final = (
    _china("XSHG", "SH", "SSE", "SS", "1", "1"),
    _china("XSHE", "SZ", "SZSE", "SZ", "0", "0"),
    _china("BJSE", "BJ", "BSE", "BJ", "2", "0"),
    Venue("CSI", "index", "CSI", {"tushare": "CSI", "wind": "CSI", "bare": ""}),
    Venue("SWS", "index", "SI", {"tushare": "SI", "wind": "SI", "bare": ""}),
    _future("CCFX", "CFFEX", "CFX", "CFE", lower=False),
    _future("XSGE", "SHFE", "SHF", "SHF", lower=True),
    _future("XDCE", "DCE", "DCE", "DCE", lower=True),
    _future("XZCE", "CZCE", "ZCE", "CZC", lower=False),
    _future("XINE", "INE", "INE", "INE", lower=True),
    _future("GFEX", "GFEX", "GFE", "GFE", lower=True),
    Venue(
        "XHKG",
        "hongkong",
        "HK",
        dict.fromkeys(("tushare", "wind", "qlib", "yahoo"), "HK")
        | dict.fromkeys(("joinquant", "rqalpha", "ricequant"), "XHKG")
        | {"vnpy": "SEHK", "akshare": "hk", "bare": ""},
    ),
    _us("XNAS", "NASDAQ", "O"),
    _us("XNYS", "NYSE", "N"),
    _us("XASE", "AMEX", "A"),
    _us("ARCX", "ARCA", None),
    _us("BATS", "BATS", None),
    Venue("US", "us", "US", {"tushare": "", "vnpy": "SMART", "yahoo": "", "bare": ""}),
    _crypto("BINANCE"),
    _crypto("OKX", "OKEX"),
    _crypto("BYBIT"),
)
VENUES: Final[Mapping[str, Venue]] = {venue.mic: venue for venue in _ALL}
"""Every exchange by its market identifier code; ``US`` stands for any exchange of the United States."""

# One letter and plain digits are names only in their own style: BRK.A is no code of the exchange A.
MIC_OF_NAME: Final[Mapping[str, str]] = {
    name.upper(): venue.mic
    for venue in _ALL
    for name in (venue.mic, venue.ours, *venue.names.values(), *venue.aliases)
    if len(name) > 1
} | {"XBSE": "BJSE"}
"""The exchange behind any of its names, in upper case."""

PRODUCTS: Final[Mapping[str, str]] = {
    product.upper(): mic
    for mic, products in {
        "CCFX": "IF IC IH IM T TF TS TL",
        "XSGE": "cu al zn pb ni sn au ag rb wr hc ss fu bu ru sp ao br ad op",
        "XINE": "sc lu nr bc ec",
        "XDCE": "a b m y p c cs jd l v pp j jm i fb bb eg rr eb pg lh lg bz",
        "XZCE": "WH PM CF SR TA OI RI MA FG RS RM JR LR SF SM CY AP CJ UR SA PF PK SH PX PR PL "
        "ZC TC ME RO ER WS WT",
        "GFEX": "si lc ps pt pd",
    }.items()
    for product in products.split()
}
"""The exchange of a futures product, by its letters in upper case."""

QUOTES: Final = (
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDE", "DAI", "USD", "EUR", "GBP", "TRY", "BRL", "JPY", "AUD",
    "BTC", "ETH", "BNB", "OKB",
)  # fmt: skip
"""What crypto pairs are priced in."""

_FUTURE: Final = re.compile(r"([A-Za-z]{1,2})(\d{0,4}|\.(?:HOT|2ND|hot|2nd))", re.ASCII)
_US: Final = re.compile(r"[A-Z]{1,6}(?:[./-][A-Z]{1,2})?", re.ASCII)
_INDEX: Final = re.compile(r"[A-Z0-9]\d{5}", re.ASCII)
_COIN: Final = re.compile(r"[A-Z0-9]{1,24}", re.ASCII)
_TERM: Final = re.compile(r"PERP|SWAP|\d{6}", re.ASCII)


def normal_symbol(venue: Venue, text: str) -> str | None:
    """``text`` as the exchange writes the symbol, None where it can be none of the exchange's.

    >>> normal_symbol(VENUES["XSGE"], "CU2202")
    'cu2202'
    """
    if not text.isascii():
        return None
    match venue.shape:
        case "six":
            return text if len(text) == 6 and text.isdigit() else None
        case "future":
            return _future_symbol(venue, text)
        case "hongkong":
            return text.zfill(5) if text.isdigit() and 0 < len(text.lstrip("0")) <= 5 >= len(text) else None
        case "us":
            up = text.upper()
            return re.sub("[/-]", ".", up) if _US.fullmatch(up) else None
        case "index":
            return text.upper() if _INDEX.fullmatch(text.upper()) else None
        case "crypto":
            return _crypto_symbol(text.upper())


def _future_symbol(venue: Venue, text: str) -> str | None:
    found = _FUTURE.fullmatch(text)
    if found is None:
        return None
    letters = found[1].lower() if venue.lower else found[1].upper()
    return letters + found[2].upper()


def _crypto_symbol(text: str) -> str | None:
    """BTCUSDT, BTCUSDT-PERP, BTCUSDT-240927 of BTC/USDT:USDT, BTC-USDT-SWAP, BTCUSD_PERP and the like."""
    pair, _, settled = text.partition(":")
    parts = re.split("[/_-]", pair)
    if settled:  # a contract of the ccxt style: USDT, or USDT-240927
        settles, dash, term = settled.partition("-")
        if len(parts) != 2 or not _COIN.fullmatch(settles) or (dash and not _TERM.fullmatch(term)):
            return None
        parts.append(term or "PERP")
    if not all(_COIN.fullmatch(part) for part in parts) or len(parts) > 3:
        return None
    term = parts.pop() if len(parts) > 1 and _TERM.fullmatch(parts[-1]) else ""
    if len(parts) > 2 or not any(letter.isalpha() for letter in parts[0]):
        return None
    name = parts[0] if len(parts) == 1 else _joined(parts[0], parts[1])
    return f"{name}-{'PERP' if term == 'SWAP' else term}" if term else name


def _joined(base: str, quote: str) -> str:
    """One word, where it can be cut again without a doubt, else with a dash: USDT-USD."""
    return base + quote if split_pair(base + quote) == (base, quote) else f"{base}-{quote}"


@lru_cache(maxsize=4096)
def split_pair(name: str) -> tuple[str, str] | None:
    """(base, quote) of a crypto pair, None where its quote is not known.

    >>> split_pair("BTCUSDT")
    ('BTC', 'USDT')
    """
    base, dash, quote = name.partition("-")
    if dash:
        return base, quote
    found = [quote for quote in QUOTES if name.endswith(quote) and len(name) > len(quote)]
    longest = max(found, key=len, default=None)
    return (name.removesuffix(longest), longest) if longest else None
