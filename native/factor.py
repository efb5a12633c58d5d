"""Factor programs on the C++ virtual machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.native.extension import native
from quant.specs.expr import Program

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int32]

MEMORY_LIMIT = 4 << 30  # bytes of intermediate rows of one evaluation


def instruction_sets() -> tuple[str, ...]:
    """The instruction-set variants this CPU can run, slowest first; all give the same bytes."""
    return tuple(native.instruction_sets())


def evaluate(
    program: Program,
    columns: Mapping[str, Floats],
    *,
    mask: Bools | None = None,
    rows: Rows | None = None,
    threads: int = 1,
    isa: str | None = None,
    memory_limit: int = MEMORY_LIMIT,
) -> Floats:
    """The program's values: ``[T, S]``, or ``[R, S]`` for the given rows, at which only what they need is
    computed.

    ``columns`` are float64 ``[T, S]`` in C order (others are copied), NaN for unknown. ``mask`` ``[T, S]`` is
    the universe of the cross-sectional operations. Uses rows ``<= t`` for row ``t``. A cell has the same bits
    whatever the rows asked for, ``threads`` and ``isa`` (``base``, ``avx2``, ``avx512``; else the environment
    variable QUANT_ISA; else the best of this CPU).

    Raises UsageError: ``factor.column`` a column is missing, ``factor.shape`` shapes differ,
    ``factor.rows`` rows outside the panel, ``factor.isa`` no such variant, ``factor.memory``.
    """
    arrays = [_column(columns, name) for name in program.columns]
    shape = _shape(program, arrays, mask)
    wanted, inverse = _wanted(rows, shape[0])
    out = np.empty((shape[0] if wanted is None else len(wanted), shape[1]), dtype=np.float64)
    variant = _variant(isa)
    universe = None if mask is None else np.ascontiguousarray(mask, dtype=np.bool_)
    try:
        _bound(program).evaluate(arrays, universe, wanted, out, max(1, threads), variant, memory_limit)
    except MemoryError as error:
        raise UsageError(
            "factor.memory",
            str(error) or "not enough memory for the factor's rows",
            expected=f"at most {memory_limit >> 20} MiB",
            hint="shorter windows, or fewer rows or threads at a time",
        ) from error
    return out if inverse is None else out[inverse]


@lru_cache(maxsize=256)
def _bound(program: Program) -> Any:
    code = [(i.op, list(i.args), list(i.params)) for i in program.instructions]
    return native.FactorProgram(code, program.output, len(program.columns))


def _column(columns: Mapping[str, Floats], name: str) -> Floats:
    try:
        values = columns[name]
    except KeyError:
        raise UsageError(
            "factor.column",
            f"the panel has no column {name}",
            expected=", ".join(sorted(columns)) or None,
            found=name,
        ) from None
    return np.ascontiguousarray(values, dtype=np.float64)


def _shape(program: Program, arrays: list[Floats], mask: Bools | None) -> tuple[int, int]:
    named = [*zip(program.columns, arrays, strict=True)]
    shapes = {name: a.shape for name, a in named}
    if mask is not None:
        shapes["mask"] = mask.shape
    if not shapes:
        raise UsageError("factor.shape", "a constant program has no shape of its own", expected="a mask")
    distinct = set(shapes.values())
    shape = next(iter(shapes.values()))
    if len(distinct) != 1 or len(shape) != 2:
        found = ", ".join(f"{n} {s}" for n, s in shapes.items())
        raise UsageError("factor.shape", "columns and mask must share one shape [T, S]", found=found)
    return shape[0], shape[1]


def _wanted(rows: Rows | None, sessions: int) -> tuple[Rows | None, NDArray[np.intp] | None]:
    """Ascending distinct rows, and how to put results back in the order asked for (None: as they are)."""
    if rows is None:
        return None, None
    asked = np.asarray(rows)
    if asked.ndim != 1 or (asked.size and (asked.min() < 0 or asked.max() >= sessions)):
        raise UsageError("factor.rows", "rows lie outside the panel", expected=f"0 to {sessions - 1}")
    if asked.size < 2 or bool(np.all(asked[1:] > asked[:-1])):
        return np.ascontiguousarray(asked, dtype=np.int32), None
    distinct, inverse = np.unique(asked, return_inverse=True)
    return np.ascontiguousarray(distinct, dtype=np.int32), inverse


def _variant(isa: str | None) -> str:
    try:
        return str(native.chosen_instruction_set(isa or ""))
    except ValueError as error:
        raise UsageError(
            "factor.isa", str(error), expected=", ".join(instruction_sets()), found=isa or "QUANT_ISA"
        ) from error
