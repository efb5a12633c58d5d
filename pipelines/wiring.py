"""Plans become running things: the one module that turns a plan into ports, arrays and a kernel.

Only here is a plan's mode read; everything it builds is the same for a backtest and a paper session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from quant.core.errors import CheckFailed, SpecError
from quant.core.market.calendar import calendar
from quant.core.market.fees import FeeTerms
from quant.core.market.instrument import DELISTING, LISTED, SUSPENDED, TRADING, Board
from quant.core.money import MONEY_SCALE, RATE_SCALE, scaled
from quant.native.config import ConstructConfig, KernelConfig, RiskLimits
from quant.native.factor import evaluate
from quant.research.columns import FieldColumns, PanelColumns
from quant.research.market import build_market, dividend_tax_tables, fee_tables, rule_tables
from quant.research.panel import Panel, load_panel
from quant.research.schedule import decision_rows

if TYPE_CHECKING:
    from pathlib import Path

    from quant.native.kernel import Kernel
    from quant.native.market import Market
    from quant.research.panel import Bool, Float, TableReader
    from quant.research.panel_cache import PanelCache
    from quant.specs.compile.plan import BacktestPlan, CostPlan, RiskPlan, UniversePlan
    from quant.specs.expr.program import Program
    from quant.trading.market_data import MarketData
    from quant.trading.ports import Strategy


@dataclass(frozen=True, eq=False)
class Prepared:
    """A plan with its data: what the fused run, the stepped loop and the run folder all start from.

    ``first`` is the panel row of the market's row 0. ``rows`` are market rows; ``scores`` and ``eligible``
    are ``[R, S]`` over them and empty when a Python strategy decides. ``members`` are the names that the
    universe may hold, ``[S]``, or ``[T, S]`` of panel rows where membership has dates.
    """

    plan: BacktestPlan
    panel: Panel
    market: Market
    config: KernelConfig
    construct: ConstructConfig
    first: int
    rows: npt.NDArray[np.int32]
    scores: Float
    eligible: Bool
    members: Bool
    columns: PanelColumns

    @cached_property
    def universe(self) -> Bool:
        """Which names the universe holds at the decision of each panel row, ``[T, S]``; uses rows <= t."""
        held = self.panel.has(LISTED) & self.members
        if self.plan.universe.where is None:
            return held
        where = self.plan.universe.where
        mask = compared(where, self.panel, self.members)
        return np.asarray(held & (evaluate(where, self.columns, mask=mask) == 1.0))

    @property
    def sessions(self) -> tuple[date, ...]:
        return self.panel.sessions[self.first :]


def prepare(
    plan: BacktestPlan, reader: TableReader, *, threads: int = 1, cache: PanelCache | None = None
) -> Prepared:
    """Load the plan's tables, through the panel cache if given, and compute what its declarative parts need.

    Raises:
        CheckFailed: the pinned tables hold no bar in the plan's range.
    """
    dates = calendar(plan.calendar)
    start, end = date.fromisoformat(plan.start), date.fromisoformat(plan.end)
    begin = dates.offset(start, -plan.lookback) if plan.lookback else start
    begin = max(begin, dates.first)
    if cache is None:
        panel = load_panel(reader, dates, begin, end)
    else:
        content = {table.name: table.content_hash for table in plan.tables}
        panel = cache.load(reader, dates, begin, end, content=content, as_of=plan.as_of)
    if not panel.codes:
        raise CheckFailed(
            "data.empty",
            f"the pinned tables hold no bar from {plan.start} to {plan.end}",
            hint=f"quant data sync --start {plan.start} --end {plan.end}",
        )
    return assemble(plan, panel, threads=threads)


def assemble(plan: BacktestPlan, panel: Panel, *, threads: int = 1) -> Prepared:
    """The same from a panel that is already there."""
    first = int(np.searchsorted(panel.session_days, (date.fromisoformat(plan.start) - date(1970, 1, 1)).days))
    sessions = panel.sessions[first:]
    members = universe_members(plan.universe, panel)
    columns = PanelColumns(panel, mic=plan.calendar)
    rows, scores, eligible = decisions(plan, panel, first, members, columns, threads=threads)
    return Prepared(
        plan=plan,
        panel=panel,
        market=build_market(panel, first, plan.prices, mic=plan.calendar),
        config=kernel_config(plan, panel, sessions),
        construct=construct_config(plan),
        first=first,
        rows=rows,
        scores=scores,
        eligible=eligible,
        members=members,
        columns=columns,
    )


def universe_members(universe: UniversePlan, panel: Panel) -> Bool:
    """Which instruments the universe may hold, ``[S]``, ``[T, S]`` for the members of an index; conditions
    over time come with ``where``."""
    chosen = universe.members
    if chosen == "all":
        return np.ones(len(panel.codes), dtype=bool)
    if isinstance(chosen, tuple | list):
        unknown = sorted(set(chosen) - set(panel.codes))
        if unknown:
            raise SpecError(
                "universe.unknown",
                f"the data have no instrument {unknown[0]}",
                found=", ".join(unknown[:5]),
                hint="check the code, or sync its bars",
            )
        return np.isin(np.array(panel.codes), np.array(list(chosen)))
    if "index" in chosen:
        return _index_members(chosen["index"][0], panel)
    boards = [Board[name].value for name in chosen["boards"]]
    return np.isin(panel.boards, boards)


def _index_members(index: str, panel: Panel) -> Bool:
    """The dated members. Raises CheckFailed when no list of the index is known in the whole range."""
    held = panel.reported.members(index) if panel.reported is not None else np.zeros(panel.shape, dtype=bool)
    if not held.any():
        raise CheckFailed(
            "universe.empty",
            f"no instrument with bars is known as a member of {index} in this range",
            found=index,
            hint="quant data sync index_members index_weights, or check the code of the index",
        )
    return held


def decisions(
    plan: BacktestPlan,
    panel: Panel,
    first: int,
    members: Bool,
    columns: Mapping[str, Float],
    *,
    threads: int = 1,
) -> tuple[npt.NDArray[np.int32], Float, Bool]:
    """Decision rows (of the market, whose row 0 is panel row ``first``), scores and eligibility ``[R, S]``.

    ``columns`` are the panel's, as programs load them. Empty when a Python strategy decides.
    """
    none = np.zeros((0, len(panel.codes)))
    if plan.code is not None or plan.signal is None:
        return np.zeros(0, np.int32), none, none.astype(bool)
    dates = calendar(plan.calendar)
    last = panel.sessions[-1]
    following = dates.next(last) if last < dates.last else None
    rows = decision_rows(panel.sessions[first:], plan.rebalance.every, plan.rebalance.on, following)
    at = (rows + first).astype(np.int32)
    eligible = _eligible(plan, panel, at, members, columns, threads)
    mask = compared(plan.signal, panel, members)
    scores = evaluate(plan.signal, columns, mask=mask, rows=at, threads=threads)
    return rows, np.ascontiguousarray(scores), np.ascontiguousarray(eligible)


def compared(program: Program, panel: Panel, members: Bool) -> Bool | None:
    """The names that count where a program compares instruments, ``[T, S]``; None where it never does."""
    if not any(instruction.op.startswith("cs_") for instruction in program.instructions):
        return None
    return np.ascontiguousarray(panel.has(LISTED) & members)


def _eligible(
    plan: BacktestPlan,
    panel: Panel,
    rows: npt.NDArray[np.int32],
    members: Bool,
    columns: Mapping[str, Float],
    threads: int,
) -> Bool:
    """Names that may be chosen at each decision: listed, tradable as far as known then, in the universe."""
    flags = panel.flags[rows]
    known = TRADING if plan.decide == "after_close" else LISTED
    allowed = (flags & np.uint32(known)) != 0
    allowed &= (flags & np.uint32(SUSPENDED | DELISTING)) == 0
    allowed &= members[rows] if members.ndim == 2 else members
    if plan.universe.where is not None:
        mask = compared(plan.universe.where, panel, members)
        verdict = evaluate(plan.universe.where, columns, mask=mask, rows=rows, threads=threads)
        allowed &= verdict == 1.0
    return np.asarray(allowed)


def kernel_config(plan: BacktestPlan, panel: Panel, sessions: Sequence[date]) -> KernelConfig:
    """Cash, fills, dated rules and fees, risk: as the plan says."""
    cost, fill = plan.cost, plan.fill
    taxed = cost.dividend_tax == "rulebook" and plan.prices == "raw"
    return KernelConfig(
        cash_micro=scaled(Decimal(plan.initial_cash), MONEY_SCALE),
        rules=rule_tables(sessions),
        fees=fee_tables(fee_terms(cost), sessions),
        fill_at=fill.at,
        decide="before_close" if plan.decide == "before_close" else "after_close",
        locked=fill.locked,
        on_insufficient_cash=fill.on_insufficient_cash,
        participation=_rate(fill.participation),
        slippage_ticks=cost.slippage_ticks,
        rounding=cost.rounding,
        dividend_tax=dividend_tax_tables(sessions) if taxed else None,
        risk=risk_limits(plan.risk),
        forbidden=_forbidden(plan.risk, panel),
    )


def fee_terms(cost: CostPlan) -> FeeTerms:
    """The cost spec's overrides over the dated rulebook."""
    optional = {
        name: Decimal(value) if value is not None else None
        for name, value in (("stamp_rate", cost.stamp_rate), ("transfer_rate", cost.transfer_rate))
    }
    return FeeTerms(
        commission_rate=Decimal(cost.commission_rate),
        commission_min=Decimal(cost.commission_min),
        rounding=cost.rounding,
        slippage_ticks=cost.slippage_ticks,
        **optional,
    )


