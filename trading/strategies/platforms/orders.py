"""Orders, trades and holdings as both platforms show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from quant.core.errors import UsageError
from quant.core.money import MONEY_SCALE, PRICE_SCALE
from quant.trading.strategies.platforms.account import whole
from quant.trading.strategies.platforms.tickets import Ticket
from quant.trading.view import book_of, data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.host import Host

FILLED: Final = "filled"


@dataclass(frozen=True, slots=True)
class MarketOrderStyle:
    """At the market; ``limit_price`` is the platform's protection price, which counts as a limit."""

    limit_price: float | None = None


@dataclass(frozen=True, slots=True)
class LimitOrderStyle:
    """At ``limit_price`` or better."""

    limit_price: float


def limit_of(style: Any) -> float | None:
    """The limit price of an order style, or of a bare number."""
    if style is None:
        return None
    price = style if isinstance(style, int | float) else getattr(style, "limit_price", style)
    if price is None:
        return None
    if isinstance(price, bool) or not isinstance(price, int | float) or not price > 0:
        raise UsageError(
            "intent.price",
            "an order is at the market or has a limit price",
            expected="MarketOrderStyle(), LimitOrderStyle(price) or a price",
            found=repr(style),
        )
    return float(price)


@dataclass(frozen=True, slots=True)
class Sizing:
    """Amounts, values and targets become a change of shares; targets count what was ordered before."""

    host: Host

    def shares(self, code: str, amount: Any, price: float | None) -> Ticket | None:
        return self.host.give(self.host.instrument(code), whole(_number("amount", amount)), price)

    def value(self, code: str, value: Any, price: float | None) -> Ticket | None:
        at = self.host.instrument(code)
        return self.host.give(at, whole(_number("value", value) / self._price(at, price)), price)

    def target(self, code: str, amount: Any, price: float | None) -> Ticket | None:
        at = self.host.instrument(code)
        return self.host.give(at, whole(_number("amount", amount)) - self._held(at), price)

    def target_value(self, code: str, value: Any, price: float | None) -> Ticket | None:
        at, wanted = self.host.instrument(code), _number("value", value)
        target = whole(wanted / self._price(at, price)) if wanted else 0
        return self.host.give(at, target - self._held(at), price)

    def _held(self, at: int) -> int:
        held = self.host.account.holdings.get(at)
        return held.quantity if held else 0

    def _price(self, at: int, price: float | None) -> float:
        return price or self.host.account.price(at)


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution."""

    trade_id: int
    order_id: int
    instrument: int
    side: int
    amount: int
    price: float
    fees: float
    day: int


def trades(host: Host) -> list[Trade]:
    """Today's executions."""
    market = data_of(host.view).market
    today = int(market.first_bars[market.session_of(host.view.t)])
    fills = book_of(host.view).fills()
    owner = {number: t.id for t in host.tickets.kept.values() for number in t.orders}
    names = ("row", "order_id", "instrument", "side", "quantity", "price", "commission", "stamp", "transfer")
    return [
        Trade(
            place + 1,
            owner.get(order, order),
            instrument,
            side,
            quantity,
            price / PRICE_SCALE,
            (commission + stamp + transfer) / MONEY_SCALE,
            host.today.toordinal(),
        )
        for place, (at, order, instrument, side, quantity, price, commission, stamp, transfer) in enumerate(
            zip(*(fills[name].tolist() for name in names), strict=True)
        )
        if at >= today
    ]


def ticket_of(host: Host, order: Any) -> Ticket | None:
    """The ticket of an order object or its number."""
    number = getattr(order, "order_id", order)
    return host.tickets.kept.get(int(number)) if str(number).isdigit() else None


def _number(what: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number != number or abs(number) > 1e15:
        raise UsageError(f"intent.{what}", f"an order's {what} is a finite number", found=repr(value))
    return number
