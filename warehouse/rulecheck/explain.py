"""Which cause a bar outside its limits falls under, each with what shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from quant.core.errors import QuantError
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board, Status
from quant.core.market.rules import Rulebook, limit_price
from quant.core.money import PRICE_SCALE, RATE_SCALE, scaled
from quant.warehouse.rulecheck.adjusting import Adjusted
from quant.warehouse.rulecheck.causes import UNEXPLAINED

OHLC: Final = ("open", "high", "low", "close")
LONG_HALT: Final = 60
"""Sessions without a trade from which a halt can have been a suspension of listing."""
_REFORM: Final = (date(2005, 5, 1), date(2008, 12, 31))
_REFORM_HALT: Final = 3
_BEFORE_2001: Final = date(2001, 1, 1)
_ROUGH: Final = 600
"""0.06 yuan: how far prints of Shenzhen lie beyond the computed limits before 2001."""
Bar = Mapping[str, Any]
Found = tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the bar: the adjusted series, listing dates and who says so, the session of the
    share reform, each by code, and the names of the other sides.
    """

    book: Rulebook
    adjusted: Mapping[str, Adjusted] = field(default_factory=dict)
    listed: Mapping[str, tuple[date, str]] = field(default_factory=dict)
    reformed: Mapping[str, date] = field(default_factory=dict)
    witnesses: Sequence[str] = ()


def explain(bar: Bar, known: Context) -> tuple[str, str]:
    """The first cause of the list that the evidence is there for, else ``unexplained`` and what was tried."""
    for look in _LOOKS:
        found = look(bar, known)
        if found is not None:
            return found
    return UNEXPLAINED, _tried(bar, known)


def _listing(bar: Bar, known: Context) -> Found:
    listed = known.listed.get(bar["code"])
    if listed is None or bar["session"] < listed[0]:
        return None
    started, said = listed
    board = bar["board"]
    days = calendar("XSHG")
    if started < days.first:
        return None
    day = days.count(started, bar["session"])
    free = known.book.no_limit_days.find(("ipo", board), started)
    if free is not None and day <= int(free.values["days"]):
        return "listing", f"session {day} of {free.values['days']} without a limit after {started} ({said})"
    first = known.book.first_days.find((board,), started)
    if day != 1 or first is None or bar["stated"] is None:
        return None
    above, below = (abs(Decimal(first.values[way]) - 1) for way in ("up", "down"))
    if _inside(bar, bar["stated"], _rate(above), _rate(below)):
        return "listing", f"first session, inside {first.values['down']} to {first.values['up']} of the issue"
    return None


def _delisting(bar: Bar, known: Context) -> Found:
    if not bar["leaves"]:
        return None
    row = known.book.no_limit_days.find(("delisting", bar["board"]), bar["session"])
    return ("delisting_day", "first session of the delisting period") if row is not None else None


def _resumption(bar: Bar, known: Context) -> Found:
    if bar["gap"] is None or bar["gap"] < LONG_HALT:
        return None
    row = known.book.no_limit_days.find(("resumed_listing", bar["board"]), bar["session"])
    return ("resumption", f"{bar['gap']} sessions without a trade before it") if row is not None else None


def _reform(bar: Bar, known: Context) -> Found:
    if known.book.no_limit_days.find(("share_reform", bar["board"]), bar["session"]) is None:
        return None
    if bar["told"] == "reform":
        return "share_reform", "an event says so"
    if known.reformed.get(bar["code"]) == bar["session"]:
        return "share_reform", f"first bar after {bar['gap']} sessions without a trade, {bar['session'].year}"
    return None


def is_reform_halt(bar: Bar) -> bool:
    """Whether a bar can be the first after the share reform by its date and the halt before it."""
    low, high = _REFORM
    return low <= bar["session"] <= high and bar["gap"] is not None and bar["gap"] >= _REFORM_HALT


def _status(bar: Bar, known: Context) -> Found:
    """Said ST, the narrowest limit there is: prints of a normal share show that it was none on that day."""
    if bar["status"] != Status.ST.value:
        return None
    try:
        rate = known.book.limit_rate(Board[bar["board"]], Status.NORMAL, bar["session"])
    except QuantError:
        return None
    if rate is None or not _inside(bar, bar["base"], _rate(rate), _rate(rate)):
        return None
    return "status", f"said to be ST; all prints lie inside the {rate:.0%} of a normal share"


