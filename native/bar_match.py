"""How a bar fills an order, without assuming a path inside it (docs/matching.md)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from quant.native.batch import OrderKind, Phase
from quant.native.extension import native

__all__ = ["Bar", "BarFill", "BarOrder", "Slippage", "match_bar"]

BarAt = Literal["open", "close", "vwap", "worst_of"]
_AT: Final[tuple[BarAt, ...]] = ("open", "close", "vwap", "worst_of")


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices at PRICE_SCALE, 0 = none; the limits of its session; whether it is its first or last."""

    open: int
    high: int
    low: int
    close: int
    vwap: int = 0
    volume: int = 1
    limit_up: int = 0
    limit_down: int = 0
    opens: bool = False
    closes: bool = False


@dataclass(frozen=True, slots=True)
class BarOrder:
    """An order that was there before the bar began; ``immediate``: IOC or FOK."""

    side: int
    kind: OrderKind = OrderKind.LIMIT
    price: int = 0
    stop: int = 0
    triggered: bool = False
    immediate: bool = False


@dataclass(frozen=True, slots=True)
class BarFill:
    """``price`` 0: no fill, for ``reason``. ``phase``: when it is known. A ``taker`` pays slippage."""

    price: int
    phase: Phase
    taker: bool
    triggered: bool
    reason: IntEnum


@dataclass(frozen=True, slots=True)
class Slippage:
    """``units`` of price, a ``rate`` of it, and ``eta`` * sqrt(quantity / volume) of it; at RATE_SCALE."""

    units: int = 0
    rate: int = 0
    eta: int = 0

    def price(self, met: int, *, side: int, quantity: int, volume: int) -> int:
        """What a taker pays who meets the price ``met``; rounded against it to a price unit."""
        return int(native.slipped(met, side, quantity, volume, self.units, self.rate, self.eta))


def match_bar(bar: Bar, order: BarOrder, *, at: BarAt = "open", touch: bool = False) -> BarFill:
    """The price before slippage, and the instant of the bar at which it is known.

    ``touch``: a limit order also fills when the range only reaches its price.
    """
    cells = [bar.open, bar.high, bar.low, bar.close, bar.vwap, bar.volume, bar.limit_up, bar.limit_down]
    price, phase, taker, triggered, reason = native.match_bar(
        cells, bar.opens, bar.closes, order.side, int(order.kind), order.price, order.stop, order.triggered,
        order.immediate, _AT.index(at), touch,
    )  # fmt: skip
    return BarFill(price, Phase(phase), taker, triggered, native.Reason(reason))
