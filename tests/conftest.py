"""Shared fixtures. Real market data is read where it lies (QUANT_SHARED, else ../shared) and never copied."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from small_case import write_small_workspace
from soak import SOAK

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parent.parent

settings.register_profile(
    "ci", max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "soak", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow]
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


@pytest.fixture(scope="session")
def small_desk(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small workspace with its tables synced (without Dagster); tests add runs, never change tables."""
    from quant.pipelines.flows.sync import SyncRequest, plan_sync
    from quant.pipelines.sources import data_specs
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import sync

    desk = Workspace.find(write_small_workspace(tmp_path_factory.mktemp("desk") / "small"))
    plan = plan_sync(desk, SyncRequest(), data_specs(desk))
    for _ in sync(plan, Lake(desk.lake), run="fixture"):
        pass
    return desk
