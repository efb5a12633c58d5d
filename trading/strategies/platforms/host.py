"""A platform's file behind the strategy port: its functions are called at the instants of a session.

:class:`Host` keeps what both platforms share: the instant and its account, orders and their numbers, timers,
the state. A platform adds its own objects and functions, which the file finds as its globals.
"""

from __future__ import annotations

import contextlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from types import ModuleType
from typing import Any, ClassVar, Final

from quant.core.errors import UsageError
from quant.core.time import from_epoch_days
from quant.native.batch import Batch, Phase
from quant.trading.strategies.errors import StrategyError
from quant.trading.strategies.guard import Guard
from quant.trading.strategies.platforms.account import Account
from quant.trading.strategies.platforms.agenda import Timer, phase_of
from quant.trading.strategies.platforms.bars import Bars
from quant.trading.strategies.platforms.log import Log
from quant.trading.strategies.platforms.state import Unkept, pack, unpack
from quant.trading.strategies.platforms.terms import Terms
from quant.trading.strategies.platforms.tickets import Ticket, Tickets
from quant.trading.view import View, book_of, data_of

Call = tuple[time, int, str, Callable[[], Any]]
_BEFORE: Final = time(9, 0)
_AFTER: Final = time(15, 30)


class Attributes:
    """An object whose attributes are the user's: ``g``, and what a file adds to ``context``."""


