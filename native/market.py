"""The market a kernel trades in: one immutable panel of bars over the caller's arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.native.extension import native

if TYPE_CHECKING:
    from quant.native.batch import Phase

PRICES: Final = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap")
DAILY: Final = ("pre_close", "limit_up", "limit_down", "flags")
"""Arrays with one row a session; the others have one a bar."""
ACTIONS: Final[Mapping[str, str]] = {
    "ex_index": "i4", "pay_index": "i4", "instrument": "i4",
    "cash_per_share": "i8", "bonus_ratio": "i8", "inferred": "u1",
}  # fmt: skip
Array = NDArray[Any]


class Market:
    """Bars [T, S] in D sessions, zero-copy over the caller's arrays, which live on and must not change.

    Prices are int64 at PRICE_SCALE with 0 = none; volume int64 shares; flags uint32; sessions int32 days
    since 1970-01-01 [D]; ``day`` int32 [T], the session of each bar; instants int64 ns UTC [T, 4] (preopen,
    open, decide, close; only the first bar of a session has a preopen). ``pre_close``, the limits and flags
    belong to the session [D, S], like the rows of corporate actions. Daily bars are the case T = D.
    """

    def __init__(self, arrays: Mapping[str, Array], actions: Mapping[str, Array]) -> None:
        self.arrays: Final = dict(arrays)
        self.actions: Final = dict(actions)
        self.T, self.S = (int(x) for x in arrays["close"].shape)
        self.D = len(arrays["sessions"])
        names = ("sessions", "day", "instants", *PRICES, "volume", "flags")
        self.handle = native.Market(*(arrays[name] for name in names), *(actions[name] for name in ACTIONS))

    @classmethod
    def from_arrays(
        cls,
        *,
        sessions: Array,
        instants: Array,
        open: Array,
        high: Array,
        low: Array,
        close: Array,
        pre_close: Array,
        limit_up: Array,
        limit_down: Array,
        vwap: Array,
        volume: Array,
        flags: Array,
        day: Array | None = None,
        actions: Mapping[str, Array] | None = None,
    ) -> Market:
        """Checks shapes, types and layout; copies nothing. ``day`` None: every bar is a session.

        Raises:
            UsageError: an array of another shape or dtype, not C-contiguous, or days or actions out of order.
        """
        shape = close.shape
        daily = shape if day is None else (len(sessions), *shape[1:])
        panel = {
            "open": open,
            "high": high,
            "low": low,
            "close": close,
            "pre_close": pre_close,
            "limit_up": limit_up,
            "limit_down": limit_down,
            "vwap": vwap,
            "volume": volume,
        }
        arrays = {k: _checked(k, v, "i8", daily if k in DAILY else shape) for k, v in panel.items()}
        arrays["flags"] = _checked("flags", flags, "u4", daily)
        arrays["sessions"] = _checked("sessions", sessions, "i4", daily[:1])
        own = np.arange(shape[0], dtype="i4") if day is None else day
        arrays["day"] = _checked("day", own, "i4", shape[:1])
        _check_days(arrays["day"], daily[0])
        arrays["instants"] = _checked("instants", instants, "i8", (shape[0], 4))
        if shape[0] != daily[0]:
            _check_instants(arrays["instants"], arrays["day"])
        given = actions or {}
        count = len(given.get("ex_index", ()))
        columns = {k: _checked(k, given.get(k, np.zeros(0, d)), d, (count,)) for k, d in ACTIONS.items()}
        _check_actions(columns, *daily)
        return cls(arrays, columns)

    def instant(self, t: int, phase: Phase) -> int:
        """ns UTC of a phase of bar ``t``."""
        return int(self.arrays["instants"][t, int(phase)])

    @cached_property
    def daily(self) -> bool:
        """Every bar is a session."""
        return self.T == self.D

    @cached_property
    def first_bars(self) -> NDArray[np.int64]:
        """The first bar of each session, [D]."""
        return np.searchsorted(self.arrays["day"], np.arange(self.D))

    @cached_property
    def last_bars(self) -> NDArray[np.int64]:
        """The last bar of each session, [D]."""
        return np.searchsorted(self.arrays["day"], np.arange(self.D), side="right") - 1

    def session_of(self, t: int) -> int:
        """Index of the session of bar ``t``."""
        return int(self.arrays["day"][t])

    def opens(self, t: int) -> bool:
        """Whether bar ``t`` is the first of its session."""
        return t == 0 or self.session_of(t) != self.session_of(t - 1)

    def closes(self, t: int) -> bool:
        """Whether bar ``t`` is the last of its session."""
        return t + 1 == self.T or self.session_of(t) != self.session_of(t + 1)

    @cached_property
    def content_hash(self) -> str:
        """Hex SHA-256 of every cell and action; what a journal names instead of repeating the cells."""
        state = hashlib.sha256(b"quant/market/1")
        names = ("sessions", "instants", *PRICES, "volume", "flags", *(() if self.daily else ("day",)))
        for name in names:
            state.update(name.encode() + repr(self.arrays[name].shape).encode())
            state.update(self.arrays[name].data)
        for name in ACTIONS:
            state.update(name.encode() + repr(self.actions[name].shape).encode())
            state.update(self.actions[name].tobytes())
        return state.hexdigest()


def bar_instants(begin: Array, end: Array) -> Array:
    """Instants [T, 4] of bars from ``begin`` to ``end``, int64 ns UTC [T].

    A bar's open is known one nanosecond after it begins, hence after the close of the bar before; a decision
    before its close stands one nanosecond before its end.
    """
    return np.ascontiguousarray(np.stack([begin, begin + 1, end - 1, end], axis=1), dtype="i8")


def _checked(name: str, array: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    if array.dtype != np.dtype(dtype) or array.shape != shape or not array.flags.c_contiguous:
        raise UsageError(
            "market.array",
            f"{name} cannot be used as it is",
            expected=f"C-contiguous {np.dtype(dtype)} {shape}",
            found=f"{array.dtype} {array.shape}",
        )
    return array


def _check_days(day: Array, sessions: int) -> None:
    steps = np.diff(day)
    whole = len(day) and day[0] == 0 and day[-1] == sessions - 1 and steps.min(initial=0) >= 0
    if (len(day) or sessions) and not (whole and steps.max(initial=0) <= 1):
        raise UsageError(
            "market.day",
            "bars cannot be assigned to sessions as they are",
            expected="day ascending from 0, every session with a bar",
        )


def _check_instants(instants: Array, day: Array) -> None:
    first = np.diff(day, prepend=-1) > 0
    kept = np.ones(instants.shape, bool)
    kept[~first, 0] = False
    wrong = np.flatnonzero(np.diff(instants[kept]) <= 0)
    if len(wrong):
        raise UsageError(
            "market.instants",
            "the instants of the bars do not ascend",
            expected="preopen < open < decide < close < the next open (bar_instants)",
            found=f"{instants[kept][wrong[0]]} ns, then {instants[kept][wrong[0] + 1]} ns",
        )


def _check_actions(columns: Mapping[str, Array], sessions: int, instruments: int) -> None:
    ex, instrument = columns["ex_index"].astype("i8"), columns["instrument"].astype("i8")
    if len(ex) == 0:
        return
    if min(columns["cash_per_share"].min(), columns["bonus_ratio"].min()) < 0:
        raise UsageError(
            "market.actions",
            "corporate actions cannot be used as they are",
            expected="cash and new shares, never negative",
        )
    inside = min(ex.min(), instrument.min()) >= 0 and ex.max() < sessions and instrument.max() < instruments
    if not inside or (np.diff(ex * instruments + instrument) < 0).any():
        raise UsageError(
            "market.actions",
            "corporate actions cannot be used as they are",
            expected="inside the panel, sorted by (ex_index, instrument)",
        )
