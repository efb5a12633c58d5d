"""Universes, factors and strategies: what may be held, what is measured, what is done."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from quant.specs.schema.model import Part, Spec
from quant.specs.schema.values import (
    Entry,
    Expression,
    InstrumentCode,
    Name,
    Number,
    Quantity,
    Share,
    ShareOrNone,
    Top,
    Turnover,
    refuse,
)

Board = Literal["SSE_MAIN", "SZSE_MAIN", "SME", "CHINEXT", "STAR", "BSE"]
Decide = Literal["after_close", "before_close"]
CodeDecide = Literal["before_open", "after_open", "before_close", "after_close"]
Style = Literal["class", "joinquant", "ricequant"]
PLATFORM_LOOKBACK = 250
_INDEX = re.compile(r"""index\(\s*(["']?)([0-9A-Za-z.]{1,20})\1\s*\)""")


class Boards(Part):
    """Instruments by the board they are listed on."""

    boards: Annotated[list[Board], Field(min_length=1)]
    """The boards."""


class IndexMembers(Part):
    """The members of an index from one session to another, those that were delisted since included."""

    index: InstrumentCode
    """The code of the index."""


def _index(value: Any) -> Any:
    found = _INDEX.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None and isinstance(value, str) and value.strip().startswith("index"):
        raise refuse("not an index", 'the code of an index, as index("000300.SH")')
    return {"index": found[2]} if found else value


IndexOf = Annotated[
    IndexMembers,
    BeforeValidator(_index),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _INDEX.pattern},
                {"type": "object", "properties": {"index": {"type": "string"}}, "required": ["index"]},
            ]
        }
    ),
]


class UniverseSpec(Spec):
    """Which instruments may be held, decided anew at every decision from what is known then."""

    kind: Literal["universe"]
    members: Literal["all"] | Annotated[list[InstrumentCode], Field(min_length=1)] | Boards | IndexOf = "all"
    """All instruments, those with the given codes, those of the given boards, or the members of an index at
    the time as `index("000300.SH")`; delisted ones are kept."""
    where: list[Expression] = Field(default_factory=list)
    """Conditions that must all hold, as `$list_days >= 60`; unknown counts as not."""


class FactorSpec(Spec):
    """A number for every instrument and session."""

    not_enforced: ClassVar[dict[str, str]] = {
        "winsorize": "write it into expr, as Min2(Max2(x, -3), 3)",
        "neutralize": "",
    }

    kind: Literal["factor"]
    expr: Expression
    """The formula; `Ref(x, 1)` is the value one session earlier."""
    params: dict[Name, Number] = Field(default_factory=dict)
    """Named numbers of the formula, as `n: 20` for `Ref($close, n)`."""
    price: Literal["adj_post", "raw"] = "adj_post"
    """Which prices `$open $high $low $close $vwap` are: adjusted backwards-compatibly, or as traded."""


class Construct(Part):
    """How scores become weights."""

    not_enforced: ClassVar[dict[str, str]] = {
        "optimizer": "",
        "neutral": "",
    }

    method: Literal["equal", "score", "threshold", "fixed"] = "equal"
    """equal: the best `top` names alike (an empty place stays cash); score: in proportion to the score;
    threshold: every name whose score is above 0 alike; fixed: a name whose score rises above 0 is bought,
    `quantity` shares or what the cash pays for, and sold when it is above 0 no more."""
    top: Top | None = None
    """How many names to hold; not with threshold or fixed."""
    quantity: Quantity | None = None
    """Only with fixed: shares of a name that enters; what is held and stays is left alone."""
    max_weight: Share | None = None
    """The largest weight of one name."""
    cash_buffer: ShareOrNone = Decimal(0)
    """The share of net asset value kept in cash."""
    turnover_cap: Turnover | None = None
    """The largest two-sided turnover of one rebalance, as a share of net asset value."""
    long_only: Literal[True] = True
    """Only true: short positions in shares are not tradable here."""


class Rebalance(Part):
    """When the strategy decides."""

    every: Literal["bar", "day", "week", "month"] = "day"
    """One decision a period. bar: at every bar of the data; with daily bars the same as day."""
    on: Literal["first", "last"] = "last"
    """The first or the last session of the period."""
    decide: Decide = "after_close"
    """after_close: the whole bar is known, orders go out next session. before_close: 14:57, the bar is not
    known yet, orders fill at the close."""


class Code(Part):
    """A strategy written in Python, in the workspace's strategies folder."""

    entry: Entry
    """Module and class, as `strategies.ma:MyStrategy`; with another style the module, as `strategies.ma`."""
    style: Style = "class"
    """class: a class with `decide(view)`. joinquant, ricequant: a file of functions written for that
    platform, run unchanged."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Passed to the class as they are; with another style they replace the file's constants so named."""
    decide: CodeDecide | None = None
    """When `decide` (`handle_data`, `handle_bar`) is called each session. before_open: orders may fill at
    today's open. after_open: 09:30, the open is known, orders fill at today's average or close. before_close:
    14:57, orders fill at the close. after_close: the whole bar is known, orders go out next session. Left
    out: after_close, for joinquant before_open."""
    lookback: Top | None = None
    """How many earlier sessions the strategy may look at. Left out: 1, with another style than class 250."""

    @property
    def instant(self) -> CodeDecide:
        """When it decides, the default of its style included."""
        return self.decide or ("before_open" if self.style == "joinquant" else "after_close")

    @property
    def sessions(self) -> int:
        """How far it looks back, the default of its style included."""
        return self.lookback or (1 if self.style == "class" else PLATFORM_LOOKBACK)


class StrategySpec(Spec):
    """What to hold: a factor or formula with a construction, or Python code."""

    kind: Literal["strategy"]
    signal: Name | None = None
    """The factor that ranks the names; higher is better."""
    expr: Expression | None = None
    """A formula in place of a factor."""
    params: dict[Name, Number] = Field(default_factory=dict)
    """Named numbers of `expr`."""
    price: Literal["adj_post", "raw"] = "adj_post"
    """The prices of `expr`; a factor has its own."""
    construct_: Annotated[Construct | None, Field(alias="construct")] = None
    """How scores become weights."""
    rebalance: Rebalance | None = None
    """When the strategy decides."""
    code: Code | None = None
    """A Python strategy in place of signal, construct and rebalance."""
