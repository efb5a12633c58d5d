"""What was known about companies, as float64 ``[T, S]`` matrices made on demand, and who was in an index.

A reported item (``eps``, ``roe`` …) in row t is its value as known before session t opens: the newest
announcement of the newest period. A valuation (``pe_ttm``, ``total_cap`` …) in row t is that of session t,
which vendors compute after the close; expressions may therefore use it from the next session on. A session
without a row keeps the last valuation; a row that was known only after the next opening is left out. NaN is
unknown. No cell of row t depends on what was known later than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.market.calendar import calendar
from quant.core.market.statements import BASICS, ITEMS, NOT_CARRIED

if TYPE_CHECKING:
    from quant.research.panel import Bool, Float, Int, TableReader

NAMES = (*BASICS, *ITEMS)
_INDEX_BITS = 31
_DAY_BITS = 16


class ReportedValues(Protocol):
    """What a panel asks about companies: matrices by name, and index members by code."""

    def __getitem__(self, name: str, /) -> Float: ...

    def __iter__(self) -> Iterator[str]: ...

    def members(self, index: str) -> Bool: ...


class Reported(Mapping[str, "Float"]):
    """Valuations, reported items and index members on the panel's axes, read when they are asked for."""

    def __init__(self, reader: TableReader, sessions: tuple[date, ...], instruments: Int, mic: str) -> None:
        self._reader, self._sessions, self._instruments = reader, sessions, instruments
        self._mic = mic
        self._made: dict[str, Float] = {}
        self._members: dict[str, Bool] = {}
        self._reports: pl.DataFrame | None = None
        self._instants: Int | None = None

    def __getitem__(self, name: str) -> Float:
        if name not in self._made:
            if name in ITEMS:
                self._made[name] = self._item(name)
            elif name in BASICS:
                self._made[name] = self._basic(name)
            else:
                raise KeyError(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)

    def members(self, index: str) -> Bool:
        """Which instruments the index holds in each session, as known before it opens, ``[T, S]``."""
        if index not in self._members:
            rows = membership(self._reader, index, self._mic)
            self._members[index] = spell_mask(rows, self._sessions, self._instruments, self._mornings()[:-1])
        return self._members[index]

    def _mornings(self) -> Int:
        """Instants of opening auctions in us, of every session and of the one after the last, ``[T + 1]``."""
        if self._instants is None:
            dates = calendar(self._mic)
            last = self._sessions[-1]
            after = [dates.next(last)] if last < dates.last else []
            rows = dates.instant_rows([*self._sessions, *after])
            mornings = [row[0] // 1000 for row in rows] + ([] if after else [2**62])
            self._instants = np.array(mornings, dtype=np.int64)
        return self._instants

    def _item(self, name: str) -> Float:
        if self._reports is None:
            columns = ["instrument_id", "item", "period_end", "announced", "known_at", "value"]
            self._reports = self._reader.read("fundamentals", end=self._sessions[-1], columns=columns)
        rows = self._reports.filter(pl.col("item") == name)
        return known_matrix(rows, self._instruments, self._mornings()[:-1])

    def _basic(self, name: str) -> Float:
        columns = ["instrument_id", "session", "known_at", name]
        rows = self._reader.read(
            "daily_basics", start=self._sessions[0], end=self._sessions[-1], columns=columns
        )
        days = np.array(self._sessions, dtype="datetime64[D]").astype(np.int32)
        t, s, at = _places(rows, "session", days, self._instruments)
        known = rows["known_at"].fill_null(0).cast(pl.Int64).to_numpy()[at]
        in_time = known <= self._mornings()[1:][t]
        values = rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()[at]
        out = np.full((len(days), len(self._instruments)), np.nan)
        out[t[in_time], s[in_time]] = values[in_time]
        return out if name in NOT_CARRIED else _carried(out)


def known_matrix(rows: pl.DataFrame, instruments: Int, mornings: Int) -> Float:
    """Values of one item as known at each of ``mornings`` (ascending us UTC), ``[T, S]``.

    ``rows`` have instrument_id, period_end, announced, known_at and value. Among the rows known by then the
    one of the newest period counts, within it the newest announcement: the largest rank so far, so neither a
    sort nor a join is needed. A row without ``known_at`` is never known.
    """
    shape = (len(mornings), len(instruments))
    known = rows["known_at"].fill_null(2**62 // 1_000_000 * 1_000_000).cast(pl.Int64).to_numpy()
    t = np.searchsorted(mornings, known, side="left")
    s = np.searchsorted(instruments, rows["instrument_id"].to_numpy())
    s = np.minimum(s, max(shape[1] - 1, 0))
    keep = t < shape[0]
    if shape[1]:
        keep &= instruments[s] == rows["instrument_id"].to_numpy()
    at = np.flatnonzero(keep) if shape[1] else np.zeros(0, np.int64)
    period = rows["period_end"].cast(pl.Int32).to_numpy()[at].astype(np.int64)
    announced = rows["announced"].cast(pl.Int32).to_numpy()[at].astype(np.int64)
    rank = (((period << _DAY_BITS) | announced) << _INDEX_BITS) | (np.arange(len(at)) + 1)
    best = np.zeros(shape[0] * shape[1], dtype=np.int64)
    np.maximum.at(best, t[at] * shape[1] + s[at], rank)
    best = best.reshape(shape)
    np.maximum.accumulate(best, axis=0, out=best)
    values = np.concatenate([[np.nan], rows["value"].cast(pl.Float64).fill_null(float("nan")).to_numpy()[at]])
    return np.asarray(values[best & ((1 << _INDEX_BITS) - 1)])


def membership(reader: TableReader, index: str, mic: str = "XSHG") -> pl.DataFrame:
    """Rows of ``index_members`` of one index; from its published weights where no source gives dates."""
    from quant.warehouse.normalize.indices import spells

    rows = reader.read("index_members").filter(pl.col("index_code") == index)
    if rows.height:
        return rows
    weights = reader.read("index_weights").filter(pl.col("index_code") == index)
    return spells(weights, calendar(mic))


def spell_mask(rows: pl.DataFrame, sessions: tuple[date, ...], instruments: Int, mornings: Int) -> Bool:
    """Where a spell holds and was known before the session opened, bool ``[T, S]``."""
    mask = np.zeros((len(sessions), len(instruments)), dtype=bool)
    days = np.array(sessions, dtype="datetime64[D]").astype(np.int32)
    ids = rows["instrument_id"].to_numpy()
    first = np.searchsorted(days, rows["from_session"].cast(pl.Int32).to_numpy())
    known = np.searchsorted(mornings, rows["known_at"].fill_null(0).cast(pl.Int64).to_numpy(), side="left")
    last = rows["to_session"].cast(pl.Int32).fill_null(2**31 - 1).to_numpy()
    end = np.searchsorted(days, last, side="right")
    column = np.searchsorted(instruments, ids)
    for s, instrument, begin, stop in zip(column, ids, np.maximum(first, known), end, strict=True):
        if s < len(instruments) and instruments[s] == instrument:
            mask[begin:stop, s] = True
    return mask


def _places(
    rows: pl.DataFrame, session: str, days: npt.NDArray[np.int32], instruments: Int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Row, column and place in ``rows`` of what lies on the axes."""
    at, ids = rows[session].cast(pl.Int32).to_numpy(), rows["instrument_id"].to_numpy()
    if not len(days) or not len(instruments):
        none = np.zeros(0, dtype=np.intp)
        return none, none, none
    t = np.minimum(np.searchsorted(days, at), len(days) - 1)
    s = np.minimum(np.searchsorted(instruments, ids), len(instruments) - 1)
    keep = np.flatnonzero((days[t] == at) & (instruments[s] == ids))
    return t[keep], s[keep], keep


def _carried(values: Float) -> Float:
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, np.newaxis])
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.take_along_axis(values, rows, axis=0)
