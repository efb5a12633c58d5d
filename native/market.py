"""The market a kernel trades in: one immutable daily panel over the caller's arrays."""

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
ACTIONS: Final[Mapping[str, str]] = {
    "ex_index": "i4", "pay_index": "i4", "instrument": "i4",
    "cash_per_share": "i8", "bonus_ratio": "i8", "inferred": "u1",
}  # fmt: skip
Array = NDArray[Any]


class Market:
    """Daily bars [T, S], zero-copy over the caller's arrays, which are kept alive and must not change.

    Prices are int64 at PRICE_SCALE with 0 = none; volume int64 shares; flags uint32; sessions int32 days
    since 1970-01-01; instants int64 ns UTC [T, 4] (preopen, open, decide, close).
    """

    def __init__(self, arrays: Mapping[str, Array], actions: Mapping[str, Array]) -> None:
        self.arrays: Final = dict(arrays)
        self.actions: Final = dict(actions)
        self.T, self.S = (int(x) for x in arrays["close"].shape)
        names = ("sessions", "instants", *PRICES, "volume", "flags")
        self.handle = native.Market(*(arrays[name] for name in names), *(actions[name] for name in ACTIONS))

    @classmethod
    def from_arrays(cls, *, sessions: Array, instants: Array, open: Array, high: Array, low: Array,
                    close: Array, pre_close: Array, limit_up: Array, limit_down: Array, vwap: Array,
                    volume: Array, flags: Array, actions: Mapping[str, Array] | None = None) -> Market:
        """Checks shapes, types and layout; copies nothing.

        Raises:
            UsageError: an array of another shape or dtype, not C-contiguous, or actions out of order.
        """
        shape = close.shape
        panel = {"open": open, "high": high, "low": low, "close": close, "pre_close": pre_close,
                 "limit_up": limit_up, "limit_down": limit_down, "vwap": vwap, "volume": volume}
        arrays = {k: _checked(k, v, "i8", shape) for k, v in panel.items()}
        arrays["flags"] = _checked("flags", flags, "u4", shape)
        arrays["sessions"] = _checked("sessions", sessions, "i4", shape[:1])
        arrays["instants"] = _checked("instants", instants, "i8", (shape[0], 4))
        given = actions or {}
        count = len(given.get("ex_index", ()))
        columns = {k: _checked(k, given.get(k, np.zeros(0, d)), d, (count,)) for k, d in ACTIONS.items()}
        _check_actions(columns, *shape)
        return cls(arrays, columns)

    def instant(self, t: int, phase: Phase) -> int:
        """ns UTC of a phase of session row ``t``."""
        return int(self.arrays["instants"][t, int(phase)])

    @cached_property
    def content_hash(self) -> str:
        """Hex SHA-256 of every cell and action; what a journal names instead of repeating the cells."""
        state = hashlib.sha256(b"quant/market/1")
        for name in ("sessions", "instants", *PRICES, "volume", "flags"):
            state.update(name.encode() + repr(self.arrays[name].shape).encode())
            state.update(self.arrays[name].data)
        for name in ACTIONS:
            state.update(name.encode() + repr(self.actions[name].shape).encode())
            state.update(self.actions[name].tobytes())
        return state.hexdigest()


def _checked(name: str, array: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    if array.dtype != np.dtype(dtype) or array.shape != shape or not array.flags.c_contiguous:
        raise UsageError("market.array", f"{name} cannot be used as it is",
                         expected=f"C-contiguous {np.dtype(dtype)} {shape}",
                         found=f"{array.dtype} {array.shape}")
    return array


def _check_actions(columns: Mapping[str, Array], sessions: int, instruments: int) -> None:
    ex, instrument = columns["ex_index"].astype("i8"), columns["instrument"].astype("i8")
    if len(ex) == 0:
        return
    if min(columns["cash_per_share"].min(), columns["bonus_ratio"].min()) < 0:
        raise UsageError("market.actions", "corporate actions cannot be used as they are",
                         expected="cash and new shares, never negative")
    inside = min(ex.min(), instrument.min()) >= 0 and ex.max() < sessions and instrument.max() < instruments
    if not inside or (np.diff(ex * instruments + instrument) < 0).any():
        raise UsageError("market.actions", "corporate actions cannot be used as they are",
                         expected="inside the panel, sorted by (ex_index, instrument)")
