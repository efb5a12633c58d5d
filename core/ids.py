"""Codes people type and vendors print, and the opaque ids that stay when codes change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, Literal, get_args

from quant.core.errors import QuantError, UsageError

__all__ = ["Code", "CodeStyle", "mint_instrument_id", "parse_code"]

CodeStyle = Literal["tushare", "joinquant", "qlib", "baostock", "vnpy"]

# MIC -> how each style names the exchange.
_NAMES: Final[dict[str, dict[str, str]]] = {
    "XSHG": {"tushare": "SH", "joinquant": "XSHG", "qlib": "SH", "baostock": "sh", "vnpy": "SSE"},
    "XSHE": {"tushare": "SZ", "joinquant": "XSHE", "qlib": "SZ", "baostock": "sz", "vnpy": "SZSE"},
    "BJSE": {"tushare": "BJ", "joinquant": "BJSE", "qlib": "BJ", "baostock": "bj", "vnpy": "BSE"},
}
_MIC_OF_NAME: Final = {
    name.upper(): mic for mic, names in _NAMES.items() for name in (mic, *names.values())
} | {"XBSE": "BJSE", "SS": "XSHG"}
_STYLES: Final = ", ".join(get_args(CodeStyle))
_EXPECTED: Final = "600519.SH, 600519.XSHG, SH600519, sh.600519, 600519.SSE or a bare 600519"


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A six-digit symbol on an exchange (``mic``). Codes are dated attributes, not identities.

    >>> Code("600519", "XSHG").show("qlib")
    'SH600519'
    """

    symbol: str
    mic: str

    def __post_init__(self) -> None:
        if not _is_symbol(self.symbol):
            raise _invalid(self.symbol, "a symbol has six digits")
        if self.mic not in _NAMES:
            raise _invalid(self.mic, "unknown exchange", expected=" or ".join(_NAMES))

    def show(self, style: CodeStyle = "tushare") -> str:
        """The code as a vendor writes it. Raises UsageError ``code.style`` for an unknown style."""
        names = _NAMES[self.mic]
        if style not in names:
            raise UsageError("code.style", f"unknown code style {style!r}", expected=_STYLES)
        match style:
            case "qlib":
                return names[style] + self.symbol
            case "baostock":
                return f"{names[style]}.{self.symbol}"
            case _:
                return f"{self.symbol}.{names[style]}"

    def __str__(self) -> str:
        return self.show()


def parse_code(text: str, known: Collection[Code] | None = None) -> Code:
    """The code behind any accepted spelling; upper and lower case are the same.

    A bare symbol must be unique: among ``known`` when given, else by the prefixes of the exchanges'
    boards (920xxx is Beijing, 900xxx Shanghai B; indices are no board, so 000001 is Shenzhen's stock).

    >>> str(parse_code("sh.600519"))
    '600519.SH'

    Raises UsageError: ``code.invalid`` (no such form), ``code.ambiguous``, ``code.unknown`` (bare only).
    """
    symbol, mic = _split(text)
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


def mint_instrument_id(code: Code, first_session: date) -> int:
    """A positive 63-bit id for a newly met instrument, from its first code and first session.

    Opaque: minted once, stored, never computed again; a later change of code, name or board keeps it.
    """
    from hashlib import sha256

    seed = f"instrument/{code.mic}/{code.symbol}/{first_session.isoformat()}"
    return int.from_bytes(sha256(seed.encode("ascii")).digest()[:8], "big") >> 1 or 1


@lru_cache(maxsize=65536)
def _split(text: str) -> tuple[str, str]:
    """(symbol, mic) of a spelling; mic is "" for a bare symbol."""
    if not isinstance(text, str):
        raise _invalid(repr(text), "a code is text: 000001 without quotes loses its zeros")
    head, dot, tail = text.strip().partition(".")
    if not dot:
        if _is_symbol(head):
            return head, ""
        head, tail = head[:-6], head[-6:]
    symbol, exchange = (head, tail) if _is_symbol(head) else (tail, head)
    mic = _MIC_OF_NAME.get(exchange.upper(), "") if exchange.isascii() else ""
    if not _is_symbol(symbol) or not mic:
        raise _invalid(text, f"{text!r} is not a code")
    return symbol, mic


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
