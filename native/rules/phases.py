"""When orders are taken and matched: phases of a session, market halts, the circuit breaker, IPO halts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from quant.core.errors import InvariantBroken
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board
from quant.core.market.market_tables import market_table
from quant.core.market.tables import Row
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.numbers import board_key, board_of, exchange_of, nanoseconds, price, rate
from quant.native.rules.verdict import Verdict

__all__ = ["CASES", "PHASES", "Span", "day_halts", "day_phases"]

Span = tuple[int, int, int, int]
"""Start, end, end of cancels in ns of the day, and the number of the phase."""

PHASES: Final = ("closed", "open_auction", "pre_open_gap", "continuous", "close_auction", "after_hours")
"""Phases by the number the compiled rules use."""

_KINDS: Final = {
    "open_auction": 1,
    "pre_open_gap": 2,
    "continuous_am": 3,
    "continuous_pm": 3,
    "close_auction": 4,
}
_LEVELS: Final = ("first", "second")
_ACTIONS: Final = ("none", "halt", "halt_to_close")
_PAUSE: Final = 1
_MORNING: Final = nanoseconds("09:30")
_NOON: Final = nanoseconds("13:00")
_CLOSE: Final = nanoseconds("15:00")
_MINUTE: Final = 60_000_000_000


def day_phases(
    exchange: str, asset: str, board: Board | None, on: date
) -> tuple[list[Span], tuple[Row, ...]]:
    """The phases of a session in time order, and their rows; kinds without a row are left out."""
    table = market_table("phases")
    spans: list[Span] = []
    rows: list[Row] = []
    for kind, number in _KINDS.items():
        row = table.find((exchange, asset, kind), on)
        if row is not None:
            times = tuple(nanoseconds(row.values[name]) for name in ("start", "end", "cancel_until"))
            spans.append((times[0], times[1], times[2], number))
            rows.append(row)
    late = market_table("after_hours").find((board.name,), on) if board is not None else None
    if late is not None:
        start, end = (nanoseconds(late.values[name]) for name in ("start", "end"))
        spans.append((start, end, end, 5))
        rows.append(late)
    _check(spans, rows)
    return spans, tuple(rows)


def day_halts(exchange: str, on: date) -> tuple[list[tuple[int, int]], tuple[Row, ...]]:
    """Halts of the whole market that happened on a day."""
    found = [market_table("market_halts").find((exchange, level), on) for level in _LEVELS]
    rows = tuple(row for row in found if row is not None)
    return [(nanoseconds(row.values["start"]), nanoseconds(row.values["end"])) for row in rows], rows


def phase(given: Given) -> Verdict:
    where, _ = board_of(given)
    exchange, asset = board_key(where)
    on, time = given.day("date"), nanoseconds(given.text("time"))
    spans, rows = _known(exchange, asset, where, on, time)
    if not calendar("XSHG").is_session(on):
        return Verdict({"phase": "closed", "cancel_ok": False})
    number, cancel_ok = native.phase_at(spans, time)
    deciding = tuple(row for row, span in zip(rows, spans, strict=True) if span[0] <= time < span[1])
    return Verdict({"phase": PHASES[number], "cancel_ok": cancel_ok}, deciding or rows)


def after_hours_orders_ok(given: Given) -> Verdict:
    """Whether an order for the after-hours session may be sent at a time of the day."""
    where, _ = board_of(given)
    row = market_table("after_hours").row((where.name,), given.day("date"))
    start, end = nanoseconds(row.values["orders_from"]), nanoseconds(row.values["end"])
    number, _ = native.phase_at([(start, end, end, 5)], nanoseconds(given.text("time")))
    return Verdict(number == 5, (row,))


def market_open(given: Given) -> Verdict:
    exchange, on, time = exchange_of(given), given.day("date"), nanoseconds(given.text("time"))
    spans, rows = _known(exchange, "stock", None, on, time)
    if not calendar("XSHG").is_session(on):
        return Verdict(False)
    halts, causes = day_halts(exchange, on)
    return Verdict(native.market_open(spans, halts, time), causes or rows)


def circuit_breaker(given: Given) -> Verdict:
    """What a move of the index sets off: ``none``, ``halt_15min`` or ``halt_to_close``; ``NO_RULE`` on days
    without a breaker.
    """
    row = market_table("circuit_breaker").find((), given.day("date"))
    if row is None:
        return Verdict("NO_RULE", also=("none", "RAISE"))
    values = row.values
    rule = (
        rate(values["first"]),
        rate(values["second"]),
        values["pause_minutes"] * _MINUTE,
        nanoseconds(values["late"]),
        _CLOSE,
    )
    action, _until = native.circuit_breaker(
        rule, rate(given.number("index_ret")), nanoseconds(given.text("time"))
    )
    named, minutes = _ACTIONS[action], values["pause_minutes"]
    if action == _PAUSE:
        also = (f"halt_{minutes}", f"halt_{minutes}m", f"halt_{minutes}_min")
        return Verdict(f"halt_{minutes}min", (row,), also)
    return Verdict(named, (row,))


def ipo_halt(given: Given) -> Verdict:
    """Whether a price halts a session without a limit, and until when; ``used`` thresholds count once."""
    where, _ = board_of(given)
    row = market_table("ipo_halts").row((where.name,), given.day("date"))
    values = row.values
    rule = (
        rate(values["first"]),
        rate(values["second"]),
        values["minutes"] * _MINUTE,
        nanoseconds(values["latest"]),
    )
    prices = price(given.number("open")), price(given.number("price"))
    halt, until, _used = native.ipo_halt(
        rule, *prices, nanoseconds(given.text("time")), given.count("used", 0)
    )
    return Verdict({"halt": halt, "until": _clock(until) if halt else None}, (row,))


def _known(
    exchange: str, asset: str, board: Board | None, on: date, time: int
) -> tuple[list[Span], tuple[Row, ...]]:
    """The phases of a day, if the rows around a time are known. Raises RuleMissing where they are not."""
    table = market_table("phases")
    asked = ["continuous_am"]
    if time < _MORNING:
        asked += ["open_auction", "pre_open_gap"]
    elif _NOON <= time < _CLOSE:
        asked.append("continuous_pm")
    for kind in asked:
        table.row((exchange, asset, kind), on)
    return day_phases(exchange, asset, board, on)


def _check(spans: Sequence[Span], rows: Sequence[Row]) -> None:
    """Phases follow one another, and cancels end within their phase."""
    clock = 0
    for (start, end, cancels, _), row in zip(spans, rows, strict=True):
        if not clock <= start <= cancels <= end or start == end:
            raise InvariantBroken(
                "rule.malformed",
                "a phase overlaps another one, or its cancels end outside of it",
                found=f"{row.table} {' '.join(row.key)} {row.span()}",
            )
        clock = end


def _clock(time: int) -> str:
    seconds = time // 1_000_000_000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


CASES: Final[Mapping[str, Callable[[Given], Any]]] = {
    "phase": phase,
    "after_hours_orders_ok": after_hours_orders_ok,
    "market_open": market_open,
    "circuit_breaker": circuit_breaker,
    "ipo_halt": ipo_halt,
}
"""The functions of worked cases, by name."""
