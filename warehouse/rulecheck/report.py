"""What a check found in one side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from quant.warehouse.rulecheck.causes import UNEXPLAINED

PRINTS: Final = pl.Schema(
    {
        "code": pl.String(),
        "session": pl.Date(),
        "print": pl.String(),
        "price": pl.Float64(),
        "reference": pl.Float64(),
        "down": pl.Float64(),
        "up": pl.Float64(),
        "board": pl.String(),
        "status": pl.String(),
        "cause": pl.String(),
        "evidence": pl.String(),
    }
)
"""One row a print outside its limits."""
FAULTS: Final = pl.Schema(
    {"code": pl.String(), "session": pl.Date(), "fault": pl.String(), "detail": pl.String()}
)
"""Bars that are wrong whatever the limits: a price off the tick, parts of a share, no session."""


@dataclass(frozen=True, slots=True)
class SideCheck:
    """``bars``: read with trades; ``judged``: with limits; ``left_out``: why the others have none;
    ``assumed``: what was taken for granted, with the number of bars; ``odd``: bars whose volume is no whole
    number of buy lots, which is legal.
    """

    name: str
    bars: int
    judged: int
    at_limit: int
    left_out: Mapping[str, int]
    assumed: Mapping[str, int]
    odd: int
    prints: pl.DataFrame
    faults: pl.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def unexplained(self) -> pl.DataFrame:
        return self.prints.filter(pl.col("cause") == UNEXPLAINED)

    @property
    def causes(self) -> pl.DataFrame:
        """cause, prints, bars: the commonest first."""
        return (
            self.prints.group_by("cause")
            .agg(prints=pl.len(), bars=pl.struct("code", "session").n_unique())
            .sort("prints", "cause", descending=[True, False])
        )

    @property
    def fault_counts(self) -> dict[str, int]:
        found = self.faults.group_by("fault").len().sort("fault")
        return {str(name): int(count) for name, count in found.iter_rows()}

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bars": self.bars,
            "judged": self.judged,
            "at_the_limit": self.at_limit,
            "left_out": dict(self.left_out),
            "assumed": dict(self.assumed),
            "odd_lots": self.odd,
            "causes": self.causes.to_dicts(),
            "faults": self.fault_counts,
            "notes": list(self.notes),
        }
