"""Daily bars for a platform's calls: only those that are over at the instant, adjusted to today's prices.

``pre`` divides by today's factor, so that today's price is the price as traded; ``post`` is adjusted from
listing on; None is as traded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.time import from_epoch_days
from quant.native.batch import Phase
from quant.trading.view import View, data_of

Floats = NDArray[np.float64]

_ADJUSTED: Final = frozenset({"open", "high", "low", "close", "vwap", "volume"})
_SCALED: Final = frozenset({"pre_close", "limit_up", "limit_down"})


@dataclass(frozen=True, slots=True)
class Bars:
    """What is over at the instant of ``view``; rows are numbered as in the run's data, history included."""

    view: View

    @property
    def today(self) -> int:
        """The row of the present session."""
        return data_of(self.view).first + self.view.t

    @property
    def end(self) -> int:
        """One past the newest row whose bar is over."""
        return self.today + (self.view.phase >= Phase.CLOSE)

    def days(self, begin: int, end: int) -> list[date]:
        """Sessions of rows."""
        return [from_epoch_days(int(day)) for day in data_of(self.view).days[begin:end]]

    def row(self, day: date) -> int:
        """The first row on or after ``day``."""
        return int(np.searchsorted(data_of(self.view).days, (day - date(1970, 1, 1)).days))

    def last(self, count: int, end: int) -> int:
        """Where the last ``count`` rows before ``end`` begin.

        Raises UsageError when the run holds no data from so far back.
        """
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise UsageError("bars.count", "the number of bars is a whole number from 1", found=repr(count))
        if count > end:
            raise UsageError(
                "bars.lookback",
                f"{count} bars reach before the data of this run, which has {end} by now",
                expected=f"code.lookback: {int(count)}",
                found=f"{end} bars",
                hint="write this lookback into the code section of the strategy document",
            )
        return int(end - count)

    def cells(
        self, field: str, begin: int, end: int, fq: str | None = "pre", at: Any = slice(None)
    ) -> Floats:
        """Values ``[end - begin, S]`` of rows that are over, or those of the instruments ``at``."""
        columns = data_of(self.view).columns
        name = field if fq is not None or field not in _ADJUSTED else f"raw_{field}"
        try:
            values = np.array(columns[name][begin:end, at], dtype=np.float64)
        except KeyError:
            raise UsageError(
                "bars.field",
                f"there is no field {field!r}",
                found=field,
                expected=", ".join(sorted(columns)),
            ) from None
        if fq is None or "adj_factor" not in columns or field not in _ADJUSTED | _SCALED:
            return values
        factor = columns["adj_factor"]
        now = factor[self.today, at] if fq == "pre" else 1.0
        if field in _ADJUSTED:
            return np.asarray(values * now if field == "volume" else values / now)
        return np.asarray(values * factor[begin:end, at] / now)

    def traded(self, instrument: int, begin: int, end: int) -> NDArray[np.bool_]:
        """Whether the instrument traded in each row."""
        columns = data_of(self.view).columns
        volume = columns["volume"][begin:end, instrument]
        return np.asarray((volume > 0) & ~np.isnan(volume))

    def traded_rows(self, instrument: int, count: int, end: int) -> NDArray[np.intp]:
        """The last ``count`` rows before ``end`` in which the instrument traded, fewer when it has fewer."""
        width = count
        while True:
            begin = max(0, end - width)
            rows = begin + np.flatnonzero(self.traded(instrument, begin, end))
            if len(rows) >= count or begin == 0:
                return rows[-count:]
            width *= 4
