"""Each fault says where, what was expected, what was found, and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_workspaces import BACKTEST, STRATEGY, load

from quant.core.errors import SpecError, SpecErrors


def faults_of(tmp_path: Path, text: str) -> list[SpecError]:
    with pytest.raises(SpecErrors) as caught:
        load(tmp_path, s=text)
    return list(caught.value.errors)


def test_an_unknown_key_names_the_nearest_one(tmp_path: Path) -> None:
    (error,) = faults_of(tmp_path, STRATEGY.replace("cash_buffer", "cash_bufer"))
    fault = error.fault
    assert (fault.code, str(fault.where)) == ("spec.unknown_key", "specs/s.yaml:5:37")
    assert fault.hint == "did you mean cash_buffer?"
    assert "turnover_cap" in (fault.expected or "")


def test_a_wrong_word_names_the_nearest_one(tmp_path: Path) -> None:
    (error,) = faults_of(tmp_path, STRATEGY.replace("every: month", "every: mnth"))
    assert error.fault.expected == "bar or day or week or month"
    assert error.fault.found == "'mnth'"
    assert error.fault.hint == "did you mean month?"


def test_a_dangling_name_names_the_nearest_one(tmp_path: Path) -> None:
    (error,) = faults_of(tmp_path, STRATEGY.replace("momentum_20", "momentum_2"))
    assert error.fault.code == "spec.reference"
    assert error.fault.hint == "did you mean momentum_20?"
    assert str(error.fault.where) == "specs/s.yaml:4:9"


def test_a_fault_in_a_formula_stands_in_its_line(tmp_path: Path) -> None:
    text = "apiVersion: quant/v1\nkind: factor\nname: f\nexpr: |\n  r = $close / Ref($close, 1)\n"
    text += "  Mean($clsoe, 5)\n"
    (error,) = faults_of(tmp_path, text)
    assert str(error.fault.where) == "specs/s.yaml:6:8"
    assert "close" in (error.fault.hint or "") + (error.fault.expected or "")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("kind: risk\nname: r\nlimits: {industry: 30%}\n", "limits.industry"),
        ("kind: risk\nname: r\nvol_target: 12%\n", "vol_target"),
        ("kind: cost\nname: c\ncommission: {rate: 1bp}\nslippage: {model: sqrt_impact}\n", "slippage.model"),
        ("kind: cost\nname: c\ncommission: {rate: 1bp}\nfinancing: 5%\n", "financing"),
    ],
)
def test_a_rule_that_is_not_enforced_is_an_error(tmp_path: Path, text: str, key: str) -> None:
    (error,) = faults_of(tmp_path, "apiVersion: quant/v1\n" + text)
    assert error.fault.code == "spec.unenforced"
    assert error.fault.message == f"{key} is not enforced by this version"


def test_a_secret_in_the_clear_is_refused_and_never_shown(tmp_path: Path) -> None:
    text = (
        "apiVersion: quant/v1\nkind: source\nname: s\nprovider: simulated\nlicense: x\nsecret: hunter2\n"
        "token: hunter2\n"
    )
    errors = faults_of(tmp_path, text)
    assert len(errors) == 2
    assert all("hunter2" not in str(e.fault) for e in errors)


def test_a_source_needs_a_licence(tmp_path: Path) -> None:
    (error,) = faults_of(tmp_path, "apiVersion: quant/v1\nkind: source\nname: s\nprovider: simulated\n")
    assert error.fault.message == "the key license is missing"
    assert "terms" in (error.fault.expected or "")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("range: [2021-01-04, 2021-12-31]", "range: [2021-01-04, 2020-12-31]", "ends before it starts"),
        ("range: [2021-01-04, 2021-12-31]", "range: [2021-01-04, 2099-12-31]", "does not cover"),
        ("range: [2021-01-04, 2021-12-31]", "range: [2021-01-02, 2021-01-03]", "holds no session"),
        ("cash: 10_000_000", "cash: 1\nfill: {at: open, participation: 10%}", "participation has no meaning"),
        ("params: {n: strategy.construct.top}", "params: {cash: strategy.construct.top}", "hides a key"),
        ("params: {n: strategy.construct.top}", "params: {n: strategy.construct.tpo}", "no key of this run"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, word: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        load(tmp_path, strategy=STRATEGY, run=BACKTEST.replace(old, new))
    assert any(word in e.fault.message for e in caught.value.errors)


@pytest.mark.parametrize(
    ("construct", "word"),
    [
        ("{method: fixed}", "the key construct.quantity is missing"),
        ("{method: fixed, quantity: 100, top: 5}", "fixed holds every name above 0"),
        ("{method: fixed, quantity: 100, max_weight: 10%}", "fixed buys shares, not weights"),
        ("{method: fixed, quantity: 0}", "quantity"),
        ("{method: equal, top: 5, quantity: 100}", "equal holds weights"),
    ],
)
def test_shares_and_weights_do_not_go_together(tmp_path: Path, construct: str, word: str) -> None:
    strategy = (
        "apiVersion: quant/v1\nkind: strategy\nname: s\nsignal: momentum_20\n"
        f"construct: {construct}\nrebalance: {{every: bar}}\n"
    )
    assert any(word in e.fault.message or word in str(e.fault.where) for e in faults_of(tmp_path, strategy))