def risk_limits(risk: RiskPlan) -> RiskLimits:
    """Fractions at ``RATE_SCALE``, money in micro-yuan."""
    return RiskLimits(
        single_name=_rate(risk.single_name),
        gross=_rate(risk.gross),
        cash_min=_rate(risk.cash_min),
        order_value_max=None
        if risk.order_value_max is None
        else scaled(Decimal(risk.order_value_max), MONEY_SCALE),
        order_quantity_max=risk.order_quantity_max,
        daily_loss=_rate(risk.daily_loss),
        max_drawdown=_rate(risk.max_drawdown),
    )


def construct_config(plan: BacktestPlan) -> ConstructConfig:
    """How scores become target weights; unused by a Python strategy."""
    if plan.construct is None:
        return ConstructConfig()
    how = plan.construct
    return ConstructConfig(
        method=how.method,
        top=how.top or 0,
        max_weight=_rate(how.max_weight),
        cash_buffer=_rate(how.cash_buffer) or 0,
        turnover_cap=_rate(how.turnover_cap),
        quantity=how.quantity or 0,
    )


def _forbidden(risk: RiskPlan, panel: Panel) -> tuple[int, ...]:
    return tuple(panel.codes.index(code) for code in risk.forbidden if code in panel.codes)


def _rate(value: str | None) -> int | None:
    return None if value is None else scaled(Decimal(value), RATE_SCALE)


