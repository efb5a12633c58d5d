"""Ticks and bars into longer bars, and what is wrong with ticks, in C++ with the GIL released.

Prices are int64, sums 128-bit integers: nothing is rounded, and what is traded is conserved to the last unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.errors import UsageError
from quant.core.time import epoch_days
from quant.native.extension import native

if TYPE_CHECKING:
    from quant.core.market.sessions import Segment

__all__ = ["SCALE", "Fault", "Resampled", "resample", "tick_faults"]

SCALE: Final = 8
"""Decimals of prices and sums inside."""
_FINE: Final = pl.Decimal(28, SCALE)
_PRICES: Final = ("open", "high", "low", "close")
_BARS: Final = pl.Schema(
    {
        "instrument_id": pl.Int64(),
        "session": pl.Date(),
        "ts": pl.Datetime("us", "UTC"),
        **dict.fromkeys((*_PRICES, "volume", "amount", "open_interest"), _FINE),
    }
)


class Fault(IntFlag):
    """What is wrong with a tick."""

    PRICE = 1
    """Zero or negative."""
    SPIKE = 2
    """Outside the price limits, or far from the ticks before and after it."""
    BACKWARDS = 4
    """Earlier than a tick that came before it."""
    DUPLICATE = 8
    """The tick before it again: the same instant, price and running total."""
    RESET = 16
    """A running total fell within the session."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """``bars`` as the contracts of bars have them, without provenance; ``outside`` are the rows, by number,
    at times when nothing is traded.
    """

    bars: pl.DataFrame
    outside: npt.NDArray[np.int64]


def resample(
    rows: pl.DataFrame,
    hours: Sequence[Segment],
    length_s: int,
    *,
    from_bars: bool,
    empty: bool = False,
    every_trade: bool = True,
) -> Resampled:
    """Bars of ``length_s`` seconds of trading time, 0 = one a session, of instruments traded at ``hours``.

    ``rows`` have instrument_id, ts (UTC), volume, amount and open_interest (or null), and open, high, low,
    close (``from_bars``: stamped with their ends) or price; sorted by instrument, then time. A bar is stamped
    with its end and holds [start, end) of ticks, (start, end] of bars; prints of the auction before and just
    after trading belong to the first and the last bar. Its open interest is the last known one; its amount is
    null when one of its rows has none. With ``empty`` also bars without a row, carrying the last close.

    Raises UsageError for rows that go back in time, InvariantBroken for prices beyond 64 bits.
    """
    ts = rows["ts"].dt.timestamp("us").to_numpy() * 1_000
    names = _PRICES if from_bars else ("price",) * 4
    first, highest, lowest, last = (_narrow(rows[name]) for name in names)
    ids = rows["instrument_id"].to_numpy()
    starts = np.flatnonzero(np.diff(ids, prepend=ids[0] - 1 if len(ids) else 0))
    made = native.bars_resample(
        np.ascontiguousarray(ts, np.int64),
        first,
        highest,
        lowest,
        last,
        _wide(rows["volume"]),
        _wide(rows["amount"]),
        _known(rows["amount"]),
        _wide(rows["open_interest"]),
        _known(rows["open_interest"]),
        [*starts.tolist(), len(ids)],
        _columns(hours),
        length_s * 1_000_000_000,
        from_bars,
        every_trade,
        empty,
    )
    frame = pl.DataFrame(
        {
            "instrument_id": ids[starts][made["instrument"]] if len(ids) else np.zeros(0, np.int64),
            "session": pl.Series(made["session"]).cast(pl.Date),
            "ts": pl.Series(made["end"] // 1_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            **{name: _decimals(_widened(made[name]), made[name] > 0) for name in _PRICES},
            "volume": _decimals(made["volume"], None),
            "amount": _decimals(made["amount"], made["amount_known"].astype(bool)),
            "open_interest": _decimals(made["interest"], made["interest_known"].astype(bool)),
        },
        schema_overrides=_BARS,
    )
    return Resampled(frame.select(_BARS.names()), made["outside"])


def tick_faults(
    ticks: pl.DataFrame, *, max_jump: float, limits: tuple[str, str] | None = None, total: str | None = None
) -> npt.NDArray[np.uint8]:
    """The ``Fault`` bits of every tick of one instrument, in the order in which the feed sent them.

    ``ticks`` have ts, session, price. ``max_jump`` is how far a price may lie from the last good one as a
    share of it, 0 = any distance; ``limits`` name the columns of the lowest and the highest allowed price,
    ``total`` that of a running volume.
    """
    if not 0 <= max_jump <= 10:
        raise UsageError(
            "ticks.jump", "a jump is a share of the price", expected="0 to 10", found=str(max_jump)
        )
    low, high = limits or (None, None)
    return np.asarray(
        native.tick_faults(
            np.ascontiguousarray(ticks["ts"].dt.timestamp("us").to_numpy(), np.int64),
            _narrow(ticks["price"]),
            np.ascontiguousarray(ticks["session"].cast(pl.Int32).to_numpy(), np.int32),
            None if total is None else _narrow(ticks[total]),
            None if low is None else _narrow(ticks[low]),
            None if high is None else _narrow(ticks[high]),
            round(max_jump * 10_000),
        ),
        dtype=np.uint8,
    )


def _columns(hours: Sequence[Segment]) -> dict[str, npt.NDArray[Any]]:
    return {
        "start": np.array([s.start for s in hours], np.int64),
        "end": np.array([s.end for s in hours], np.int64),
        "from": np.array([s.since for s in hours], np.int64),
        "till": np.array([s.until for s in hours], np.int64),
        "part": np.array([s.part for s in hours], np.int32),
        "session": np.array([epoch_days(s.session) for s in hours], np.int32),
    }


def _words(column: pl.Series) -> npt.NDArray[np.int64]:
    """A decimal column as pairs of (low, high) 64-bit words at ``SCALE``; null is 0."""
    if column.dtype != _FINE:
        column = column.cast(_FINE)
    array = column.fill_null(0).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)
    return words.reshape(-1, 2)[array.offset : array.offset + len(array)]


def _narrow(column: pl.Series) -> npt.NDArray[np.int64]:
    words = _words(column)
    if (words[:, 1] != words[:, 0] >> 63).any():
        raise UsageError(
            "bars.price",
            f"a number of column {column.name} is too large to be a price",
            expected=f"at most {2**63 // 10**SCALE}",
        )
    return np.ascontiguousarray(words[:, 0])


def _wide(column: pl.Series) -> npt.NDArray[np.int64] | None:
    return (
        None if column.null_count() == len(column) and len(column) else np.ascontiguousarray(_words(column))
    )


def _known(column: pl.Series) -> npt.NDArray[np.uint8] | None:
    if not column.null_count() or column.null_count() == len(column):
        return None
    return column.is_not_null().cast(pl.UInt8).to_numpy()


def _widened(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.ascontiguousarray(np.stack([values, values >> 63], axis=1))


def _decimals(words: npt.NDArray[np.int64], known: npt.NDArray[np.bool_] | None) -> pl.Series:
    import pyarrow as pa

    mask = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    array: Any = pa.Array.from_buffers(
        pa.decimal128(28, SCALE), len(words), [mask, pa.py_buffer(np.ascontiguousarray(words))]
    )
    return pl.Series(array, dtype=_FINE)


def concat(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Bars of several groups of instruments as one table."""
    return pl.concat(parts) if parts else pl.DataFrame(schema=_BARS)