def _ex_date(bar: Bar, known: Context) -> Found:
    rate = bar["rate"]
    bases: list[tuple[int | None, str]] = [
        (bar[f"stated_{n}"], f"the reference of {name}") for n, name in enumerate(known.witnesses)
    ]
    if bar["by"] != "event":
        bases.append((bar["after"], f"the close before less the {bar['told'] or 'distribution'} of that day"))
    if bar["step"] is not None and bar["prev"] is not None and abs(bar["step"] - 1) > 1e-6:
        tick = bar["tick"]
        bases.append(
            (round(bar["prev"] / bar["step"] / tick) * tick, f"a factor {bar['step']:.6g} times as large")
        )
    if bar["by"] == "event":
        bases.append((bar["prev"], "the close before, as if nothing had been distributed"))
    for base, said in bases:
        if base is not None and base != bar["base"] and _inside(bar, base, rate, rate):
            return "ex_date", f"{said}, {_yuan(base)}, fits all prints; used was {_yuan(bar['base'])}"
    return None


def _off_tick(bar: Bar, _: Context) -> Found:
    tick = bar["tick"]
    off = [name for name in OHLC if bar[name] is not None and bar[name] % tick]
    if not off:
        return None
    nearest = {n: (2 * bar[n] + tick) // (2 * tick) * tick if n in off else bar[n] for n in OHLC}
    if not _inside({**bar, **nearest}, bar["base"], bar["rate"], bar["rate"]):
        return None
    return "off_tick", ", ".join(f"{name} {_yuan(bar[name])}" for name in off)


def _szse(bar: Bar, _: Context) -> Found:
    if bar["session"] >= _BEFORE_2001 or not bar["code"].endswith(".SZ") or _beyond(bar) > _ROUGH:
        return None
    return "szse_before_2001", f"{_yuan(_beyond(bar))} beyond"


def _adjusted(bar: Bar, known: Context) -> Found:
    found = known.adjusted.get(bar["code"])
    if found is None or _beyond(bar) > found.ticks * bar["tick"]:
        return None
    return "adjusted", f"{_yuan(_beyond(bar))} beyond; {found.shown}"


def _vendor(bar: Bar, known: Context) -> Found:
    for n, name in enumerate(known.witnesses):
        theirs = {each: bar[f"{each}_{n}"] for each in OHLC}
        base = bar[f"stated_{n}"] or bar["base"]
        if any(value is None for value in theirs.values()) or bar[f"adjusted_{n}"]:
            continue
        if theirs == {each: bar[each] for each in OHLC}:
            continue
        if _inside({**bar, **theirs}, base, bar["rate"], bar["rate"]):
            return "vendor_error", f"{name} has {_yuan(theirs['low'])} to {_yuan(theirs['high'])}"
    return None


_LOOKS: Final[tuple[Callable[[Bar, Context], Found], ...]] = (
    _listing, _delisting, _resumption, _reform, _status, _ex_date, _off_tick, _szse, _adjusted, _vendor,
)  # fmt: skip


def _tried(bar: Bar, known: Context) -> str:
    """What a person needs to look further."""
    parts = [f"{_yuan(_beyond(bar))} beyond"]
    if bar["gap"]:
        parts.append(f"{bar['gap']} sessions without a trade before it")
    for n, name in enumerate(known.witnesses):
        if bar[f"close_{n}"] is not None:
            same = all(bar[f"{each}_{n}"] == bar[each] for each in OHLC)
            parts.append(f"{name} has {'the same' if same else 'other'} prints")
    if bar["by"] == "close":
        parts.append("the reference is the close before: no other source states it")
    return "; ".join(parts)


def outside(bar: Bar) -> list[str]:
    """The prints outside the limits."""
    return [n for n in OHLC if bar[n] is not None and not bar["down"] <= bar[n] <= bar["up"]]


def _inside(bar: Bar, base: int | None, above: int | None, below: int | None) -> bool:
    if base is None or base <= 0 or above is None or below is None:
        return False
    up = limit_price(base, above, bar["tick"], up=True)
    down = limit_price(base, below, bar["tick"], up=False)
    return all(down <= bar[name] <= up for name in OHLC if bar[name] is not None)


def _beyond(bar: Bar) -> int:
    """How far the farthest print is outside, in units."""
    prints = [bar[name] for name in OHLC if bar[name] is not None]
    return int(max(max(prints) - bar["up"], bar["down"] - min(prints), 0))


def _rate(fraction: Decimal) -> int:
    return scaled(fraction, RATE_SCALE, exact=True)


def _yuan(units: int | None) -> str:
    return "nothing" if units is None else f"{units / PRICE_SCALE:.4f}".rstrip("0").rstrip(".")
