"""The syntax tree of an expression, as written; names and windows are not resolved yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    value: float
    at: int  # offset in the text, as in every node


@dataclass(frozen=True, slots=True)
class FieldName:
    """``$close``; the name is kept without its dollar sign."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A bare word: an earlier assignment, a parameter, or a field."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation by infix or prefix sign; ``op`` is an opcode."""

    op: str
    args: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``a < b <= c``: each neighbouring pair compared, all of them required; one more operand than ops."""

    ops: tuple[str, ...]
    args: tuple[Expression, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """``Mean($close, 5)``."""

    function: str
    args: tuple[Expression, ...]
    at: int


Expression = Literal | FieldName | Name | Apply | Comparison | Call


@dataclass(frozen=True, slots=True)
class Assignment:
    name: str
    value: Expression
    at: int


@dataclass(frozen=True, slots=True)
class Script:
    """Assignments in order, then the expression that is the result."""

    assignments: tuple[Assignment, ...]
    result: Expression
