"""A strategy that a spec declares: rows of scores become target weights in the native core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import InvariantBroken
from quant.native.batch import Batch, BatchKind
from quant.native.config import ConstructConfig
from quant.trading.view import View, book_of

Scores = NDArray[np.float64]
Eligible = NDArray[np.bool_]


class ScoreSource(Protocol):
    """Scores f64 [S] (NaN = unknown) and eligibility bool [S] known at the decision of market row ``t``."""

    def row(self, t: int) -> tuple[Scores, Eligible]: ...


@dataclass(frozen=True)
class FixedScores:
    """Scores computed beforehand: ``scores``, ``eligible`` ``[R, S]`` for market rows ``rows`` i32 [R]."""

    rows: NDArray[np.int32]
    scores: Scores
    eligible: Eligible
    _place: dict[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", {int(t): i for i, t in enumerate(self.rows)})

    def row(self, t: int) -> tuple[Scores, Eligible]:
        at = self._place.get(t)
        if at is None:
            raise InvariantBroken("strategy.scores", f"no scores were computed for market row {t}")
        return self.scores[at], self.eligible[at]


class DeclarativeStrategy:
    """Has no state of its own: what it decides follows from the scores and the book."""

    reacts = False
    fingerprint = ""

    def __init__(self, plan: ConstructConfig, source: ScoreSource) -> None:
        self._plan, self._source = plan, source

    def decide(self, view: View) -> Batch:
        from quant.native.kernel import construct

        scores, eligible = self._source.row(view.t)
        return construct(self._plan, scores, eligible, book_of(view))

    def on_events(self, view: View, events: Batch) -> Batch:
        del events
        return Batch.of(BatchKind.INTENTS, view.ts, view.phase, view.t)

    def snapshot(self) -> bytes:
        return b""

    def restore(self, state: bytes) -> None:
        del state
