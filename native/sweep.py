"""Many backtests of one strategy: every variant of its expression on every name, an account each.

A variant differs from the others in numbers of the expression (windows, thresholds). What variants have in
common is computed once a name; each then trades through the kernel of a single backtest and gives its fills.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.native.config import ConstructConfig, KernelConfig
from quant.native.extension import native
from quant.native.factor import MEMORY_LIMIT, Floats
from quant.native.kernel import Columns
from quant.native.market import Market
from quant.specs.expr import Program

Money = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Variants:
    """One program and the parameter of each of its instructions by variant, ``params`` [V, instructions]."""

    program: Program
    params: Floats

    def __len__(self) -> int:
        return len(self.params)

    def program_of(self, variant: int) -> Program:
        """The program of one variant, as a backtest runs it."""
        from quant.specs.expr.program import with_parameters

        return with_parameters(self.program, self.params[variant].tolist())


@dataclass(frozen=True, eq=False)
class SweepResult:
    """By variant and instrument, [V, I]: final NAV, fees with taxes, two-sided turnover (micro-yuan) and the
    number of fills. ``placed``: the fills themselves if asked for, in the columns of ``Kernel.fills`` after
    ``variant``, by instrument, then variant."""

    instruments: NDArray[np.int32]
    nav: Money
    fees: Money
    traded: Money
    fills: Money
    placed: Columns


def variants_of(
    compiled: Callable[[Mapping[str, float]], Program], params: Mapping[str, Sequence[float]]
) -> Variants:
    """The variants of an expression with named numbers; ``params`` holds the values of each, equally many.

    ``compiled`` gives the program for one set of values. It is asked a few times only where a number stands
    in the program as it is (a window, a constant); else once a variant.
    Raises UsageError ``sweep.params``: unequal counts, or values that change the program's shape.
    """
    counts = {len(values) for values in params.values()}
    if len(counts) != 1 or counts == {0}:
        raise UsageError("sweep.params", "every parameter needs equally many values, at least one")
    sets = [dict(zip(params, values, strict=True)) for values in zip(*params.values(), strict=True)]
    first = compiled(sets[0])
    rows = _placed(compiled, params, sets, first)
    if rows is None:
        rows = np.array([_numbers(_alike(compiled(one), first)) for one in sets])
    return Variants(first, np.ascontiguousarray(rows, dtype=np.float64))


def _placed(
    compiled: Callable[[Mapping[str, float]], Program],
    params: Mapping[str, Sequence[float]],
    sets: list[dict[str, float]],
    first: Program,
) -> Floats | None:
    """The parameters of all variants where each number stands in fixed instructions, else None."""
    rows = np.tile(np.array(_numbers(first)), (len(sets), 1))
    for name, values in params.items():
        other = next((v for v in values if v != sets[0][name]), None)
        if other is None:
            continue
        probed = compiled({**sets[0], name: other})
        if not _same_shape(probed, first):
            return None
        changed = np.flatnonzero(np.array(_numbers(probed)) != np.array(_numbers(first)))
        for slot in changed:
            if _numbers(first)[slot] != sets[0][name] or _numbers(probed)[slot] != other:
                return None
            rows[:, slot] = values
    for at in {len(sets) - 1, len(sets) // 2}:  # what holds for single numbers may not hold for all together
        exact = compiled(sets[at])
        if not _same_shape(exact, first) or _numbers(exact) != rows[at].tolist():
            return None
    return rows


def _numbers(program: Program) -> list[float]:
    return [float(i.params[0]) if i.params else 0.0 for i in program.instructions]


def _same_shape(a: Program, b: Program) -> bool:
    def shape(program: Program) -> object:
        steps = tuple((i.op, i.args, len(i.params)) for i in program.instructions)
        return program.columns, program.output, steps

    return shape(a) == shape(b)


def _alike(program: Program, first: Program) -> Program:
    if _same_shape(program, first):
        return program
    raise UsageError(
        "sweep.params",
        "these values change the shape of the expression",
        expected=first.source,
        found=program.source,
        hint="leave out values at which a part of it disappears, as a factor of 0 or 1",
    )


def sweep(
    config: KernelConfig,
    market: Market,
    construct: ConstructConfig,
    variants: Variants,
    columns: Mapping[str, Floats],
    *,
    rows: NDArray[np.int32] | None = None,
    instruments: NDArray[np.int32] | None = None,
    fills: bool = False,
    threads: int = 1,
    memory_limit: int = MEMORY_LIMIT,
) -> SweepResult:
    """Every variant on every instrument (all by default), each with the account of ``config``.

    ``columns`` are float64 [T, S] of the market's bars. A variant decides at ``rows`` (all by default) from
    the bar on at which its longest window is whole; every name is eligible. Its fills are those of
    ``run_fused`` over a market of that name alone.

    Raises:
        UsageError: ``sweep.program`` a program that compares names or lacks a column, ``factor.memory``.
    """
    missing = [name for name in variants.program.columns if name not in columns]
    if missing:
        raise UsageError(
            "sweep.program",
            f"the market has no column {missing[0]}",
            expected=", ".join(sorted(columns)) or None,
            found=missing[0],
        )
    arrays = [np.ascontiguousarray(columns[n], dtype=np.float64) for n in variants.program.columns]
    decided = np.arange(market.T, dtype=np.int32) if rows is None else np.ascontiguousarray(rows, np.int32)
    every = np.arange(market.S, dtype=np.int32)
    names = every if instruments is None else np.ascontiguousarray(instruments, np.int32)
    code = [(i.op, list(i.args), list(i.params)) for i in variants.program.instructions]
    try:
        cells, placed = native.sweep(
            market.handle,
            config,
            construct,
            code,
            variants.program.output,
            variants.params,
            arrays,
            decided,
            names,
            max(1, threads),
            "",
            config.decide == "before_close",
            fills,
            memory_limit,
        )
    except ValueError as error:
        raise UsageError("sweep.program", str(error), found=variants.program.source) from error
    except MemoryError as error:
        raise UsageError(
            "factor.memory",
            str(error) or "not enough memory for what the variants have in common",
            expected=f"at most {memory_limit >> 20} MiB",
            hint="fewer variants or threads at a time",
        ) from error
    shape = (len(variants), len(names))
    return SweepResult(
        instruments=names,
        nav=cells["nav"].reshape(shape),
        fees=cells["fees"].reshape(shape),
        traded=cells["traded"].reshape(shape),
        fills=cells["fills"].reshape(shape),
        placed=dict(placed),
    )
