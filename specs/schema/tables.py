"""Tables: what is stored, agreed from one or more sources."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from quant.specs.schema.data import Dataset, Schedule
from quant.specs.schema.model import Part, Spec
from quant.specs.schema.values import Count, Name, Tolerance, number, refuse

Rule = Literal["vote", "priority", "tolerance", "freshest"]
Otherwise = Literal["prefer", "null", "quarantine"]
Sources = Annotated[
    list[Name], Field(min_length=1), BeforeValidator(lambda v: [v] if isinstance(v, str) else v)
]
"""Sources by name; one alone needs no brackets."""


class TableCheck(Part):
    """A rule the stored rows must keep."""

    check: Literal[
        "contract",
        "unique",
        "ohlc_order",
        "rows_vs_calendar",
        "within_limits",
        "cross_source",
        "factors_vs_events",
        "pre_close_chain",
        "time_order",
        "duplicate_rate",
        "missing_rate",
        "price_consistency",
        "absence",
    ]
    """The rule."""
    severity: Literal["error", "warn"] = "error"
    """Whether a breach fails the run or is only reported."""
    tolerance: Tolerance = Decimal(0)
    """The share of rows that may break the rule."""


class Margin(Part):
    """How far two values may lie apart and still agree; either of the two is enough. Written short, a plain
    number is `abs`, one with `%` or `bp` is `rel`.
    """

    abs: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    """The absolute difference, in the column's unit."""
    rel: Tolerance = Decimal(0)
    """The difference as a share of the larger value."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        """``0.005`` and ``1%`` as the mappings they stand for; numbers as exact ones."""
        if isinstance(value, dict):
            if "abs" in value:
                value = {**value, "abs": _amount(value["abs"])}
            return value
        if isinstance(value, str) and value.strip().endswith(("%", "bp")):
            return {"rel": value}
        return {"abs": _amount(value)}


class ColumnRule(Part):
    """How one column is agreed; what is left out is as for the table."""

    rule: Rule | None = None
    """The rule."""
    quorum: Count | None = None
    """How many sources must agree in a vote."""
    prefer: Sources | None = None
    """The sources that stand before the others."""
    otherwise: Otherwise | None = None
    """What is taken when the rule finds no value."""


class Arbitration(Part):
    """How one table is agreed from several sources. Cells that no source disagrees about are taken as they
    are; a row that only one source has is taken; a null is no vote.
    """

    rule: Rule = "priority"
    """`vote`: what most state; `priority`: the preferred source; `tolerance`: the preferred source as long as
    all agree with it; `freshest`: what was known or recorded last."""
    quorum: Count | None = None
    """How many sources must agree in a vote; left out, more than half of those that state a value."""
    prefer: Sources | None = None
    """The sources that stand before the others; left out, their order in `from`."""
    tolerance: dict[Name, Margin] = Field(default_factory=dict)
    """How far values of a column may lie apart and still agree."""
    columns: dict[Name, ColumnRule] = Field(default_factory=dict)
    """Columns with rules of their own."""
    otherwise: Otherwise = "prefer"
    """What is taken when the rule finds no value: the preferred source's, none, or the row is set aside."""
    needs: Count = 1
    """How many sources must have delivered an interval before it is agreed; until then the agreed table stays
    as it was."""


class TableAudit(Part):
    """What a comparison of the sources may find."""

    max_diff_rate: Tolerance = Decimal("0.001")
    """The share of compared cells that may differ without a good reason: defects count, also recognised ones;
    rounding and other conventions do not."""
    severity: Literal["error", "warn"] = "warn"
    """Whether more than that fails the run or is only reported."""
    tolerance: dict[Name, Margin] = Field(default_factory=dict)
    """How far values of a column may lie apart; left out, as for arbitrate."""


class TableSpec(Spec):
    """A stored table, agreed from one or more sources."""

    kind: Literal["table"]
    dataset: Dataset
    """What the rows are about; fixes the columns and the grain."""
    from_: Annotated[list[Name] | None, Field(alias="from", min_length=1)] = None
    """The sources, the preferred one first; left out, the profile's sources."""
    arbitrate: Arbitration | None = None
    """How the sources are brought to agree; left out, the table is the preferred source's."""
    audit: TableAudit | None = None
    """What a comparison of the sources may find."""
    checks: list[TableCheck] = Field(default_factory=list)
    """Rules checked after every sync."""
    partition: Literal["year"] = "year"
    """How the rows are cut into files."""
    schedule: Schedule | None = None
    """When the table is brought up to date."""


def _amount(value: Any) -> Decimal:
    exact = number(value, ("万", "亿"))
    if exact < 0:
        raise refuse("a difference cannot be negative", "0 or more")
    return exact
