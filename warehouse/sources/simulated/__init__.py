"""A simulated A-share market, the same for the same seed, seen through two vendors who disagree."""

from __future__ import annotations

from quant.warehouse.sources.simulated.disagreements import Planted, planted
from quant.warehouse.sources.simulated.market import SimulatedMarket, simulate
from quant.warehouse.sources.simulated.params import SimulatedParams
from quant.warehouse.sources.simulated.source import SimulatedSource, open_simulated, revision

__all__ = [
    "Planted",
    "SimulatedMarket",
    "SimulatedParams",
    "SimulatedSource",
    "open_simulated",
    "planted",
    "revision",
    "simulate",
]
