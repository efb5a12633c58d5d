"""The language: schema, loader, expressions, compiler, plan, diff, lint, the shipped spec library."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.specs: one file must never be loaded under two names")

if TYPE_CHECKING:
    from quant.specs.diff import Change, diff_registries, diff_resolved
    from quant.specs.lint import LintReport, LintWarning
    from quant.specs.reference import json_schema, reference_markdown
    from quant.specs.registry import Registry, load_workspace, read_workspace
    from quant.specs.resolution import ResolvedSpec, resolve, resolve_data

_WHERE = {
    "Change": "diff",
    "diff_registries": "diff",
    "diff_resolved": "diff",
    "LintReport": "lint",
    "LintWarning": "lint",
    "json_schema": "reference",
    "reference_markdown": "reference",
    "Registry": "registry",
    "load_workspace": "registry",
    "read_workspace": "registry",
    "ResolvedSpec": "resolution",
    "resolve": "resolution",
    "resolve_data": "resolution",
}

__all__ = [
    "Change",
    "LintReport",
    "LintWarning",
    "Registry",
    "ResolvedSpec",
    "diff_registries",
    "diff_resolved",
    "json_schema",
    "load_workspace",
    "read_workspace",
    "reference_markdown",
    "resolve",
    "resolve_data",
]


def __getattr__(name: str) -> Any:
    """Each name is loaded when it is asked for, so that a command pays for what it uses."""
    if name in _WHERE:
        return getattr(import_module(f"quant.specs.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'quant.specs' has no attribute {name!r}")
