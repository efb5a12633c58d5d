"""A workspace over a small simulated market, for tests that need a whole one."""

from __future__ import annotations

from pathlib import Path

SMALL_PROJECT = """
apiVersion = "quant/v1"
kind = "project"
name = "small"
format = 1
[defaults]
profile = "demo"
backtest = "momentum"
deployment = "momentum_paper"
[profiles.demo]
sources = ["small"]
from = "2021-01-04"
to = "2022-12-30"
"""
SMALL_SPECS = """
apiVersion: quant/v1
kind: source
name: small
provider: simulated
license: synthetic
params: {seed: 11, instruments: 60, start: 2020-06-01}
---
apiVersion: quant/v1
kind: backtest
name: momentum
use: {strategy: momentum_topn, universe: all_listed, cost: cn_stock, risk: default}
range: [2021-06-01, 2022-12-30]
cash: 10_000_000
params: {n: strategy.construct.top}
---
apiVersion: quant/v1
kind: deployment
name: momentum_paper
use: {strategy: momentum_topn, universe: all_listed, cost: cn_stock, risk: default}
env:
  paper: {broker: paper, feed: replay, from: 2022-07-01, to: 2022-12-30, cash: 10_000_000}
"""


def write_small_workspace(root: Path) -> Path:
    """A workspace over a small simulated market: two years, sixty names."""
    (root / "specs").mkdir(parents=True)
    (root / "strategies").mkdir()
    (root / "quant.toml").write_text(SMALL_PROJECT, encoding="utf-8")
    (root / "specs" / "small.yaml").write_text(SMALL_SPECS, encoding="utf-8")
    return root
