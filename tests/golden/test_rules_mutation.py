"""Every dated row decides a case: change its value or move its dates, and some case comes out otherwise.

The cases are the published vectors, where present, and those of ``rule_cases*.yaml``, typed by hand from the
sources. What no case can notice stands in ``rule_gaps.yaml`` with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from rule_mutation import Mutant, consulted, holds, mutants, survives

from quant.core.market.registry import all_tables, china_tables
from quant.native.rules import crypto, futures, options, us
from quant.native.rules.cases import Case, functions, read_cases, run_case
from quant.specs.read_yaml import read_yaml

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("QUANT_SHARED", HERE.parent.parent.parent / "shared")) / "market/vectors.yaml"


@cache
def own_cases() -> list[Case]:
    files = sorted(HERE.glob("rule_cases*.yaml"))
    return [case for file in files for case in read_cases(file.read_text("utf-8"), file.name)]


OTHERS = {name for module in (futures, options, us, crypto) for name in module.CASES}
HAS_OTHERS = any(case.func in OTHERS for case in own_cases())
TABLES = {table.name: table for table in (all_tables() if HAS_OTHERS else china_tables())}


@cache
def cases_by_table() -> dict[str, list[Case]]:
    """The cases that ask a table; of the published ones those that hold."""
    published = read_cases(SHARED.read_text("utf-8"), SHARED.name) if SHARED.is_file() else []
    usable = [case for case in published if case.func in functions() and holds(case)]
    found: dict[str, list[Case]] = {}
    for case in (*own_cases(), *usable):
        for name in consulted(case):
            found.setdefault(name, []).append(case)
    return found


@cache
def gaps() -> dict[str, str]:
    """What no case can notice, by the name of the mutant, ``*`` for any text."""
    documents, errors = read_yaml((HERE / "rule_gaps.yaml").read_text("utf-8"), "rule_gaps.yaml")
    assert not errors
    tree = documents[0].tree
    assert isinstance(tree, dict) and isinstance(tree["gaps"], list)
    return {str(each["row"]): str(each["reason"]) for each in tree["gaps"] if isinstance(each, dict)}


def is_gap(mutant: Mutant) -> bool:
    return any(fnmatchcase(mutant.name, name) for name in gaps())


def survivors(name: str) -> Iterator[Mutant]:
    cases = cases_by_table().get(name, [])
    return (mutant for mutant in mutants(TABLES[name]) if survives(mutant, cases, holds))


def test_every_case_of_ours_holds():
    outcomes = [run_case(case) for case in own_cases()]
    assert {each.id: (each.expected, each.got) for each in outcomes if not each.ok} == {}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_a_table_decides_a_case(name):
    left = [mutant.name for mutant in survivors(name) if not is_gap(mutant)]
    assert left == []


def test_gaps_have_reasons_and_are_gaps_still():
    assert all(len(reason) > 10 for reason in gaps().values())
    names = {mutant.name for table in TABLES for mutant in survivors(table)} if SHARED.is_file() else None
    if names is not None:
        stale = [gap for gap in gaps() if not any(fnmatchcase(name, gap) for name in names)]
        assert stale == []
