"""The C++20 core and its thin typed facade.

``kernel``: the trading kernel, the simulated venue and the fused run. ``factor``: the factor program VM.
``metrics``: performance figures. ``panel``: tables into matrices.
``bars``: ticks into bars. Each is imported on first use; loading the extension costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.native: one file must never be loaded under two names")

__all__ = ["bars", "factor", "kernel", "metrics", "panel"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
