"""Files written for JoinQuant or RiceQuant, run unchanged on the same kernel and the same session loop."""

from quant.trading.strategies.platforms.loading import load_platform
from quant.trading.strategies.platforms.terms import Terms

__all__ = ["Terms", "load_platform"]
