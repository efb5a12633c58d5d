"""RiceQuant's ``context``, portfolio, positions and orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from quant.trading.strategies.platforms.account import Holding
from quant.trading.strategies.platforms.tickets import Ticket

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.ricequant import RiceQuant


class ORDER_STATUS(Enum):  # noqa: N801
    """The platform's states of an order."""

    PENDING_NEW = "PENDING_NEW"
    ACTIVE = "ACTIVE"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class SIDE(Enum):
    BUY = "BUY"
    SELL = "SELL"


class ORDER_TYPE(Enum):  # noqa: N801
    MARKET = "MARKET"
    LIMIT = "LIMIT"


class POSITION_DIRECTION(Enum):  # noqa: N801
    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """At the market."""

    limit_price: float | None = None


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """At ``limit_price`` or better."""

    limit_price: float


_STATUS = {
    "new": ORDER_STATUS.PENDING_NEW,
    "open": ORDER_STATUS.ACTIVE,
    "filled": ORDER_STATUS.FILLED,
    "rejected": ORDER_STATUS.REJECTED,
    "cancelled": ORDER_STATUS.CANCELLED,
    "expired": ORDER_STATUS.CANCELLED,
}


class RiceOrder:
    """An order; its figures are those of the moment they are read."""

    def __init__(self, host: RiceQuant, ticket: Ticket) -> None:
        self._ticket = ticket
        self.order_id = ticket.id
        self.order_book_id = host.code(ticket.instrument)
        self.quantity = ticket.quantity
        self.side = SIDE.BUY if ticket.side > 0 else SIDE.SELL
        self.type = ORDER_TYPE.LIMIT if ticket.price else ORDER_TYPE.MARKET
        self.price = ticket.price
        self.datetime = self.trading_datetime = datetime.fromisoformat(ticket.at)

    @property
    def filled_quantity(self) -> int:
        return self._ticket.filled

    @property
    def unfilled_quantity(self) -> int:
        return self._ticket.quantity - self._ticket.filled

    @property
    def avg_price(self) -> float:
        return self._ticket.average

    @property
    def transaction_cost(self) -> float:
        """All fees, stamp duty included."""
        return self._ticket.fees

    @property
    def status(self) -> ORDER_STATUS:
        return _STATUS[self._ticket.state]

    @property
    def message(self) -> str:
        """Why it was not filled, a reason code of the kernel."""
        return self._ticket.reason

    def is_final(self) -> bool:
        return not self._ticket.open

    def __repr__(self) -> str:
        return f"Order({self.order_id}: {self.side.value} {self.quantity} {self.order_book_id})"


class RicePosition:
    """A holding at the moment it is asked for."""

    def __init__(self, host: RiceQuant, held: Holding) -> None:
        self._host, self._held = host, held
        self.order_book_id = host.code(held.instrument)
        self.direction = POSITION_DIRECTION.LONG

    @property
    def quantity(self) -> int:
        return self._held.quantity

    @property
    def closable(self) -> int:
        return self._held.sellable

    sellable = closable

    @property
    def today_quantity(self) -> int:
        return self._held.quantity - self._held.sellable

    @property
    def avg_price(self) -> float:
        """The cost of a share, buying fees included."""
        return self._held.average

    @property
    def last_price(self) -> float:
        return self._host.account.price(self._held.instrument)

    @property
    def market_value(self) -> float:
        return self._held.quantity * self.last_price if self._held.quantity else 0.0

    equity = market_value

    @property
    def value_percent(self) -> float:
        return self.market_value / self._host.account.value

    @property
    def pnl(self) -> float:
        return self.market_value - self._held.cost

    position_pnl = pnl

    def __repr__(self) -> str:
        return f"Position({self.order_book_id}: {self.quantity} at {self.avg_price:.4f})"


def rice_positions(host: RiceQuant, code: str | None = None) -> list[RicePosition]:
    """All holdings, or the one of ``code``, which is empty when it is not held."""
    held = host.account.holdings
    if code is not None:
        at = host.instrument(code)
        return [RicePosition(host, held.get(at) or Holding(at))]
    return [RicePosition(host, h) for h in held.values() if h.quantity]


class Positions(dict[str, RicePosition]):
    """Holdings by code; a name that is not held has an empty position, which is not stored."""

    def __init__(self, host: RiceQuant) -> None:
        super().__init__({p.order_book_id: p for p in rice_positions(host)})
        self._host = host

    def __missing__(self, code: str) -> RicePosition:
        return rice_positions(self._host, code)[0]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The one account; yuan."""

    _host: RiceQuant

    @property
    def cash(self) -> float:
        return self._host.account.cash

    @property
    def total_value(self) -> float:
        return self._host.account.value

    portfolio_value = total_value

    @property
    def market_value(self) -> float:
        return self._host.account.positions_value

    @property
    def frozen_cash(self) -> float:
        return self.total_value - self.market_value - self.cash

    @property
    def starting_cash(self) -> float:
        return self._host.terms.cash

    @property
    def unit_net_value(self) -> float:
        return self.total_value / self.starting_cash if self.starting_cash else 1.0

    @property
    def units(self) -> float:
        return self.starting_cash

    @property
    def total_returns(self) -> float:
        return self.unit_net_value - 1

    @property
    def pnl(self) -> float:
        return self.total_value - self.starting_cash

    @property
    def positions(self) -> Positions:
        return Positions(self._host)

    def get_positions(self) -> list[RicePosition]:
        return rice_positions(self._host)

    def get_position(self, order_book_id: str, direction: Any = None) -> RicePosition:
        del direction
        return rice_positions(self._host, order_book_id)[0]

    @property
    def accounts(self) -> dict[str, Portfolio]:
        return {"STOCK": self}

    @property
    def stock_account(self) -> Portfolio:
        return self


class Context:
    """RiceQuant's ``context``. Attributes that the file sets are kept; those of the platform are its own."""

    def __init__(self, host: RiceQuant) -> None:
        self._host = host
        self._universe: list[str] = []

    @property
    def portfolio(self) -> Portfolio:
        return Portfolio(self._host)

    @property
    def stock_account(self) -> Portfolio:
        return Portfolio(self._host)

    @property
    def now(self) -> datetime | None:
        self._host.view  # noqa: B018
        return self._host.clock()

    @property
    def universe(self) -> list[str]:
        return list(self._universe)

    @property
    def run_info(self) -> Any:
        terms = self._host.terms
        return SimpleNamespace(
            run_id=terms.name,
            start_date=terms.start,
            end_date=terms.end,
            frequency="1d",
            stock_starting_cash=terms.cash,
            capital=terms.cash,
            run_type="BACKTEST",
        )

    def _set_universe(self, id_or_symbols: Iterable[str]) -> None:
        codes = [id_or_symbols] if isinstance(id_or_symbols, str) else id_or_symbols
        self._universe = list(dict.fromkeys(self._host.data.name_of(code) for code in codes))
