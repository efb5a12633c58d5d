"""What the rows of a table are judged against, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

RULE: Final = "rule"


@dataclass(frozen=True, slots=True)
class Listing:
    """What the rows are counted against: the sessions of ``mic`` from ``start`` to ``end``, both inclusive,
    and ``instruments`` with instrument_id, list_date and delist_date. Where the workspace has them also
    ``events`` (corporate_actions), ``factors`` (adjustment_factors) and ``attributes`` of the instruments.
    """

    instruments: pl.DataFrame
    start: date
    end: date
    mic: str = "XSHG"
    events: pl.DataFrame | None = None
    factors: pl.DataFrame | None = None
    attributes: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """``failing`` of ``total`` rows break a rule; ``sample`` shows them with the rule's name; ``about`` says
    in words what is counted.
    """

    failing: int
    total: int
    sample: pl.DataFrame
    about: str
