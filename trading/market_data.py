"""What a session's strategy may look at: the market's arrays with the history before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.ids import Code, parse_code
from quant.core.market.instrument import LISTED, ST, SUSPENDED
from quant.core.market.statements import BASICS, ITEMS
from quant.core.money import PRICE_SCALE
from quant.core.time import from_epoch_days
from quant.native.batch import Phase

if TYPE_CHECKING:
    from quant.native.market import Market

Matrix = NDArray[Any]

NEXT_SESSION: Final = max(Phase) + 1
"""Later than every phase of the session itself: what vendors compute in the evening."""
KNOWN_FROM: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        ("pre_close", "limit_up", "limit_down", "list_days", "is_st", "suspended", "listed", "adj_factor"),
        Phase.PREOPEN,
    ),
    **dict.fromkeys(("open", "raw_open"), Phase.OPEN),
    **dict.fromkeys(ITEMS, Phase.PREOPEN),
    **dict.fromkeys(BASICS, NEXT_SESSION),
}
"""The phase of its session at which a field can be known; every other field is known at the close."""

_RAW: Final = ("open", "high", "low", "close", "vwap")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the instruments beside their bars, in the order of the codes.

    ``listed`` are listing dates in days since 1970-01-01, 0 = unknown. ``members`` says which instruments an
    index holds, bool ``[P, S]``, each row as known before its session opens.
    """

    names: tuple[str, ...]
    listed: NDArray[np.int32]
    members: Callable[[str], NDArray[np.bool_]]


@dataclass(frozen=True)
class MarketData:
    """A market with its codes and the matrices a view shows.

    ``columns`` holds float64 ``[P, S]`` matrices by field name (expression fields: ``close`` is
    post-adjusted, ``raw_close`` as traded); row ``first`` of them is the market's row 0, earlier rows are
    history. ``days`` are the sessions of those P rows in days since 1970-01-01, one a bar.
    ``universe`` bool ``[P, S]`` says which names the spec's universe holds at a decision, ``members`` bool
    ``[S]`` which it can ever hold; None = all.
    """

    market: Market
    codes: tuple[str, ...]
    columns: Mapping[str, Matrix]
    first: int
    days: NDArray[np.int32]
    universe: NDArray[np.bool_] | None = None
    members: NDArray[np.bool_] | None = None
    facts: Facts | None = None

    @classmethod
    def of(
        cls,
        market: Market,
        codes: Sequence[str],
        columns: Mapping[str, Matrix] | None = None,
        *,
        first: int = 0,
        days: NDArray[np.int32] | None = None,
        universe: NDArray[np.bool_] | None = None,
        members: NDArray[np.bool_] | None = None,
        facts: Facts | None = None,
    ) -> MarketData:
        """``columns`` default to the market's own prices as traded, under the plain and the raw names."""
        own = market.arrays["sessions"][market.arrays["day"]] if days is None else days
        given = MarketColumns(market) if columns is None else columns
        if len(codes) != market.S or len(own) - first != market.T:
            raise UsageError(
                "market.shape",
                "codes, sessions and market do not fit together",
                expected=f"{market.S} codes, {market.T} {'sessions' if market.daily else 'bars'}",
                found=f"{len(codes)} codes, {len(own) - first} {'sessions' if market.daily else 'bars'}",
            )
        return cls(market, tuple(codes), given, first, own, universe, members, facts)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {code: i for i, code in enumerate(self.codes)}

    @cached_property
    def _known(self) -> tuple[Code, ...]:
        return tuple(parse_code(code) for code in self.codes)

    def instrument(self, code: str) -> int:
        """Panel index of ``code`` in any accepted spelling. Raises UsageError ``code.*``."""
        found = self._index.get(code)
        if found is None:
            found = self._index.get(str(parse_code(code, self._known)))
        if found is None:
            raise UsageError(
                "code.unknown",
                f"{code} is not in this session's universe",
                expected=f"one of {len(self.codes)} instruments with bars in the run, as {self.codes[0]}",
                found=code,
                hint="quant data sql 'SELECT code, name FROM instruments' lists what is stored",
            )
        self._index[code] = found
        return found

    @cached_property
    def series(self) -> dict[tuple[str, str], tuple[memoryview, int]]:
        """One column of one field with the phase it is known from, kept for those that were asked for."""
        return {}

    def series_of(self, field: str, code: str) -> tuple[memoryview, int]:
        """The series of a field that there is; kept. Raises UsageError ``code.*``."""
        column: Any = np.asarray(self.columns[field], dtype=np.float64)[:, self.instrument(code)]
        found = self.series[field, code] = memoryview(column), int(KNOWN_FROM.get(field, Phase.CLOSE))
        return found

    def session(self, t: int) -> date:
        """Session of bar ``t``."""
        return from_epoch_days(int(self.market.arrays["sessions"][self.market.session_of(t)]))

    def sessions(self) -> list[date]:
        """Dates of all sessions of the market."""
        return [from_epoch_days(int(day)) for day in self.market.arrays["sessions"]]


class MarketColumns(Mapping[str, Matrix]):
    """The market's arrays as float64 ``[T, S]`` in yuan and shares; NaN where there is no value.

    What belongs to a session stands in each of its bars.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._made: dict[str, Matrix] = {}
        self._names = (
            *_RAW,
            *(f"raw_{name}" for name in _RAW),
            "pre_close",
            "limit_up",
            "limit_down",
            "volume",
            "is_st",
            "suspended",
            "listed",
        )

    def __getitem__(self, name: str) -> Matrix:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name.removeprefix("raw_"))
        return self._made[name]

    def __iter__(self) -> Any:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _make(self, name: str) -> Matrix:
        values = self._values(name)
        by_session = not self._market.daily and name not in (*_RAW, "volume")
        return np.asarray(values[self._market.arrays["day"]]) if by_session else values

    def _values(self, name: str) -> Matrix:
        arrays = self._market.arrays
        bits = {"is_st": ST, "suspended": SUSPENDED, "listed": LISTED}
        if name in bits:
            return np.asarray(arrays["flags"] & np.uint32(bits[name]) != 0, dtype=np.float64)
        if name == "volume":
            return np.asarray(arrays["volume"], dtype=np.float64)
        prices = arrays[name].astype(np.float64) / PRICE_SCALE
        return np.asarray(np.where(prices > 0, prices, np.nan))
