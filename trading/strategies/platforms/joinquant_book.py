"""JoinQuant's ``context``, ``context.portfolio``, positions, orders and trades."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from quant.trading.strategies.platforms.account import Holding
from quant.trading.strategies.platforms.orders import ticket_of, trades
from quant.trading.strategies.platforms.tickets import Ticket
from quant.trading.view import book_of, data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.joinquant import JoinQuant


class OrderStatus(Enum):
    """The states of an order as JoinQuant numbers them; held is filled wholly."""

    open = 0
    filled = 1
    canceled = 2
    rejected = 3
    held = 4
    new = 8
    pending_cancel = 9


_STATUS = {
    "new": OrderStatus.new,
    "open": OrderStatus.open,
    "filled": OrderStatus.held,
    "rejected": OrderStatus.rejected,
    "cancelled": OrderStatus.canceled,
    "expired": OrderStatus.canceled,
}


class JoinOrder:
    """An order; its figures are those of the moment they are read."""

    def __init__(self, host: JoinQuant, ticket: Ticket) -> None:
        self._host, self._ticket = host, ticket
        self.order_id = ticket.id
        self.security = host.code(ticket.instrument)
        self.amount = ticket.quantity
        self.is_buy = ticket.side > 0
        self.limit = ticket.price
        self.add_time = datetime.fromisoformat(ticket.at)
        self.side, self.action = "long", "open" if ticket.side > 0 else "close"
        self.pindex = 0

    @property
    def filled(self) -> int:
        return self._ticket.filled

    @property
    def price(self) -> float:
        """The average price of what is filled."""
        return self._ticket.average

    @property
    def avg_cost(self) -> float:
        return self._ticket.average

    @property
    def commission(self) -> float:
        """All fees, stamp duty included."""
        return self._ticket.fees

    @property
    def status(self) -> OrderStatus:
        return _STATUS[self._ticket.state]

    @property
    def message(self) -> str:
        """Why it was not filled, a reason code of the kernel."""
        return self._ticket.reason

    def __repr__(self) -> str:
        what = "buy" if self.is_buy else "sell"
        return f"Order({self.order_id}: {what} {self.amount} {self.security}, {self.status.name})"


def joined_orders(
    host: JoinQuant, order_id: Any = None, security: str | None = None, status: Any = None
) -> dict[int, JoinOrder]:
    """Today's orders by their numbers."""
    chosen: Iterable[Ticket] = list(host.tickets.kept.values())
    if order_id is not None:
        found = ticket_of(host, order_id)
        chosen = [found] if found is not None else []
    orders = {t.id: JoinOrder(host, t) for t in chosen}
    if security is not None:
        wanted = host.code(host.instrument(security))
        orders = {i: o for i, o in orders.items() if o.security == wanted}
    return {i: o for i, o in orders.items() if status is None or o.status == status}


def joined_trades(host: JoinQuant, order_id: Any = None, security: str | None = None) -> dict[int, Any]:
    """Today's executions by their numbers."""
    found = {}
    for trade in trades(host):
        code = host.code(trade.instrument)
        same = security is None or code == host.code(host.instrument(security))
        if same and (order_id is None or str(trade.order_id) == str(order_id)):
            found[trade.trade_id] = SimpleNamespace(
                trade_id=trade.trade_id,
                order_id=trade.order_id,
                security=code,
                amount=trade.amount,
                price=trade.price,
                commission=trade.fees,
                time=host.clock(),
            )
    return found


