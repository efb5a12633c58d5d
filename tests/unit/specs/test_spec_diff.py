"""Differences by effect: breaking, result-changing, cosmetic."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_workspaces import BACKTEST, STRATEGY, load

from quant.specs import diff_registries, diff_resolved, resolve

SOURCE = (
    "apiVersion: quant/v1\nkind: source\nname: mine\nprovider: simulated\nlicense: x\nparams: {seed: 7}\n"
)
FILES = {"strategy": STRATEGY, "run": BACKTEST, "source": SOURCE}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("strategy", "top: 30", "top: 40", ("result-changing", "strategy/top", "construct.top", "30", "40")),
        (
            "run",
            "cash: 10_000_000",
            "cash: 5_000_000",
            ("result-changing", "backtest/run", "cash", "10000000", "5000000"),
        ),
        ("source", "seed: 7", "seed: 8", ("breaking", "source/mine", "params.seed", "7", "8")),
        ("source", "license: x", "license: y", ("cosmetic", "source/mine", "license", "x", "y")),
        (
            "run",
            "name: run\n",
            "name: run\ndescription: words\n",
            ("cosmetic", "backtest/run", "description", "", "words"),
        ),
        (
            "run",
            "range: [2021-01-04",
            "range: [2021-01-05",
            ("result-changing", "backtest/run", "range.from", "2021-01-04", "2021-01-05"),
        ),
    ],
)
def test_a_change_is_told_by_its_effect(
    tmp_path: Path, file: str, old: str, new: str, expected: tuple[str, ...]
) -> None:
    before = load(tmp_path / "a", **FILES)
    after = load(tmp_path / "b", **{**FILES, file: FILES[file].replace(old, new)})
    (change,) = diff_registries(before, after)
    assert (change.effect, change.document, change.path, change.old, change.new) == expected


CHECKED = """apiVersion: quant/v1
kind: table
name: bars_1d
dataset: bars_1d
from: [mine]
audit: {max_diff_rate: 0.1%, severity: error}
checks: [{check: contract}, {check: absence, tolerance: 1%}, {check: unique, severity: warn}]
"""


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [
        ("{check: contract}, ", "", "result-changing"),
        ("{check: contract}", "{check: contract, severity: warn}", "result-changing"),
        ("tolerance: 1%", "tolerance: 2%", "result-changing"),
        ("tolerance: 1%", "tolerance: 0.5%", "cosmetic"),
        (", {check: unique, severity: warn}", "", "cosmetic"),
        ("{check: contract}", "{check: contract}, {check: ohlc_order}", "cosmetic"),
        ("max_diff_rate: 0.1%", "max_diff_rate: 1%", "result-changing"),
        ("max_diff_rate: 0.1%", "max_diff_rate: 0.01%", "cosmetic"),
        ("severity: error}\n", "severity: error, tolerance: {close: 0.1}}\n", "result-changing"),
        ("audit: {max_diff_rate: 0.1%, severity: error}\n", "", "result-changing"),
    ],
)
def test_a_check_that_lets_more_pass_is_result_changing(
    tmp_path: Path, old: str, new: str, effect: str
) -> None:
    before = load(tmp_path / "a", **FILES, table=CHECKED)
    after = load(tmp_path / "b", **FILES, table=CHECKED.replace(old, new))
    changes = diff_registries(before, after)
    assert changes and changes[0].effect == effect


def test_removing_a_document_is_breaking_and_adding_one_is_not(tmp_path: Path) -> None:
    before = load(tmp_path / "a", **FILES)
    after = load(tmp_path / "b", strategy=STRATEGY, run=BACKTEST)
    assert [(c.effect, c.document) for c in diff_registries(before, after)] == [("breaking", "source/mine")]
    assert [(c.effect, c.document) for c in diff_registries(after, before)] == [("cosmetic", "source/mine")]


def test_a_comment_is_no_difference(tmp_path: Path) -> None:
    before = load(tmp_path / "a", **FILES)
    after = load(tmp_path / "b", **{**FILES, "run": "# note\n" + BACKTEST.replace("10_000_000", "1000万")})
    assert diff_registries(before, after) == []


def test_two_runs_are_compared_part_by_part(tmp_path: Path) -> None:
    registry = load(tmp_path, **FILES)
    changes = diff_resolved(
        resolve(registry, "backtest", "run"),
        resolve(registry, "backtest", "run", ["n=50", "factor.params.n=10"]),
    )
    assert [(c.document, c.path, c.new) for c in changes] == [
        ("factor", "params.n", "10"),
        ("strategy", "construct.top", "50"),
    ]
