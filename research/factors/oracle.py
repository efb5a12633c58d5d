"""The slow, obvious twin of the factor virtual machine, in polars.

It shares no code with it: every operation is a polars aggregation over the window or the session at hand,
one window at a time. Unknown is null here and NaN at the border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant.specs.expr import Instruction, Program

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_X, _Y, _Z = pl.col("x"), pl.col("y"), pl.col("z")


def evaluate_slowly(program: Program, columns: Mapping[str, Floats], *, mask: Bools | None = None) -> Floats:
    """The program's values ``[T, S]``, as ``quant.native.factor.evaluate`` must give them."""
    shape = columns[program.columns[0]].shape
    slots: list[Floats] = []
    for instruction in program.instructions:
        arguments = [slots[a] for a in instruction.args]
        slots.append(apply(instruction, arguments, [columns[c] for c in program.columns], shape, mask))
    return slots[program.output]


def apply(
    instruction: Instruction,
    arguments: Sequence[Floats],
    columns: Sequence[Floats],
    shape: tuple[int, ...],
    mask: Bools | None = None,
) -> Floats:
    """One instruction on the ``[T, S]`` values of its slots."""
    op, params = instruction.op, instruction.params
    if op == "load":
        return columns[int(params[0])].copy()
    if op == "const":
        return np.full(shape, params[0])
    if op in _CELLS:
        return _cells(_CELLS[op], arguments)
    if op in ("cs_rank", "cs_zscore"):
        return _sessions(op, arguments[0], mask)
    lag = int(params[0])
    out = np.full(shape, np.nan)
    for s in range(shape[1]):
        series = [_series(a[:, s]) for a in arguments]
        out[:, s] = [_over_time(op, series, t, lag) for t in range(shape[0])]
    return out


def _known(values: pl.Series) -> pl.Series:
    return values.fill_nan(None)


def _series(values: Floats) -> pl.Series:
    return _known(pl.Series(values, dtype=pl.Float64))


def _when_both(expression: pl.Expr) -> pl.Expr:
    return pl.when(_X.is_not_null() & _Y.is_not_null()).then(expression)


def _as_number(condition: pl.Expr) -> pl.Expr:
    return condition.cast(pl.Float64)


_CELLS: dict[str, pl.Expr] = {
    "neg": -_X,
    "abs": _X.abs(),
    "log": pl.when(_X > 0).then(_X.log()),
    "sign": pl.when(_X > 0).then(1.0).when(_X < 0).then(-1.0).when(_X == 0).then(0.0),
    "sqrt": pl.when(_X >= 0).then(_X.sqrt()),
    "not": _as_number(_X == 0),
    "add": _X + _Y,
    "sub": _X - _Y,
    "mul": _X * _Y,
    "div": pl.when(_Y != 0).then(_X / _Y),
    "power": pl.when((_X != 0) | (_Y >= 0)).then(_when_both(_X.pow(_Y))),
    "max2": _when_both(pl.max_horizontal(_X, _Y)),
    "min2": _when_both(pl.min_horizontal(_X, _Y)),
    "gt": _as_number(_X > _Y),
    "ge": _as_number(_X >= _Y),
    "lt": _as_number(_X < _Y),
    "le": _as_number(_X <= _Y),
    "eq": _as_number(_X == _Y),
    "ne": _as_number(_X != _Y),
    "and": _as_number((_X != 0) & (_Y != 0)),
    "or": _as_number((_X != 0) | (_Y != 0)),
    "where": pl.when(_X != 0).then(_Y).when(_X == 0).then(_Z),
}


def _cells(expression: pl.Expr, arguments: Sequence[Floats]) -> Floats:
    names = ("x", "y", "z")[: len(arguments)]
    frame = pl.DataFrame({n: _series(a.ravel()) for n, a in zip(names, arguments, strict=True)})
    values = frame.select(expression.cast(pl.Float64).alias("value"))["value"]
    return values.fill_null(np.nan).to_numpy().reshape(arguments[0].shape)


def _over_time(op: str, series: Sequence[pl.Series], t: int, n: int) -> float | None:
    if op in ("ref", "delta"):
        past = series[0][t - n] if t >= n else None
        if op == "ref" or past is None or series[0][t] is None:
            return None if op == "delta" else past
        return float(series[0][t] - past)
    window = [s.slice(max(0, t - n + 1), min(n, t + 1)) for s in series]
    if op == "corr":
        return _correlation(window[0], window[1], n)
    return _aggregate(op, window[0], n)


def _aggregate(op: str, window: pl.Series, n: int) -> float | None:
    valid = window.drop_nulls()
    if len(valid) < max(2 if op == "std" else 1, ceil(n / 2)):
        return None
    if op == "rank":
        present = window.rank("average")[-1]
        return None if present is None else float(present) / len(valid)
    if op == "std":
        return _spread(valid)
    result = {"mean": valid.mean, "sum": valid.sum, "min": valid.min, "max": valid.max}[op]()
    assert isinstance(result, float)
    return result


def _centred(valid: pl.Series) -> pl.Series | None:
    """Differences from the first value: same spread, same correlation. None if a value is infinite."""
    return valid - valid[0] if bool(valid.is_finite().all()) else None


def _spread(valid: pl.Series) -> float | None:
    moved = _centred(valid)
    if moved is None or len(valid) < 2:
        return None
    spread = moved.std()
    assert isinstance(spread, float)
    return 0.0 if moved.n_unique() == 1 else spread


def _correlation(x: pl.Series, y: pl.Series, n: int) -> float | None:
    pairs = pl.DataFrame({"x": x, "y": y}).drop_nulls()
    if len(pairs) < max(2, ceil(n / 2)):
        return None
    moved = (_centred(pairs["x"]), _centred(pairs["y"]))
    if moved[0] is None or moved[1] is None or moved[0].n_unique() == 1 or moved[1].n_unique() == 1:
        return None
    value = pl.DataFrame({"x": moved[0], "y": moved[1]}).select(pl.corr("x", "y")).item()
    return float(value)


def _sessions(op: str, values: Floats, mask: Bools | None) -> Floats:
    out = np.full(values.shape, np.nan)
    for t in range(values.shape[0]):
        row = pl.DataFrame(
            {"x": _series(values[t]), "in": np.ones(values.shape[1], bool) if mask is None else mask[t]}
        )
        members = row.select(pl.when(pl.col("in")).then(_X).alias("x"))["x"]
        valid = members.drop_nulls()
        if len(valid) == 0:
            continue
        if op == "cs_rank":
            result = members.rank("average") / len(valid)
        else:
            spread = _spread(valid)
            if not spread:
                continue
            moved = members - valid[0]
            result = (moved - moved.mean()) / spread
        out[t] = result.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return out
