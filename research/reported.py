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
_INDEX = (1 << _INDEX_BITS) - 1
_DAY_BITS = 16
_DAY_US = 86_400_000_000
_NEVER = 2**62
_BLOCK = 32


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
        known = rows["known_at"].cast(pl.Int64).fill_null(0).to_numpy()[at]
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
    shape = (len(instruments), len(mornings))
    if not shape[0] or not shape[1]:
        return np.full((shape[1], shape[0]), np.nan)
    ids = rows["instrument_id"].to_numpy()
    t = _rows_after(rows["known_at"].cast(pl.Int64).fill_null(_NEVER).to_numpy(), mornings)
    s = _columns_of(ids, instruments)
    rank = rows["period_end"].cast(pl.Int32).to_numpy().astype(np.int64)
    rank <<= _DAY_BITS
    rank |= rows["announced"].cast(pl.Int32).to_numpy()
    rank <<= _INDEX_BITS
    rank |= np.arange(1, len(rank) + 1)
    rank[(t >= shape[1]) | (s < 0)] = 0
    s *= shape[1]
    s += np.minimum(t, shape[1] - 1)
    np.maximum(s, 0, out=s)
    best = np.zeros(shape[0] * shape[1], dtype=np.int64)
    np.maximum.at(best, s, rank)
    best = best.reshape(shape)
    values = np.append(np.nan, rows["value"].cast(pl.Float64).fill_null(np.nan).to_numpy())
    out = np.empty((shape[1], shape[0]))
    for begin in range(0, shape[0], _BLOCK):  # as much as stays in the processor's cache
        newest = np.maximum.accumulate(best[begin : begin + _BLOCK], axis=1)
        newest &= _INDEX
        out[:, begin : begin + _BLOCK] = values[newest].T
    return out


def _columns_of(ids: Int, instruments: Int) -> Int:
    """The place of each id among ``instruments``; -1 where it is none of them."""
    top = int(instruments[-1])
    if top < 4 * (len(ids) + len(instruments)) and int(instruments[0]) >= 0:
        table = np.full(top + 2, -1, dtype=np.int64)
        table[instruments] = np.arange(len(instruments))
        return np.asarray(table[np.clip(ids, -1, top + 1)])
    place = np.minimum(np.searchsorted(instruments, ids), len(instruments) - 1)
    return np.asarray(np.where(instruments[place] == ids, place, -1))


def _rows_after(known: Int, mornings: Int) -> npt.NDArray[np.int64]:
    """The first of ``mornings`` at or after each instant, by a table of days: one opening a day."""
    first = int(mornings[0]) // _DAY_US
    days = np.arange(first, int(mornings[-1]) // _DAY_US + 1)
    table = np.append(np.searchsorted(mornings // _DAY_US, days), len(mornings))
    day = np.clip(known // _DAY_US - first, 0, len(days))
    found = table[day]
    late = np.append(mornings, 2**63 - 1)[found] < known
    return np.asarray(found + late)


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
    known = np.searchsorted(mornings, rows["known_at"].cast(pl.Int64).fill_null(0).to_numpy(), side="left")
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
