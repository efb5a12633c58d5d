"""Sources: where data come from, under which terms, and when they could be known."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quant.specs.schema.model import Part, Spec
from quant.specs.schema.values import (
    Cron,
    Date,
    Instruments,
    Intensity,
    Secret,
    Seed,
    Text,
    Tolerance,
)

Dataset = Literal[
    "instruments",
    "instrument_attributes",
    "bars_1d",
    "adjustment_factors",
    "corporate_actions",
    "daily_basics",
    "fundamentals",
    "index_members",
    "index_weights",
    "bars_1m",
    "bars_5m",
    "bars_1h",
    "ticks",
    "funding_rates",
]
KnownAt = Literal["preopen", "open", "close", "close + 2h", "announcement"]
Unit = Literal[
    "shares",
    "lot100",
    "yuan",
    "kCNY",
    "wan",
    "percent",
    "ratio",
    "per_share",
    "per_10_shares",
    "one",
]


class Schedule(Part):
    """When new data are fetched."""

    cron: Cron
    """Five cron fields in the calendar's time zone."""
    calendar: Literal["XSHG", "24x7"] | None = None
    """The calendar whose sessions are expected; left out, that of the sources."""


class SourceSpec(Spec):
    """Where data come from, under which licence, and when they could be known."""

    not_enforced: ClassVar[dict[str, str]] = {
        "limits": "",
    }

    kind: Literal["source"]
    license: Annotated[Text, Field(min_length=1)]
    """Under which terms the data may be used, as `personal-research` or `synthetic`."""
    timezone: Literal["Asia/Shanghai", "UTC", "Asia/Hong_Kong", "America/New_York"] = "Asia/Shanghai"
    """The time zone of times in the data that do not say theirs."""
    calendar: Literal["XSHG", "24x7"] = "XSHG"
    """The trading calendar of the market; 24x7 never closes, a session is a day of UTC."""
    known_at: KnownAt = "close + 2h"
    """When a session's rows can be known."""
    schedule: Schedule | None = None
    """When new data are fetched."""
    secret: Secret | None = None
    """A reference to the credential; never the credential."""
    quarantine_max: Tolerance = Decimal("0.01")
    """The share of rows that may break the contract before a sync fails."""


class SimulatedMarket(Part):
    """The parameters of the simulated market. Intensities: 1 is the usual market, 0 never."""

    seed: Seed = 7
    """The same seed is the same market, on every machine."""
    instruments: Instruments = 300
    """How many instruments there are."""
    start: Date | None = None
    """The first session of the market."""
    listings: Intensity = Decimal(1)
    """How often new instruments are listed."""
    delistings: Intensity = Decimal(1)
    """How often instruments are delisted."""
    suspensions: Intensity = Decimal(1)
    """How often trading is suspended."""
    st: Intensity = Decimal(1)
    """How often an instrument gets special treatment."""
    dividends: Intensity = Decimal(1)
    """How often cash and shares are distributed."""
    jumps: Intensity = Decimal(1)
    """How often news moves a price."""
    view: Literal["a", "b", "c"] = "a"
    """Through which vendor the market is seen; the market itself is the same."""
    disagreements: Intensity = Decimal(1)
    """How often the views b and c differ from view a."""


class SimulatedSource(SourceSpec):
    """A market made by a seeded generator; needs no network and no files."""

    provider: Literal["simulated"]
    params: SimulatedMarket = SimulatedMarket()
    """The market's parameters."""

    def as_params(self) -> dict[str, object]:
        """The stated parameters as plain numbers, dates and words, for the generator."""
        plain = self.params.model_dump(exclude_none=True)
        return {k: float(v) if isinstance(v, Decimal) else v for k, v in plain.items()}
