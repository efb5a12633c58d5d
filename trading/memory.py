"""A backtest whose strategy decides in Python: bars, orders and fills in C++, Python asked at decisions only.

The steps and their order are those of :mod:`quant.trading.session`, so the state hash is the same; nothing is
journaled, so nothing can be resumed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.money import MONEY_SCALE
from quant.core.time import from_epoch_days
from quant.native.batch import Phase
from quant.trading.clocks import decision_phases, plan_rows, session_phases
from quant.trading.market_data import MarketData
from quant.trading.ports import Book, SessionPlan, Strategy
from quant.trading.session import SessionResult
from quant.trading.view import View

if TYPE_CHECKING:
    from quant.native.config import KernelConfig

Asking = Callable[[Book], Callable[[int, int, int], Any]]
PHASES: Final = tuple(Phase)


def run_in_memory(
    plan: SessionPlan,
    data: MarketData,
    config: KernelConfig,
    strategy: Strategy,
    *,
    rows: NDArray[np.int32] | None = None,
) -> SessionResult:
    """Run ``plan`` over the whole market; for strategies that do not answer order events.

    Raises:
        StrategyError: the user's strategy failed, or holds what could not be kept across a restart.
    """
    from quant.native.kernel import run_called

    market = data.market
    deciding = plan_rows(plan, market) if rows is None else rows
    marked = np.zeros(market.T, dtype=np.uint8)
    marked[deciding] = 1
    with contextlib.redirect_stdout(sys.stderr):
        result = run_called(
            config,
            market,
            asking(strategy, data, plan.seed),
            phases=decision_phases(plan.decide),
            decide_seen=Phase.DECIDE in session_phases(plan.decide),
            rows=marked,
        )
        strategy.snapshot()
    kernel = result.kernel
    chain = kernel.chain()
    return SessionResult(
        state_hash=kernel.state_hash(),
        chain=tuple((from_epoch_days(day), digest) for day, digest in chain),
        sessions=len(chain),
        nav=kernel.nav / MONEY_SCALE,
        cash=kernel.cash / MONEY_SCALE,
        state="halted" if kernel.halted else "finished",
        replayed=0,
        resumed_after=None,
        kernel=kernel,
    )


def asking(strategy: Strategy, data: MarketData, seed: int) -> Asking:
    """How ``strategy`` is asked: its own short way if it has one, else by its port."""
    own: Callable[[MarketData, int], Asking] | None = getattr(strategy, "asking", None)
    if own is not None:
        return own(data, seed)

    def of(book: Book) -> Callable[[int, int, int], Any]:
        def ask(t: int, phase: int, ts: int) -> Any:
            batch = strategy.decide(View(data, book, ts, t, PHASES[phase], seed))
            return dict(batch.columns) if batch.n else None

        return ask

    return of
