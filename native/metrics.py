"""Performance metrics of daily return series, computed in C++ with the GIL released.

Every function takes simple returns of one period as float64 ``[T, N]`` (rows are sessions in time order,
columns are series; ``[T]`` counts as one column). NaN means that no return is known for that row: the row is
skipped, it is not a return of zero and does not count as a session. A result that is not defined (too few
rows, no deviation, no drawdown) is NaN, never infinite. Conventions and their sources: ``docs/metrics.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.core.errors import UsageError
from quant.native.extension import native

__all__ = [
    "PERFORMANCE",
    "RELATIVE",
    "TURNOVER",
    "compound",
    "drawdowns",
    "performance",
    "period_starts",
    "relative",
    "rolling_sharpe",
    "turnover",
]

PERFORMANCE: tuple[str, ...] = native.PERFORMANCE_NAMES
RELATIVE: tuple[str, ...] = native.RELATIVE_NAMES
TURNOVER: tuple[str, ...] = native.TURNOVER_NAMES

Floats = NDArray[np.float64]


def performance(
    returns: ArrayLike,
    *,
    periods: float = 252.0,
    risk_free: float = 0.0,
    tail: float = 0.05,
    threads: int = 1,
    isa: str | None = None,
) -> dict[str, Floats]:
    """The metrics named in ``PERFORMANCE``, each ``[N]``.

    ``periods`` are sessions a year, ``risk_free`` is a yearly rate spread arithmetically over the periods,
    ``tail`` the probability of value at risk. Rows of the drawdown are indices, -1 = the starting capital
    (start) or never (trough, recovery). The result is the same for every ``threads`` and ``isa`` ("base",
    "avx2", "avx512").
    """
    table = _table(returns)
    _check_terms(periods, risk_free)
    if not 0.0 < tail < 1.0:
        raise _refused("tail", "a probability between 0 and 1", tail)
    out = np.empty((len(PERFORMANCE), table.shape[1]))
    native.metrics_performance(table, periods, risk_free, tail, threads, isa, out)
    return dict(zip(PERFORMANCE, out, strict=True))


def drawdowns(returns: ArrayLike, *, threads: int = 1, isa: str | None = None) -> Floats:
    """Equity / running peak - 1, ``[T, N]``; uses rows <= t; the starting capital counts as a peak."""
    table = _table(returns)
    out = np.empty_like(table)
    native.metrics_drawdowns(table, threads, isa, out)
    return out


def rolling_sharpe(
    returns: ArrayLike,
    *,
    window: int = 63,
    periods: float = 252.0,
    risk_free: float = 0.0,
    threads: int = 1,
    isa: str | None = None,
) -> Floats:
    """Annualised Sharpe ratio of the ``window`` rows ending at t, ``[T, N]``.

    NaN before the first whole window, where fewer than half of its rows are known, and without deviation.
    """
    table = _table(returns)
    _check_terms(periods, risk_free)
    if window < 2:
        raise _refused("window", "at least 2", window)
    out = np.empty_like(table)
    native.metrics_rolling_sharpe(table, window, periods, risk_free, threads, isa, out)
    return out


def compound(
    returns: ArrayLike,
    starts: Sequence[int] | NDArray[np.integer[Any]],
    *,
    threads: int = 1,
    isa: str | None = None,
) -> Floats:
    """Compounded return ``[P, N]`` of the rows from each start up to the next; NaN where no row is known."""
    table = _table(returns)
    first = np.ascontiguousarray(starts, dtype=np.int64)
    inside = first.ndim == 1 and (not first.size or (first[0] >= 0 and first[-1] < len(table)))
    if not inside or (np.diff(first) <= 0).any():
        raise _refused("starts", f"increasing rows in [0, {len(table)})", first.tolist()[:5])
    out = np.empty((len(first), table.shape[1]))
    native.metrics_compound(table, first, threads, isa, out)
    return out


def relative(
    returns: ArrayLike, benchmark: ArrayLike, *, periods: float = 252.0, risk_free: float = 0.0
) -> dict[str, Floats]:
    """The metrics named in ``RELATIVE`` against ``benchmark [T]``, each ``[N]``.

    Rows where either side is NaN are left out for both.
    """
    table = _table(returns)
    line = np.ascontiguousarray(benchmark, dtype=np.float64)
    _check_terms(periods, risk_free)
    if line.shape != (len(table),):
        raise _refused("benchmark", f"one return for each of {len(table)} rows", line.shape)
    out = np.empty((len(RELATIVE), table.shape[1]))
    native.metrics_relative(table, line, periods, risk_free, out)
    return dict(zip(RELATIVE, out, strict=True))


def turnover(traded: ArrayLike, *, periods: float = 252.0) -> dict[str, Floats]:
    """Summary of two-sided turnover ``[T, N]`` (value of buys and sells / net asset value), each ``[N]``.

    ``annual`` is two-sided, ``annual_one_sided`` half of it; ``holding_periods`` = 2 / mean is the average
    life of a position in sessions.
    """
    table = _table(traded)
    _check_terms(periods, 0.0)
    out = np.empty((len(TURNOVER), table.shape[1]))
    native.metrics_turnover(table, periods, out)
    return dict(zip(TURNOVER, out, strict=True))


def period_starts(labels: ArrayLike) -> NDArray[np.int64]:
    """Rows where a new label begins, e.g. ``year * 12 + month`` of every session, for ``compound``."""
    values = np.asarray(labels)
    if values.size == 0:
        return np.empty(0, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1]).astype(np.int64)


def _table(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise _refused("returns", "an array [T] or [T, N]", array.shape)
    return np.ascontiguousarray(array)


def _check_terms(periods: float, risk_free: float) -> None:
    if not (np.isfinite(periods) and periods > 0.0):
        raise _refused("periods", "a positive number of sessions a year", periods)
    if not np.isfinite(risk_free):
        raise _refused("risk_free", "a finite yearly rate", risk_free)


def _refused(name: str, expected: str, found: object) -> UsageError:
    return UsageError("metrics.argument", f"{name} is not usable", expected=expected, found=str(found))
