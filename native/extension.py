"""The one place that loads the compiled module."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

native: Final[Any] = import_module("quant.native._native")
