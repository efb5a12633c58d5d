"""Published cases of the market rules, through the functions that ``quant rules verify`` runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quant.native.rules.cases import Outcome, read_cases, run_case

DIFFERS: dict[str, str] = {}
"""Cases that may differ, by id, each with its reason; only cases whose value the file calls likely."""


@pytest.fixture(scope="module")
def outcomes(shared: Callable[[str], Path]) -> list[Outcome]:
    path = shared("market/vectors.yaml")
    return [run_case(case) for case in read_cases(path.read_text("utf-8"), path.name)]


def test_every_published_case_holds_or_is_named_with_its_reason(outcomes):
    wrong = {each.id: (each.expected, each.got) for each in outcomes if not each.ok}
    assert len(outcomes) >= 168
    assert set(wrong) == set(DIFFERS), wrong


def test_most_cases_name_the_rows_that_decided(outcomes):
    named = [each for each in outcomes if each.rows]
    assert len(named) > len(outcomes) // 2
    assert all(row.source and row.confidence for each in named for row in each.rows)
