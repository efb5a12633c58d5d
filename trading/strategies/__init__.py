"""Strategies: declarative ones from a spec, and a user's Python classes."""

from quant.trading.strategies.declarative import DeclarativeStrategy, FixedScores, ScoreSource
from quant.trading.strategies.errors import StrategyError, StrategyLoadError
from quant.trading.strategies.loading import load_strategy
from quant.trading.strategies.python import PythonStrategy

__all__ = [
    "DeclarativeStrategy",
    "FixedScores",
    "PythonStrategy",
    "ScoreSource",
    "StrategyError",
    "StrategyLoadError",
    "load_strategy",
]
