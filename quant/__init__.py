"""The public Python API: ``desk = quant.open("my-desk")``, then tables, factors and backtests."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.pipelines.desk import Desk, Run, open

    __version__: str

__all__ = ["Desk", "Run", "__version__", "open"]


def __getattr__(name: str) -> Any:
    if name in {"Desk", "Run", "open"}:
        return getattr(import_module("quant.pipelines.desk"), name)
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("quant-toolkit")
        except PackageNotFoundError:  # a checkout that was never installed
            return "0+unknown"
    raise AttributeError(f"module 'quant' has no attribute {name!r}")
