"""All real bars of A-shares against the rulebook: how many prints lie outside, and under which cause."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quant.pipelines.flows.rule_check import CheckOutcome, CheckRequest, check_files, failure

GOLDEN = Path(__file__).parent / "rule_check_counts.json"
NAMED = {("hikyuu", "000004.SZ", "2007-05-28", "low", 10.4)}
"""Prints without a cause; docs/rule-check.md says what is known of each."""
Run = Callable[..., CheckOutcome]

WEIGHTS = """\
apiVersion: quant/v1
kind: source
name: weights
description: Bonus shares, rights and cash by ex-date; shares per ten times 10000, yuan per ten times 1000.
provider: files
license: test
root: {root}
datasets:
  corporate_actions:
    files: stkWeight.csv.gz
    fields:
      code: {{as: code}}
      date: {{as: ex_session, format: "%Y%m%d"}}
      bonus: {{as: cash_per_share, divide: 1000, unit: per_10_shares}}
      countAsGift: {{as: bonus_only_ratio, divide: 10000, unit: per_10_shares}}
      countOfIncreasement: {{as: conversion_ratio, divide: 10000, unit: per_10_shares}}
      countForSell: {{as: rights_ratio, divide: 10000, unit: per_10_shares}}
      priceForSell: {{as: rights_price, divide: 1000}}
"""


@pytest.fixture(scope="module")
def outcomes(
    shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, CheckOutcome]:
    """The folders whose bars overlap are run together, as each other's witnesses."""
    weights = tmp_path_factory.mktemp("specs") / "weights.yaml"
    weights.write_text(WEIGHTS.format(root=shared("data/ashare_14*")), encoding="utf-8")
    ten = shared("data/ashare_10*/stock/raw")
    groups: dict[str, list[tuple[object, str]]] = {
        "01": [(shared("data/ashare_01*/by_stock"), "-"), (shared("data/ashare_01*/stock_basic*"), "-")],
        "02, 03, 08": [
            (shared("data/ashare_08*/stock_1d_kdata*"), "-"),
            (shared("data/ashare_08*/stock_1d_hfq_kdata*"), "-"),
            (shared("data/ashare_03*"), "-"),
            (shared("data/ashare_02*"), "-"),
            (weights, "-"),
        ],
        "09, 10": [
            (shared("data/ashare_09*/ccp"), "-"),
            (shared("data/ashare_09*/jenny"), "-"),
            (ten / "*_indiv_techin.csv.gz", "-"),
            (ten / "*_indiv_d.csv.gz", "-"),
        ],
        "13": [
            (shared("data/ashare_13*/hikyuu"), "hikyuu"),
            (shared("data/ashare_13*/vipdoc"), "tdx"),
            (shared("data/ashare_18*/baostock_600000*"), "-"),
            (weights, "-"),
        ],
    }
    return {
        name: check_files([str(p) for p, _ in given], CheckRequest(), specs=[spec for _, spec in given])
        for name, given in groups.items()
    }


def counts(outcome: CheckOutcome) -> dict[str, Any]:
    return {
        side.name: {
            "bars": side.bars,
            "judged": side.judged,
            "at_the_limit": side.at_limit,
            "left_out": dict(side.left_out),
            "causes": {
                row["cause"]: {"prints": row["prints"], "bars": row["bars"]} for row in side.causes.to_dicts()
            },
            "faults": side.fault_counts,
        }
        for side in outcome.sides
    }


def test_every_print_outside_the_limits_falls_under_the_cause_it_fell_under_before(
    outcomes: dict[str, CheckOutcome],
) -> None:
    found = {name: counts(outcome) for name, outcome in outcomes.items()}
    if os.environ.get("QUANT_UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_only_the_named_prints_stay_without_a_cause(outcomes: dict[str, CheckOutcome]) -> None:
    left = {
        (side.name, row["code"], row["session"].isoformat(), row["print"], row["price"])
        for outcome in outcomes.values()
        for side in outcome.sides
        for row in side.unexplained.to_dicts()
    }
    assert left == NAMED
    assert all(outcome.passed == (failure(outcome) is None) for outcome in outcomes.values())
    assert not outcomes["13"].passed


def test_much_trades_at_the_limit_and_a_raw_vendor_never_beyond(outcomes: dict[str, CheckOutcome]) -> None:
    for name in ("ccp", "jenny", "*_indiv_techin"):
        side = next(each for each in outcomes["09, 10"].sides if each.name == name)
        assert side.prints.height == 0
        assert side.at_limit > 0


def test_no_cause_is_given_without_evidence(outcomes: dict[str, CheckOutcome]) -> None:
    for outcome in outcomes.values():
        for side in outcome.sides:
            assert side.prints.filter(side.prints["evidence"].str.len_chars() < 5).height == 0


@pytest.mark.parametrize(
    ("bars", "spec"),
    [("data/ashare_03*", "-"), ("data/ashare_13*/vipdoc", "tdx")],
)
def test_wrong_limits_are_found_out(
    bars: str, spec: str, shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nine tenths of each limit real prints stay unexplained: no cause takes in what does not fit."""
    from quant.warehouse.rulecheck import bounds

    honest = bounds._rate
    monkeypatch.setattr(bounds, "_rate", lambda row: honest(row) * 9 // 10 if honest(row) > 0 else -1)
    done = check_files([str(shared(bars))], CheckRequest(), specs=[spec])
    side = done.sides[0]
    assert side.unexplained.height > 20
    assert side.unexplained.height > 0.9 * side.prints.height
    refused = failure(done)
    assert refused is not None
    assert refused.fault.code == "rules.unexplained"
