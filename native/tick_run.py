"""A whole run over ticks in C++: strategy, kernel (gates, orders, ledger) and exchange, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.money import RATE_SCALE
from quant.native.config import KernelConfig
from quant.native.extension import native
from quant.native.kernel import Kernel
from quant.native.market import Market
from quant.native.tick_venue import TickRule, Ticks, TickVenue

__all__ = ["Imbalance", "Quote", "TickResult", "run_ticks", "tick_market"]

LISTED_TRADING, NO_LIMIT = 1 | 2, 32
SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Long while the book leans to the bid: in above ``enter``, out below ``leave`` (shares of both sizes, at
    RATE_SCALE), with immediate-or-cancel limit orders at the touch. ``feed_latency`` in ns."""

    method: ClassVar[str] = "imbalance"
    quantity: int
    enter: int = RATE_SCALE * 98 // 100
    leave: int = RATE_SCALE * 2 // 100
    feed_latency: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """Rests on both sides, ``edge`` price units outside of the touch, never holding more than ``most`` and
    never selling what is not held; quotes that the touch has left are cancelled and made anew."""

    method: ClassVar[str] = "quote"
    quantity: int
    most: int
    edge: int = 0
    feed_latency: int = 0


@dataclass(frozen=True, slots=True)
class TickResult:
    """The final kernel and exchange."""

    kernel: Kernel
    venue: TickVenue


def run_ticks(
    config: KernelConfig,
    market: Market,
    rule: TickRule,
    ticks: Ticks,
    plan: Imbalance | Quote,
    *,
    bounds: Sequence[int] | None = None,
    venue: TickVenue | None = None,
) -> TickResult:
    """Runs ``ticks`` through a fresh kernel; session d of ``market`` holds the rows bounds[d]..bounds[d + 1].

    ``market`` has one bar a session (:func:`tick_market`), whose close marks the book at the session's end.
    ``venue``: one with trading hours and limits of its own instead of a plain one of ``rule``.

    Raises:
        UsageError: bounds, sizes or instruments that do not fit, or a config that fills at the open.
    """
    if config.fill_at == "open":
        raise UsageError(
            "ticks.fill_at",
            "orders of a tick run go out during the session",
            expected="fill_at close",
            found="open",
        )
    exchange = venue or TickVenue(rule, instruments=market.S)
    kernel = Kernel(config, market)
    parts = [0, ticks.rows] if bounds is None else list(bounds)
    native.run_ticks(kernel._core, exchange._core, ticks.handle, plan, parts)
    return TickResult(kernel, exchange)


def tick_market(ticks: Ticks, sessions: NDArray[np.int32], bounds: Sequence[int] | None = None) -> Market:
    """One bar a session for one instrument: the middles of its quotes, without limits.

    ``sessions``: days since 1970-01-01. The close is the last middle, the mark at the session's end.
    """
    parts = [0, ticks.rows] if bounds is None else list(bounds)
    middle = (ticks.bid + ticks.ask) // 2
    held = [middle[first:last] for first, last in pairwise(parts)]

    def bar(values: list[Any]) -> NDArray[np.int64]:
        return np.array(values, "i8").reshape(-1, 1)

    opened, closed = bar([part[0] for part in held]), bar([part[-1] for part in held])
    begin = np.array([ticks.ts[first] for first in parts[:-1]], "i8")
    end = np.array([ticks.ts[last - 1] for last in parts[1:]], "i8")
    instants = np.stack([begin - SECOND, begin - 1, end, end + 1], axis=1)
    none = np.zeros_like(opened)
    flags = np.full(opened.shape, LISTED_TRADING | NO_LIMIT, "u4")
    return Market.from_arrays(
        sessions=sessions, instants=np.ascontiguousarray(instants), open=opened,
        high=bar([part.max() for part in held]), low=bar([part.min() for part in held]), close=closed,
        vwap=closed, volume=none, pre_close=opened, limit_up=none, limit_down=none, flags=flags,
    )  # fmt: skip
