"""Venues: where orders go."""

from quant.trading.venues.simulated import SimulatedVenue

__all__ = ["SimulatedVenue"]
