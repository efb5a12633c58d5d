"""What ``quant.core`` offers, and what importing it costs."""

from __future__ import annotations

import doctest
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import quant.core

HEAVY = {"tomllib", "decimal", "hashlib", "json", "zoneinfo", "numpy", "polars", "pydantic"}


def test_every_public_name_loads():
    for name in quant.core.__all__:
        assert getattr(quant.core, name) is not None


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that ``statement`` adds in a fresh interpreter."""
    script = f"import sys; before = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {module.partition(".")[0] for module in ran.stdout.split()}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import quant.core, quant.core.errors, quant.core.ids") & HEAVY


def test_core_is_standard_library_only(repository: Path):
    modules = ", ".join(
        "quant." + ".".join(path.relative_to(repository).with_suffix("").parts)
        for path in sorted((repository / "core").rglob("*.py"))
        if path.name != "__init__.py"
    )
    outside = loaded_after(f"import {modules}") - set(sys.stdlib_module_names) - {"quant"}
    assert {module for module in outside if not module.startswith("_")} == set()


@pytest.mark.parametrize(
    "module", ["ids", "venues", "market.calendar", "market.rules", "market.fees", "market.corporate_actions"]
)
def test_the_examples_in_docstrings_run(module):
    outcome = doctest.testmod(import_module(f"quant.core.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_every_module_names_what_it_offers(repository: Path):
    for path in (repository / "core").rglob("*.py"):
        if path.name in ("__init__.py", "errors.py"):
            continue
        module = import_module("quant." + ".".join(path.relative_to(repository).with_suffix("").parts))
        assert all(hasattr(module, name) for name in module.__all__)
