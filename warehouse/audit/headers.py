"""What the headers of vendors mean: a file without a spec is read by the names its columns have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from quant.core.errors import QuantError
from quant.core.ids import parse_code
from quant.warehouse.audit.compare.relation import OHLC
from quant.warehouse.sources.settings import FieldSettings

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "code": (
        *("tscode", "code", "symbol", "ticker", "secucode", "stockcode", "securitycode", "instrument"),
        *("orderbookid", "windcode", "seccode", "股票代码", "证券代码", "代码", "品种代码", "key"),
    ),
    "session": (
        "session",
        *("tradedate", "tradingdate", "tradeday", "date", "datetime", "day", "timestamp", "bobtime", "time"),
        *("日期", "交易日期", "交易日", "时间", "datetime64", "index", "unnamed:0", ""),
    ),
    "open": ("open", "openprice", "o", "开盘", "开盘价", "今开"),
    "high": ("high", "highprice", "highestprice", "h", "最高", "最高价"),
    "low": ("low", "lowprice", "lowestprice", "l", "最低", "最低价"),
    "close": ("close", "closeprice", "c", "收盘", "收盘价", "last", "price"),
    "pre_close": (
        *("preclose", "precloseprice", "prevclose", "previousclose", "lclose"),
        *("昨收", "昨收价", "前收盘", "前收盘价"),
    ),
    "limit_up": ("limitup", "uplimit", "highlimit", "涨停价"),
    "limit_down": ("limitdown", "downlimit", "lowlimit", "跌停价"),
    "volume": ("volume", "vol", "turnovervol", "tradevolume", "成交量", "成交股数", "transcount", "总手"),
    "amount": (
        *("amount", "money", "turnovervalue", "totalturnover", "transamount"),
        *("成交额", "成交金额", "金额"),
    ),
    "factor": ("factor", "adjfactor", "复权因子", "后复权因子", "adjustfactor"),
    "pct_chg": ("pctchg", "pctchange", "changepct", "pchange", "涨跌幅"),
    "change": ("change", "涨跌额"),
    "turnover": ("turn", "turnoverrate", "换手率"),
    "st": ("isst",),
    "suspended": ("paused", "suspended", "istradesuspended"),
}  # fmt: skip
_ADJUSTED: Final = {
    "adj_": ("adj", "adjusted", "复权"),
    "qfq_": ("qfq", "前复权"),
    "hfq_": ("hfq", "后复权"),
}
_UNITS: Final = {
    "手": "lot100",
    "股": "shares",
    "千元": "kCNY",
    "万元": "wan",
    "元": "yuan",
}
_WIDE_SHARE: Final = 0.6
_FEWEST: Final = 3
_TICKER: Final = re.compile(r"^[A-Z]{1,5}([.\-][A-Z]{1,2})?$")


@lru_cache(maxsize=256)
def fields_of(headers: tuple[str, ...]) -> tuple[FieldSettings, ...]:
    """The columns whose headers say what they hold; the first of several for one field counts."""
    cut = common_prefix(headers)
    found: dict[str, FieldSettings] = {}
    ranked = sorted(headers, key=lambda h: _rank(h.removeprefix(cut)))
    tushare = any(_plain(h.removeprefix(cut)) == "tscode" for h in headers)
    for header in ranked:
        named = _field(header.removeprefix(cut))
        if named is not None and named not in found:
            found[named] = FieldSettings(header, named, unit=_unit(header, named, headers, tushare, cut))
    status = next((h for h in headers if _plain(h.removeprefix(cut)) == "tradestatus"), None)
    if status is not None:
        found["suspended"] = FieldSettings(status, "suspended", values={"1": "false", "0": "true"})
    spare = next((h for h in headers if _plain(h.removeprefix(cut)) == "turnover"), None)
    if spare is not None and "amount" not in found:
        found["amount"] = FieldSettings(spare, "amount")
    elif spare is not None and "turnover" not in found:
        found["turnover"] = FieldSettings(spare, "turnover")
    return tuple(found.values())


def common_prefix(headers: Sequence[str]) -> str:
    """What nearly all headers begin with, as ``indiv_d_``; "" where there is none."""
    counts: dict[str, int] = {}
    for header in headers:
        parts = header.split("_")
        for length in range(1, len(parts)):
            head = "_".join(parts[:length]) + "_"
            counts[head] = counts.get(head, 0) + 1
    known = [head for head, count in counts.items() if count >= 4 and count >= 0.8 * len(headers)]
    return max(known, key=len, default="")


def known_headers(headers: tuple[str, ...]) -> bool:
    """Whether the headers name a date and a price."""
    names = {field.name for field in fields_of(headers)}
    return "session" in names and bool(names & {"close", "factor", *(f"{p}close" for p in _ADJUSTED)})


def read_code(text: str) -> str | None:
    """A Chinese code in our spelling; None for anything else."""
    plain = text.strip()
    if plain.isdigit() and len(plain) < 6 and plain.startswith("0") is False and len(plain) > 0:
        plain = plain.zfill(6)
    if not re.search(r"\d{6}", plain):
        return None
    try:
        return str(parse_code(plain))
    except QuantError:
        return None


def is_code(text: str) -> bool:
    """Whether a text is a Chinese code."""
    return read_code(text) is not None


def is_wide(headers: Sequence[str]) -> bool:
    """A date and then a column for each instrument: by their codes, or by tickers as AAPL and BRK.B."""
    if not headers:
        return False
    rest = headers[1:]
    codes = [header for header in rest if is_code(header)]
    if len(codes) >= _FEWEST and len(codes) >= _WIDE_SHARE * len(rest):
        return True
    tickers = [header for header in rest if _TICKER.match(header.strip())]
    strange = [header for header in tickers if len(header.strip()) > 1 and _field(header) is None]
    dated = _plain(headers[0]) in _NAMES["session"]
    return dated and len(strange) > 1 and len(tickers) == len(rest)


def is_instrument(header: str) -> bool:
    """Whether a header of a matrix names an instrument."""
    return is_code(header) or _TICKER.match(header.strip()) is not None


def _rank(header: str) -> int:
    """Dates before times of day; a code with its exchange before a bare one."""
    plain = _plain(header)
    for names in _NAMES.values():
        if plain in names:
            return names.index(plain)
    return 99


@lru_cache(maxsize=4096)
def _plain(header: str) -> str:
    text = header.replace("\ufeff", "").strip().lower()
    text = re.sub(r"[(（\[].*?[)）\]]", "", text)
    return re.sub(r"[\s_.\-<>]", "", text)


def _field(header: str) -> str | None:
    plain = _plain(header)
    for family, words in _ADJUSTED.items():
        for word in words:
            if word in plain and plain not in _NAMES["factor"]:
                rest = plain.replace(word, "", 1)
                base = next((n for n in (*OHLC, "volume") if rest in _NAMES[n]), None)
                if base is not None:
                    return None if base == "volume" else family + base
    return next((name for name, names in _NAMES.items() if plain in names), None)


def _unit(header: str, name: str, headers: Sequence[str], tushare: bool, cut: str) -> str:
    """The unit in brackets; Tushare's where its headers stand."""
    said = re.search(r"[(（\[](.*?)[)）\]]", header)
    if said is not None and said[1].strip() in _UNITS:
        return _UNITS[said[1].strip()]
    if tushare and _plain(header.removeprefix(cut)) == "vol":
        return "lot100"
    if tushare and name == "amount" and any(_plain(h.removeprefix(cut)) == "vol" for h in headers):
        return "kCNY"
    return "one"
