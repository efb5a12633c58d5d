"""What new data would have changed in a past run: decisions, orders and fills, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

Method = Literal["each decision", "replayed"]
REPLAYED: Final[Method] = "replayed"


@dataclass(frozen=True, slots=True)
class TargetChange:
    """A name whose target weight a decision would have set otherwise; None = it set none."""

    code: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order that would have been another; quantities in shares, negative = sale, 0 = no order."""

    session: date
    code: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class FillChange:
    """A fill at a price that the data now say otherwise, yuan."""

    session: date
    code: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """One rebalance that would have been another."""

    session: date
    targets: tuple[TargetChange, ...]
    orders: tuple[OrderChange, ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """What new data would have changed in a run. ``cells`` counts changed cells in the run's range by table;
    ``problem`` says why a run could not be replayed.
    """

    run: str
    name: str
    mode: str
    cells: Mapping[str, int]
    decisions: tuple[DecisionChange, ...] = ()
    fills: tuple[FillChange, ...] = ()
    method: Method = "each decision"
    problem: str | None = None

    @property
    def affected(self) -> bool:
        return bool(self.decisions or self.fills or self.problem)

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "name": self.name,
            "mode": self.mode,
            "cells": dict(self.cells),
            "method": self.method,
            "problem": self.problem,
            "decisions": [
                {
                    "session": d.session.isoformat(),
                    "targets": [{"code": t.code, "before": t.before, "after": t.after} for t in d.targets],
                    "orders": [_plain(o) for o in d.orders],
                }
                for d in self.decisions
            ],
            "fills": [_plain(f) for f in self.fills],
        }


def _plain(change: OrderChange | FillChange) -> dict[str, Any]:
    return {
        "session": change.session.isoformat(),
        "code": change.code,
        "before": change.before,
        "after": change.after,
    }


def summary(recalls: Sequence[Recall]) -> dict[str, int]:
    """Totals for a screen: runs looked at, runs affected, decisions and orders that would differ."""
    return {
        "runs": len(recalls),
        "affected": sum(r.affected for r in recalls),
        "decisions": sum(len(r.decisions) for r in recalls),
        "orders": sum(len(d.orders) for r in recalls for d in r.decisions),
    }
