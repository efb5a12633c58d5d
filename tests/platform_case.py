"""A market of real sessions with a few instruments, and files of both platforms run on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
from kernel_market import config, random_market
from session_plan import SessionPlan

from quant.core.market.calendar import calendar
from quant.core.time import epoch_days
from quant.native.kernel import KernelConfig, Market
from quant.research.market import instants
from quant.trading import MarketData, run_replay
from quant.trading.market_data import Facts
from quant.trading.strategies import load_strategy
from quant.trading.strategies.platforms import Terms, load_platform

SESSIONS = calendar("XSHG").sessions(date(2023, 1, 3), date(2023, 12, 29))
CODES = (
    "000001.SZ",
    "000002.SZ",
    "300750.SZ",
    "600000.SH",
    "600519.SH",
    "601318.SH",
    "688981.SH",
    "600036.SH",
)
NAMES = ("平安银行", "万科A", "宁德时代", "浦发银行", "*ST茅台", "中国平安", "中芯国际", "招商银行")


@dataclass(frozen=True)
class Plan(SessionPlan):
    decide: str = "each"


def market(sessions: int = 120, seed: int = 5, wild: float = 0.5) -> Market:
    walk = random_market(sessions, len(CODES), seed, wild=wild)
    days = SESSIONS[:sessions]
    arrays = {n: v for n, v in walk.arrays.items() if n not in ("sessions", "instants", "day")}
    return Market.from_arrays(
        sessions=np.array([epoch_days(d) for d in days], "i4"),
        instants=instants(days, "XSHG"),
        actions=walk.actions,
        **arrays,
    )


def data_of(of: Market) -> MarketData:
    listed = np.array([epoch_days(date(2000 + i, 1, 4)) for i in range(len(CODES))], "i4")
    members = np.zeros((of.T, len(CODES)), dtype=bool)
    members[:, :4] = True
    members[of.T // 2 :, 4] = True
    nobody = np.zeros_like(members)
    facts = Facts(NAMES, listed, lambda index: members if index == "000300.SH" else nobody)
    return MarketData.of(of, CODES, facts=facts)


def write(root: Path, text: str, name: str = "mine") -> None:
    folder = root / "strategies"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")


def terms(settings: KernelConfig, decide: str) -> Terms:
    return Terms(config=settings, decide=decide, start=SESSIONS[0], end=SESSIONS[-1], name="case")


def run(
    root: Path,
    style: str,
    text: str,
    *,
    data: MarketData | None = None,
    decide: str | None = None,
    params: dict[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """The result of a file, or of the class ``Mine``, over the market."""
    write(root, text)
    data = data if data is not None else data_of(market())
    settings = {"cash_micro": 1_000_000_000_000, **settings}
    kernel = config(data.market.T, **settings)
    when = decide or ("before_open" if style == "joinquant" else "after_close")
    if style == "class":
        strategy: Any = load_strategy(root, "strategies.mine:Mine", params)
        return run_replay(Plan(decide=when), data, kernel, strategy)
    strategy = load_platform(root, "strategies.mine", style, params, terms=terms(kernel, when))
    return run_replay(Plan(), data, kernel, strategy)
