"""Finding, for many rows at once, the last earlier row of the same instrument."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Int = npt.NDArray[np.int64]
_DAY_BITS = 24
"""Days since 1970 fit, with room for the dates of four millennia around it."""


def last_before(rows: pl.DataFrame, others: pl.DataFrame, *, exact: bool = True) -> Int:
    """For each of ``rows`` (instrument, date: the first two columns) the number of the last row of ``others``
    of its instrument on or before its date, with ``exact=False`` only before it; -1 where there is none.
    """
    if not others.height or not rows.height:
        return np.full(rows.height, -1, dtype=np.int64)
    ids = others.to_series(0).unique().sort().to_numpy()
    known, keys = _keys(others, ids)
    wanted_known, wanted = _keys(rows, ids)
    assert known.all()
    order: Int | None = None
    if not (keys[1:] >= keys[:-1]).all():
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
    at = np.searchsorted(keys, wanted, side="right" if exact else "left") - 1
    found = wanted_known & (at >= 0) & (keys[at] >> _DAY_BITS == wanted >> _DAY_BITS)
    place = at if order is None else order[at]
    return np.where(found, place, -1)


def taken(frame: pl.DataFrame, place: Int) -> pl.DataFrame:
    """Rows of ``frame`` by number; -1 is a row of nulls."""
    index = pl.Series(place).cast(pl.Int64)
    index = index.set(index < 0, None).cast(pl.UInt32)
    return frame.select(pl.all().gather(index))


def _keys(rows: pl.DataFrame, ids: Int) -> tuple[npt.NDArray[np.bool_], Int]:
    """Whether the instrument is one of ``ids``, and a number that sorts by instrument and date."""
    instrument = rows.to_series(0).fill_null(-1).to_numpy()
    rank = np.minimum(np.searchsorted(ids, instrument), len(ids) - 1)
    day = rows.to_series(1).cast(pl.Date).to_physical().fill_null(-(1 << 22)).to_numpy().astype(np.int64)
    known: npt.NDArray[np.bool_] = ids[rank] == instrument
    return known, (rank.astype(np.int64) << _DAY_BITS) + (day + (1 << (_DAY_BITS - 1)))
