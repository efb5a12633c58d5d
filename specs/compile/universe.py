"""The universe of a spec as a plan says it: who may be held, and under which conditions."""

from __future__ import annotations

from collections.abc import Iterable

from quant.core.errors import Location, QuantError, SpecError, SpecErrors
from quant.core.ids import parse_code
from quant.specs.compile.plan import Members, UniversePlan
from quant.specs.compile.programs import conjunction, where_programs
from quant.specs.document import Marks
from quant.specs.schema import UniverseSpec
from quant.specs.schema.research import Boards, IndexMembers


def universe_plan(universe: UniverseSpec, marks: Marks, decide: str = "after_close") -> UniversePlan:
    """Members and conditions as they are known at the decision. Raises SpecError."""
    return UniversePlan(members_of(universe, marks), conjunction(where_programs(universe, marks, decide)))


def members_of(universe: UniverseSpec, marks: Marks) -> Members:
    """Who the universe may hold, before its conditions. Raises SpecErrors for what is no code."""
    members, where = universe.members, marks.value(("members",))
    if isinstance(members, Boards):
        return {"boards": tuple(sorted(set(members.boards)))}
    if isinstance(members, IndexMembers):
        return {"index": codes_of([members.index], where)}
    return codes_of(members, where) if isinstance(members, list) else "all"


def codes_of(written: Iterable[str], where: Location) -> tuple[str, ...]:
    """Codes in our style, each once, in order. Raises SpecErrors."""
    found = []
    for text in written:
        try:
            found.append(str(parse_code(text)))
        except QuantError as error:
            raise SpecErrors(
                [SpecError("spec.value", str(error), where=where, found=text, expected="a code as 600519.SH")]
            ) from error
    return tuple(sorted(set(found)))
