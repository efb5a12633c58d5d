"""Rules of US equities by date: fees of sales, settlement, tick and lot, limits, short sales, margin.

Dates are local dates of New York, prices and money US dollars. Every answer comes from a dated row; a date
without one raises RuleMissing ``rule.missing``. The ``*Terms`` are rows as the compiled core takes them:
rates at RATE_SCALE, prices at PRICE_SCALE, money in millionths of a dollar, clocks in minutes after midnight.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Final, Literal

from quant.core.errors import Location, RuleMissing, UsageError
from quant.core.market.calendar import calendar
from quant.core.market.tables import DatedTable, Row
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE, scaled

__all__ = [
    "TABLES",
    "Bucket",
    "DayTradeTerms",
    "HaltTerms",
    "LuldTerms",
    "MarginTerms",
    "SaleTerms",
    "bucket_of",
    "clock_minutes",
    "day_trade_terms",
    "halt_terms",
    "luld_terms",
    "margin_terms",
    "phase_hours",
    "round_lot_terms",
    "sale_rows",
    "sale_schedule",
    "sale_terms",
    "settlement_days",
    "table",
    "tables",
    "tick_terms",
]

Bucket = Literal["above", "middle", "below"]
Tier = Literal[1, 2]

_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "us_section31": (),
    "us_taf": (),
    "us_settlement": (),
    "us_bank_holidays": ("name",),
    "us_day_trading": (),
    "us_luld_bands": ("tier", "bucket"),
    "us_luld_buckets": (),
    "us_luld_double": ("tier", "bucket"),
    "us_market_halts": (),
    "us_ticks": (),
    "us_round_lots": (),
    "us_hours": ("phase",),
    "us_locate": (),
    "us_price_test": (),
    "us_margin": (),
}
_MILLION: Final = 1_000_000


@cache
def table(name: str) -> DatedTable:
    """One table of ``core/market/data/us.toml``."""
    return DatedTable.load("us", name, _KEYS[name])


@cache
def tables() -> tuple[DatedTable, ...]:
    """Every dated table of US equities."""
    return tuple(table(name) for name in _KEYS)


TABLES: Final = tables


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """What a sale pays to the regulators: of the proceeds, a share, and at most ``taf_cap`` micro-dollars."""

    section31: int
    taf: int
    taf_cap: int


def sale_rows(on: date) -> tuple[Row, Row]:
    """The Section 31 and trading activity fee rows in force."""
    return table("us_section31").row((), on), table("us_taf").row((), on)


def sale_terms(on: date) -> SaleTerms:
    """Both fees of a sale as numbers."""
    section31, taf = sale_rows(on)
    return SaleTerms(section31_rate(section31), *taf_terms(taf))


def sale_schedule(sessions: Sequence[date]) -> dict[str, list[int]]:
    """``sale_terms`` of ascending sessions, a list [T] a field."""
    found: dict[str, list[int]] = {"section31": [], "taf": [], "taf_cap": []}
    for row, start, end in table("us_section31").spread((), sessions):
        found["section31"] += [section31_rate(row)] * (end - start)
    for row, start, end in table("us_taf").spread((), sessions):
        rate, cap = taf_terms(row)
        found["taf"] += [rate] * (end - start)
        found["taf_cap"] += [cap] * (end - start)
    return found


def section31_rate(row: Row) -> int:
    return scaled(Decimal(row.values["per_million"]) / _MILLION, RATE_SCALE, exact=True)


def taf_terms(row: Row) -> tuple[int, int]:
    """(dollars a share at RATE_SCALE, cap in micro-dollars)."""
    return (
        scaled(row.values["per_share"], RATE_SCALE, exact=True),
        scaled(row.values["cap"], MONEY_SCALE, exact=True),
    )


def settlement_days(first: date, last: date) -> tuple[list[date], tuple[Row, ...]]:
    """Days of ``first`` to ``last`` on which trades settle, and the bank holidays that were left out.

    Sessions of the exchange but those on which banks are closed.
    """
    skipped: dict[date, Row] = {}
    for row in table("us_bank_holidays").each():
        for year in range(first.year, last.year + 1):
            day = _holiday(row, year)
            if row.covers(day):
                skipped[day] = row
    days = calendar("XNYS").sessions(first, last)
    rows = {skipped[day].identity: skipped[day] for day in days if day in skipped}
    return [day for day in days if day not in skipped], tuple(rows.values())


def days_off(row: Row, near: date) -> tuple[date, ...]:
    """The days of a bank holiday in the years around ``near``."""
    return tuple(_holiday(row, year) for year in (near.year - 1, near.year, near.year + 1))


def _holiday(row: Row, year: int) -> date:
    values = row.values
    first = date(year, values["month"], values.get("day", 1))
    if "nth" in values:
        return first + timedelta(days=(values["weekday"] - first.weekday()) % 7 + 7 * (values["nth"] - 1))
    return first + timedelta(days=1) if first.weekday() == 6 else first


@dataclass(frozen=True, slots=True)
class DayTradeTerms:
    """A day-trading rule: ``day_trades`` 0 has no count; ``window`` sessions are counted, the day's included.

    Shares at RATE_SCALE, equity in micro-dollars.
    """

    day_trades: int
    window: int
    share: int
    min_equity: int
    power: int
    maintenance: int


def day_trading_row(on: date, *, broker_keeps_count: bool = False) -> Row:
    """The rule in force; a broker that keeps the older one may, to the end of the phase-in."""
    rules = table("us_day_trading")
    row = rules.row((), on)
    until = row.values.get("brokers_until")
    if not broker_keeps_count or until is None:
        return row
    if on > until:
        raise RuleMissing(
            "rule.missing",
            f"no broker may count day trades after {until}",
            where=Location(rules.file),
            expected="an account that does not count them",
            found=on.isoformat(),
        )
    older = rules.rows[()]
    return older[bisect_right([each.start for each in older], row.start) - 2]


def day_trade_terms(row: Row) -> DayTradeTerms:
    values = row.values
    return DayTradeTerms(
        int(values.get("day_trades", 0)),
        int(values.get("window_days", 0)),
        scaled(values.get("share", 0), RATE_SCALE, exact=True),
        scaled(values.get("min_equity", 0), MONEY_SCALE, exact=True),
        int(values.get("power", 0)),
        scaled(values.get("maintenance", 0), RATE_SCALE, exact=True),
    )


@dataclass(frozen=True, slots=True)
class LuldTerms:
    """Width of the price bands of one bucket: a rate of the reference, at most ``cap`` (0 = no cap)."""

    rate: int
    cap: int
    open_minutes: int
    close_minutes: int


def bucket_of(on: date, prev_close: Decimal) -> tuple[Bucket, Row]:
    """Which bands a share with this previous close has."""
    row = table("us_luld_buckets").row((), on)
    if prev_close > Decimal(row.values["above"]):
        return "above", row
    return ("below" if prev_close < Decimal(row.values["below"]) else "middle"), row


def luld_rows(on: date, tier: int, bucket: Bucket) -> tuple[Row, Row]:
    key = (str(tier), bucket)
    return table("us_luld_bands").row(key, on), table("us_luld_double").row(key, on)


def luld_terms(bands: Row, double: Row) -> LuldTerms:
    return LuldTerms(
        scaled(bands.values["rate"], RATE_SCALE, exact=True),
        scaled(bands.values.get("dollars", 0), PRICE_SCALE, exact=True),
        int(double.values["open_minutes"]),
        int(double.values["close_minutes"]),
    )


@dataclass(frozen=True, slots=True)
class HaltTerms:
    """The market-wide circuit breaker: falls at RATE_SCALE, minutes of a halt, last minute of a halt."""

    levels: tuple[int, int, int]
    minutes: int
    not_after: int


def halt_terms(row: Row) -> HaltTerms:
    first, second, third = (
        scaled(row.values[name], RATE_SCALE, exact=True) for name in ("level1", "level2", "level3")
    )
    not_after = clock_minutes(row.values["not_after"])
    return HaltTerms((first, second, third), int(row.values["minutes"]), not_after)


def tick_terms(row: Row) -> tuple[int, int]:
    """(tick from one dollar on, tick below) at PRICE_SCALE."""
    return (
        scaled(row.values["tick"], PRICE_SCALE, exact=True),
        scaled(row.values["tick_below_one"], PRICE_SCALE, exact=True),
    )


def round_lot_terms(row: Row) -> tuple[list[int], list[int]]:
    """(highest price of each lot but the last at PRICE_SCALE, lots)."""
    return [scaled(price, PRICE_SCALE, exact=True) for price in row.values["up_to"]], list(row.values["lots"])


@dataclass(frozen=True, slots=True)
class MarginTerms:
    """Margin of a position: rates at RATE_SCALE, dollars a share at PRICE_SCALE."""

    initial: int
    long: int
    short: int
    low_price: int
    low_rate: int
    low_dollars: int
    high_dollars: int


def margin_terms(row: Row) -> MarginTerms:
    initial, long, short, low_rate = (
        scaled(row.values[name], RATE_SCALE, exact=True) for name in ("initial", "long", "short", "low_rate")
    )
    low_price, low_dollars, high_dollars = (
        scaled(row.values[name], PRICE_SCALE, exact=True)
        for name in ("low_price", "low_dollars", "high_dollars")
    )
    return MarginTerms(initial, long, short, low_price, low_rate, low_dollars, high_dollars)


def phase_hours(phase: str, on: date) -> tuple[int, int, Row]:
    """(start, end) of a phase of a session in minutes after midnight, early closes taken into account.

    ``pre`` ends when the regular session begins, ``post`` begins when it ends.
    """
    row = table("us_hours").row((phase,), on)
    if phase == "pre":
        return clock_minutes(row.values["start"]), phase_hours("regular", on)[0], row
    early = calendar("XNYS").early_close(on)
    if phase == "post":
        end = row.values["end" if early is None else "early_end"]
        return phase_hours("regular", on)[1], clock_minutes(end), row
    return clock_minutes(row.values["start"]), clock_minutes(early or row.values["end"]), row


def clock_minutes(clock: str) -> int:
    """Minutes after midnight of ``HH:MM``; seconds are cut."""
    parts = clock.split(":")
    if len(parts) not in (2, 3) or not all(len(part) == 2 and part.isdigit() for part in parts):
        raise UsageError("time.invalid", f"{clock!r} is not a time of day", expected="HH:MM", found=clock)
    return int(parts[0]) * 60 + int(parts[1])
