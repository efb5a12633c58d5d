"""A plan's assumptions in words, for receipts and reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from quant.core.market.instrument import LISTED
from quant.specs.compile import describe_assumption

if TYPE_CHECKING:
    from quant.native.kernel import Kernel
    from quant.pipelines.wiring import Prepared
    from quant.specs.compile.plan import BacktestPlan


@dataclass(frozen=True, slots=True)
class Assumption:
    code: str
    text_en: str
    text_zh: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def warnings(prepared: Prepared) -> list[Assumption]:
    """What makes a run say less than it seems to: data that end early, a universe that is never filled."""
    found = []
    bars = np.flatnonzero(prepared.panel.has(LISTED)[prepared.first :].any(axis=1))
    if len(bars) and bars[-1] < len(prepared.sessions) - 1:
        last = prepared.sessions[int(bars[-1])].isoformat()
        found.append(
            Assumption(
                "data.ends",
                f"The data end on {last}: later sessions have no bars, holdings keep their last price.",
                f"数据止于 {last}：之后没有行情，持仓按最后价格计。",
            )
        )
    if prepared.plan.code is None and len(prepared.rows) and not prepared.eligible.any():
        found.append(
            Assumption(
                "universe.empty",
                "No name was ever eligible: the universe's conditions held for none, or need absent data.",
                "没有任何股票满足股票池条件，或条件所需数据缺失。",
            )
        )
    return found


def halted(prepared: Prepared, kernel: Kernel) -> list[Assumption]:
    """A note when a risk limit stopped the account: which session, and that later orders were refused."""
    if not kernel.halted:
        return []
    history, risk = kernel.nav_history(), prepared.plan.risk
    nav = np.concatenate([[prepared.config.cash_micro], history["nav"]]).astype(float)
    breach = np.zeros(len(nav) - 1, bool)
    if risk.max_drawdown is not None:
        breach |= nav[1:] / np.maximum.accumulate(nav)[1:] - 1 <= -float(risk.max_drawdown)
    if risk.daily_loss is not None:
        breach |= nav[1:] / nav[:-1] - 1 <= -float(risk.daily_loss)
    days = np.flatnonzero(breach)
    since = prepared.sessions[int(history["row"][days[0]])].isoformat() if len(days) else None
    after, zh = (f" after the close of {since}", f"自 {since} 收盘后") if since else ("", "")
    return [
        Assumption(
            "run.halted",
            f"A halt stopped the account{after}: later orders were refused and positions kept.",
            f"{zh}账户被停止交易：之后的委托全部拒绝，持仓保留。",
        )
    ]


def describe(plan: BacktestPlan) -> list[Assumption]:
    """Every assumption that the plan names, in its order."""
    return [
        Assumption(code, describe_assumption(code, "en"), describe_assumption(code, "zh"))
        for code in plan.assumptions
    ]
