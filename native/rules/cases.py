"""Worked cases of the rules: a file of (function, given, expected) run against the compiled functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from quant.core.errors import (
    InvariantBroken,
    Location,
    QuantError,
    RuleMissing,
    SpecError,
    SpecErrors,
    UsageError,
)
from quant.core.market.tables import Row
from quant.native.rules.given import Given
from quant.native.rules.verdict import Verdict
from quant.specs.read_yaml import read_yaml

__all__ = ["Case", "Function", "Outcome", "functions", "read_cases", "run_case", "verify"]

Function = Callable[[Given], Any]

NO_RULE: Final = ("RAISE", "NO_RULE")
"""How a case says that no dated row answers it."""

UNUSABLE: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
_MODULES: Final = (
    "a_share", "phases", "costs", "corporate", "calendars",
    "futures", "options", "us", "crypto", "in_force",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One worked case and where it stands."""

    id: str
    func: str
    given: Given
    expect: Any
    where: Location


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case came to. ``rows`` are those that decided, ``ok`` whether ``got`` is what was expected."""

    id: str
    func: str
    expected: Any
    got: Any
    ok: bool
    rows: tuple[Row, ...]
    where: Location

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "func": self.func,
            "expected": _plain(self.expected),
            "got": _plain(self.got),
            "ok": self.ok,
            "where": str(self.where),
            "rows": [
                {
                    "table": row.table,
                    "key": list(row.key),
                    "from": row.start.isoformat(),
                    "to": row.end.isoformat() if row.end else None,
                    "values": _plain(dict(row.values)),
                    "source": list(row.source),
                    "confidence": row.confidence,
                }
                for row in self.rows
            ],
        }


@cache
def functions() -> Mapping[str, Function]:
    """Every logical function by name, of all markets."""
    found: dict[str, Function] = {}
    for name in _MODULES:
        module = f"quant.native.rules.{name}"
        if find_spec(module) is None:
            continue
        for func, call in import_module(module).CASES.items():
            if func in found:
                raise InvariantBroken("rules.duplicate", f"{func} is defined twice", found=module)
            found[func] = call
    return found


def verify(text: str, file: str) -> list[Outcome]:
    """The outcome of every case of a file's text, in file order.

    Raises SpecErrors for a file that is not one of cases: every fault with its line.
    """
    return [run_case(case) for case in read_cases(text, file)]


def read_cases(text: str, file: str) -> list[Case]:
    """The cases below ``vectors:``; a case has ``id``, ``func``, ``given`` and ``expect``.

    Raises SpecErrors.
    """
    documents, errors = read_yaml(text.replace("\r\n", "\n"), file)
    cases: list[Case] = []
    for document in documents:
        tree, marks = document.tree, document.marks
        listed = tree.get("vectors") if isinstance(tree, dict) else None
        if not isinstance(listed, list):
            errors.append(
                SpecError(
                    "cases.file",
                    "the file has no list of cases",
                    where=marks.start,
                    expected="vectors: followed by a list of {id, func, given, expect}",
                )
            )
            continue
        for number, item in enumerate(listed):
            where = marks.value(("vectors", number))
            fault = _fault(item, where)
            if fault is not None:
                errors.append(fault)
            elif isinstance(item, dict):
                given = Given(item["given"])  # type: ignore[arg-type]
                cases.append(Case(str(item["id"]), str(item["func"]), given, item["expect"], where))
    errors += _repeated(cases)
    if not cases and not errors:
        errors.append(SpecError("cases.file", "the file holds no case", where=Location(file, 1, 1)))
    if errors:
        raise SpecErrors(errors)
    return cases


def run_case(case: Case) -> Outcome:
    """Run one case; a rule that is missing, refuses its input or is not known is an outcome, not an error."""
    rows: tuple[Row, ...] = ()
    try:
        found = _function(case.func)(case.given)
        verdict = found if isinstance(found, Verdict) else Verdict(found)
        got, rows = verdict.got, verdict.rows
        ok = any(_same(case.expect, each) for each in (got, *verdict.also))
    except RuleMissing as error:
        got, ok = f"RAISE {error.fault.code}", case.expect in NO_RULE
    except QuantError as error:
        got, ok = f"ERROR {error.fault.code}: {error.fault.message}", False
    except UNUSABLE as error:  # what a function could not read: one bad case must not end the others
        said = (str(error).splitlines() or [""])[0]
        got, ok = f"ERROR case.given: the input cannot be used ({type(error).__name__}: {said})", False
    return Outcome(case.id, case.func, case.expect, got, ok, rows, case.where)


def _function(name: str) -> Function:
    found = functions().get(name)
    if found is None:
        near = get_close_matches(name, functions(), n=1)
        raise UsageError(
            "cases.function",
            f"no rule function is called {name}" + (f"; did you mean {near[0]}?" if near else ""),
            expected=", ".join(sorted(functions())),
            found=name,
        )
    return found


def _fault(item: Any, where: Location) -> SpecError | None:
    if not isinstance(item, dict):
        return SpecError("cases.case", "a case must be a mapping", where=where, found=repr(item)[:60])
    absent = [name for name in ("id", "func", "given", "expect") if name not in item]
    if absent:
        return SpecError(
            "cases.case",
            f"a case lacks {', '.join(absent)}",
            where=where,
            expected="id, func, given and expect",
            found=", ".join(item) or "nothing",
        )
    if not isinstance(item["given"], dict):
        return SpecError("cases.case", "given must be a mapping", where=where, found=repr(item["given"])[:60])
    return None


def _repeated(cases: Sequence[Case]) -> list[SpecError]:
    first: dict[str, Case] = {}
    faults: list[SpecError] = []
    for case in cases:
        before = first.setdefault(case.id, case)
        if before is not case:
            faults.append(
                SpecError(
                    "cases.id",
                    f"two cases are called {case.id}",
                    where=case.where,
                    hint=f"the first stands at {before.where}",
                )
            )
    return faults


def _same(expected: Any, got: Any) -> bool:
    """Whether ``got`` answers a case: a mapping by the names it expects, a Decimal by value."""
    if isinstance(expected, dict):
        return isinstance(got, Mapping) and all(
            name in got and _same(value, got[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(got, (list, tuple))
            and len(expected) == len(got)
            and all(_same(left, right) for left, right in zip(expected, got, strict=True))
        )
    if isinstance(got, Decimal):
        return _number(expected) == got
    return type(expected) is type(got) and bool(expected == got)


def _number(expected: Any) -> Decimal | None:
    if isinstance(expected, bool) or not isinstance(expected, (str, int, Decimal)):
        return None
    try:
        return Decimal(expected)
    except ArithmeticError:
        return None


def _plain(value: Any) -> Any:
    """``value`` as JSON writes it: numbers that must stay exact are texts."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
