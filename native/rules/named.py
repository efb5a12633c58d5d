"""Rule functions under their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quant.native.rules.given import Given

__all__ = ["named"]


def named(*calls: Callable[[Given], Any]) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
    """The functions by name, each taking any mapping."""
    return {call.__name__: _of_mapping(call) for call in calls}


def _of_mapping(call: Callable[[Given], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda given: call(given if isinstance(given, Given) else Given(given))
