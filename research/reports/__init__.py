"""Metrics and reports of a run, from its run folder alone."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.research.reports: one file must never be loaded twice")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.research.reports.metrics import run_metrics
    from quant.research.reports.render import render
    from quant.research.reports.summary import summary_table

__all__ = ["render", "run_metrics", "summary_table"]

_HOME = {"render": "render", "run_metrics": "metrics", "summary_table": "summary"}


def __getattr__(name: str) -> Any:
    """Each export from its module on first use: a summary needs neither polars nor the C++ core."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
