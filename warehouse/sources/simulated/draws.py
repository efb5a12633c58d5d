"""Random numbers served session by session, so that what happens on a day never depends on the last day.

Each purpose has its own PCG64 stream, seeded by ``(seed, purpose)``. A stream is read in whole blocks of
sessions of a fixed shape: asking for more sessions continues it and changes nothing before.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 64


class Purpose(IntEnum):
    """The streams; a number is never reused, or markets of a known seed would change."""

    ROSTER = 1
    FACTORS = 2
    NAMES = 3
    EVENTS = 4
    DISAGREEMENTS = 5
    THIRD_VENDOR = 6
    THIRD_VENDOR_BARS = 7


def generator(seed: int, purpose: Purpose) -> np.random.Generator:
    """The PCG64 generator of one stream of one market."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(purpose)])))


class SessionNormals:
    """Standard normal numbers of a fixed shape for each session in turn."""

    def __init__(self, seed: int, purpose: Purpose, shape: tuple[int, ...]) -> None:
        self._generator = generator(seed, purpose)
        self._shape = shape
        self._block: Floats = np.empty((0, *shape))
        self._next = 0

    def take(self) -> Floats:
        """The numbers of the next session."""
        if self._next == len(self._block):
            self._block = self._draw()
            self._next = 0
        self._next += 1
        numbers: Floats = self._block[self._next - 1]
        return numbers

    def _draw(self) -> Floats:
        return self._generator.standard_normal((BLOCK, *self._shape))


class SessionUniforms(SessionNormals):
    """Uniform numbers in [0, 1) of a fixed shape for each session in turn."""

    def _draw(self) -> Floats:
        return self._generator.random((BLOCK, *self._shape))
