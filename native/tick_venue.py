"""The simulated exchange over recorded ticks (docs/matching.md says what it assumes).

::

    venue = TickVenue(TickRule(queue="fifo", entry_latency=2_000_000, tick=100))
    venue.submit(order, sent=ts)
    reports = venue.feed(ticks)                  # rows first..last, in the order of their time

Prices are int64 at one scale per instrument, sizes int64, instants int64 ns. 0 = no price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.time import epoch_days
from quant.native.batch import Action, OrderKind, Tif
from quant.native.extension import native

if TYPE_CHECKING:
    from quant.native.rules.resolved import CageTerms, TradingWindow

__all__ = ["DepthKind", "SessionKind", "TickOrder", "TickRule", "TickVenue", "Ticks", "Window", "windows_of"]

Columns = Mapping[str, NDArray[Any]]
UNKNOWN_AHEAD: Final = 2**63 - 1
QueueModel = Literal["touch", "fifo", "power", "log"]


class SessionKind(IntEnum):
    CLOSED = 0
    CONTINUOUS = 1
    OPEN_AUCTION = 2
    CLOSE_AUCTION = 3


class DepthKind(IntEnum):
    """A trade (side of the aggressor, 0 unknown), a level as it now shows, or: a snapshot follows."""

    TRADE = 0
    LEVEL = 1
    CLEAR = 2


@dataclass(frozen=True, slots=True)
class TickRule:
    """How orders meet the recording.

    ``queue``: where a resting order stands. ``touch`` has no queue; ``fifo`` stands behind everything that
    was displayed and only trades bring it forward; ``power`` (x ** ``power``) and ``log`` share what others
    cancel between before and behind. ``sweep``: a taker gets what is ``displayed``, or all of it at the
    ``touch``. Latencies in ns: to the exchange and back. ``participation``: share of every print and every
    displayed size at RATE_SCALE. ``slippage``: price units against every taker.
    """

    queue: QueueModel = "fifo"
    power: int = 2
    sweep: Literal["displayed", "touch"] = "displayed"
    entry_latency: int = 0
    answer_latency: int = 0
    participation: int | None = None
    slippage: int = 0
    tick: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """Trading hours from ``begin`` (inclusive) to ``end`` (exclusive) of session ``day``."""

    begin: int
    end: int
    kind: SessionKind = SessionKind.CONTINUOUS
    cancels: bool = True
    day: int = 0


_KINDS: Final = {
    "open_auction": SessionKind.OPEN_AUCTION,
    "continuous": SessionKind.CONTINUOUS,
    "close_auction": SessionKind.CLOSE_AUCTION,
}


def windows_of(hours: Sequence[TradingWindow]) -> list[Window]:
    """Windows from the rulebook's hours; between them, before and after, nothing is accepted."""
    return [
        Window(at.begin, at.end, _KINDS[at.name], at.cancels, epoch_days(at.session))
        for at in hours
        if at.name in _KINDS
    ]


@dataclass(frozen=True, slots=True)
class TickOrder:
    """``price`` 0: a market order, also of an auction."""

    order_id: int
    side: int
    quantity: int
    kind: OrderKind = OrderKind.LIMIT
    tif: Tif = Tif.DAY
    price: int = 0
    stop: int = 0
    instrument: int = 0


class Ticks:
    """L1 rows in exchange time, by reference; ``volume`` traded at ``last`` since the row before."""

    def __init__(
        self,
        *,
        ts: NDArray[np.int64],
        bid: NDArray[np.int64],
        ask: NDArray[np.int64],
        bid_size: NDArray[np.int64],
        ask_size: NDArray[np.int64],
        last: NDArray[np.int64] | None = None,
        volume: NDArray[np.int64] | None = None,
        instrument: NDArray[np.int32] | None = None,
    ) -> None:
        if (last is None) != (volume is None):
            raise UsageError(
                "ticks.trades", "trades need a price and a volume", found="one of last and volume"
            )
        if len(ts) > 1 and bool((np.diff(ts) < 0).any()):
            raise UsageError(
                "ticks.order",
                "rows are not in the order of their time",
                expected="ts ascending",
                found=f"row {int(np.flatnonzero(np.diff(ts) < 0)[0]) + 1} is earlier",
            )
        self.rows: Final = len(ts)
        self.ts: Final = ts
        self.bid: Final = bid
        self.ask: Final = ask
        self.handle: Final = native.Ticks(ts, instrument, bid, ask, bid_size, ask_size, last, volume)


