"""Worked cases with senseless input: each is an outcome that says so, none ends the run."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from quant.native.rules.cases import Case, read_cases, run_case
from quant.native.rules.given import Given

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
ODD = (
    None, "", "x", "-1", "0", "1e30", "NaN", "99999999999999999999", 0, -1, 2**70, True, [], [[]], [["a", 1]],
    {}, {"a": []}, "2024-02-30", "0001-01-01", "9999-12-31", "24:00", "600000.SH", "buy",
)  # fmt: skip


@cache
def cases() -> list[Case]:
    """A few cases of every function."""
    found: dict[str, list[Case]] = {}
    for file in sorted(GOLDEN.glob("rule_cases*.yaml")):
        for case in read_cases(file.read_text("utf-8"), file.name):
            found.setdefault(case.func, []).append(case)
    picked = random.Random(7)
    return [case for group in found.values() for case in picked.sample(group, min(4, len(group)))]


@settings(max_examples=300)
@given(st.data())
def test_no_input_ends_a_run(data):
    case = data.draw(st.sampled_from(cases()))
    changed = dict(case.given)
    for name in data.draw(st.lists(st.sampled_from(sorted(changed) or ["date"]), min_size=1, max_size=3)):
        if data.draw(st.booleans()):
            changed.pop(name, None)
        else:
            changed[name] = data.draw(st.sampled_from(ODD))
    outcome = run_case(Case(case.id, case.func, Given(changed), "no such answer", case.where))
    assert not outcome.ok
    assert "\n" not in str(outcome.got)
