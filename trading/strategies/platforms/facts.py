"""What is known about instruments and indices at the instant of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import UsageError
from quant.core.ids import parse_code
from quant.core.market.instrument import LISTED, ST, Board
from quant.core.time import from_epoch_days, parse_date
from quant.trading.view import data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.host import Host

_MARKS: Final = re.compile(r"^(S\*ST|SST|\*ST|ST|S|N|C|XD|XR|DR)(?=[^\x00-\x7f])|退$|退市")
_KINDS: Final = {
    **dict.fromkeys((Board.SSE_FUND, Board.SZSE_FUND), "etf"),
    **dict.fromkeys((Board.SSE_CB, Board.SZSE_CB), "conbond"),
}


@dataclass(frozen=True, slots=True)
class About:
    """Facts of the session's instruments; dates in the future are refused."""

    host: Host

    def day(self, value: Any) -> date:
        """A date in any form a file writes it."""
        if value is None:
            return self.host.today
        if isinstance(value, datetime):
            return value.date()
        if hasattr(value, "to_pydatetime"):
            return _as_date(value.to_pydatetime())
        if isinstance(value, np.datetime64):
            return _as_date(value.astype("datetime64[D]").item())
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            value = value.strip().split(" ")[0].replace("/", "-")
        return parse_date(value)

    def past(self, value: Any) -> date:
        """A date up to today. Raises UsageError for a later one."""
        day = self.day(value)
        if day > self.host.today:
            raise UsageError(
                "platform.future",
                f"{day} is in the future",
                expected=f"a date up to {self.host.today}",
                found=str(day),
            )
        return day

    def name(self, instrument: int) -> str:
        """Its name; the mark of special treatment is today's, not that of the newest name."""
        facts = data_of(self.host.view).facts
        plain = _MARKS.sub("", facts.names[instrument]) if facts else self.host.code(instrument)
        return f"ST{plain}" if self.flag(instrument, ST) else plain

    def flag(self, instrument: int, bit: int) -> bool:
        """A bit of today's flags that is known before the open."""
        market = data_of(self.host.view).market
        return bool(int(market.arrays["flags"][market.session_of(self.host.view.t), instrument]) & bit)

    def listed(self, instrument: int) -> date | None:
        """Its first session; None where it is unknown."""
        facts = data_of(self.host.view).facts
        day = int(facts.listed[instrument]) if facts else 0
        return from_epoch_days(day) if day else None

    def kind(self, instrument: int) -> str:
        """``stock``, ``etf`` or ``conbond``."""
        return _KINDS.get(Board(self.host.account.board(instrument)), "stock")

    def alive(self, value: Any) -> list[int]:
        """The instruments listed on a day."""
        view, data = self.host.view, data_of(self.host.view)
        day = self.past(value)
        row = self.host.bars.row(day)
        if row >= data.first:
            flags = data.market.arrays["flags"][data.market.session_of(min(row - data.first, view.t))]
            return np.flatnonzero(flags & np.uint32(LISTED)).tolist()
        listed = data.facts.listed if data.facts else np.zeros(len(data.codes), np.int32)
        return np.flatnonzero((listed > 0) & (listed <= (day - date(1970, 1, 1)).days)).tolist()

    def members(self, index: str, value: Any) -> list[int]:
        """What an index held on a day, as known then."""
        day = self.past(value)
        data = data_of(self.host.view)
        name = str(parse_code(index))
        held: NDArray[np.bool_] | None = data.facts.members(name) if data.facts else None
        row = min(self.host.bars.row(day), self.host.bars.today)
        if held is None or not held.any():
            raise UsageError(
                "platform.index",
                f"the data of this run hold no members of {index}",
                found=name,
                hint="quant data sync index_members index_weights, or name the universe in the spec",
            )
        return np.flatnonzero(held[row]).tolist()


def _as_date(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value
