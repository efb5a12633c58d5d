"""Faults that a stand-in plants into its answers: seeded, passing or lasting."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

KINDS = (
    "timeout",
    "status_429",
    "status_500",
    "half_json",
    "not_json",
    "wrong_type",
    "missing_column",
    "reordered",
    "repeated_rows",
    "other_page",
    "clock_skew",
    "empty_success",
    "short_rows",
    "quota_message",
    "dropped",
)
"""What can happen to an answer."""
HARMLESS = ("reordered",)


@dataclass
class Faults:
    """Every answer has a chance to be spoilt; ``lasting`` spoils all further answers to the same question."""

    seed: int
    rate: float = 0.15
    kinds: tuple[str, ...] = KINDS
    lasting: float = 0.1
    planted: list[tuple[str, str]] = field(default_factory=list)
    """(endpoint, kind) of every spoilt answer."""
    _kept: dict[str, str] = field(default_factory=dict)
    _tries: dict[str, int] = field(default_factory=dict)
    _inside: threading.Lock = field(default_factory=threading.Lock)

    def pick(self, endpoint: str, question: str) -> str | None:
        """The fault of this answer. It depends on the question and how often it was put, not on the order in
        which threads come.
        """
        with self._inside:
            tries = self._tries[question] = self._tries.get(question, 0) + 1
            dice = random.Random(f"{self.seed}/{question}/{tries}")
            kind = self._kept.get(question)
            if kind is None and dice.random() < self.rate:
                kind = dice.choice(self.kinds)
                if dice.random() < self.lasting:
                    self._kept[question] = kind
            if kind is not None:
                self.planted.append((endpoint, kind))
            return kind