def paper_data(prepared: Prepared) -> MarketData:
    """What a stepped session's strategy may look at: the market with the history before it."""
    from quant.trading.market_data import Facts, MarketData

    panel, reported = prepared.panel, prepared.panel.reported
    nobody = np.zeros(panel.shape, dtype=bool)
    members = reported.members if reported is not None else lambda _index: nobody
    return MarketData.of(
        prepared.market,
        panel.codes,
        FieldColumns(prepared.columns),
        first=prepared.first,
        days=panel.session_days,
        universe=prepared.universe if prepared.plan.code is not None else None,
        members=np.asarray(np.atleast_2d(prepared.members).any(axis=0)),
        facts=Facts(panel.names, panel.list_sessions, members),
    )


def session_strategy(prepared: Prepared, strategies: Path) -> Strategy:
    """The plan's strategy behind the session's port: declared scores, or the user's Python code."""
    from quant.trading.strategies import DeclarativeStrategy, FixedScores, load_strategy
    from quant.trading.strategies.platforms import Terms, load_platform

    plan, code = prepared.plan, prepared.plan.code
    if code is not None and code.style != "class":
        terms = Terms(
            config=prepared.config,
            decide=code.decide,
            calendar=plan.calendar,
            start=date.fromisoformat(plan.start),
            end=date.fromisoformat(plan.end),
            name=plan.name,
        )
        return load_platform(strategies.parent, code.entry, code.style, code.params, terms=terms)
    if code is not None:
        return load_strategy(strategies.parent, code.entry, code.params)
    return DeclarativeStrategy(
        prepared.construct, FixedScores(prepared.rows, prepared.scores, prepared.eligible)
    )


def run_stepped(prepared: Prepared, strategies: Path) -> Kernel:
    """The session loop step by step, in memory: the same chain as the fused run for a declarative plan."""
    from quant.trading.paper import run_replay

    rows = prepared.rows if prepared.plan.code is None else None
    result = run_replay(
        prepared.plan,
        paper_data(prepared),
        prepared.config,
        session_strategy(prepared, strategies),
        rows=rows,
    )
    kernel: Kernel = result.kernel
    return kernel
