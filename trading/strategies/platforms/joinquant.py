"""Files written for JoinQuant: ``initialize``, ``handle_data``, ``run_daily``, ``order_target_value`` …"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from functools import partial
from types import ModuleType
from typing import Any, ClassVar, Final

from quant.core.errors import UsageError
from quant.native.batch import Phase
from quant.trading.strategies.guard import Guard
from quant.trading.strategies.platforms.agenda import CLOSING, OPENING, Every, Timer
from quant.trading.strategies.platforms.costs import (
    CostCheck,
    FixedSlippage,
    OrderCost,
    PerTrade,
    PriceRelatedSlippage,
    StepRelatedSlippage,
)
from quant.trading.strategies.platforms.host import Attributes, Call, Host
from quant.trading.strategies.platforms.joinquant_book import (
    Context,
    JoinOrder,
    OrderStatus,
    joined_orders,
    joined_trades,
)
from quant.trading.strategies.platforms.joinquant_data import JoinData
from quant.trading.strategies.platforms.joinquant_query import TABLES, FundamentalsQuery, query
from quant.trading.strategies.platforms.missing import Shim, missing
from quant.trading.strategies.platforms.orders import (
    LimitOrderStyle,
    MarketOrderStyle,
    Sizing,
    limit_of,
    ticket_of,
)
from quant.trading.strategies.platforms.terms import Terms
from quant.trading.strategies.platforms.tickets import Ticket

_CLOCKS: Final = {
    "before_open": time(9, 0),
    "open": OPENING,
    "every_bar": OPENING,
    "close": CLOSING,
    "after_close": time(15, 30),
}
_MAIN: Final = {Phase.PREOPEN: OPENING, Phase.OPEN: OPENING, Phase.DECIDE: time(14, 57), Phase.CLOSE: CLOSING}
_AFTER: Final = time(15, 30)
_NOT_OFFERED: Final = {
    "finance": "get_fundamentals(query(valuation, indicator, balance)) has what the warehouse holds",
    "income": "its figures are a single quarter's there and cumulative here: see indicator and balance",
    "cash_flow": "its figures are a single quarter's there and cumulative here: see indicator and balance",
    "macro": "",
    "opt": "",
    "bond": "",
    "run_offset_query": "",
    "get_factor_values": "declare the factor in the spec language",
    "get_all_factors": "",
    "get_industry_stocks": "",
    "get_industry": "",
    "get_industries": "",
    "get_concept_stocks": "",
    "get_concept": "",
    "get_concepts": "",
    "get_money_flow": "",
    "get_billboard_list": "",
    "get_mtss": "",
    "get_margincash_stocks": "",
    "get_marginsec_stocks": "",
    "get_locked_shares": "",
    "get_ticks": "",
    "get_current_tick": "get_current_data()[code].last_price",
    "get_call_auction": "",
    "get_dominant_future": "",
    "get_future_contracts": "",
    "get_fundamentals_continuously": "get_fundamentals of each date",
    "get_index_weights": "get_index_stocks",
    "inout_cash": "",
    "send_message": "log.info",
    "read_file": "a strategy reads nothing but its data",
    "write_file": "a strategy writes nothing but its log",
    "order_spread": "",
    "margincash_open": "",
    "margincash_close": "",
    "marginsec_open": "",
    "marginsec_close": "",
    "StopMarketOrderStyle": "LimitOrderStyle",
    "StopLimitOrderStyle": "LimitOrderStyle",
    "SubPortfolioConfig": "one account holds everything",
    "set_subportfolios": "one account holds everything",
    "transfer_cash": "one account holds everything",
    "create_backtest": "quant backtest",
}


class JoinQuant(Host):
    """Adapter over a JoinQuant file."""

    platform: ClassVar[str] = "JoinQuant"
    style: ClassVar[str] = "joinquant"

    def __init__(self, terms: Terms, guard: Guard) -> None:
        super().__init__(terms, guard)
        self.g = Attributes()
        self.context = Context(self)
        self.sizing = Sizing(self)
        self.costs = CostCheck(self)
        self.data = JoinData(self)
        self._globals = self._made()
        self._modules = {
            name: Shim(name, self._globals)
            for name in ("jqdata", "kuanke", "kuanke.user_space_api", "kuanke.wizard", "jqdata.apis")
        }

    def names(self) -> Mapping[str, Any]:
        return self._globals

    def modules(self) -> Mapping[str, ModuleType]:
        return self._modules

    def remembered(self) -> dict[str, Any]:
        return {"g": self.g, "context": self.context}

    def begin(self) -> None:
        for name in ("initialize", "process_initialize"):
            function = self._function(name)
            if function is not None:
                self.run(name, partial(function, self.context))
        if self._intended:
            raise self.guard.error(
                "platform.early", "initialize cannot order", hint="order in handle_data or a timer"
            )

    def calls(self, phase: Phase) -> list[Call]:
        found = self.at_phase(phase)
        own = (
            (Phase.PREOPEN, time(9, 0), -1, "before_trading_start"),
            (Phase.CLOSE, _AFTER, 10**6, "after_trading_end"),
        )
        for when, at, place, name in own:
            function = self._function(name)
            if when == phase and function is not None:
                found.append((at, place, name, partial(function, self.context)))
        main = self._function("handle_data")
        if main is not None and phase == self.terms.main:
            found.append((_MAIN[phase], 10**6, "handle_data", partial(self._handle, main)))
        return found

    def _handle(self, main: Callable[..., Any]) -> None:
        main(self.context, self.data.yesterday())

    def _timed(self, function: Callable[..., Any]) -> Callable[[], Any]:
        return partial(function, self.context)

    def _function(self, name: str) -> Callable[..., Any] | None:
        found = getattr(self.module, name, None)
        return found if callable(found) else None

    # --- the platform's names -----------------------------------------------------------------------------

    def _made(self) -> dict[str, Any]:
        data, costs = self.data, self.costs
        return {
            **missing(self.platform, _NOT_OFFERED),
            **{table.name: table for table in TABLES.values()},
            "g": self.g,
            "log": self.log,
            "query": query,
            "get_fundamentals": FundamentalsQuery(self),
            "OrderStatus": OrderStatus,
            "MarketOrderStyle": MarketOrderStyle,
            "LimitOrderStyle": LimitOrderStyle,
            "OrderCost": OrderCost,
            "PerTrade": PerTrade,
            "FixedSlippage": FixedSlippage,
            "PriceRelatedSlippage": PriceRelatedSlippage,
            "StepRelatedSlippage": StepRelatedSlippage,
            "set_order_cost": costs.set_order_cost,
            "set_commission": costs.set_commission,
            "set_slippage": costs.set_slippage,
            "set_option": costs.set_option,
            "set_benchmark": costs.set_benchmark,
            "set_universe": self.context._set_universe,
            "run_daily": partial(self._run, "day"),
            "run_weekly": partial(self._run_in, "week"),
            "run_monthly": partial(self._run_in, "month"),
            "unschedule_all": self.timers_gone,
            "order": partial(self._order, self.sizing.shares),
            "order_value": partial(self._order, self.sizing.value),
            "order_target": partial(self._order, self.sizing.target),
            "order_target_value": partial(self._order, self.sizing.target_value),
            "cancel_order": self._cancel,
            "get_orders": self._orders,
            "get_open_orders": self._open_orders,
            "get_trades": partial(joined_trades, self),
            "record": self._record,
            **data.names(),
        }

    def _run(
        self,
        every: Every,
        func: Callable[..., Any],
        time: str = "9:30",
        reference_security: str | None = None,
    ) -> None:
        del reference_security
        self._schedule(Timer(func, clock_of(time), every))

    def _run_in(
        self,
        every: Every,
        func: Callable[..., Any],
        day: int | None = None,
        time: str = "9:30",
        reference_security: str | None = None,
        force: bool = False,
        *,
        weekday: int | None = None,
        monthday: int | None = None,
    ) -> None:
        del reference_security, force
        nth = next((n for n in (day, weekday, monthday) if n is not None), 1)
        self._schedule(Timer(func, clock_of(time), every, nth=int(nth)))

    def _schedule(self, timer: Timer) -> None:
        self.timers.append(timer)

    def timers_gone(self) -> None:
        """Forget all timers."""
        self.timers.clear()

    def _order(
        self,
        size: Callable[[str, Any, float | None], Ticket | None],
        security: str,
        amount: Any = None,
        style: Any = None,
        side: str = "long",
        pindex: int = 0,
        close_today: bool = False,
        **named: Any,
    ) -> JoinOrder | None:
        del close_today
        if side != "long" or pindex != 0:
            raise UsageError(
                "platform.account",
                "there is one account, which holds shares and cannot be short",
                expected="side='long', pindex=0",
                found=f"side={side!r}, pindex={pindex}",
            )
        given = [named.pop(name) for name in ("value", "cash") if name in named]
        amount = given[0] if amount is None and given else amount
        if named:
            raise TypeError(f"an order takes no {next(iter(named))!r}")
        ticket = size(security, amount, limit_of(style))
        return JoinOrder(self, ticket) if ticket is not None else None

    def _cancel(self, order: Any) -> JoinOrder | None:
        ticket = ticket_of(self, order)
        if ticket is not None:
            self.withdraw(ticket)
        return JoinOrder(self, ticket) if ticket is not None else None

    def _orders(
        self, order_id: Any = None, security: str | None = None, status: Any = None
    ) -> dict[int, JoinOrder]:
        return joined_orders(self, order_id, security, status)

    def _open_orders(self) -> dict[int, JoinOrder]:
        return {i: order for i, order in joined_orders(self).items() if order.status.name in ("open", "new")}

    def _record(self, **values: Any) -> None:
        self.log.info("record " + " ".join(f"{name}={value}" for name, value in values.items()))


def clock_of(text: Any) -> time:
    """The clock time of ``run_daily``'s ``time``."""
    if isinstance(text, time):
        return text
    named = _CLOCKS.get(str(text))
    parts = str(text).split(":")
    if named is None and len(parts) in (2, 3) and all(part.isdigit() for part in parts):
        try:
            return time.fromisoformat(":".join(part.zfill(2) for part in parts))
        except ValueError:
            named = None
    if named is None:
        raise UsageError(
            "platform.timer",
            f"{text!r} is not a time of the session",
            expected="HH:MM, " + ", ".join(_CLOCKS),
            found=repr(text),
        )
    return named
