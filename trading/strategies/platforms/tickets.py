"""Orders as a platform numbers them: given within a call, found again in the book afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from quant.core.money import MONEY_SCALE, PRICE_SCALE

FINAL = frozenset({"filled", "cancelled", "rejected", "expired"})


@dataclass(slots=True)
class Ticket:
    """One order. Before the kernel has it, ``filled`` and ``state`` are what is expected of it.

    ``sent`` are the quantities still to be found in the book, ``orders`` the numbers there; ``price`` 0 is at
    the market, ``average`` and ``fees`` are in yuan.
    """

    id: int
    instrument: int
    side: int
    quantity: int
    price: float
    day: int
    at: str
    sent: list[int]
    orders: list[int] = field(default_factory=list)
    filled: int = 0
    average: float = 0.0
    fees: float = 0.0
    state: str = "new"
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether it may still be filled."""
        return self.state not in FINAL


class Tickets:
    """All orders of the newest sessions, in the order in which they were given."""

    def __init__(self) -> None:
        self.next = 1
        self.scanned = 0
        self.kept: dict[int, Ticket] = {}

    def new(self, **facts: Any) -> Ticket:
        """A ticket with the next number."""
        ticket = Ticket(id=self.next, **facts)
        self.kept[ticket.id] = ticket
        self.next += 1
        return ticket

    def refresh(self, book: Any, day: int) -> None:
        """Find what was sent in the book, and bring every open ticket up to date; old ones are dropped."""
        waiting = [t for t in self.kept.values() if t.sent]
        if waiting:
            self._find(book, waiting, day)
        live = [t for t in self.kept.values() if t.orders and t.open]
        if live:
            self._update(book, live)
        self.kept = {i: t for i, t in self.kept.items() if t.day == day or t.open or t.sent}

    def _find(self, book: Any, waiting: Iterable[Ticket], day: int) -> None:
        orders = book.orders()
        names = ("order_id", "instrument", "side", "wanted", "price")
        fresh = zip(*(orders[name][self.scanned :].tolist() for name in names), strict=True)
        for order_id, instrument, side, wanted, price in fresh:
            self.scanned += 1
            for ticket in waiting:
                same = (ticket.instrument, ticket.side, round(ticket.price * PRICE_SCALE))
                if ticket.sent and same == (instrument, side, price) and ticket.sent[0] == wanted:
                    ticket.orders.append(order_id)
                    ticket.sent.pop(0)
                    ticket.day = day
                    break

    def _update(self, book: Any, live: Iterable[Ticket]) -> None:
        from quant.native.kernel import OrderState, Reason

        orders, fills = book.orders(), book.fills()
        for ticket in live:
            at = [number - 1 for number in ticket.orders]
            states = [OrderState(int(s)).name.lower() for s in orders["state"][at]]
            ticket.filled = int(orders["filled"][at].sum())
            going = [s for s in states if s not in FINAL]
            done = "filled" if set(states) == {"filled"} else states[-1]
            ticket.state = "open" if going or ticket.sent else done
            reason = Reason(int(orders["reason"][at[-1]]))
            ticket.reason = reason.name.lower() if reason.value else ""
            if ticket.filled:
                own = [i for i, number in enumerate(fills["order_id"].tolist()) if number in ticket.orders]
                value = int(fills["notional"][own].sum()) / MONEY_SCALE
                ticket.average = value / ticket.filled
                charged = sum(int(fills[name][own].sum()) for name in ("commission", "stamp", "transfer"))
                ticket.fees = charged / MONEY_SCALE

    def snapshot(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "next": self.next,
            "scanned": self.scanned,
            "kept": [asdict(ticket) for ticket in self.kept.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.next, self.scanned = state["next"], state["scanned"]
        self.kept = {facts["id"]: Ticket(**facts) for facts in state["kept"]}
