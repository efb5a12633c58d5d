"""The panel columns that factor programs load, as float64 ``[T, S]`` matrices made on demand.

Prices are as traded, in yuan; a program multiplies them by ``adj_factor`` where its prices are adjusted. A
session without trading carries the last close as its prices with volume and amount 0, as the exchange does;
NaN stands before an instrument's first bar. Every cell uses rows <= t only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from quant.core.market.calendar import calendar
from quant.core.market.instrument import ST, SUSPENDED
from quant.core.money import PRICE_SCALE
from quant.core.time import epoch_days
from quant.research.panel import Bool, Float, Panel, carry

_PRICES = ("open", "high", "low", "close", "vwap")
_REFERENCES = ("pre_close", "limit_up", "limit_down")


class PanelColumns(Mapping[str, Float]):
    """Lazy mapping of column name to matrix; each matrix is computed once."""

    def __init__(self, panel: Panel, *, mic: str = "XSHG") -> None:
        self._panel = panel
        self._mic = mic
        self._made: dict[str, Float] = {}
        self._begun: Bool | None = None
        self._closes: npt.NDArray[np.int64] | None = None
        self._makers: dict[str, Callable[[], Float]] = {
            **{name: partial(self._price, name) for name in _PRICES},
            **{name: partial(self._reference, name) for name in _REFERENCES},
            "volume": lambda: self._since_first_bar(panel.volume.astype(np.float64)),
            "amount": lambda: self._since_first_bar(panel.amount),
            "adj_factor": lambda: panel.factor,
            "list_days": self._list_days,
            "is_st": partial(self._flag, ST),
            "suspended": partial(self._flag, SUSPENDED),
        }
        if panel.reported is not None:
            self._makers |= {name: partial(panel.reported.__getitem__, name) for name in panel.reported}

    def __getitem__(self, name: str) -> Float:
        if name not in self._made:
            self._made[name] = np.ascontiguousarray(self._makers[name](), dtype=np.float64)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def _carried(self) -> npt.NDArray[np.int64]:
        if self._closes is None:
            self._closes = np.asarray(carry(self._panel.close), dtype=np.int64)
        return self._closes

    def _since_first_bar(self, values: Float) -> Float:
        if self._begun is None:
            self._begun = self._carried() > 0
        return np.where(self._begun, values, np.nan)

    def _price(self, name: str) -> Float:
        values = np.asarray(getattr(self._panel, name))
        missing = self._carried()
        if name == "open":  # known before the close: what stands in for it must be too
            missing = np.vstack([np.zeros_like(missing[:1]), missing[:-1]])
        prices = np.where(values > 0, values, missing) / PRICE_SCALE
        return np.where(prices > 0, prices, np.nan)

    def _reference(self, name: str) -> Float:
        values = np.asarray(getattr(self._panel, name))
        return np.where(values > 0, values / PRICE_SCALE, np.nan)

    def _flag(self, bit: int) -> Float:
        """1 where the status is known to hold; an unknown status counts as not, and the plan says so."""
        return self._since_first_bar(self._panel.has(bit).astype(np.float64))

    def _list_days(self) -> Float:
        """Sessions since listing, 1 on the first; NaN before it and where the listing date is unknown."""
        dates = calendar(self._mic)
        days = np.array([epoch_days(d) for d in dates.sessions(dates.first, self._panel.sessions[-1])])
        now = np.searchsorted(days, self._panel.session_days)
        listed = np.searchsorted(days, self._panel.list_sessions)
        age = (now[:, np.newaxis] - listed[np.newaxis, :] + 1).astype(np.float64)
        return np.where((age > 0) & (self._panel.list_sessions != 0), age, np.nan)


class FieldColumns(Mapping[str, Float]):
    """What a Python strategy names, as in expressions: ``close`` is post-adjusted, ``raw_close`` as traded.

    ``volume`` is divided by the factor, ``raw_volume`` as traded; the other fields are the panel's columns.
    """

    def __init__(self, columns: PanelColumns) -> None:
        self._columns = columns
        self._made: dict[str, Float] = {}

    def __getitem__(self, name: str) -> Float:
        plain = name.removeprefix("raw_")
        if plain == name and name in (*_PRICES, "volume"):
            if name not in self._made:
                factor = self._columns["adj_factor"]
                values = self._columns[name]
                self._made[name] = values / factor if name == "volume" else values * factor
            return self._made[name]
        if plain != name and plain not in (*_PRICES, "volume"):
            raise KeyError(name)
        return self._columns[plain]

    def __iter__(self) -> Iterator[str]:
        yield from self._columns
        yield from (f"raw_{name}" for name in (*_PRICES, "volume"))

    def __len__(self) -> int:
        return len(self._columns) + len(_PRICES) + 1
