"""What must hold inside a table's spec: the columns it names, and rules that can be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from quant.core.errors import SpecError
from quant.specs.document import Marks, Path
from quant.specs.lint.sources import OPTIONAL, REQUIRED
from quant.specs.schema import TableSpec
from quant.specs.schema.tables import Arbitration, ColumnRule

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "instruments": ("code",),
    "instrument_attributes": ("code", "attribute", "from_session"),
    "corporate_actions": ("code", "ex_session"),
    "fundamentals": ("code", "report", "item", "period_end", "announced"),
    "index_members": ("index_code", "code", "from_session"),
    "index_weights": ("index_code", "code", "session"),
    **dict.fromkeys(("bars_1m", "bars_5m", "bars_1h"), ("code", "ts", "session")),
    "ticks": ("code", "ts", "seq", "session"),
    "funding_rates": ("code", "ts", "session"),
}
"""What names a row; nobody votes on it. Other datasets: code and session."""
ASIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "bars_1d": ("factor",),
    "corporate_actions": ("announced",),
}
"""Vendor columns that end in another column or table."""


def agreeable(dataset: str) -> tuple[str, ...]:
    """The columns of a dataset that sources can disagree about."""
    left_out = {*KEYS.get(dataset, ("code", "session")), *ASIDE.get(dataset, ())}
    return tuple(name for name in (*REQUIRED[dataset], *OPTIONAL[dataset]) if name not in left_out)


def check_table(model: TableSpec, marks: Marks) -> Iterator[SpecError]:
    """The faults of the blocks ``arbitrate`` and ``audit`` of one table."""
    if model.arbitrate is not None:
        rules = model.arbitrate
        yield from _columns(model, marks, ("arbitrate", "tolerance"), rules.tolerance)
        yield from _columns(model, marks, ("arbitrate", "columns"), rules.columns)
        yield from _rules(model, rules, marks)
    if model.audit is not None:
        yield from _columns(model, marks, ("audit", "tolerance"), model.audit.tolerance)


def _columns(model: TableSpec, marks: Marks, base: Path, named: Mapping[str, object]) -> Iterator[SpecError]:
    known = agreeable(model.dataset)
    for name in named:
        if name in known:
            continue
        near = get_close_matches(name, known, n=1)
        key = name in KEYS.get(model.dataset, ("code", "session"))
        yield SpecError(
            "spec.reference",
            f"{name} names a row of {model.dataset}; nobody votes on it"
            if key
            else f"{model.dataset} has no column {name!r}",
            where=marks.key((*base, name)),
            found=name,
            expected=", ".join(known),
            hint=f"did you mean {near[0]}?" if near else None,
        )


def _rules(model: TableSpec, rules: Arbitration, marks: Marks) -> Iterator[SpecError]:
    sources = model.from_
    yield from _quorum(rules, sources, marks, ("arbitrate",))
    yield from _preferred(rules, sources, marks, ("arbitrate",))
    for name, rule in rules.columns.items():
        base = ("arbitrate", "columns", name)
        yield from _quorum(rule, sources, marks, base)
        yield from _preferred(rule, sources, marks, base)
        if rule.quorum is not None and (rule.rule or rules.rule) != "vote":
            yield _only_for_votes(marks, base)
    if rules.quorum is not None and rules.rule != "vote" and not _any_vote(rules):
        yield _only_for_votes(marks, ("arbitrate",))
    if sources is not None and rules.needs > len(sources):
        yield SpecError(
            "spec.contradiction",
            f"{rules.needs} sources are needed, and there are {len(sources)}",
            where=marks.value(("arbitrate", "needs")),
            expected=f"1 to {len(sources)}",
            found=str(rules.needs),
        )
    if sources is not None and len(sources) < 2:
        yield SpecError(
            "spec.contradiction",
            "there is nothing to agree on with one source",
            where=marks.key(("arbitrate",)),
            expected="two sources or more in from:",
            found=", ".join(sources),
            hint="name the other sources in from:, or remove arbitrate:",
        )


def _any_vote(rules: Arbitration) -> bool:
    return any(rule.rule == "vote" for rule in rules.columns.values())


def _quorum(
    rule: Arbitration | ColumnRule, sources: list[str] | None, marks: Marks, base: Path
) -> Iterator[SpecError]:
    if rule.quorum is not None and sources is not None and rule.quorum > len(sources):
        yield SpecError(
            "spec.contradiction",
            f"a quorum of {rule.quorum} can never be reached by {len(sources)} sources",
            where=marks.value((*base, "quorum")),
            expected=f"1 to {len(sources)}",
            found=str(rule.quorum),
        )


def _preferred(
    rule: Arbitration | ColumnRule, sources: list[str] | None, marks: Marks, base: Path
) -> Iterator[SpecError]:
    if sources is None:
        return
    for i, name in enumerate(rule.prefer or ()):
        if name not in sources:
            yield SpecError(
                "spec.reference",
                f"the table is not filled from {name!r}",
                where=marks.value((*base, "prefer", i)),
                found=name,
                expected=", ".join(sources),
                hint=f"add {name} to from:, or take it out of prefer:",
            )


def _only_for_votes(marks: Marks, base: Path) -> SpecError:
    return SpecError(
        "spec.contradiction",
        "a quorum is only asked for in a vote",
        where=marks.key((*base, "quorum")),
        expected="rule: vote",
        hint="write rule: vote, or remove quorum:",
    )
