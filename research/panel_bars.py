"""Daily bars from a table into the panel's matrices, piece by piece as the reader gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.market.instrument import (
    DELISTING,
    LISTED,
    NO_LIMIT,
    ST,
    STATUS_UNKNOWN,
    SUSPENDED,
    TRADING,
)
from quant.native.panel import KEY, Kind, Target, distinct, scatter

if TYPE_CHECKING:
    from quant.research.panel import Int, TableReader

PRICES: Final = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down")
FLAGS: Final = {"suspended": SUSPENDED, "st": ST, "delisting": DELISTING, "no_limit": NO_LIMIT}
Days = npt.NDArray[np.int32]


@runtime_checkable
class BatchReader(Protocol):
    """A reader that can give a table in pieces, in any order, for less memory than one frame takes. Rows
    outside of ``[start, end]`` may come too.
    """

    def batches(
        self, table: str, *, start: date | None = None, end: date | None = None, columns: Sequence[str]
    ) -> Iterator[pl.DataFrame]: ...


def pieces(
    reader: TableReader, table: str, start: date, end: date, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """The rows of ``[start, end]``, and perhaps others, with exactly ``columns``."""
    if isinstance(reader, BatchReader):
        yield from reader.batches(table, start=start, end=end, columns=columns)
    else:
        yield reader.read(table, start=start, end=end, columns=columns).select(columns)


def traded_instruments(reader: TableReader, days: Days, start: date, end: date) -> Int:
    """Ids with a bar in the sessions ``days``, increasing."""
    if not len(days):
        return np.zeros(0, np.int64)
    found = [distinct(f, int(days[0]), int(days[-1])) for f in pieces(reader, "bars_1d", start, end, KEY)]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def read_bars(
    reader: TableReader, days: Days, instruments: Int, start: date, end: date
) -> dict[str, npt.NDArray[Any]]:
    """Matrices ``[T, S]``: prices and vwap at PRICE_SCALE, volume, amount in yuan, flags; 0 = no bar."""
    shape = (len(days), len(instruments))
    out: dict[str, npt.NDArray[Any]] = {
        name: np.zeros(shape, np.int64) for name in (*PRICES, "volume", "vwap")
    }
    out["amount"], out["flags"] = np.zeros(shape, np.float64), np.zeros(shape, np.uint32)
    targets = [Target(Kind.INTEGER, out[name], name) for name in (*PRICES, "volume")]
    targets += [
        Target(Kind.REAL, out["amount"], "amount"),
        Target(Kind.QUOTIENT, out["vwap"], "amount", "volume"),
        Target(Kind.PRESENT, out["flags"], "volume", bit=LISTED, other_bit=TRADING),
    ]
    targets += [
        Target(Kind.BITS, out["flags"], name, bit=bit, other_bit=STATUS_UNKNOWN if name == "st" else 0)
        for name, bit in FLAGS.items()
    ]
    columns = (*KEY, *PRICES, "volume", "amount", *FLAGS)
    for frame in pieces(reader, "bars_1d", start, end, columns):
        scatter(frame, days, instruments, targets)
    return out


def read_factors(
    reader: TableReader, days: Days, instruments: Int, start: date, end: date
) -> npt.NDArray[np.float64]:
    """Adjustment factors ``[T, S]``, 0 where no row is."""
    out = np.zeros((len(days), len(instruments)), np.float64)
    for frame in pieces(reader, "adjustment_factors", start, end, (*KEY, "factor")):
        scatter(frame, days, instruments, [Target(Kind.REAL, out, "factor")])
    return out
