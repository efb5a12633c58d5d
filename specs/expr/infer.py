"""Syntax tree to typed graph: names resolved, windows fixed, look-ahead and mixed units refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quant.core.errors import SpecError
from quant.specs.expr.fields import ADJUSTMENT, FIELDS, find_field
from quant.specs.expr.lexer import Source
from quant.specs.expr.nodes import Apply, Call, Comparison, Expression, FieldName, Literal, Name, Script
from quant.specs.expr.ops import (
    FUNCTIONS,
    MAX_LOOKBACK,
    MAX_WINDOW,
    OPCODES,
    OPERATORS,
    Opcode,
    Operator,
    Parameter,
    Shape,
)
from quant.specs.expr.passes.fold import folded
from quant.specs.expr.types import DECIDE, DECIDE_WORDS, Availability, Graph, Unit, Value

_WORD = re.compile(r"\$?[A-Za-z0-9_]+")
MAX_GRAPH = 4_096  # typed nodes before common ones are shared
_SAME_UNIT = frozenset({"add", "sub", "div", "gt", "ge", "lt", "le", "eq", "ne", "max2", "min2", "where"})
_KEEPS_UNIT = frozenset({"add", "sub", "max2", "min2", "where", "neg", "abs", "ref", "delta", "mean", "std",
                         "sum", "min", "max"})  # fmt: skip
_SCALES_UNIT = frozenset({"mul", "div"})


@dataclass(frozen=True, slots=True)
class Names:
    """What a word of the expression may mean."""

    price: str
    available: Mapping[str, str]
    params: Mapping[str, float]


def infer(script: Script, source: Source, names: Names, decide: str) -> Graph:
    """Raises SpecError: ``expr.name``, ``expr.arity``, ``expr.window``, ``expr.unit``, ``expr.lookahead``,
    ``expr.limit``."""
    builder = _Builder(source, names)
    for assignment in script.assignments:
        builder.assign(assignment.name, builder.value(assignment.value), assignment.at)
    result = builder.value(script.result)
    builder.refuse_lookahead(result, decide)
    return Graph(tuple(builder.nodes), result)


@dataclass(slots=True)
class _Builder:
    source: Source
    names: Names
    nodes: list[Value] = field(default_factory=list)
    assigned: dict[str, int] = field(default_factory=dict)

    def assign(self, name: str, index: int, at: int) -> None:
        if name in self.assigned:
            raise self.source.error(
                "expr.name",
                f"'{name}' is assigned twice",
                at,
                found=name,
                hint="give the second one its own name",
            )
        self.assigned[name] = index

    def value(self, root: Expression) -> int:
        """Post-order with a stack of our own: a sum of a thousand terms is deep, but not recursive."""
        stack: list[tuple[Expression, bool]] = [(root, False)]
        done: list[int] = []
        while stack:
            expression, visited = stack.pop()
            match expression:
                case Apply() | Call() | Comparison() if not visited:
                    stack.append((expression, True))
                    stack.extend((a, False) for a in reversed(expression.args))
                case Apply() | Call() | Comparison():
                    count = len(expression.args)
                    args = tuple(done[len(done) - count :])
                    del done[len(done) - count :]
                    done.append(self._combine(expression, args))
                case _:
                    done.append(self._leaf(expression))
        return done[0]

    def _combine(self, expression: Apply | Call | Comparison, args: tuple[int, ...]) -> int:
        match expression:
            case Apply(op=op, at=at):
                return self._apply(OPCODES[op], args, at)
            case Comparison(ops=ops, at=at):
                return self._compare(ops, args, at)
            case Call():
                return self._call(expression, args)

    def _compare(self, ops: tuple[str, ...], args: tuple[int, ...], at: int) -> int:
        result = self._apply(OPCODES[ops[0]], args[:2], at)
        for position in range(1, len(ops)):
            test = self._apply(OPCODES[ops[position]], args[position : position + 2], at)
            result = self._apply(OPCODES["and"], (result, test), at)
        return result

    def _leaf(self, expression: Expression) -> int:
        match expression:
            case Literal(value=value, at=at):
                return self._constant(value, at)
            case FieldName(name=name, at=at):
                return self._field(name, at)
            case Name(name=name, at=at):
                return self._name(name, at)
        raise self.source.error("expr.syntax", "not an expression", expression.at)

    def _constant(self, value: float, at: int) -> int:
        return self._add(Value("const", (), (value,), at, constant=value))

    def _name(self, name: str, at: int) -> int:
        if name in self.assigned:
            return self.assigned[name]
        if name in self.names.params:
            return self._constant(float(self.names.params[name]), at)
        if find_field(name, self.names.price, self.names.available) is not None:
            return self._field(name, at)
        if name in FUNCTIONS:
            raise self.source.error(
                "expr.name", f"{name} is a function", at, found=name, expected=FUNCTIONS[name].show()
            )
        known = [*self.assigned, *self.names.params, *self._fields()]
        raise self._unknown("name", name, at, known)

    def _fields(self) -> list[str]:
        return [*FIELDS, *(c for c in self.names.available if c not in FIELDS)]

    def _field(self, name: str, at: int) -> int:
        found = find_field(name, self.names.price, self.names.available)
        if found is None:
            if name in self.assigned:
                raise self.source.error(
                    "expr.name", f"${name} is an assignment, not a field", at, found=f"${name}", expected=name
                )
            raise self._unknown("field", f"${name}", at, [f"${f}" for f in self._fields()])
        index = self._load(found.column, found.available, found.unit, at)
        if not found.adjust:
            return index
        factor = self._load(ADJUSTMENT, Availability.PREOPEN, Unit.NONE, at)
        return self._apply(OPCODES[found.adjust], (index, factor), at)

    def _load(self, column: str, available: Availability, unit: Unit, at: int) -> int:
        return self._add(Value("load", (), (), at, 0, available, unit, column=column, culprit=at))

    def _call(self, call: Call, args: tuple[int, ...]) -> int:
        operator = FUNCTIONS.get(call.function)
        if operator is None:
            raise self._unknown_function(call)
        if len(args) != len(operator.signature):
            raise self.source.error(
                "expr.arity",
                f"{call.function} takes {len(operator.signature)} argument(s), found {len(args)}",
                call.at,
                expected=operator.show(),
                found=f"{len(args)} argument(s)",
            )
        opcode = operator.opcode
        if opcode.parameter is Parameter.NONE:
            return self._apply(opcode, args, call.at)
        return self._windowed(operator, args, call)

    def _windowed(self, operator: Operator, args: tuple[int, ...], call: Call) -> int:
        opcode = operator.opcode
        window = self.nodes[args[-1]]
        count, at = window.constant, call.args[-1].at
        if count is None:
            raise self.source.error(
                "expr.window",
                f"the n of {operator.show()} must be a number, not a series",
                at,
                expected="a whole number of sessions",
                found="a series",
            )
        if opcode.parameter is Parameter.LAG and count < 0:
            raise self.source.error(
                "expr.lookahead",
                f"{operator.name} by {count:g} sessions reads the future",
                at,
                expected="0 or more",
                found=f"{count:g}",
                hint=f"{operator.name}(x, 1) is yesterday's value",
            )
        least = 0 if opcode.parameter is Parameter.LAG else opcode.least
        if not (least <= count <= MAX_WINDOW) or count != int(count):
            raise self.source.error(
                "expr.window",
                f"the n of {operator.show()} is out of range",
                at,
                expected=f"a whole number from {least} to {MAX_WINDOW}",
                found=f"{count:g}",
            )
        if opcode.name == "ref" and count == 0:
            return args[0]
        if opcode.name == "delta" and count == 0:
            return self._apply(OPCODES["sub"], (args[0], args[0]), call.at)
        return self._apply(opcode, args[:-1], call.at, (float(count),))

    def _apply(self, opcode: Opcode, args: tuple[int, ...], at: int, params: tuple[float, ...] = ()) -> int:
        values = [self.nodes[a] for a in args]
        unit = self._unit(opcode.name, values, at)
        reach = opcode.reach(params)
        lookback = max(v.lookback for v in values) + reach
        if lookback > MAX_LOOKBACK:
            raise self.source.error(
                "expr.limit",
                "the expression looks back too far",
                at,
                expected=f"at most {MAX_LOOKBACK} sessions",
                found=str(lookback),
            )
        latest = max(values, key=lambda v: v.available)
        available, culprit = latest.available, latest.culprit
        if opcode.name == "ref":  # a past session is known before this one opens
            available, culprit = Availability.PREOPEN, -1
        constant = folded(opcode.name, [v.constant for v in values]) if opcode.shape is Shape.CELL else None
        return self._add(
            Value(opcode.name, args, params, at, lookback, available, unit, constant, culprit=culprit)
        )

    def _unit(self, op: str, values: list[Value], at: int) -> Unit:
        compared = values[1:] if op == "where" else values
        units = {v.unit for v in compared if v.unit is not Unit.NONE}
        if len(units) == 2 and op in _SAME_UNIT:
            raise self.source.error(
                "expr.unit",
                "adjusted and unadjusted prices do not mix",
                at,
                expected="two prices of one scale",
                found=" and ".join(v.unit.words for v in compared),
                hint="limits and pre_close are unadjusted: compare them with $raw_close, $raw_open …",
            )
        if op in _KEEPS_UNIT:
            return max(units, default=Unit.NONE)
        if op in _SCALES_UNIT and len([v for v in values if v.unit is not Unit.NONE]) == 1:
            return values[0].unit if op == "div" else max(units)
        return Unit.NONE

    def _add(self, value: Value) -> int:
        if len(self.nodes) >= MAX_GRAPH:
            raise self.source.error(
                "expr.limit",
                "the expression has too many operations",
                value.at,
                expected=f"at most {MAX_GRAPH}",
            )
        self.nodes.append(value)
        return len(self.nodes) - 1

    def refuse_lookahead(self, index: int, decide: str) -> None:
        value = self.nodes[index]
        allowed = DECIDE[decide]
        if value.available <= allowed:
            return
        found = _WORD.match(self.source.text, max(value.culprit, 0))
        word = found.group() if found else "the value"
        when = DECIDE_WORDS[decide]
        raise self.source.error(
            "expr.lookahead",
            f"{word} of a session is known {value.available.words}; the decision is made {when}",
            value.culprit if value.culprit >= 0 else value.at,
            expected=f"values known {allowed.words} or earlier",
            found=f"{word}, known {value.available.words}",
            hint=f"use Ref({word}, 1), the previous session's value",
        )

    def _unknown_function(self, call: Call) -> SpecError:
        if call.function in ("min", "max"):
            greater = "Greater" if call.function == "max" else "Less"
            return self.source.error(
                "expr.name",
                f"'{call.function}' is ambiguous",
                call.at,
                found=call.function,
                expected=f"ts_{call.function}(x, n) over time or {greater}(x, y) of two values",
            )
        return self._unknown(
            "function",
            call.function,
            call.at,
            list(FUNCTIONS),
            f"one of {', '.join(o.name for o in OPERATORS if not o.symbol)}",
        )

    def _unknown(
        self, kind: str, name: str, at: int, known: Iterable[str], expected: str | None = None
    ) -> SpecError:
        folded_names = {k.lower(): k for k in reversed(list(known))}
        near = difflib.get_close_matches(name.lower()[:64], list(folded_names), n=1)
        hint = f"did you mean {folded_names[near[0]]}?" if near else None
        if expected is None:
            expected = f"one of {', '.join(sorted(folded_names.values())[:40])}"
        return self.source.error(
            "expr.name", f"unknown {kind} {name}", at, expected=expected, found=name, hint=hint
        )
