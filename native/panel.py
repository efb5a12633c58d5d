"""Rows of tables into ``[T, S]`` matrices, in C++ with the GIL released and without copying the rows first.

A frame's rows are placed by their instrument and session; matrices start as zeros (what "no value" is for
prices and volumes) and every matrix is filled by each frame it is given, so a table can come piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from quant.native.extension import native

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KEY", "Kind", "Missed", "Target", "carry", "distinct", "scatter"]

KEY: Final = ("instrument_id", "session")
"""The first two columns of every frame."""


class Kind(IntEnum):
    """What a matrix is made of."""

    INTEGER = 0
    """int64: a decimal at ``digits`` decimals or a whole number; null is 0."""
    REAL = 1
    """float64: a number; null is 0."""
    BITS = 2
    """uint32: ``bit`` where a flag is true, ``other_bit`` where it is null; bits of other targets stay."""
    PRESENT = 3
    """uint32: ``bit`` for every row, ``other_bit`` where the column is positive."""
    QUOTIENT = 4
    """int64 at ``digits`` decimals: column / ``other``, half up; 0 where there is nothing to divide by."""


@dataclass(frozen=True, slots=True)
class Target:
    """One C-contiguous matrix ``[T, S]`` and the column that fills it."""

    kind: Kind
    matrix: npt.NDArray[Any]
    column: str | None = None
    other: str | None = None
    bit: int = 0
    other_bit: int = 0


class Missed(NamedTuple):
    """Rows that found no cell: all of them, and those of other instruments in the time of the axes."""

    off: int
    strangers: int


def scatter(
    frame: pl.DataFrame,
    days: npt.NDArray[np.int32],
    instruments: npt.NDArray[np.int64],
    targets: Sequence[Target],
    *,
    digits: int = 4,
) -> Missed:
    """Fill the targets from a frame whose first columns are ``KEY``; the rows that lie off the axes.

    ``days`` are increasing days since 1970-01-01, ``instruments`` different ids. Raises UsageError for a
    column of a type that its matrix cannot take, InvariantBroken for a number beyond 64 bits.
    """
    at = {name: i for i, name in enumerate(frame.columns)}
    given = [
        (
            int(target.kind),
            -1 if target.column is None else at[target.column],
            -1 if target.other is None else at[target.other],
            target.matrix,
            target.bit,
            target.other_bit,
        )
        for target in targets
    ]
    found = [native.panel_scatter(piece, days, instruments, given, digits) for piece in _pieces(frame)]
    return Missed(sum(off for off, _ in found), sum(strangers for _, strangers in found))


def distinct(frame: pl.DataFrame, first: int, last: int) -> npt.NDArray[np.int64]:
    """The different ids of a frame with columns ``KEY`` with a session in [first, last], increasing."""
    found = [
        np.asarray(native.panel_distinct(piece, first, last), dtype=np.int64) for piece in _pieces(frame)
    ]
    return np.unique(np.concatenate(found)) if len(found) > 1 else found[0]


def _pieces(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """The frame chunk by chunk: polars joins chunks, copying all of them, before it streams a frame."""
    lengths = frame.to_series(0).chunk_lengths()
    starts = accumulate(lengths, initial=0)
    return [frame.slice(start, rows) for start, rows in zip(starts, lengths, strict=False)]


def carry(values: npt.NDArray[np.float64]) -> None:
    """Fill zeros with the last other value above, per column, in place; leading zeros stay."""
    native.panel_carry(values)