class JoinPosition:
    """A holding at the moment it is asked for."""

    def __init__(self, host: JoinQuant, held: Holding) -> None:
        self._host, self._held = host, held
        self.security = host.code(held.instrument)
        self.side, self.pindex = "long", 0

    @property
    def total_amount(self) -> int:
        return self._held.quantity

    amount = total_amount

    @property
    def closeable_amount(self) -> int:
        return self._held.sellable

    sellable_amount = closeable_amount

    @property
    def today_amount(self) -> int:
        return self._held.quantity - self._held.sellable

    @property
    def locked_amount(self) -> int:
        return 0

    @property
    def avg_cost(self) -> float:
        """The cost of a share, buying fees included."""
        return self._held.average

    hold_cost = acc_avg_cost = avg_cost

    @property
    def price(self) -> float:
        return self._host.account.price(self._held.instrument)

    @property
    def value(self) -> float:
        return self._held.quantity * self.price if self._held.quantity else 0.0

    @property
    def init_time(self) -> datetime | None:
        """When the holding was begun; None for one that is only expected."""
        return _dealt(self._host, self._held.instrument, newest=False)

    @property
    def transact_time(self) -> datetime | None:
        """When it was last dealt in."""
        return _dealt(self._host, self._held.instrument, newest=True)

    def __repr__(self) -> str:
        return f"Position({self.security}: {self.total_amount} at {self.avg_cost:.4f})"


def _dealt(host: JoinQuant, instrument: int, *, newest: bool) -> datetime | None:
    fills = book_of(host.view).fills()
    held, begun, last = 0, -1, -1
    for i, side, quantity, row in zip(
        *(fills[name].tolist() for name in ("instrument", "side", "quantity", "row")), strict=True
    ):
        if i == instrument:
            begun, last = (row if held <= 0 else begun), row
            held += side * quantity
    row = last if newest else begun
    return datetime.combine(data_of(host.view).session(row), datetime.min.time()) if row >= 0 else None


class Positions(dict[str, JoinPosition]):
    """Holdings by code; a name that is not held has an empty position, which is not stored."""

    def __init__(self, host: JoinQuant) -> None:
        held = host.account.holdings.values()
        super().__init__({host.code(h.instrument): JoinPosition(host, h) for h in held if h.quantity})
        self._host = host

    def __missing__(self, code: str) -> JoinPosition:
        at = self._host.instrument(code)
        known = super().get(self._host.code(at))
        return known if known is not None else JoinPosition(self._host, Holding(at))


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The one account; yuan."""

    _host: JoinQuant

    @property
    def available_cash(self) -> float:
        return self._host.account.cash

    @property
    def cash(self) -> float:
        return self._host.account.cash

    @property
    def transferable_cash(self) -> float:
        return self._host.account.cash

    @property
    def locked_cash(self) -> float:
        return self.total_value - self.positions_value - self.available_cash

    @property
    def total_value(self) -> float:
        return self._host.account.value

    portfolio_value = total_value

    @property
    def positions_value(self) -> float:
        return self._host.account.positions_value

    market_value = positions_value

    @property
    def starting_cash(self) -> float:
        return self._host.terms.cash

    @property
    def inout_cash(self) -> float:
        return self._host.terms.cash

    @property
    def returns(self) -> float:
        return self.total_value / self.starting_cash - 1 if self.starting_cash else 0.0

    @property
    def positions(self) -> Positions:
        return Positions(self._host)

    @property
    def long_positions(self) -> Positions:
        return self.positions

    @property
    def short_positions(self) -> dict[str, JoinPosition]:
        return {}

    @property
    def margin(self) -> float:
        return 0.0

    type = "stock"


class Context:
    """JoinQuant's ``context``. Attributes that the file sets are kept; those of the platform are its own."""

    def __init__(self, host: JoinQuant) -> None:
        self._host = host
        self._universe: list[str] = []

    @property
    def portfolio(self) -> Portfolio:
        return Portfolio(self._host)

    @property
    def subportfolios(self) -> list[Portfolio]:
        return [Portfolio(self._host)]

    @property
    def current_dt(self) -> datetime | None:
        self._host.view  # noqa: B018
        return self._host.clock()

    @property
    def previous_date(self) -> date:
        return self._host.previous

    @property
    def universe(self) -> list[str]:
        return list(self._universe)

    @property
    def run_params(self) -> Any:
        terms = self._host.terms
        return SimpleNamespace(
            start_date=terms.start, end_date=terms.end, type="simple_backtest", frequency="day"
        )

    def _set_universe(self, security_list: Iterable[str]) -> None:
        self._universe = [security_list] if isinstance(security_list, str) else list(security_list)
