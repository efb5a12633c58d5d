"""A vendor's source: what is required, what is refused, and that it is said where."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_workspaces import faults, load

from quant.core.errors import SpecError, SpecErrors

SOURCE = """\
apiVersion: quant/v1
kind: source
name: mine
provider: tushare
license: for tests
secret: keyring://tushare/token
datasets:
  bars_1d:
    endpoint: daily
    fields:
      ts_code: {as: code}
      trade_date: {as: session}
      open: {as: open}
      high: {as: high}
      low: {as: low}
      close: {as: close}
      vol: {as: volume, unit: lot100}
    with:
      - endpoint: stk_limit
        fields:
          ts_code: {as: code}
          trade_date: {as: session}
          up_limit: {as: limit_up}
"""


def found(root: Path, text: str) -> list[SpecError]:
    try:
        load(root, source=text)
    except SpecErrors as error:
        return faults(error)
    return []


def test_the_smallest_vendor_is_sound(tmp_path: Path) -> None:
    assert found(tmp_path, SOURCE) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "word"),
    [
        ("license: for tests\n", "", "spec.missing_key", "license"),
        ("keyring://tushare/token", "8c1f4be2b7d94e55", "spec.value", "reference"),
        ("unit: lot100", "unit: lots", "spec.value", "lot100"),
        ("{as: close}", "{as: closing}", "spec.reference", "closing"),
        ("      low: {as: low}\n", "", "spec.missing_key", "low"),
        ("endpoint: stk_limit", "endpoint: daily", "spec.duplicate", "own endpoint"),
        ("up_limit: {as: limit_up}", "up_limit: {as: close}", "spec.duplicate", "close"),
        ("up_limit: {as: limit_up}", "up_limit: {as: limit}", "spec.reference", "limit"),
        ("      - endpoint: stk_limit\n        fields:\n          ts_code: {as: code}\n",
         "      - endpoint: stk_limit\n        fields:\n", "spec.missing_key", "code"),
        ("datasets:", "options: {url: ftp://x}\ndatasets:", "spec.value", "service"),
        ("datasets:", 'options: {url: "https://me:pw@x/y"}\ndatasets:', "spec.secret", "credential"),
        ("datasets:", "limits: {per_minute: 0}\ndatasets:", "spec.value", "absurd"),
        ("datasets:", "limits: {on_full_page: ignore}\ndatasets:", "spec.value", "split"),
        ("datasets:", "limit: {per_minute: 5}\ndatasets:", "spec.unknown_key", "limits"),
        ("provider: tushare", "provider: tushaer", "spec.value", "tushare"),
    ],
)  # fmt: skip
def test_a_fault_is_said_with_its_line(old: str, new: str, code: str, word: str, tmp_path: Path) -> None:
    assert old in SOURCE
    errors = found(tmp_path, SOURCE.replace(old, new, 1))
    assert errors
    said = " ".join(str(e.fault) for e in errors)
    assert word in said
    assert all(e.fault.where is not None and e.fault.where.line for e in errors)
    assert "8c1f4be2b7d94e55" not in said
    assert ":pw@" not in said
    assert code in {e.fault.code for e in errors}
