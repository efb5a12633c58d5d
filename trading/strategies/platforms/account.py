"""The account as a platform shows it: what is held, and within one call what was ordered counts as done.

The platforms match an order while it is given. Here it goes to the kernel after the call and fills later, so
the account of one instant is the book's with each order executed at the last known price. From the next
instant on it is what happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from quant.core.market.instrument import BOARD_SHIFT, SUSPENDED
from quant.core.money import MONEY_SCALE, RATE_SCALE
from quant.native.batch import Phase
from quant.native.market import DAILY
from quant.trading.view import View, data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.terms import Terms

_FIRST_BYTE = 0xFF


@dataclass(slots=True)
class Holding:
    """Shares of one instrument; ``cost`` is the price of all of them, buying fees included, yuan."""

    instrument: int
    quantity: int = 0
    sellable: int = 0
    cost: float = 0.0
    bought: int = 0

    @property
    def average(self) -> float:
        """The cost of one share."""
        return self.cost / self.quantity if self.quantity else 0.0


@dataclass(frozen=True, slots=True)
class Lots:
    """How many shares an order may have on this day and board."""

    buy_min: int = 100
    buy_step: int = 100
    sell_step: int = 100
    odd: bool = True
    most: int = 1 << 40
    settles: int = 1

    def buy(self, wanted: int) -> int:
        """The largest legal number of shares to buy, at most ``wanted``; 0 if none."""
        return wanted - (wanted - self.buy_min) % self.buy_step if wanted >= self.buy_min else 0

    def sell(self, wanted: int, sellable: int, held: int) -> int:
        """The largest legal number of shares to sell; what is left of a lot goes with the whole."""
        quantity = min(wanted, sellable)
        if quantity == held and self.odd and quantity > 0:
            return quantity
        whole = quantity - quantity % self.sell_step
        return whole if whole >= self.buy_min else 0


@dataclass
class Account:
    """Cash and holdings at one instant; ``expect`` moves them by an order that was just given."""

    view: View
    terms: Terms
    cash: float = 0.0
    holdings: dict[int, Holding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = self.data = data_of(self.view)
        self.day = data.market.session_of(self.view.t)
        self.cash = self.view.cash
        for code, held in self.view.positions.items():
            at = data.instrument(code)
            self.holdings[at] = Holding(at, held.quantity, held.sellable, held.cost)
        self._marks = {data.instrument(c): p.price for c, p in self.view.positions.items()}
        self._other = self.view.nav - self.view.cash - sum(p.value for p in self.view.positions.values())

    @property
    def value(self) -> float:
        """Cash and holdings, with dividends on their way and what orders on their way reserve."""
        return self.cash + self.positions_value + self._other

    @property
    def positions_value(self) -> float:
        """All holdings at their last known prices."""
        return sum(h.quantity * self.price(h.instrument) for h in self.holdings.values())

    def price(self, instrument: int) -> float:
        """The last price known now, as traded; NaN when the instrument never had one.

        Before the open it is the reference price, then the open, at the close the close; a held name without
        a quote has its mark.
        """
        arrays = self.data.market.arrays
        for name in _QUOTES[self.view.phase]:
            price = int(arrays[name][self.day if name in DAILY else self.view.t, instrument])
            if price > 0:
                return price / 10_000
        return self._marks.get(instrument, float("nan"))

    def suspended(self, instrument: int) -> bool:
        """Whether it does not trade today, as far as known."""
        flags = int(self.data.market.arrays["flags"][self.day, instrument])
        return bool(flags & SUSPENDED)

    def board(self, instrument: int) -> int:
        """Its board today, the column of the rule tables."""
        flags = int(self.data.market.arrays["flags"][self.day, instrument])
        return flags >> BOARD_SHIFT & _FIRST_BYTE

    def lots(self, instrument: int) -> Lots:
        """Today's lot rules."""
        rules, cell = self.terms.config.rules, (self.day, self.board(instrument))
        return Lots(
            buy_min=int(rules.buy_min[cell]),
            buy_step=int(rules.buy_step[cell]),
            sell_step=int(rules.sell_step[cell]),
            odd=bool(rules.odd_lot_sell[cell]),
            most=int(rules.max_order[cell]),
            settles=int(rules.settlement_days[cell]),
        )

    def fees(self, instrument: int, side: int, amount: float) -> float:
        """What an order over ``amount`` yuan costs, to the fee."""
        fees, cell = self.terms.config.fees, (self.day, self.board(instrument))
        stamp = fees.stamp_buy if side > 0 else fees.stamp_sell
        commission = max(amount * fees.commission[cell] / RATE_SCALE, fees.commission_min[cell] / MONEY_SCALE)
        return float(commission + amount * (stamp[cell] + fees.transfer[cell]) / RATE_SCALE)

    def affordable(self, instrument: int, wanted: int, price: float) -> int:
        """How much of ``wanted`` the cash pays for at ``price``, in lots."""
        lots = self.lots(instrument)
        quantity = lots.buy(wanted)
        while quantity > 0 and self._cost(instrument, quantity, price) > self.cash + 1e-6:
            fitting = int(self.cash / self._cost(instrument, quantity, price) * quantity)
            quantity = lots.buy(min(fitting, quantity - 1))
        return quantity

    def _cost(self, instrument: int, quantity: int, price: float) -> float:
        return quantity * price + self.fees(instrument, 1, quantity * price)

    def expect(self, instrument: int, side: int, quantity: int, price: float) -> None:
        """Count an order as executed at ``price``."""
        held = self.holdings.setdefault(instrument, Holding(instrument))
        fees = self.fees(instrument, side, quantity * price)
        if side > 0:
            self.cash -= quantity * price + fees
            held.quantity += quantity
            held.cost += quantity * price + fees
            held.bought += quantity
            held.sellable += 0 if self.lots(instrument).settles else quantity
        else:
            self.cash += quantity * price - fees
            held.cost -= held.average * quantity
            held.quantity -= quantity
            held.sellable -= quantity
            if not held.quantity:
                del self.holdings[instrument]

    def blocked(self, instrument: int, side: int, price: float) -> bool:
        """Whether an order at ``price`` would stand at the day's limit and cannot count as executed."""
        arrays = self.data.market.arrays
        limit = int(arrays["limit_up" if side > 0 else "limit_down"][self.day, instrument])
        return limit > 0 and self.view.phase >= Phase.OPEN and side * (round(price * 10_000) - limit) >= 0


_QUOTES = {
    Phase.PREOPEN: ("pre_close",),
    Phase.OPEN: ("open", "pre_close"),
    Phase.DECIDE: ("open", "pre_close"),
    Phase.CLOSE: ("close", "pre_close"),
}


def whole(amount: float) -> int:
    """Shares of a computed amount, towards zero; NaN is none."""
    return 0 if np.isnan(amount) else int(amount + (1e-9 if amount > 0 else -1e-9))
