"""One day of 5,000 names from two sources, agreed: the sync through Dagster on SQLite beside the same fetches
and writes without it.

    .venv/bin/python tests/bench/sync_day.py [names]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from quant.core.market.calendar import calendar
from quant.pipelines.flows.sync import SyncRequest, plan_sync, sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.sync import sync as sync_plain

NAMES = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
FIRST, BEFORE = date(2024, 1, 2), date(2024, 3, 1)
TABLES = ("instruments", "bars_1d", "adjustment_factors", "corporate_actions")
ROUNDS = 3
SOURCE = """apiVersion: quant/v1
kind: source
name: {name}
provider: simulated
license: synthetic
params: {{instruments: {names}, start: "2023-12-01", view: {name}}}
"""
TABLE = """apiVersion: quant/v1
kind: table
name: {name}
dataset: {name}
from: [a, b]
arbitrate: {{rule: vote, quorum: 2}}
checks: [{{check: contract}}]
"""
PROJECT = """apiVersion = "quant/v1"
kind = "project"
name = "day"
format = 1
[defaults]
profile = "small"
[profiles.small]
sources = ["a", "b"]
from = "2024-01-02"
to = "2024-12-31"
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = workspace(Path(folder) / "desk")
        sync(desk, SyncRequest(TABLES, FIRST, BEFORE))
        days = calendar("XSHG").sessions(BEFORE, date(2024, 4, 1))[1 : ROUNDS + 1]
        print(f"{NAMES} names, {len(TABLES)} tables, 2 sources, agreed; best of {ROUNDS}")
        plain, full = [], []
        for day in days:
            copy = Path(folder) / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(desk.lake, copy / "lake")
            request = SyncRequest(TABLES, day, day)
            plain.append(timed(lambda copy=copy, request=request: without_dagster(desk, copy, request)))
            full.append(timed(lambda request=request: sync(desk, request)))
        for name, seconds in (("fetch and write", plain), ("quant data sync", full)):
            print(f"  {name:18} {shown(min(seconds))}   ({', '.join(shown(s) for s in seconds)})")
        added = [(f[0] - p[0], f[1] - p[1]) for f, p in zip(full, plain, strict=True)]
        print(f"  {'Dagster adds':18} {shown(min(added))}")


def without_dagster(desk: Workspace, copy: Path, request: SyncRequest) -> None:
    lake = Lake(copy / "lake")
    plan = plan_sync(desk, request, data_specs(desk), lake=lake)
    items = tuple(item for item in plan.items if item.table.name in request.tables)
    for _ in sync_plain(replace(plan, items=items), lake, run="plain"):
        pass


def workspace(root: Path) -> Workspace:
    (root / "specs").mkdir(parents=True)
    (root / "quant.toml").write_text(PROJECT, encoding="utf-8")
    documents = [SOURCE.format(name=name, names=NAMES) for name in ("a", "b")]
    documents += [TABLE.format(name=name) for name in TABLES]
    (root / "specs" / "data.yaml").write_text("---\n".join(documents), encoding="utf-8")
    return Workspace.find(root)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def shown(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:.2f} s (cpu {seconds[1]:.2f})"


if __name__ == "__main__":
    main()
