"""Factors over a panel: the engine that runs them and the slow twin that checks them."""

from __future__ import annotations

from quant.research.factors.engine import evaluate_factors, holds, needs

__all__ = ["evaluate_factors", "holds", "needs"]
