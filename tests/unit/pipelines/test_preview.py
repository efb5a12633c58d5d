"""What a dry run promises: intervals with sessions only, and no numbers that nobody can know yet."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from quant.pipelines.flows.preview import preview
from quant.pipelines.flows.sync import SyncRequest
from quant.pipelines.workspace import Workspace

PROJECT = """\
apiVersion = "quant/v1"
kind = "project"
name = "dry"
format = 1
[defaults]
profile = "real"
[profiles.real]
sources = ["bao"]
from = "2023-12-18"
to = "2024-01-01"
"""
SOURCE = """\
apiVersion: quant/v1
kind: source
name: bao
provider: baostock
license: for tests
defaults: [baostock]
options: {by: code}
"""


def desk(root: Path, more: str = "") -> Workspace:
    pytest.importorskip("baostock", reason="the vendor's client is not installed")
    for folder in ("specs", "strategies"):
        (root / folder).mkdir()
    (root / "quant.toml").write_text(PROJECT)
    (root / "specs" / "source.yaml").write_text(SOURCE + more)
    return Workspace.find(root)


def test_rows_are_unknown_before_instruments_are_listed(tmp_path: Path) -> None:
    rows = {item.dataset: item.rows for item in preview(desk(tmp_path), SyncRequest()).items}
    assert {rows[name] for name in ("instruments", "bars_1d", "adjustment_factors", "daily_basics")} == {None}


def test_rows_of_named_codes_can_be_told(tmp_path: Path) -> None:
    here = desk(tmp_path, "codes: [600000.SH, 000001.SZ]\n")
    request = SyncRequest(("bars_1d",), date(2024, 3, 1), date(2024, 4, 30))
    (bars,) = (item for item in preview(here, request).items if item.dataset == "bars_1d")
    assert (bars.calls, bars.rows) == (2, 2 * bars.sessions)


def test_a_gap_without_a_session_is_not_asked_for(tmp_path: Path) -> None:
    items = [item for item in preview(desk(tmp_path), SyncRequest()).items if item.dataset == "bars_1d"]
    assert [(item.start, item.end) for item in items] == [("2023-12-18", "2023-12-31")]
