"""Adjustment: factors computed from events, adjusted prices as of a date, vendors' factors compared."""

from __future__ import annotations

from quant.warehouse.adjust.compare import compare_factors
from quant.warehouse.adjust.factors import FactorsFromEvents, factors_from_events
from quant.warehouse.adjust.prices import How, Method, adjusted

__all__ = ["FactorsFromEvents", "How", "Method", "adjusted", "compare_factors", "factors_from_events"]
