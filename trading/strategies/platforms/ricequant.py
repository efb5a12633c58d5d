"""Files written for RiceQuant: ``init``, ``before_trading``, ``handle_bar``, ``order_target_percent`` …"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, Final

from quant.core.errors import UsageError
from quant.native.batch import Phase
from quant.trading.strategies.guard import Guard
from quant.trading.strategies.platforms.agenda import CLOSING, Every, Timer
from quant.trading.strategies.platforms.host import Attributes, Call, Host
from quant.trading.strategies.platforms.missing import Shim, missing
from quant.trading.strategies.platforms.orders import Sizing, limit_of, ticket_of
from quant.trading.strategies.platforms.ricequant_book import (
    ORDER_STATUS,
    ORDER_TYPE,
    POSITION_DIRECTION,
    SIDE,
    Context,
    LimitOrder,
    MarketOrder,
    RiceOrder,
    RicePosition,
    rice_positions,
)
from quant.trading.strategies.platforms.ricequant_data import BarMap, RiceData
from quant.trading.strategies.platforms.terms import Terms
from quant.trading.strategies.platforms.tickets import Ticket

_CLOCKS: Final = {
    Phase.PREOPEN: time(9, 30),
    Phase.OPEN: time(9, 30),
    Phase.DECIDE: time(14, 57),
    Phase.CLOSE: CLOSING,
}
_BEFORE, _AUCTION, _AFTER = time(8, 30), time(9, 15), time(15, 30)
_LAST: Final = 10**6
_NOT_OFFERED: Final = {
    "get_factor": "declare the factor in the spec language",
    "get_fundamentals": "declare the factor in the spec language",
    "get_pit_financials_ex": "",
    "get_dominant_future": "",
    "current_performance": "",
    "get_securities_margin": "",
    "get_margin_stocks": "",
    "get_shares": "",
    "get_turnover_rate": "",
    "get_price_change_rate": "history_bars",
    "get_yield_curve": "",
    "get_dividend": "",
    "get_split": "",
    "get_industry": "",
    "get_concept": "",
    "concept": "",
    "industry": "",
    "sector": "",
    "get_ticks": "",
    "history_ticks": "",
    "buy_open": "order_shares",
    "buy_close": "order_shares",
    "sell_open": "order_shares",
    "sell_close": "order_shares",
    "exercise": "",
    "deposit": "",
    "withdraw": "",
    "finance": "",
    "subscribe_event": "on_events of a strategy class",
    "inout_cash": "",
    "VWAPOrder": "fill: {at: vwap} in the backtest document",
    "TWAPOrder": "fill: {at: vwap} in the backtest document",
}


class RiceQuant(Host):
    """Adapter over a RiceQuant file."""

    platform: ClassVar[str] = "RiceQuant"
    style: ClassVar[str] = "ricequant"
    codes: ClassVar[Any] = "ricequant"

    def __init__(self, terms: Terms, guard: Guard) -> None:
        super().__init__(terms, guard)
        self.context = Context(self)
        self.sizing = Sizing(self)
        self.data = RiceData(self)
        self._g = Attributes()
        self._globals = self._made()
        self._modules = {
            name: Shim(name, self._globals) for name in ("rqalpha", "rqalpha.api", "rqalpha.apis")
        }

    def names(self) -> Mapping[str, Any]:
        return self._globals

    def modules(self) -> Mapping[str, ModuleType]:
        return self._modules

    def remembered(self) -> dict[str, Any]:
        return {"context": self.context, "g": self._g}

    def begin(self) -> None:
        function = self._function("init")
        if getattr(self.module, "__config__", None):
            self.log.once("__config__ has no meaning here: the spec decides")
        if function is not None:
            self.run("init", partial(function, self.context))
        if self._intended:
            raise self.guard.error("platform.early", "init cannot order", hint="order in handle_bar")

    def calls(self, phase: Phase) -> list[Call]:
        found = self.at_phase(phase)
        bars = BarMap(self.data)
        own: list[tuple[Phase, time, int, str, tuple[Any, ...]]] = [
            (Phase.PREOPEN, _BEFORE, -1, "before_trading", ()),
            (Phase.PREOPEN, _AUCTION, 0, "open_auction", (bars,)),
            (self.terms.main, _CLOCKS[self.terms.main], _LAST, "handle_bar", (bars,)),
            (Phase.CLOSE, _AFTER, _LAST, "after_trading", ()),
        ]
        for when, at, place, name, more in own:
            function = self._function(name)
            if when == phase and function is not None:
                found.append((at, place, name, partial(function, self.context, *more)))
        return found

    def at_phase(self, phase: Phase) -> list[Call]:
        """On daily bars a timer is called with ``handle_bar``, or before trading."""
        view, dates = self.view, self.terms.dates
        main = self.terms.main
        found: list[Call] = []
        for place, timer in enumerate(self.timers):
            early = timer.at == _BEFORE
            if phase == (Phase.PREOPEN if early else main) and timer.due(view.session, dates):
                at = _BEFORE if early else _CLOCKS[main]
                name = getattr(timer.function, "__name__", "timer")
                found.append((at, place, name, self._timed(timer.function)))
        return found

    def _timed(self, function: Callable[..., Any]) -> Callable[[], Any]:
        return partial(function, self.context, BarMap(self.data))

    def _function(self, name: str) -> Callable[..., Any] | None:
        found = getattr(self.module, name, None)
        return found if callable(found) else None

    # --- the platform's names -----------------------------------------------------------------------------

    def _made(self) -> dict[str, Any]:
        sizing = self.sizing
        return {
            **missing(self.platform, _NOT_OFFERED),
            "g": self._g,
            "logger": self.log,
            "user_log": self.log,
            "scheduler": Scheduler(self),
            "market_open": partial(_clock, 9, 30),
            "market_close": partial(_clock_back, 15, 0),
            "physical_time": partial(_clock, 0, 0),
            "MarketOrder": MarketOrder,
            "LimitOrder": LimitOrder,
            "ORDER_STATUS": ORDER_STATUS,
            "ORDER_TYPE": ORDER_TYPE,
            "SIDE": SIDE,
            "POSITION_DIRECTION": POSITION_DIRECTION,
            "order_shares": partial(self._order, sizing.shares),
            "order": partial(self._order, sizing.shares),
            "order_lots": partial(self._order, self._lots),
            "order_value": partial(self._order, sizing.value),
            "order_percent": partial(self._order, self._percent),
            "order_target_value": partial(self._order, sizing.target_value),
            "order_target_percent": partial(self._order, self._target_percent),
            "order_to": partial(self._order, sizing.target),
            "order_target_portfolio": self._target_portfolio,
            "submit_order": self._submit,
            "cancel_order": self._cancel,
            "get_open_orders": self._open_orders,
            "get_position": self._position,
            "get_positions": partial(rice_positions, self),
            "update_universe": self.context._set_universe,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "plot": self._plot,
            **self.data.names(),
        }

    def _order(
        self,
        size: Callable[[str, Any, float | None], Ticket | None],
        id_or_ins: Any,
        amount: Any = None,
        price_or_style: Any = None,
        style: Any = None,
        price: Any = None,
        **named: Any,
    ) -> RiceOrder | None:
        for name in ("quantity", "cash_amount", "percent", "lots"):
            amount = named.pop(name, amount)
        if named:
            raise TypeError(f"an order takes no {next(iter(named))!r}")
        limit = next((x for x in (price_or_style, style, price) if x is not None), None)
        ticket = size(self.data.name_of(id_or_ins), amount, limit_of(limit))
        return RiceOrder(self, ticket) if ticket is not None else None

    def _lots(self, code: str, amount: Any, price: float | None) -> Ticket | None:
        return self.sizing.shares(code, amount * 100, price)

    def _percent(self, code: str, percent: Any, price: float | None) -> Ticket | None:
        return self.sizing.value(code, percent * self.account.value, price)

    def _target_percent(self, code: str, percent: Any, price: float | None) -> Ticket | None:
        return self.sizing.target_value(code, percent * self.account.value, price)

    def _target_portfolio(self, target_portfolio: Mapping[Any, Any], *_prices: Any) -> list[RiceOrder]:
        """Weights of the total value; names that are held and not named are sold. Sales come first."""
        if _prices:
            raise UsageError("platform.missing", "order_target_portfolio takes no prices here")
        value = self.account.value
        wanted = {self.instrument(self.data.name_of(c)): w for c, w in target_portfolio.items()}
        gone = [h for h in self.account.holdings if h not in wanted]
        changes = {at: -self.account.holdings[at].quantity for at in gone}
        for at, weight in wanted.items():
            held = self.account.holdings.get(at)
            target = int(weight * value / self.account.price(at)) if weight else 0
            changes[at] = target - (held.quantity if held else 0)
        tickets = [self.give(at, delta) for at, delta in sorted(changes.items(), key=lambda c: c[1] > 0)]
        return [RiceOrder(self, ticket) for ticket in tickets if ticket is not None]

    def _submit(
        self, id_or_ins: Any, amount: Any, side: Any, price: Any = None, position_effect: Any = None
    ) -> RiceOrder | None:
        del position_effect
        signed = amount if side in (SIDE.BUY, "BUY") else -amount
        return self._order(self.sizing.shares, id_or_ins, signed, price)

    def _cancel(self, order: Any) -> RiceOrder | None:
        ticket = ticket_of(self, order)
        if ticket is not None:
            self.withdraw(ticket)
        return RiceOrder(self, ticket) if ticket is not None else None

    def _open_orders(self) -> list[RiceOrder]:
        return [RiceOrder(self, t) for t in self.tickets.kept.values() if t.open]

    def _position(self, order_book_id: Any, direction: Any = None) -> RicePosition:
        if direction is not None and str(getattr(direction, "name", direction)).upper() != "LONG":
            raise UsageError("platform.account", "there are no short positions here", found=str(direction))
        return rice_positions(self, self.data.name_of(order_book_id))[0]

    def _subscribe(self, id_or_symbols: Any) -> None:
        codes = [id_or_symbols] if isinstance(id_or_symbols, str) else list(id_or_symbols)
        self.context._set_universe([*self.context.universe, *codes])

    def _unsubscribe(self, id_or_symbols: Any) -> None:
        gone = {id_or_symbols} if isinstance(id_or_symbols, str) else set(id_or_symbols)
        self.context._set_universe([c for c in self.context.universe if c not in gone])

    def _plot(self, series_name: str, value: Any) -> None:
        self.log.info(f"plot {series_name}={value}")


class Scheduler:
    """``scheduler.run_daily(func, time_rule=…)`` and its like."""

    def __init__(self, host: RiceQuant) -> None:
        self._host = host

    def run_daily(self, function: Callable[..., Any], time_rule: Any = None) -> None:
        self._add(Timer(function, _rule(time_rule)))

    def run_weekly(
        self,
        function: Callable[..., Any],
        weekday: int | None = None,
        tradingday: int | None = None,
        time_rule: Any = None,
    ) -> None:
        if (weekday is None) is (tradingday is None):
            raise UsageError("platform.timer", "run_weekly takes a weekday (1-5) or a tradingday, not both")
        day = weekday - 1 if weekday is not None else None
        self._add(Timer(function, _rule(time_rule), "week", nth=tradingday, weekday=day))

    def run_monthly(
        self,
        function: Callable[..., Any],
        tradingday: int | None = None,
        time_rule: Any = None,
        **_named: Any,
    ) -> None:
        if tradingday is None:
            raise UsageError("platform.timer", "run_monthly takes a tradingday, as tradingday=1")
        every: Every = "month"
        self._add(Timer(function, _rule(time_rule), every, nth=tradingday))

    def _add(self, timer: Timer) -> None:
        self._host.timers.append(timer)


def _rule(rule: Any) -> time:
    if rule == "before_trading":
        return _BEFORE
    return rule if isinstance(rule, time) else CLOSING


def _clock(base_hour: int, base_minute: int, hour: int = 0, minute: int = 0) -> time:
    total = (base_hour + hour) * 60 + base_minute + minute
    return time(total // 60, total % 60)


def _clock_back(base_hour: int, base_minute: int, hour: int = 0, minute: int = 0) -> time:
    return _clock(base_hour, base_minute, -hour, -minute)
