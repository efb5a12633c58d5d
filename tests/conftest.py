"""Shared fixtures. Real market data is read where it lies (QUANT_SHARED, else ../shared) and never copied."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent
SOAK = os.environ.get("QUANT_SOAK") == "1"

settings.register_profile(
    "ci", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "soak", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("soak" if SOAK else "ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SOAK:
        return
    skip = pytest.mark.skip(reason="full-length run, only under make soak")
    for item in items:
        if "soak" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """``shared("data/…")``: a path in the shared data, or a skip that says what is missing."""
    root = Path(os.environ.get("QUANT_SHARED", REPOSITORY.parent / "shared"))

    def locate(relative: str) -> Path:
        matches = sorted(root.glob(relative)) if root.is_dir() else []
        if not matches:
            pytest.skip(f"shared data {relative} is absent; set QUANT_SHARED")
        return matches[0]

    return locate


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY
