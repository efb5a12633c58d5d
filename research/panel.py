"""The panel: a market's daily bars as matrices, loaded from pinned table versions.

Axes are ``[T, S]``: T sessions in order, S instruments in ascending id. Prices are int64 at
``PRICE_SCALE`` (0 = no value), volume is int64 shares, ``flags`` is the bit set of
``quant.core.market.instrument``. Nothing in row t depends on a later row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.market.instrument import BOARD_MASK, BOARD_SHIFT, Board
from quant.core.money import MONEY_SCALE, RATIO_SCALE
from quant.native.panel import carry as native_carry
from quant.research.panel_bars import read_bars, read_factors
from quant.research.reported import Reported, ReportedValues

if TYPE_CHECKING:
    from quant.core.market.calendar import Calendar

Int = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

EPOCH = date(1970, 1, 1)


class TableReader(Protocol):
    """Reads one pinned golden table; rows with ``start <= session <= end``."""

    def read(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame: ...


@dataclass(frozen=True, slots=True)
class Actions:
    """Corporate actions on the panel's axes, sorted by (ex_index, instrument).

    ``cash_per_share`` is micro-yuan before tax, ``bonus_ratio`` new shares per share at ``RATIO_SCALE``;
    ``pay_index`` -1 means paid on the ex-date, a row past the panel means not within it.
    """

    ex_index: npt.NDArray[np.int32]
    pay_index: npt.NDArray[np.int32]
    instrument: npt.NDArray[np.int32]
    cash_per_share: Int
    bonus_ratio: Int
    inferred: npt.NDArray[np.uint8]

    def as_columns(self) -> dict[str, npt.NDArray[np.generic]]:
        """The mapping that the kernel's market takes."""
        return {name: getattr(self, name) for name in self.__slots__}


def no_actions() -> Actions:
    """A market without corporate actions (adjusted prices)."""
    i32, i64 = np.zeros(0, np.int32), np.zeros(0, np.int64)
    return Actions(i32, i32.copy(), i32.copy(), i64, i64.copy(), np.zeros(0, np.uint8))


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything a run reads. ``factor`` is the cumulative post-adjustment factor (1.0 at listing)."""

    sessions: tuple[date, ...]
    instruments: Int
    codes: tuple[str, ...]
    names: tuple[str, ...]
    boards: npt.NDArray[np.uint8]
    list_sessions: npt.NDArray[np.int32]
    open: Int
    high: Int
    low: Int
    close: Int
    pre_close: Int
    limit_up: Int
    limit_down: Int
    vwap: Int
    volume: Int
    amount: Float
    flags: npt.NDArray[np.uint32]
    factor: Float
    actions: Actions = field(default_factory=no_actions)
    reported: ReportedValues | None = None
    """Valuations, reported items and index members, read when they are asked for; None = there are none."""

    @property
    def shape(self) -> tuple[int, int]:
        """(T, S)."""
        return len(self.sessions), len(self.codes)

    @property
    def session_days(self) -> npt.NDArray[np.int32]:
        """Sessions as days since 1970-01-01."""
        return np.array([(d - EPOCH).days for d in self.sessions], dtype=np.int32)

    def has(self, flag: int) -> Bool:
        """Where ``flag`` is set, ``[T, S]``."""
        return np.asarray((self.flags & np.uint32(flag)) != 0)

    def row(self, session: date) -> int:
        """Index of a session; raises KeyError when it is not in the panel."""
        index = int(np.searchsorted(self.session_days, (session - EPOCH).days))
        if index >= len(self.sessions) or self.sessions[index] != session:
            raise KeyError(session)
        return index


def load_panel(reader: TableReader, calendar: Calendar, start: date, end: date) -> Panel:
    """Load ``[start, end]`` from the golden tables of ``reader``; every instrument with a bar is a column."""
    sessions = tuple(calendar.sessions(start, end))
    days = np.array([(d - EPOCH).days for d in sessions], dtype=np.int32)
    instruments, bars = read_bars(reader, days, start, end)
    master = _master(reader, instruments)
    _add_boards(reader, days, instruments, master.boards, bars["flags"])
    return Panel(
        sessions=sessions,
        instruments=instruments,
        codes=master.codes,
        names=master.names,
        boards=master.boards,
        list_sessions=master.list_days,
        factor=_factor(reader, days, instruments, bars, start, end),
        actions=_actions(reader, days, instruments, start, end),
        reported=Reported(reader, sessions, instruments, calendar.mic),
        **bars,
    )


def _cells(
    frame: pl.DataFrame, days: npt.NDArray[np.int32], instruments: Int, session: str = "session"
) -> Int:
    """Flat index of every row; -1 where the session or the instrument is not on the axes."""
    at = frame[session].cast(pl.Int32).to_numpy()
    ids = frame["instrument_id"].to_numpy()
    t = np.searchsorted(days, at)
    s = np.searchsorted(instruments, ids)
    known = (t < len(days)) & (s < len(instruments))
    known &= (days[np.minimum(t, len(days) - 1)] == at) if len(days) else False
    known &= (instruments[np.minimum(s, len(instruments) - 1)] == ids) if len(instruments) else False
    return np.asarray(np.where(known, t * len(instruments) + s, -1), dtype=np.int64)


def _scaled(frame: pl.DataFrame, column: str, scale: int) -> Int:
    """A Decimal column as int64 at ``scale``; null becomes 0. Exact below 2**53."""
    values = frame[column].cast(pl.Float64).fill_null(0.0).to_numpy()
    return np.asarray(np.rint(values * scale), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Master:
    codes: tuple[str, ...]
    names: tuple[str, ...]
    boards: npt.NDArray[np.uint8]
    list_days: npt.NDArray[np.int32]


def _master(reader: TableReader, instruments: Int) -> _Master:
    frame = reader.read("instruments").unique("instrument_id", keep="last", maintain_order=True)
    axis = pl.DataFrame({"instrument_id": instruments})
    rows = axis.join(frame, on="instrument_id", how="left", maintain_order="left")
    boards = [
        Board[name].value if name in Board.__members__ else 0 for name in rows["board"].fill_null("UNKNOWN")
    ]
    listed = _listed(reader, rows)
    codes = tuple(rows["code"].fill_null("?").to_list())
    return _Master(codes, tuple(rows["name"].fill_null("").to_list()), np.array(boards, np.uint8), listed)


def _listed(reader: TableReader, rows: pl.DataFrame) -> npt.NDArray[np.int32]:
    """Listing dates in days since 1970-01-01; the first bar of the data where the date is unknown."""
    if rows["list_date"].null_count():
        bars = reader.read("bars_1d", columns=["instrument_id", "session"])
        first = bars.group_by("instrument_id").agg(pl.col("session").min().alias("first_bar"))
        rows = rows.join(first, on="instrument_id", how="left", maintain_order="left").with_columns(
            pl.col("list_date").fill_null(pl.col("first_bar"))
        )
    return rows["list_date"].cast(pl.Int32).fill_null(0).to_numpy().astype(np.int32)


def _add_boards(
    reader: TableReader,
    days: npt.NDArray[np.int32],
    instruments: Int,
    today: npt.NDArray[np.uint8],
    flags: npt.NDArray[np.uint32],
) -> None:
    """Board bits of every session: the dated attribute where there is one, else the instrument's board."""
    flags |= today.astype(np.uint32) << np.uint32(BOARD_SHIFT)
    frame = reader.read("instrument_attributes").filter(pl.col("attribute") == "board")
    column = {int(i): s for s, i in enumerate(instruments.tolist())}
    for row in frame.select("instrument_id", "value", "from_session", "to_session").iter_rows():
        s, board = column.get(row[0]), Board.__members__.get(row[1])
        if s is None or board is None:
            continue
        first = np.searchsorted(days, (row[2] - EPOCH).days)
        last = len(days) if row[3] is None else np.searchsorted(days, (row[3] - EPOCH).days, side="right")
        cells = flags[first:last, s]
        cells &= np.uint32(~BOARD_MASK & 0xFFFF_FFFF)
        cells |= np.uint32(board.value << BOARD_SHIFT)


def _factor(
    reader: TableReader,
    days: npt.NDArray[np.int32],
    instruments: Int,
    arrays: Mapping[str, npt.NDArray[Any]],
    start: date,
    end: date,
) -> Float:
    """Cumulative factor, carried forward over sessions without a row, also from before ``start`` where a
    bar would be without one; 1.0 before the first. Where the data have no factors at all they are derived
    from the reference prices."""
    factor = read_factors(reader, days, instruments, start, end)
    bare = _without_factor(factor, arrays["close"])
    if bare.size:
        earlier = reader.read("adjustment_factors", end=start - timedelta(days=1))
        earlier = earlier.filter(pl.col("instrument_id").is_in(instruments[bare].tolist())).sort("session")
        if earlier.is_empty() and not factor.any():
            return derived_factor(arrays["close"], arrays["pre_close"])
        newest = earlier.unique("instrument_id", keep="last", maintain_order=True)
        column = np.searchsorted(instruments, newest["instrument_id"].to_numpy())
        first = factor[0, column]
        factor[0, column] = np.where(first > 0, first, newest["factor"].to_numpy().astype(np.float64))
    factor[:1][factor[:1] == 0] = 1.0
    native_carry(factor)
    return factor


def _without_factor(factor: Float, close: Int) -> npt.NDArray[np.intp]:
    """Columns with a bar before their first factor."""
    late = np.flatnonzero(factor[0] == 0) if len(factor) else np.zeros(0, np.intp)
    return late[_first_row(close[:, late] > 0) < _first_row(factor[:, late] > 0)]


def _first_row(held: Bool) -> npt.NDArray[np.intp]:
    """Per column the first row where it holds, T where it never does."""
    return np.where(held.any(axis=0), held.argmax(axis=0), len(held))


def carry(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Fill zeros with the last non-zero value above, per column; leading zeros stay."""
    rows = np.where(values != 0, np.arange(values.shape[0])[:, np.newaxis], 0)
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.take_along_axis(values, rows, axis=0)


def derived_factor(close: Int, pre_close: Int) -> Float:
    """Cumulative factor from prices alone: last close / reference price where an ex-date made them differ.

    ``close``, ``pre_close`` ``[T, S]`` as traded, 0 = none; 1.0 in the first row. Uses rows <= t.
    """
    before = np.vstack([np.zeros((1, close.shape[1]), close.dtype), carry(close)[:-1]])
    known = (before > 0) & (pre_close > 0)
    steps = np.where(known, before / np.maximum(pre_close, 1), 1.0)
    return np.asarray(np.cumprod(steps, axis=0))


def _actions(
    reader: TableReader, days: npt.NDArray[np.int32], instruments: Int, start: date, end: date
) -> Actions:
    frame = reader.read("corporate_actions")
    frame = frame.filter(pl.col("ex_session").is_between(start, end)).sort("ex_session", "instrument_id")
    cells = _cells(frame, days, instruments, session="ex_session")
    frame, cells = frame.filter(pl.Series(cells >= 0)), cells[cells >= 0]
    ex, column = cells // max(len(instruments), 1), cells % max(len(instruments), 1)
    pay_days = frame["pay_session"].cast(pl.Int32).fill_null(-1).to_numpy()
    pay = np.where(pay_days < 0, -1, np.searchsorted(days, pay_days))
    order = np.lexsort((column, ex))

    def pick(values: npt.NDArray[Any], kind: type[np.generic]) -> npt.NDArray[Any]:
        return np.ascontiguousarray(values[order], dtype=kind)

    return Actions(
        ex_index=pick(ex, np.int32),
        pay_index=pick(pay, np.int32),
        instrument=pick(column, np.int32),
        cash_per_share=pick(_scaled(frame, "cash_per_share", MONEY_SCALE), np.int64),
        bonus_ratio=pick(_scaled(frame, "bonus_ratio", RATIO_SCALE), np.int64),
        inferred=pick(frame["inferred"].fill_null(value=False).to_numpy(), np.uint8),
    )
