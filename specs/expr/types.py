"""What is known of a value before any data is read: its shape, its reach into the past, when it is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Availability(IntEnum):
    """The instant of its session at which a value is known; later ones compare greater."""

    PREOPEN = 0
    OPEN = 1
    CLOSE = 2
    AFTER = 3  # after the close: vendor files of the evening, announcements

    @classmethod
    def read(cls, text: str) -> Availability:
        """``preopen``, ``open``, ``close``; anything else (``close+2h``, ``announcement``) is AFTER."""
        return _AVAILABILITY.get(text.strip().lower(), cls.AFTER)

    @property
    def words(self) -> str:
        return "after the close" if self is Availability.AFTER else f"at the {self.name.lower()}"


_AVAILABILITY = {"preopen": Availability.PREOPEN, "open": Availability.OPEN, "close": Availability.CLOSE}
DECIDE = {
    "before_open": Availability.PREOPEN,
    "after_open": Availability.OPEN,
    "before_close": Availability.OPEN,
    "after_close": Availability.CLOSE,
    "each": Availability.PREOPEN,
}
"""What is known at each time of decision; a strategy asked at every instant decides before the open too."""
DECIDE_WORDS = {
    "before_open": "before the open",
    "after_open": "at the open",
    "before_close": "before the close",
    "after_close": "after the close",
    "each": "before the open too",
}


class Unit(IntEnum):
    """Price scales that must not be mixed; everything else is NONE."""

    NONE = 0
    ADJUSTED = 1
    RAW = 2

    @property
    def words(self) -> str:
        return ("plain number", "adjusted price", "unadjusted price")[self]


@dataclass(frozen=True, slots=True)
class Value:
    """A typed node in single-assignment form: ``args`` are indices of earlier nodes of its graph.

    ``lookback`` is in sessions; ``available`` is when the value of a session is known in that session;
    ``constant`` is set where the value is the same everywhere; ``culprit`` is the offset of the field that
    makes it available so late.
    """

    op: str
    args: tuple[int, ...]
    params: tuple[float, ...]
    at: int
    lookback: int = 0
    available: Availability = Availability.PREOPEN
    unit: Unit = Unit.NONE
    constant: float | None = None
    column: str = ""
    culprit: int = -1


@dataclass(frozen=True, slots=True)
class Graph:
    """Typed nodes in dependency order and the index of the result."""

    nodes: tuple[Value, ...]
    result: int
