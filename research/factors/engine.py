"""Several factor programs over one panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quant.native.factor import Bools, Floats, Rows, evaluate
from quant.specs.expr import Program


@dataclass(frozen=True, slots=True)
class Needs:
    """What programs need loaded: panel columns, and sessions before the first row of interest."""

    columns: tuple[str, ...]
    lookback: int


def needs(programs: Iterable[Program]) -> Needs:
    """The union of the programs' columns, sorted, and their longest lookback."""
    listed = list(programs)
    columns = {name for program in listed for name in program.columns}
    return Needs(tuple(sorted(columns)), max((p.lookback for p in listed), default=0))


def evaluate_factors(
    columns: Mapping[str, Floats],
    programs: Mapping[str, Program],
    *,
    mask: Bools | None = None,
    rows: Rows | None = None,
    threads: int = 1,
    isa: str | None = None,
) -> dict[str, Floats]:
    """Each program's values, ``[T, S]`` or ``[R, S]`` at the given rows; NaN is unknown.

    ``columns`` maps panel columns to float64 ``[T, S]`` (values may be made on demand), ``mask`` is the
    universe of cross-sectional operations. Row ``t`` uses rows ``<= t``. Raises UsageError.
    """
    return {
        name: evaluate(program, columns, mask=mask, rows=rows, threads=threads, isa=isa)
        for name, program in programs.items()
    }


def holds(
    columns: Mapping[str, Floats], condition: Program, *, rows: Rows | None = None, threads: int = 1
) -> Bools:
    """Where a filter is known to hold: its value is neither 0 nor NaN. ``[T, S]`` or ``[R, S]``."""
    values = evaluate(condition, columns, rows=rows, threads=threads)
    met: Bools = (values == values) & (values != 0.0)
    return met
