"""What a platform's calls need to know of the run: its calendar, its fills and its costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final

from quant.core.market.calendar import Calendar, calendar
from quant.core.money import MONEY_SCALE
from quant.native.batch import Phase

if TYPE_CHECKING:
    from quant.native.config import KernelConfig

_MAIN: Final = {
    "before_open": Phase.PREOPEN,
    "after_open": Phase.OPEN,
    "before_close": Phase.DECIDE,
    "after_close": Phase.CLOSE,
}


@dataclass(frozen=True)
class Terms:
    """``decide`` says when the main function is called; ``config`` is the kernel's."""

    config: KernelConfig
    decide: str
    calendar: str = "XSHG"
    start: date | None = None
    end: date | None = None
    name: str = ""

    @property
    def main(self) -> Phase:
        """The phase of the main function."""
        return _MAIN[self.decide]

    @property
    def opening(self) -> Phase:
        """The phase of what is asked for at 09:30: before the open while orders may still fill at it."""
        return self.main if self.main <= Phase.OPEN else self.first_fill

    @property
    def first_fill(self) -> Phase:
        """The latest phase at 09:30 whose orders fill in the same session."""
        return Phase.PREOPEN if self.config.fill_at == "open" else Phase.OPEN

    @property
    def cash(self) -> float:
        """Cash at the start, yuan."""
        return self.config.cash_micro / MONEY_SCALE

    @cached_property
    def dates(self) -> Calendar:
        """The sessions of the exchange."""
        return calendar(self.calendar)