class TickVenue:
    """Rests, queues and fills orders against what was recorded; the recording is never changed by them.

    Reports are columns: ts (at the exchange), due (when the sender knows), instrument, order_id, kind
    (ReportKind), quantity, price, reason.
    """

    def __init__(self, rule: TickRule, *, instruments: int = 1) -> None:
        self.rule = rule
        self._core: Any = native.TickVenue(instruments, rule)

    def set_limits(self, *, down: int, up: int, instrument: int = 0) -> None:
        """The price limits of the day; 0 = none."""
        self._core.set_limits(instrument, down, up)

    def set_cage(self, terms: CageTerms, *, prev_close: int = 0, instrument: int = 0) -> None:
        """The valid range of limit orders in continuous trading, from ``quant.native.rules.resolved.cages``.

        What is beyond it is refused, or held until the quote has come near enough.
        """
        core = self._core
        core.set_cage(
            instrument, terms.beyond, terms.up, terms.down, terms.ticks, max(terms.tick, 1), prev_close
        )

    def set_windows(self, windows: Sequence[Window], *, instrument: int = 0) -> None:
        """Trading hours; without any the instrument always trades continuously."""
        self._core.set_windows(
            instrument,
            np.array([w.begin for w in windows], "i8"),
            np.array([w.end for w in windows], "i8"),
            np.array([w.kind for w in windows], "u1"),
            np.array([w.cancels for w in windows], "?"),
            np.array([w.day for w in windows], "i4"),
        )

    def submit(self, order: TickOrder, *, sent: int) -> None:
        """It reaches the exchange ``entry_latency`` later."""
        self._send(sent, order, Action.NEW)

    def cancel(self, order_id: int, *, sent: int, instrument: int = 0) -> None:
        """No report: the order was no longer open when the cancel arrived."""
        self._send(sent, TickOrder(order_id, 0, 0, instrument=instrument), Action.CANCEL)

    def replace(
        self,
        order_id: int,
        *,
        sent: int,
        quantity: int = 0,
        price: int = 0,
        stop: int = 0,
        instrument: int = 0,
    ) -> None:
        """``quantity`` is the new total, what is filled included; 0 = as it was.

        The order keeps its place in the queue when only its quantity falls.
        """
        changed = TickOrder(order_id, 0, quantity, price=price, stop=stop, instrument=instrument)
        self._send(sent, changed, Action.REPLACE)

    def _send(self, sent: int, order: TickOrder, action: Action) -> None:
        self._core.submit(
            sent,
            order.order_id,
            int(action),
            order.instrument,
            order.side,
            int(order.kind),
            int(order.tif),
            order.price,
            order.stop,
            order.quantity,
        )

    def feed(self, ticks: Ticks, first: int = 0, last: int | None = None) -> Columns:
        """The rows first..last (exclusive) and all that happened at them."""
        return dict(self._core.feed(ticks.handle, first, ticks.rows if last is None else last))

    def feed_depth(
        self,
        *,
        ts: NDArray[np.int64],
        kind: NDArray[np.uint8],
        side: NDArray[np.int8],
        price: NDArray[np.int64],
        size: NDArray[np.int64],
        instrument: NDArray[np.int32] | None = None,
    ) -> Columns:
        """Trades and level updates of an L2 recording; from then on the instrument has depth."""
        names = np.zeros(len(ts), "i4") if instrument is None else instrument
        return dict(self._core.feed_depth(ts, names, kind, side, price, size))

    def advance(self, ts: int) -> Columns:
        """Lets arrive what is due by ``ts``."""
        return dict(self._core.advance(ts))

    def end_day(self, ts: int) -> Columns:
        """Day orders expire, good-till-cancelled ones stay."""
        return dict(self._core.end_day(ts))

    def quantity_ahead(self, order_id: int, instrument: int = 0) -> int | None:
        """What stands before a resting order; None: cannot be known (its level was never shown)."""
        ahead = int(self._core.quantity_ahead(order_id, instrument))
        return None if ahead == UNKNOWN_AHEAD else ahead

    def open_quantity(self, order_id: int, instrument: int = 0) -> int:
        return int(self._core.open_quantity(order_id, instrument))
