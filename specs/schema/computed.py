"""Sources that are computed from stored tables."""

from __future__ import annotations

from typing import Literal

from quant.specs.schema.data import SourceSpec


class EventsSource(SourceSpec):
    """Adjustment factors computed from the agreed bars and corporate actions; nobody is asked."""

    provider: Literal["events"]
