"""The metrics of a run as rows for a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quant.research.reports.numbers import Kind, show
from quant.research.reports.words import word

# (metric, how it is shown), in the order of the screen and of the report's cards.
SUMMARY: tuple[tuple[str, Kind], ...] = (
    ("total_return", "percent"),
    ("cagr", "percent"),
    ("benchmark_total_return", "percent"),
    ("excess_arithmetic", "percent"),
    ("excess_geometric", "percent"),
    ("volatility", "width"),
    ("sharpe", "ratio"),
    ("sortino", "ratio"),
    ("calmar", "ratio"),
    ("max_drawdown", "percent"),
    ("drawdown_longest", "sessions"),
    ("value_at_risk", "percent"),
    ("expected_shortfall", "percent"),
    ("hit_rate", "share"),
    ("information_ratio", "ratio"),
    ("beta", "ratio"),
    ("turnover_annual", "times"),
    ("cost_total", "money"),
    ("fills", "count"),
    ("orders_blocked", "count"),
    ("final_nav", "money"),
)


def summary_table(metrics: Mapping[str, Any], *, lang: str = "en") -> list[tuple[str, str]]:
    """(label, value) of the metrics that the run has; undefined ones show a dash."""
    return [(word(name, lang), show(metrics[name], kind, lang)) for name, kind in SUMMARY if name in metrics]
