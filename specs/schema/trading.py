"""Costs, risk, backtests and deployments."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quant.specs.schema.model import Part, Spec
from quant.specs.schema.values import (
    Cash,
    Date,
    Instant,
    InstrumentCode,
    Money,
    Multiple,
    Name,
    Rate,
    Seed,
    Share,
    ShareOrNone,
    Shares,
    Text,
    Ticks,
)


class Commission(Part):
    """What the broker takes."""

    rate: Rate
    """Of the traded amount, exchange fees included."""
    min: Money = Decimal(0)
    """The least of one order."""


class FeeOverride(Part):
    """A rate in place of the dated rulebook's."""

    rate: Rate
    """Of the traded amount."""


class Slippage(Part):
    """The distance from the price of the bar."""

    not_enforced: ClassVar[dict[str, str]] = {
        "model": "use ticks",
    }

    ticks: Ticks = 0
    """Ticks against the order, never beyond the limit price."""


class CostSpec(Spec):
    """What trading costs. Fees left out follow the dated rulebook."""

    not_enforced: ClassVar[dict[str, str]] = {
        "financing": "",
        "borrow": "",
    }

    kind: Literal["cost"]
    rulebook: Literal["cn.fees"] = "cn.fees"
    """Whose dated fees apply."""
    commission: Commission
    """The broker's commission."""
    stamp: FeeOverride | None = None
    """Stamp duty on sales in place of the rulebook's."""
    transfer: FeeOverride | None = None
    """Transfer fee on both sides in place of the rulebook's."""
    rounding: Literal["cent", "none"] = "cent"
    """Every fee to the cent, half up, as on a statement; or kept exact."""
    dividend_tax: Literal["rulebook", "none"] = "rulebook"
    """Tax on dividends by how long a share was held, due when it is sold; or none."""
    slippage: Slippage = Slippage()
    """The distance from the price of the bar."""


class Limits(Part):
    """Checked before every order."""

    not_enforced: ClassVar[dict[str, str]] = {
        "industry": "",
        "country": "",
        "order_rate": "",
    }

    single_name: Share | None = None
    """The largest share of net asset value in one name."""
    gross: Multiple | None = None
    """The largest sum of positions, as a multiple of net asset value."""
    cash_min: ShareOrNone | None = None
    """The least share of net asset value kept in cash."""
    order_value: Cash | None = None
    """The largest amount of one order."""
    order_quantity: Shares | None = None
    """The largest number of shares of one order."""


class Halts(Part):
    """Checked after every session; a breach stops the session until it is reset."""

    not_enforced: ClassVar[dict[str, str]] = {
        "rejects": "",
        "latency_p99": "",
    }

    daily_loss: Share | None = None
    """The loss of one session, as a share of the previous net asset value."""
    drawdown: Share | None = None
    """The fall from the highest net asset value."""


class RiskSpec(Spec):
    """Limits that hold whatever the strategy wants."""

    not_enforced: ClassVar[dict[str, str]] = {
        "vol_target": "",
        "reconcile": "",
    }

    kind: Literal["risk"]
    limits: Limits = Limits()
    """Checked before every order."""
    forbidden: list[InstrumentCode] = Field(default_factory=list)
    """Names that are never bought."""
    halt: Halts = Halts()
    """Breaches that stop the session."""


class Use(Part):
    """The documents a run is made of."""

    strategy: Name
    """The strategy."""
    universe: Name = "all_listed"
    """The universe."""
    cost: Name = "cn_stock"
    """The costs."""
    risk: Name = "default"
    """The risk limits."""


class Fill(Part):
    """How orders are filled."""

    at: Literal["open", "close", "vwap"] = "open"
    """The price of the bar at which orders fill."""
    participation: Share | None = None
    """The largest share of the bar's volume an order may take; with close and vwap only."""
    locked: Literal["by_side", "by_target"] = "by_side"
    """by_side: no buying at limit-up, no selling at limit-down. by_target: a name to be held is not traded at
    limit-up at all, a name to be left not at limit-down."""
    on_insufficient_cash: Literal["reduce", "reject", "overdraft"] = "reduce"
    """reduce: an order that cash cannot pay shrinks to what it can. reject: it is refused. overdraft: it is
    bought on credit without interest, only to compare with engines that do so."""


class Span(Part):
    """The sessions of a run, both ends included; also written `[2020-01-02, 2025-12-31]`."""

    from_: Annotated[Date, Field(alias="from")]
    """The first day."""
    to: Date
    """The last day."""


class BacktestSpec(Spec):
    """A strategy over past sessions."""

    not_enforced: ClassVar[dict[str, str]] = {
        "validate": "",
    }

    kind: Literal["backtest"]
    use: Use
    """The documents the run is made of."""
    range: Span
    """The sessions of the run."""
    as_of: Instant | None = None
    """The knowledge time: only what was known and recorded by then is used; left out, the newest tables."""
    cash: Cash
    """The money at the start."""
    currency: Literal["CNY"] = "CNY"
    """The currency of cash and results."""
    calendar: Literal["XSHG"] = "XSHG"
    """The trading calendar."""
    benchmark: Literal["equal_weighted", "none"] = "equal_weighted"
    """What results are compared with: the whole universe in equal parts, or nothing."""
    fill: Fill = Fill()
    """How orders are filled."""
    prices: Literal["raw", "adjusted"] = "raw"
    """raw: prices as traded, with distributions booked. adjusted: the adjusted series without distributions,
    to compare with engines that know no distributions."""
    seed: Seed = 0
    """The seed of everything random."""
    params: dict[Name, Text] = Field(default_factory=dict)
    """Short names for override paths, as `n: strategy.construct.top`."""


class PaperEnvironment(Part):
    """A paper session: the simulated exchange over a replayed range."""

    broker: Literal["paper"] = "paper"
    """The simulated exchange."""
    feed: Literal["replay"] = "replay"
    """Where the market's events come from."""
    from_: Annotated[Date, Field(alias="from")]
    """The first day."""
    to: Date
    """The last day."""
    cash: Cash
    """The money at the start."""


class Environments(Part):
    """Where a deployment can run."""

    not_enforced: ClassVar[dict[str, str]] = {
        "live": "",
        "sim": "use paper",
    }

    paper: PaperEnvironment
    """A paper session."""


class DeploymentSpec(Spec):
    """A strategy as a trading session."""

    not_enforced: ClassVar[dict[str, str]] = {
        "promote": "",
        "alerts": "",
    }

    kind: Literal["deployment"]
    use: Use
    """The documents the session is made of."""
    env: Environments
    """Where the session runs."""
    currency: Literal["CNY"] = "CNY"
    """The currency of cash and results."""
    calendar: Literal["XSHG"] = "XSHG"
    """The trading calendar."""
    benchmark: Literal["equal_weighted", "none"] = "equal_weighted"
    """What results are compared with."""
    fill: Fill = Fill()
    """How orders are filled."""
    seed: Seed = 0
    """The seed of everything random."""
    params: dict[Name, Text] = Field(default_factory=dict)
    """Short names for override paths."""
