"""Recorded answers of a crypto exchange: symbol filters and maintenance brackets, each as of its time.

A record holds from the instant it was taken to the next one. A question before the first record raises
RuleMissing: today's filters never stand in for those of last year.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from quant.core.errors import RuleMissing, UsageError
from quant.core.market.crypto import COIN_SCALE
from quant.core.money import RATE_SCALE, scaled
from quant.core.time import show_instant

__all__ = ["FILTERS", "Bracket", "Records", "SymbolFilters", "exchange_info", "leverage_brackets"]

FILTERS: Final = (
    "PRICE_FILTER", "PERCENT_PRICE", "PERCENT_PRICE_BY_SIDE", "LOT_SIZE", "MIN_NOTIONAL", "NOTIONAL",
    "MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "MAX_POSITION",
)  # fmt: skip
"""In the order in which an order is tried."""

_IGNORED: Final = frozenset(
    {
        "ICEBERG_PARTS",
        "MAX_NUM_ICEBERG_ORDERS",
        "MAX_NUM_ORDER_AMENDS",
        "MAX_NUM_ORDER_LISTS",
        "POSITION_RISK_CONTROL",
        "TRAILING_DELTA",
    }
)
"""Of order kinds that no order here has."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SymbolFilters:
    """Filters of one symbol by name, numbers at COIN_SCALE (multipliers at RATE_SCALE)."""

    by_name: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Bracket:
    """Positions from ``floor`` on need ``rate`` of their value less ``cum``; COIN_SCALE, rate RATE_SCALE."""

    floor: int
    rate: int
    cum: int


@dataclass(frozen=True, slots=True)
class Records(Generic[Value]):
    """What an exchange said about each symbol, in time order."""

    what: str
    taken: Mapping[str, tuple[tuple[int, Value], ...]]

    @classmethod
    def of(cls, what: str, found: Iterable[tuple[str, int, Value]]) -> Records[Value]:
        by_symbol: dict[str, list[tuple[int, Value]]] = {}
        for symbol, at, value in sorted(found, key=lambda each: each[1]):
            by_symbol.setdefault(symbol, []).append((at, value))
        return cls(what, {symbol: tuple(rows) for symbol, rows in by_symbol.items()})

    def at(self, symbol: str, instant: int) -> Value:
        """What held at ``instant`` (ns UTC). Raises RuleMissing ``rule.missing``."""
        rows = self.taken.get(symbol, ())
        place = bisect_right([at for at, _ in rows], instant) - 1
        if place < 0:
            raise RuleMissing(
                "rule.missing",
                f"no recorded {self.what} of {symbol} at {show_instant(instant)}",
                expected=f"recorded from {show_instant(rows[0][0])} on" if rows else "a record of the symbol",
                found=symbol,
                hint="record the exchange's answer with its time and give the file",
            )
        return rows[place][1]


def symbol_filters(filters: Mapping[str, Mapping[str, Any]], where: str = "filters") -> SymbolFilters:
    """Filters as numbers, from ``{name: {field: text}}``.

    Raises UsageError ``crypto.filter`` for a filter or a value that is not understood.
    """
    found: dict[str, dict[str, int]] = {}
    for name, fields in filters.items():
        if name in _IGNORED:
            continue
        if name not in FILTERS:
            raise UsageError(
                "crypto.filter",
                f"unknown filter {name}",
                expected=", ".join(FILTERS),
                found=f"{where}: {name}",
            )
        found[name] = {_named(name, key): _number(name, key, value) for key, value in fields.items()
                       if key != "filterType"}  # fmt: skip
    return SymbolFilters(found)


def exchange_info(answer: Mapping[str, Any], at: int | None = None) -> Records[SymbolFilters]:
    """The filters in an exchangeInfo answer, as of ``at`` (ns UTC) or of its own ``serverTime``."""
    when = at if at is not None else int(answer["serverTime"]) * 1_000_000
    return Records.of(
        "filters",
        (
            (str(each["symbol"]), when, symbol_filters({f["filterType"]: f for f in each["filters"]}))
            for each in answer["symbols"]
        ),
    )


def leverage_brackets(answer: Sequence[Mapping[str, Any]], at: int) -> Records[tuple[Bracket, ...]]:
    """The maintenance brackets in a leverageBracket answer taken at ``at`` (ns UTC).

    Raises UsageError ``crypto.brackets`` when ``cum`` does not make the margin continuous.
    """
    return Records.of(
        "maintenance brackets",
        ((str(each["symbol"]), at, brackets(each["brackets"], str(each["symbol"]))) for each in answer),
    )


def brackets(rows: Sequence[Mapping[str, Any]], symbol: str = "") -> tuple[Bracket, ...]:
    """Ascending brackets from rows of notionalFloor, maintMarginRatio and, if known, cum."""
    found: list[Bracket] = []
    for row in sorted(rows, key=lambda row: Decimal(str(row["notionalFloor"]))):
        floor = scaled(str(row["notionalFloor"]), COIN_SCALE, exact=True)
        rate = scaled(str(row["maintMarginRatio"]), RATE_SCALE, exact=True)
        before = found[-1] if found else Bracket(0, rate, 0)
        due = before.cum + floor * (rate - before.rate) // RATE_SCALE
        cum = scaled(str(row["cum"]), COIN_SCALE, exact=True) if row.get("cum") is not None else due
        if cum != due or (not found and floor != 0):
            raise UsageError(
                "crypto.brackets",
                f"the brackets {symbol} do not fit together at {row['notionalFloor']}",
                expected=f"cum {Decimal(due) / COIN_SCALE} and a first bracket from 0",
                found=f"cum {row.get('cum')}",
            )
        found.append(Bracket(floor, rate, cum))
    if not found:
        raise UsageError("crypto.brackets", f"{symbol} has no bracket", expected="at least one")
    return tuple(found)


def _named(filter_name: str, key: str) -> str:
    """Field names of futures answers as those of spot ones."""
    renamed = {("MIN_NOTIONAL", "notional"): "minNotional"}
    if key == "limit" and filter_name.startswith("MAX_NUM_"):
        return "limit"
    if filter_name in ("MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS") and key.startswith("maxNum"):
        return "limit"
    return renamed.get((filter_name, key), key)


def _number(filter_name: str, key: str, value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if key in ("limit", "avgPriceMins", "multiplierDecimal") or key.startswith("maxNum"):
        return int(value)
    scale = RATE_SCALE if "ultiplier" in key else COIN_SCALE
    try:
        return scaled(str(value), scale, exact=True)
    except Exception as error:
        raise UsageError(
            "crypto.filter", f"{filter_name}.{key} is not a number of the exchange", found=repr(value)
        ) from error
