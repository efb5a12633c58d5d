"""A lake in a temporary folder, and the tiny market's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_market import BARS, MASTER

from quant.warehouse.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "state" / "lake")


@pytest.fixture
def vendor_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "master.csv").write_text(MASTER, encoding="utf-8")
    (folder / "bars.csv").write_text(BARS, encoding="utf-8")
    return folder


@pytest.fixture
def clock() -> Callable[[], int]:
    return lambda: 1_767_225_600_000_000_000
