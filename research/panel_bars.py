"""Daily bars from a table into the panel's matrices, part by part in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, runtime_checkable

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
T = TypeVar("T")


Part = Callable[[], pl.DataFrame]
SAMPLED: Final = 16
"""One file in so many is read for the instruments first; the last always is."""


@runtime_checkable
class PartReader(Protocol):
    """A reader that can give a table in parts, in any order, for less memory than one frame takes; each is
    read by a function of its own, in any thread. Rows outside of ``[start, end]`` may come too. With
    ``every`` a sample of about one row in so many will do, from all of the time, the last session in it.
    """

    def parts(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str],
        every: int = 1,
    ) -> Sequence[Part]: ...


def parts_of(
    reader: TableReader, table: str, start: date, end: date, columns: Sequence[str], every: int = 1
) -> Sequence[Part]:
    """The rows of ``[start, end]``, and perhaps others, with exactly ``columns``; or a sample of them."""
    if isinstance(reader, PartReader):
        return reader.parts(table, start=start, end=end, columns=columns, every=every)
    return [lambda: reader.read(table, start=start, end=end, columns=columns).select(columns)]


def each(parts: Sequence[Part], work: Callable[[pl.DataFrame], T]) -> list[T]:
    """What ``work`` makes of every part. One thread works while polars' own decode the parts of others."""
    if len(parts) < 2:
        return [work(part()) for part in parts]
    threads = min(pl.thread_pool_size() + 1, len(parts))
    with ThreadPoolExecutor(threads, thread_name_prefix="panel") as pool:
        waiting = [pool.submit(lambda part: work(part()), part) for part in parts]
        try:
            return [future.result() for future in waiting]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def read_bars(
    reader: TableReader, days: Days, start: date, end: date
) -> tuple[Int, dict[str, npt.NDArray[Any]]]:
    """Ids with a bar in the time of the sessions ``days``, increasing, and matrices ``[T, S]``: prices and
    vwap at PRICE_SCALE, volume, amount in yuan, flags; 0 = no bar.

    The ids are first looked for in a sample of the rows. Where the others have more, all are searched and the
    matrices are made anew: what comes out is the same.
    """
    instruments = _distinct(reader, days, start, end, SAMPLED)
    bars, strangers = _bars(reader, days, instruments, start, end)
    if strangers:
        del bars  # as much memory as the panel itself
        instruments = _distinct(reader, days, start, end, 1)
        bars, _ = _bars(reader, days, instruments, start, end)
    return instruments, bars


def _distinct(reader: TableReader, days: Days, start: date, end: date, every: int) -> Int:
    parts = parts_of(reader, "bars_1d", start, end, KEY, every) if len(days) else []
    found = each(parts, lambda frame: distinct(frame, int(days[0]), int(days[-1])))
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _bars(
    reader: TableReader, days: Days, instruments: Int, start: date, end: date
) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """The matrices, and how many rows of the time of ``days`` are of other instruments."""
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
    parts = parts_of(reader, "bars_1d", start, end, columns) if len(days) else []
    missed = each(parts, lambda frame: scatter(frame, days, instruments, targets).strangers)
    return out, sum(missed)


def read_factors(
    reader: TableReader, days: Days, instruments: Int, start: date, end: date
) -> npt.NDArray[np.float64]:
    """Adjustment factors ``[T, S]``, 0 where no row is."""
    out = np.zeros((len(days), len(instruments)), np.float64)
    targets = [Target(Kind.REAL, out, "factor")]
    parts = parts_of(reader, "adjustment_factors", start, end, (*KEY, "factor"))
    each(parts, lambda frame: scatter(frame, days, instruments, targets))
    return out
