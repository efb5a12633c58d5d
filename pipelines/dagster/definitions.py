"""The code location that Dagster's webserver and daemon load: ``-m quant.pipelines.dagster.definitions``.

The workspace is the folder in QUANT_WORKSPACE (default: the nearest quant.toml), its profile QUANT_PROFILE.
"""

from __future__ import annotations

import os
from pathlib import Path

from quant.pipelines.dagster.location import build_definitions
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace


def _desk() -> Workspace:
    given = os.environ.get("QUANT_WORKSPACE")
    return Workspace.find(Path(given) if given else None)


def _load() -> object:
    desk = _desk()
    return build_definitions(desk, data_specs(desk))


defs = _load()
