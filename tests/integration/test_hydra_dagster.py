"""Hydra's composition and dagster's string selections work in one process (ADR 0002)."""

from __future__ import annotations

import subprocess
import sys
import textwrap

CODE = """
    import dagster as dg
    from hydra import compose, initialize
    from hydra.core.config_store import ConfigStore
    ConfigStore.instance().store(name="spec", node={"strategy": {"top": 30}})
    with initialize(version_base=None, config_path=None):
        print(compose("spec", ["strategy.top=50"]).strategy.top)

    @dg.asset
    def a(): return 1
    @dg.asset
    def b(a): return a
    job = dg.define_asset_job("pick", selection='key:"a" or key:"b"')
    defs = dg.Definitions(assets=[a, b], jobs=[job])
    print(len(defs.resolve_job_def("pick").asset_layer.selected_asset_keys))
"""


def test_compose_and_string_selection() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(CODE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["50", "2"], done.stderr[-2000:]
