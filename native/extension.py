"""The one place that loads the compiled module."""

from __future__ import annotations

from quant.native import _native as native

__all__ = ["native"]
