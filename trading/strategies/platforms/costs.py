"""What a file says about costs: compared with the spec, which decides. A difference is an error with the line
to write; nothing is ignored in silence."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core.errors import UsageError
from quant.core.hashing import decimal_text
from quant.core.market.instrument import Board
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.host import Host

_STOCKS = (Board.SSE_MAIN, Board.SZSE_MAIN, Board.SME, Board.CHINEXT, Board.STAR, Board.BSE)
_FUNDS = (Board.SSE_FUND, Board.SZSE_FUND)
_BOARDS = {"stock": _STOCKS, "fund": _FUNDS, "etf": _FUNDS, "mmf": _FUNDS}


@dataclass(frozen=True, slots=True)
class OrderCost:
    """JoinQuant's costs of an order, as rates."""

    open_tax: float = 0.0
    close_tax: float = 0.0
    open_commission: float = 0.0
    close_commission: float = 0.0
    close_today_commission: float = 0.0
    min_commission: float = 0.0


@dataclass(frozen=True, slots=True)
class PerTrade:
    """JoinQuant's older form: taxes are in ``sell_cost``."""

    buy_cost: float = 0.0
    sell_cost: float = 0.0
    min_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class FixedSlippage:
    """A spread in yuan, of which an order pays half."""

    value: float = 0.0


@dataclass(frozen=True, slots=True)
class PriceRelatedSlippage:
    """A spread as a share of the price."""

    value: float = 0.0


@dataclass(frozen=True, slots=True)
class StepRelatedSlippage:
    """A spread in ticks."""

    value: float = 0.0


@dataclass(frozen=True, slots=True)
class CostCheck:
    """Compares what a file asks for with what the run charges."""

    host: Host

    def set_order_cost(self, cost: Any, type: str = "stock", ref: str | None = None) -> None:
        if ref is not None:
            raise _other(f"costs of {ref} alone", "costs are those of the kind of instrument")
        if type not in _BOARDS:
            self.host.log.once(f"set_order_cost for {type!r} has no meaning here: such names are not traded")
            return
        if cost.open_commission != cost.close_commission:
            raise _other(
                f"commission of {cost.open_commission:g} to buy and {cost.close_commission:g} to sell",
                "one rate for both sides",
            )
        wanted = {
            "commission": cost.open_commission,
            "commission_min": cost.min_commission,
            "stamp_buy": cost.open_tax,
            "stamp_sell": cost.close_tax,
        }
        self._compare("set_order_cost", wanted, type)

    def set_commission(self, cost: Any) -> None:
        wanted = {
            "commission": cost.buy_cost,
            "commission_min": cost.min_cost,
            "stamp_buy": 0.0,
            "stamp_sell": float(Decimal(str(cost.sell_cost)) - Decimal(str(cost.buy_cost))),
        }
        self._compare("set_commission", wanted, "stock")

    def _compare(self, call: str, wanted: dict[str, float], kind: str) -> None:
        config = self.host.terms.config
        boards = [b for b in _BOARDS[kind] if b < config.fees.commission.shape[1]]
        exists = config.rules.max_order[:, boards] > 1  # no row, no order: what is charged there says nothing
        for name, value in wanted.items():
            scale = MONEY_SCALE if name == "commission_min" else RATE_SCALE
            charged = np.unique(getattr(config.fees, name)[:, boards][exists])
            if set(charged) <= {round(value * scale)}:
                continue
            found = " and ".join(decimal_text(Decimal(int(c)) / scale) for c in charged)
            raise UsageError(
                "platform.cost",
                f"{call} asks for {_WORDS[name]} of {value:g}, the run charges {found}",
                expected=_lines(wanted),
                found=f"{_WORDS[name]} {found}" + (", by date or board" if len(charged) > 1 else ""),
                hint="write these lines into the cost document, or delete the call: the spec decides",
            )

    def set_slippage(self, slippage: Any = None, type: str | None = None, ref: str | None = None) -> None:
        del type, ref
        config = self.host.terms.config
        tick = config.tick / PRICE_SCALE
        if isinstance(slippage, int | float):
            slippage = PriceRelatedSlippage(slippage)
        value = getattr(slippage, "value", None)
        if value is None:
            raise _other(repr(slippage), "FixedSlippage, PriceRelatedSlippage or StepRelatedSlippage")
        if isinstance(slippage, StepRelatedSlippage):
            ticks = value / 2
        elif isinstance(slippage, PriceRelatedSlippage) and value:
            raise UsageError(
                "platform.cost",
                f"set_slippage asks for {value:g} of the price, the run has {config.slippage_ticks} ticks",
                expected="slippage: {ticks: N}",
                found=f"PriceRelatedSlippage({value:g})",
                hint="write the ticks into the cost document and delete the call: the spec decides",
            )
        else:
            ticks = value / 2 / tick
        if round(ticks, 9) != config.slippage_ticks:
            raise UsageError(
                "platform.cost",
                f"set_slippage asks for {ticks:g} ticks a side, the run has {config.slippage_ticks}",
                expected=f"slippage: {{ticks: {ticks:g}}}",
                found=f"slippage: {{ticks: {config.slippage_ticks}}}",
                hint="write this line into the cost document, or delete the call: the spec decides",
            )

    def set_option(self, name: str, value: Any = None) -> None:
        config = self.host.terms.config
        if name == "use_real_price" and value is False:
            raise _other("use_real_price False", "prices as traded, adjusted to the present day")
        if name == "order_volume_ratio" and value is not None and not 0 < value < 1:
            value = None
        if name == "order_volume_ratio" and value is not None:
            has = config.participation
            if has != round(value * RATE_SCALE):
                raise UsageError(
                    "platform.cost",
                    f"set_option asks for at most {value:g} of a bar's volume, the run allows "
                    + ("all" if has is None else f"{has / RATE_SCALE:g}"),
                    expected=f"fill: {{participation: {value:g}}}",
                    hint="write this line into the backtest document, or delete the call: the spec decides",
                )
        if name not in ("use_real_price", "order_volume_ratio", "avoid_future_data", "match_by_signal"):
            self.host.log.once(f"set_option({name!r}) has no meaning here")

    def set_benchmark(self, security: Any) -> None:
        self.host.log.once(f"set_benchmark({security!r}): the benchmark is the spec's")


_WORDS = {
    "commission": "a commission",
    "commission_min": "a least commission",
    "stamp_buy": "stamp duty on buying",
    "stamp_sell": "stamp duty on selling",
}


def _lines(wanted: dict[str, float]) -> str:
    commission = f"commission: {{rate: {wanted['commission']:g}, min: {wanted['commission_min']:g}}}"
    return f"{commission}, stamp: {{rate: {wanted['stamp_sell']:g}}}"


def _other(found: str, expected: str) -> UsageError:
    return UsageError("platform.cost", f"{found} cannot be had here", expected=expected, found=found)
