"""A plan's assumptions in words, for receipts and reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from quant.specs.compile import describe_assumption

if TYPE_CHECKING:
    from quant.specs.compile.plan import BacktestPlan


@dataclass(frozen=True, slots=True)
class Assumption:
    code: str
    text_en: str
    text_zh: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def describe(plan: BacktestPlan) -> list[Assumption]:
    """Every assumption that the plan names, in its order."""
    return [
        Assumption(code, describe_assumption(code, "en"), describe_assumption(code, "zh"))
        for code in plan.assumptions
    ]
