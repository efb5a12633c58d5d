"""The flat factor program: pure data between the expression compiler and the engines that run it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from quant.core.errors import SpecError
from quant.specs.expr.ops import MAX_LOOKBACK, MAX_NODES, OPCODES, Opcode, Parameter

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation. ``args`` are slots of earlier instructions; ``params`` depend on the opcode.

    ``load`` has one parameter, the index of a column; ``const`` its value; ``ref`` and ``delta`` a number of
    sessions; the rolling operations a window in sessions.
    """

    op: str
    args: tuple[int, ...] = ()
    params: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """Instructions in an order in which every slot is computed before it is read.

    ``columns`` names the panel columns read, ``output`` is the slot of the result, ``lookback`` the number of
    sessions before a row that its value can depend on, ``source`` the text it was compiled from.
    """

    columns: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    output: int
    lookback: int
    source: str = ""

    def to_dict(self) -> dict[str, object]:
        """JSON-ready data; ``from_dict`` reads it back."""
        return {
            "columns": list(self.columns),
            "instructions": [
                {"op": i.op, "args": list(i.args), "params": list(i.params)} for i in self.instructions
            ],
            "output": self.output,
            "lookback": self.lookback,
            "source": self.source,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Program:
        """Read and validate. Raises SpecError ``expr.program`` on anything that is not a sound program."""
        try:
            program = _read(data)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _unsound(f"not a factor program: {type(error).__name__}: {error}") from error
        validate(program)
        return program

    @classmethod
    def from_json(cls, text: str) -> Program:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _unsound(f"not JSON: {error}") from error
        if not isinstance(data, dict):
            raise _unsound("not a factor program", expected="an object")
        return cls.from_dict(data)


def _read(data: Mapping[str, object]) -> Program:
    instructions = tuple(_read_instruction(i) for i in _items(data["instructions"], dict))
    columns = tuple(_items(data["columns"], str))
    output, lookback = _whole(data["output"]), _whole(data["lookback"])
    return Program(columns, instructions, output, lookback, str(data.get("source", "")))


def _read_instruction(data: dict[str, object]) -> Instruction:
    params = tuple(float(p) for p in _items(data["params"], (int, float)))
    return Instruction(str(data["op"]), tuple(_whole(a) for a in _items(data["args"], int)), params)


def _items(value: object, kind: type[Item] | tuple[type[Item], ...]) -> list[Item]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, kind) for item in value):
        raise TypeError("a list of the wrong kind")
    return list(value)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an integer")
    return value


def validate(program: Program) -> None:
    """Raise SpecError ``expr.program`` unless every slot, column, arity, window and the lookback is sound."""
    count = len(program.instructions)
    if not 0 < count <= MAX_NODES:
        raise _unsound(f"a program has 1 to {MAX_NODES} instructions", found=str(count))
    if not 0 <= program.output < count:
        raise _unsound(f"the output slot is out of 0..{count - 1}", found=str(program.output))
    for slot, instruction in enumerate(program.instructions):
        _validate_instruction(program, slot, instruction)
    needed = lookbacks(program)[program.output]
    if program.lookback != needed or needed > MAX_LOOKBACK:
        raise _unsound(
            "the stated lookback is not the program's", expected=str(needed), found=str(program.lookback)
        )


def _validate_instruction(program: Program, slot: int, instruction: Instruction) -> None:
    opcode = OPCODES.get(instruction.op)
    if opcode is None:
        raise _unsound(f"instruction {slot}: unknown operation", found=instruction.op)
    if len(instruction.args) != opcode.arity or any(not 0 <= a < slot for a in instruction.args):
        raise _unsound(
            f"instruction {slot}: {opcode.name} takes {opcode.arity} earlier slot(s)",
            found=str(instruction.args),
        )
    expected = 0 if opcode.parameter is Parameter.NONE else 1
    if len(instruction.params) != expected:
        raise _unsound(
            f"instruction {slot}: {opcode.name} takes {expected} parameter(s)", found=str(instruction.params)
        )
    if expected and not _sound_parameter(opcode, instruction.params[0], len(program.columns)):
        raise _unsound(
            f"instruction {slot}: parameter of {opcode.name} out of range", found=str(instruction.params[0])
        )


def _sound_parameter(opcode: Opcode, value: float, columns: int) -> bool:
    if opcode.parameter is Parameter.VALUE:
        return value == value and abs(value) != float("inf")
    if value != value or abs(value) == float("inf") or value != int(value):
        return False
    if opcode.parameter is Parameter.COLUMN:
        return 0 <= value < columns
    return opcode.least <= value <= opcode.most


def lookbacks(program: Program) -> list[int]:
    """Sessions before its own row that each slot can depend on."""
    reach: list[int] = []
    for i in program.instructions:
        below = max((reach[a] for a in i.args), default=0)
        reach.append(below + OPCODES[i.op].reach(i.params))
    return reach


def with_parameters(program: Program, parameters: Sequence[float]) -> Program:
    """The same program with other parameters, one an instruction (not read where it has none)."""
    code = tuple(
        replace(i, params=(float(p),)) if i.params else i
        for i, p in zip(program.instructions, parameters, strict=True)
    )
    draft = replace(program, instructions=code)
    return replace(draft, lookback=lookbacks(draft)[draft.output])


def _unsound(message: str, *, expected: str | None = None, found: str | None = None) -> SpecError:
    return SpecError("expr.program", message, expected=expected, found=found)
