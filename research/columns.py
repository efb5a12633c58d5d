"""The columns that factor expressions may load, as float64 ``[T, S]`` matrices made on demand.

A suspended session carries the last close as its prices with volume and amount 0, as the exchange does;
NaN stands before listing and after the last bar. Adjusted prices are price × the cumulative
post-adjustment factor of the same row: no later factor is used (uses rows <= t).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from quant.core.market.instrument import ST, SUSPENDED
from quant.core.money import PRICE_SCALE
from quant.research.panel import Float, Panel, carry

_PRICES = ("open", "high", "low", "close", "vwap")


class PanelColumns(Mapping[str, Float]):
    """Lazy mapping of column name to matrix; each matrix is computed once."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._made: dict[str, Float] = {}
        self._makers: dict[str, Callable[[], Float]] = {
            **{name: (lambda n=name: self._price(n) * panel.factor) for name in _PRICES},
            **{f"raw_{name}": (lambda n=name: self._price(n)) for name in _PRICES},
            **{name: (lambda n=name: self._reference(n)) for name in ("pre_close", "limit_up", "limit_down")},
            "volume": lambda: self._traded(panel.volume.astype(np.float64)) / panel.factor,
            "raw_volume": lambda: self._traded(panel.volume.astype(np.float64)),
            "amount": lambda: self._traded(panel.amount),
            "adj_factor": lambda: panel.factor,
            "list_days": self._list_days,
            "is_st": lambda: self._flag(ST),
            "suspended": lambda: self._flag(SUSPENDED),
        }

    def __getitem__(self, name: str) -> Float:
        if name not in self._made:
            self._made[name] = np.ascontiguousarray(self._makers[name](), dtype=np.float64)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def _alive(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """From an instrument's first bar to its last one."""
        if "alive" not in self._made:
            seen = self._panel.close > 0
            begun = np.maximum.accumulate(seen, axis=0)
            self._made["alive"] = begun.astype(np.float64)
        return self._made["alive"] > 0

    def _price(self, name: str) -> Float:
        values = np.asarray(getattr(self._panel, name))
        closes = carry(self._panel.close)
        whole = np.where(values > 0, values, closes).astype(np.float64) / PRICE_SCALE
        return np.where(self._alive(), whole, np.nan)

    def _reference(self, name: str) -> Float:
        values = np.asarray(getattr(self._panel, name)).astype(np.float64) / PRICE_SCALE
        return np.where(values > 0, values, np.nan)

    def _traded(self, values: Float) -> Float:
        return np.where(self._alive(), values, np.nan)

    def _flag(self, bit: int) -> Float:
        return np.where(self._alive(), self._panel.has(bit).astype(np.float64), np.nan)

    def _list_days(self) -> Float:
        days = self._panel.session_days[:, np.newaxis] - self._panel.list_sessions[np.newaxis, :]
        return np.where(self._panel.list_sessions > 0, days, np.nan).astype(np.float64)
