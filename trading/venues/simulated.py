"""The simulated exchange as a venue: it sees every slice of the market itself and matches against it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, Protocol

from quant.core.errors import StateConflict
from quant.native.batch import Batch
from quant.trading.feeds.replay import SliceCursor
from quant.trading.ports import Ns

if TYPE_CHECKING:
    from quant.native.market import Market

_HEAD: Final = struct.Struct("<4sIq")
_MAGIC: Final = b"QSIM"
_VERSION: Final = 1


class Exchange(Protocol):
    """The native matcher behind the venue."""

    def submit(self, commands: Batch) -> None: ...
    def poll(self, slice: Batch | None) -> Batch: ...
    def open_state(self) -> dict[str, Any]: ...
    def snapshot(self) -> bytes: ...


class Restore(Protocol):
    """Makes an exchange from its snapshot."""

    def __call__(self, state: bytes) -> Exchange: ...


class SimulatedVenue:
    """Answers within the instant: ``poll`` matches at the slices up to ``until``, then drains."""

    simulated = True

    def __init__(self, exchange: Exchange, restore: Restore, market: Market, decide: str) -> None:
        self._exchange, self._restore = exchange, restore
        self._cursor = SliceCursor(market, decide)

    def submit(self, commands: Batch) -> None:
        self._exchange.submit(commands)

    def poll(self, until: Ns) -> Batch:
        while (batch := self._cursor.next(until)) is not None:
            reports = self._exchange.poll(batch)
            if reports.n:
                return reports
        return self._exchange.poll(None)

    def open_state(self) -> dict[str, Any]:
        return self._exchange.open_state()

    def snapshot(self) -> bytes:
        return _HEAD.pack(_MAGIC, _VERSION, self._cursor.position) + self._exchange.snapshot()

    def restore(self, state: bytes) -> None:
        """Raises StateConflict for bytes of another version."""
        magic, version, position = _HEAD.unpack_from(state) if len(state) >= _HEAD.size else (b"", 0, 0)
        if magic != _MAGIC or version != _VERSION:
            raise StateConflict(
                "venue.snapshot",
                "not a snapshot this venue can read",
                expected=f"version {_VERSION}",
                found=f"version {version}",
            )
        self._exchange = self._restore(state[_HEAD.size :])
        self._cursor.position = position
