"""The least plan that a session runs on; tests override what they need."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rebalance:
    every: str = "day"
    on: str = "first"


@dataclass(frozen=True)
class SessionPlan:
    name: str = "case"
    calendar: str = "XSHG"
    decide: str = "after_close"
    rebalance: Rebalance = field(default_factory=Rebalance)
    seed: int = 0
    fingerprint: str = "c" * 64

    def to_json(self) -> str:
        return json.dumps({"name": self.name, "fingerprint": self.fingerprint})
