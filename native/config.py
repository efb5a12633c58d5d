"""What a kernel is told before it starts: cash, fill rule, dated lot and fee tables, risk limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError

Table = NDArray[np.int64]
BOARDS: Final = 11
FillAt = Literal["open", "close", "vwap", "worst_of"]


@dataclass(frozen=True, slots=True, eq=False)
class RuleTables:
    """Lot rules, int64 [T, B]: shares, except ``odd_lot_sell`` (0/1), ``settlement_days`` and ``bonus_days``
    (sessions before what was bought, or the ex-date's bonus shares, may be sold)."""

    buy_min: Table
    buy_step: Table
    sell_step: Table
    odd_lot_sell: Table
    max_order: Table
    settlement_days: Table
    bonus_days: Table

    @classmethod
    def uniform(
        cls,
        sessions: int,
        *,
        lot: int = 100,
        odd_lot_sell: bool = True,
        max_order: int = 1 << 40,
        settlement_days: int = 1,
        bonus_days: int = 0,
        boards: int = BOARDS,
    ) -> RuleTables:
        """The same rule on every board and day."""
        values = (lot, lot, lot, int(odd_lot_sell), max_order, settlement_days, bonus_days)
        return cls(*(_full(sessions, boards, value) for value in values))


@dataclass(frozen=True, slots=True, eq=False)
class FeeTables:
    """Fee rates, int64 [T, B] at RATE_SCALE; ``commission_min`` in micro-yuan per order,
    ``transfer_per_share`` in micro-yuan per share (Shanghai until 2015-07-31)."""

    commission: Table
    stamp_buy: Table
    stamp_sell: Table
    transfer: Table
    commission_min: Table
    transfer_per_share: Table

    @classmethod
    def uniform(
        cls,
        sessions: int,
        *,
        commission: int = 0,
        stamp_buy: int = 0,
        stamp_sell: int = 0,
        transfer: int = 0,
        commission_min: int = 0,
        transfer_per_share: int = 0,
        boards: int = BOARDS,
    ) -> FeeTables:
        """The same rates on every board and day."""
        values = (commission, stamp_buy, stamp_sell, transfer, commission_min, transfer_per_share)
        return cls(*(_full(sessions, boards, value) for value in values))

    @classmethod
    def from_lists(cls, tables: Mapping[str, Any], *, sessions: int, boards: int = BOARDS) -> FeeTables:
        """From lists [T][B] (or single numbers, which hold everywhere)."""
        names = [f.name for f in fields(cls)]
        return cls(
            *(
                np.ascontiguousarray(np.broadcast_to(np.asarray(tables[name], "i8"), (sessions, boards)))
                for name in names
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class DividendTaxTables:
    """Tax on dividends at RATE_SCALE by how long a lot was held, int64 [D, B] by ex-date and board.

    Due when the lot is sold, first in first out; a month and a year are calendar ones.
    """

    upto_month: Table
    upto_year: Table
    beyond: Table

    @classmethod
    def uniform(cls, sessions: int, *, upto_month: int = 0, upto_year: int = 0, beyond: int = 0,
                boards: int = BOARDS) -> DividendTaxTables:
        """The same rates on every board and day."""
        return cls(*(_full(sessions, boards, value) for value in (upto_month, upto_year, beyond)))


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Pre-trade gates and breakers; fractions of NAV at RATE_SCALE, money in micro-yuan; None = no limit."""

    single_name: int | None = None
    gross: int | None = None
    cash_min: int | None = None
    order_value_max: int | None = None
    order_quantity_max: int | None = None
    daily_loss: int | None = None
    max_drawdown: int | None = None


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """The account, its venue and its limits.

    ``on_insufficient_cash``: a buy that the cash does not pay for is cut to the lots that it does, refused,
    or (``overdraft``, for parity studies) paid on credit without interest. ``participation`` is a fraction of
    the bar's volume at RATE_SCALE, ``slippage_ticks`` counts ticks of ``tick`` (PRICE_SCALE),
    ``slippage_rate`` is a share of the price and ``impact`` the eta of eta * sqrt(quantity / volume), both at
    RATE_SCALE; all three add up. ``fill_on_touch``: a limit order fills when a bar's range only reaches its
    price. ``forbidden`` holds instrument indices that may not be bought. ``protection``, at RATE_SCALE, is
    how far above the reference price a buy without a limit may fill that is sent before its price is known
    (stops, auctions) on a day without a price limit; its cash is set aside for that price.
    """

    cash_micro: int
    rules: RuleTables
    fees: FeeTables
    fill_at: FillAt = "open"
    decide: Literal["after_close", "before_close"] = "after_close"
    locked: Literal["by_side", "by_target"] = "by_side"
    on_insufficient_cash: Literal["reduce", "reject", "overdraft"] = "reduce"
    participation: int | None = None
    slippage_ticks: int = 0
    tick: int = 100
    slippage_rate: int = 0
    impact: int = 0
    fill_on_touch: bool = False
    protection: int = 100_000_000
    rounding: Literal["cent", "none"] = "cent"
    dividend_tax: DividendTaxTables | None = None
    risk: RiskLimits = field(default_factory=RiskLimits)
    forbidden: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if (self.participation is not None or self.impact) and self.fill_at == "open":
            raise UsageError(
                "kernel.participation",
                "participation and impact need the bar's volume",
                expected="fill at close, vwap or worst_of",
                found="open, where it is unknown",
            )
        if self.cash_micro < 0:
            raise UsageError("kernel.cash", "initial cash is negative", found=str(self.cash_micro))


@dataclass(frozen=True, slots=True)
class ConstructConfig:
    """From scores to target weights; weights and fractions at RATE_SCALE (1e9 = all of NAV).

    ``equal``: the best ``top`` names get (1 - cash_buffer) / top each; an empty slot stays cash.
    ``score``: the best ``top`` names with a positive score share it in proportion to their scores.
    ``threshold``: every name with score > 0 shares it equally.
    ``fixed``: a name whose score rises above 0 is bought, ``quantity`` shares, and sold when it is above 0 no
    more; what is held and stays is left alone. The only method whose targets are shares, not weights.
    ``max_weight`` caps a name (what is cut goes to the uncapped names under ``score``, else stays cash).
    ``turnover_cap`` bounds the sum of absolute weight changes of one rebalance; all changes shrink alike.
    """

    method: Literal["equal", "score", "threshold", "fixed"] = "equal"
    top: int = 50
    max_weight: int | None = None
    cash_buffer: int = 0
    turnover_cap: int | None = None
    quantity: int = 0


def _full(sessions: int, boards: int, value: int) -> Table:
    return np.full((sessions, boards), value, dtype=np.int64)
