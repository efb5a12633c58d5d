"""Tables: what is stored, agreed from one or more sources."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quant.specs.schema.data import Dataset, Schedule
from quant.specs.schema.model import Part, Spec
from quant.specs.schema.values import Name, Tolerance


class TableCheck(Part):
    """A rule the stored rows must keep."""

    check: Literal["contract", "unique", "ohlc_order", "rows_vs_calendar", "within_limits"]
    """The rule."""
    severity: Literal["error", "warn"] = "error"
    """Whether a breach fails the run or is only reported."""
    tolerance: Tolerance = Decimal(0)
    """The share of rows that may break the rule."""


class TableSpec(Spec):
    """A stored table, agreed from one or more sources."""

    not_enforced: ClassVar[dict[str, str]] = {
        "arbitrate": "name the sources in from:, the preferred one first",
    }

    kind: Literal["table"]
    dataset: Dataset
    """What the rows are about; fixes the columns and the grain."""
    from_: Annotated[list[Name] | None, Field(alias="from", min_length=1)] = None
    """The sources, the preferred one first; left out, the profile's sources."""
    checks: list[TableCheck] = Field(default_factory=list)
    """Rules checked after every sync."""
    partition: Literal["year"] = "year"
    """How the rows are cut into files."""
    schedule: Schedule | None = None
    """When the table is brought up to date."""