class Host(ABC):
    """Adapter over one loaded file; subclasses name the platform and give it its names."""

    platform: ClassVar[str]
    style: ClassVar[str]
    codes: ClassVar[Any] = "joinquant"
    reacts = False

    def __init__(self, terms: Terms, guard: Guard) -> None:
        self.terms, self.guard = terms, guard
        self.fingerprint = ""
        self.log = Log(self.clock)
        self.tickets = Tickets()
        self.timers: list[Timer] = []
        self.module = ModuleType("")
        self.stored: dict[str, Any] | None = None
        self.begun = False
        self._view: View | None = None
        self._account: Account | None = None
        self._at = time(0)
        self._intended: list[tuple[Ticket, dict[str, Any]]] = []
        self._recalled: list[int] = []
        self._names: dict[str, str] = {}

    # --- what a platform says -----------------------------------------------------------------------------

    @abstractmethod
    def names(self) -> Mapping[str, Any]:
        """The globals of the file."""

    @abstractmethod
    def modules(self) -> Mapping[str, ModuleType]:
        """The modules that the file may import."""

    @abstractmethod
    def calls(self, phase: Phase) -> list[Call]:
        """(clock time, order, label, function) of this instant."""

    @abstractmethod
    def begin(self) -> None:
        """The file's own beginning."""

    @abstractmethod
    def remembered(self) -> dict[str, Any]:
        """The objects whose attributes are kept, by name."""

    # --- the strategy port --------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The file's name."""
        return self.guard.name

    def decide(self, view: View) -> Batch:
        """Call what is due now; raises StrategyError, located in the user's file."""
        self._view, self._account, self._intended, self._recalled = view, None, [], []
        self.tickets.refresh(book_of(view), view.session.toordinal())
        try:
            if not self.begun:
                self._begin()
            for at, _, label, function in sorted(self.calls(view.phase), key=lambda call: call[:2]):
                self._at = at
                self.run(label, function)
            self._send(view)
            return view.intents()
        finally:
            self._view = None

    def on_events(self, view: View, events: Batch) -> Batch:  # noqa: ARG002
        """Nothing: files of a platform look at their orders when they are called."""
        return view.intents()

    def snapshot(self) -> bytes:
        """What the file remembers: attributes without a leading underscore, and the numbers of its orders."""
        if not self.begun:
            return b"" if self.stored is None else _text(self.stored)
        kept = {name: self._kept(name, vars(thing)) for name, thing in self.remembered().items()}
        return _text({"kept": kept, "tickets": self.tickets.snapshot()})

    def restore(self, state: bytes) -> None:
        """The file's beginning runs again at the next instant, then it gets back what it remembered."""
        self.stored = json.loads(state) if state else None
        self.begun = False
        if self.stored is not None:
            self.tickets.restore(self.stored["tickets"])

    def run(self, label: str, function: Callable[[], Any]) -> None:
        """One call into the file, with the platform's modules in place."""
        with installed(self.modules()):
            self.guard.call(label, function, user=getattr(self.module, label, None))

    def _begin(self) -> None:
        if not data_of(self.view).market.daily:
            raise self.guard.error(
                "platform.frequency",
                f"files written for {self.platform} run on daily bars",
                expected="one bar a session",
                found="bars within the day",
                hint="write a class with decide(view) for bars within the day",
            )
        self._at = _BEFORE
        self.timers = []
        self.begin()
        self.begun = True
        if self.stored is None:
            return
        for name, thing in self.remembered().items():
            vars(thing).update({k: unpack(v) for k, v in self.stored["kept"][name].items()})
        self.stored = None

    def _kept(self, owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, value in values.items():
            if name.startswith("_"):
                continue
            try:
                found[name] = pack(value)
            except Unkept as kind:
                raise self.guard.error(
                    "strategy.state",
                    f"{owner}.{name} cannot be kept across a restart",
                    expected="plain data: text, numbers, lists, dicts, sets, dates, arrays, frames",
                    found=str(kind),
                    hint=f"name it {owner}._{name} if it can be made again",
                ) from None
        return found

    # --- the instant --------------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """The present instant. Raises StrategyError while the file is loaded."""
        if self._view is None:
            raise StrategyError(
                "platform.early",
                f"functions of {self.platform} can be called when the session runs, not while the file loads",
                hint="move the call into initialize" if self.style == "joinquant" else "move it into init",
            )
        return self._view

    @property
    def account(self) -> Account:
        """The account of this instant, with what was ordered within it."""
        if self._account is None:
            self._account = Account(self.view, self.terms)
        return self._account

    @property
    def bars(self) -> Bars:
        """The bars that are over."""
        return Bars(self.view)

    @property
    def today(self) -> date:
        """The session."""
        return self.view.session

    @property
    def previous(self) -> date:
        """The session before."""
        days = data_of(self.view).days[: data_of(self.view).first + self.view.t]
        earlier = days[days < (self.today - date(1970, 1, 1)).days]
        return from_epoch_days(int(earlier[-1])) if len(earlier) else self.terms.dates.previous(self.today)

    def clock(self) -> datetime | None:
        """The time of the present call as the platform has it; None while no session runs."""
        return datetime.combine(self._view.session, self._at) if self._view is not None else None

    def instrument(self, code: str) -> int:
        """The place of a code in any spelling. Raises UsageError ``code.*``."""
        return data_of(self.view).instrument(code)

    def code(self, instrument: int) -> str:
        """The code in the platform's spelling."""
        from quant.core.ids import parse_code

        ours = data_of(self.view).codes[instrument]
        if ours not in self._names:
            self._names[ours] = parse_code(ours).show(self.codes)
        return self._names[ours]

    def at_phase(self, phase: Phase) -> list[Call]:
        """The timers due now, in the order in which they were asked for."""
        view, dates = self.view, self.terms.dates
        return [
            (timer.at, place, getattr(timer.function, "__name__", "timer"), self._timed(timer.function))
            for place, timer in enumerate(self.timers)
            if phase_of(timer.at, self.terms) == phase and timer.due(view.session, dates)
        ]

    @abstractmethod
    def _timed(self, function: Callable[..., Any]) -> Callable[[], Any]:
        """A timer's function with the arguments that the platform gives it."""

    # --- orders -------------------------------------------------------------------------------------------

    def give(self, instrument: int, delta: int, price: float | None = None) -> Ticket | None:
        """Order ``delta`` shares, in lots of the board; None when nothing can be ordered, with a line why."""
        side = 1 if delta > 0 else -1
        quantity, last = self._legal(instrument, delta, price)
        if not quantity:
            return None
        self._refuse_late()
        account, most = self.account, self.account.lots(instrument).most
        pieces = [min(most, quantity - done) for done in range(0, quantity, most)]
        view = self.view
        ticket = self.tickets.new(
            instrument=instrument,
            side=side,
            quantity=quantity,
            price=price or 0.0,
            day=view.session.toordinal(),
            at=str(self.clock()),
            sent=pieces,
        )
        self._intended.append((ticket, {"side": "buy" if side > 0 else "sell", "price": price}))
        self._expect(account, ticket, last)
        return ticket

    def _legal(self, instrument: int, delta: int, price: float | None) -> tuple[int, float]:
        account, code = self.account, self.code(instrument)
        if not delta:
            return 0, 0.0
        if account.suspended(instrument):
            return self._none(f"{code} is suspended today: no order")
        last = account.price(instrument)
        if last != last:
            return self._none(f"{code} has no price: no order")
        lots = account.lots(instrument)
        if delta < 0:
            held = account.holdings.get(instrument)
            quantity = lots.sell(-delta, held.sellable, held.quantity) if held else 0
            if not quantity:
                return self._none(f"{code}: {-delta} shares cannot be sold (held, bought today or lots)")
            return quantity, last
        quantity = lots.buy(delta)
        if not quantity:
            return self._none(f"{code}: {delta} shares are less than a lot of {lots.buy_min}")
        short = self.terms.config.on_insufficient_cash == "reduce"
        if short and not account.affordable(instrument, quantity, price or last):
            return self._none(f"{code}: {account.cash:.2f} yuan do not pay for {quantity} shares at {last:g}")
        return quantity, last

    def _none(self, why: str) -> tuple[int, float]:
        self.log.warning(why)
        return 0, 0.0

    def _refuse_late(self) -> None:
        """An order after 09:30 cannot have the day's average price."""
        if self.view.phase == Phase.DECIDE and self.terms.config.fill_at == "vwap":
            raise UsageError(
                "platform.fill",
                f"an order at {self._at:%H:%M} cannot fill at the average price of the whole day",
                expected="fill: {at: close}",
                found="fill: {at: vwap}",
                hint="set fill.at of the backtest to close, or order at 09:30",
            )

    def _expect(self, account: Account, ticket: Ticket, last: float) -> None:
        side, limit = ticket.side, ticket.price
        if account.blocked(ticket.instrument, side, last) or (limit and side * (last - limit) > 1e-9):
            ticket.state = "open"
            return
        quantity, policy = ticket.quantity, self.terms.config.on_insufficient_cash
        if side > 0 and policy != "overdraft":
            quantity = account.affordable(ticket.instrument, quantity, last)
            if quantity < ticket.quantity and policy == "reject":
                ticket.state, ticket.reason = "rejected", "cash"
                return
        account.expect(ticket.instrument, side, quantity, last)
        ticket.filled, ticket.average, ticket.state = quantity, last, "filled"
        ticket.fees = account.fees(ticket.instrument, side, quantity * last)

    def withdraw(self, ticket: Ticket) -> bool:
        """Take back an order: one of this instant is never sent. False when it is done already."""
        for place, (given, _) in enumerate(self._intended):
            if given is ticket and ticket.state == "open":
                del self._intended[place]
                ticket.state, ticket.reason, ticket.sent = "cancelled", "cancel_requested", []
                return True
        if not ticket.open or not ticket.orders:
            return False
        self._recalled += ticket.orders
        return True

    def _send(self, view: View) -> None:
        for number in dict.fromkeys(self._recalled):
            view.cancel(number)
        for ticket, how in self._intended:
            code = data_of(view).codes[ticket.instrument]
            for piece in ticket.sent:
                view.order(code, how["side"], piece, how["price"])
            if ticket.state != "cancelled":
                ticket.filled, ticket.average, ticket.fees, ticket.state = 0, 0.0, 0.0, "new"


def _text(state: Any) -> bytes:
    return json.dumps(state, sort_keys=True, separators=(",", ":")).encode()


@contextlib.contextmanager
def installed(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """These modules in place of any others of their names."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
