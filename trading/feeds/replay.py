"""A recorded market as a feed: one slice per instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

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
        self._bar, self._place = 0, 0

    @property
    def position(self) -> int:
        return self._before(self._bar) + self._place

    @position.setter
    def position(self, count: int) -> None:
        # A bar has one slice less than the first of its session.
        bar = min(count // (len(self._phases) - 1), self._market.T)
        while self._before(bar) > count:
            bar -= max(1, (self._before(bar) - count) // len(self._phases))
        self._bar, self._place = bar, count - self._before(bar)

    def next(self, until: Ns) -> Batch | None:
        """The next slice, if its instant is not after ``until``."""
        if self._bar >= self._market.T:
            return None
        t, phase = self._bar, self._of(self._bar)[self._place]
        if self._market.instant(t, phase) > until:
            return None
        self._step()
        return Batch.slice(self._market, t, phase)

    def seek(self, t: int, phase: Phase) -> None:
        """Go on after the slice of bar ``t`` at ``phase``."""
        self._bar, self._place = t, self._of(t).index(phase)
        self._step()

    def _step(self) -> None:
        self._place += 1
        if self._place == len(self._of(self._bar)):
            self._bar, self._place = self._bar + 1, 0

    def _of(self, t: int) -> tuple[Phase, ...]:
        return self._phases if self._market.opens(t) else self._phases[1:]

    def _before(self, t: int) -> int:
        """Slices before bar ``t``."""
        sessions = int(np.searchsorted(self._market.first_bars, t))
        return t * (len(self._phases) - 1) + sessions


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
