"""A recorded market as a feed: one slice per instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quant.native.batch import Batch, Phase
from quant.trading.clocks import session_phases
from quant.trading.ports import Ns

if TYPE_CHECKING:
    from quant.native.market import Market


class SliceCursor:
    """Walks the slices of a market in order; ``position`` counts the slices given so far."""

    def __init__(self, market: Market, decide: str) -> None:
        self._market = market
        self._phases = session_phases(decide)
        self.position = 0

    def next(self, until: Ns) -> Batch | None:
        """The next slice, if its instant is not after ``until``."""
        t, place = divmod(self.position, len(self._phases))
        if t >= self._market.T or self._market.instant(t, self._phases[place]) > until:
            return None
        self.position += 1
        return Batch.slice(self._market, t, self._phases[place])

    def seek(self, t: int, phase: Phase) -> None:
        """Go on after the slice of row ``t`` at ``phase``."""
        self.position = t * len(self._phases) + self._phases.index(phase) + 1


class ReplayFeed:
    """The slices of a recorded market, each once."""

    def __init__(self, market: Market, decide: str) -> None:
        self._cursor = SliceCursor(market, decide)

    def poll(self, until: Ns) -> Sequence[Batch]:
        found: list[Batch] = []
        while (batch := self._cursor.next(until)) is not None:
            found.append(batch)
        return found

    def resume(self, last: Batch) -> None:
        self._cursor.seek(last.t, last.phase)
