"""A resolved spec and a catalog become a plan. Nothing is fetched: missing data is an error that says how."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from quant.core.errors import SpecError, SpecErrors
from quant.core.hashing import decimal_text
from quant.specs.compile.catalog import Catalog, TableState
from quant.specs.compile.coverage import Frame, reported_tables, table_states
from quant.specs.compile.plan import (
    BacktestPlan,
    BenchmarkPlan,
    ConstructPlan,
    CostPlan,
    Decide,
    FillPlan,
    PinnedTable,
    RebalancePlan,
    RiskPlan,
    StrategyEntry,
    UniversePlan,
)
from quant.specs.compile.programs import conjunction, factor_program, formula_program, where_programs
from quant.specs.compile.universe import codes_of, members_of
from quant.specs.expr.program import Program
from quant.specs.resolution import ResolvedSpec
from quant.specs.schema import CostSpec, RiskSpec
from quant.specs.schema.trading import Fill

_FROM_FACTS = {
    "survivorship": "delistings.absent",
    "delistings": "delistings.absent",
    "limits": "limits.derived",
    "suspensions": "suspensions.derived",
    "amounts": "amounts.estimated",
}


def compile_backtest(
    resolved: ResolvedSpec,
    catalog: Catalog,
    *,
    rulebook_hash: str,
    kernel_hash: str,
    as_of: datetime | None = None,
) -> BacktestPlan:
    """The plan of a backtest over the newest tables, or over what they said ``as_of`` an instant, which
    replaces the spec's own.

    Raises SpecErrors: look-ahead, or ``data.missing`` with the command that fetches what is missing.
    """
    spec = resolved.backtest
    frame = Frame(
        "backtest",
        spec.range.from_,
        spec.range.to,
        spec.cash,
        spec.fill,
        spec.prices,
        resolved.where("backtest", "range"),
        as_of or spec.as_of,
        None if as_of else resolved.where("backtest", "as_of"),
    )
    return _compile(resolved, catalog, frame, rulebook_hash, kernel_hash)


def compile_session(
    resolved: ResolvedSpec,
    catalog: Catalog,
    *,
    rulebook_hash: str,
    kernel_hash: str,
    start: date | None = None,
    end: date | None = None,
    as_of: datetime | None = None,
) -> BacktestPlan:
    """The plan of a deployment's paper session; ``start`` and ``end`` replace the spec's. Raises as above."""
    spec = resolved.deployment
    paper = spec.env.paper
    frame = Frame(
        "paper",
        start or paper.from_,
        end or paper.to,
        paper.cash,
        spec.fill,
        "raw",
        resolved.where("deployment", "env", "paper", "from"),
        as_of,
    )
    if frame.start > frame.end:
        raise SpecErrors(
            [
                SpecError(
                    "spec.range",
                    "the session ends before it starts",
                    where=frame.at,
                    expected="from <= to",
                    found=f"{frame.start} to {frame.end}",
                )
            ]
        )
    return _compile(resolved, catalog, frame, rulebook_hash, kernel_hash)


def _compile(
    resolved: ResolvedSpec,
    catalog: Catalog,
    frame: Frame,
    rulebook_hash: str,
    kernel_hash: str,
) -> BacktestPlan:
    decide = decision_instant(resolved)
    signal = signal_program(resolved, decide)
    where = conjunction(where_programs(resolved.universe, resolved.marks["universe"], decide))
    code = resolved.strategy.code
    lookback = max(
        1, signal.lookback if signal else 0, where.lookback if where else 0, code.sessions if code else 0
    )
    columns = [*(signal.columns if signal else ()), *(where.columns if where else ())]
    reported = reported_tables(columns)
    if code is not None:
        wanted = ["daily_basics", "fundamentals"]
        if code.style != "class":
            wanted += ["index_members", "index_weights"]
        present = (t for t in wanted if catalog.table(t, frame.as_of) is not None)
        reported = tuple(dict.fromkeys((*reported, *present)))
    states = table_states(resolved, catalog, frame, lookback, reported)
    pinned = tuple(PinnedTable(s.name, s.version, s.content_hash) for s in states)
    return BacktestPlan(
        name=resolved.name,
        mode=frame.mode,
        calendar=resolved.run.calendar,
        start=frame.start.isoformat(),
        end=frame.end.isoformat(),
        decide=decide,
        tables=pinned,
        universe=UniversePlan(members_of(resolved.universe, resolved.marks["universe"]), where),
        signal=signal,
        rebalance=_rebalance(resolved),
        construct=_construct(resolved),
        code=_entry(resolved),
        cost=_cost(resolved.cost),
        risk=_risk(resolved.risk, resolved),
        fill=_fill(frame.fill),
        prices=frame.prices,
        initial_cash=decimal_text(frame.cash),
        currency=resolved.run.currency,
        benchmark=BenchmarkPlan(resolved.run.benchmark),
        lookback=lookback,
        seed=resolved.run.seed,
        spec_fingerprint=resolved.fingerprint,
        rulebook_hash=rulebook_hash,
        kernel_hash=kernel_hash,
        assumptions=_assumptions(resolved, frame, states, decide),
        as_of=None if frame.as_of is None else frame.as_of.astimezone(UTC).isoformat(),
        profile=resolved.profile,
    )


def decision_instant(resolved: ResolvedSpec) -> Decide:
    """When the strategy decides; a platform's functions are called at every instant of a session."""
    strategy = resolved.strategy
    if strategy.code is not None:
        return strategy.code.instant if strategy.code.style == "class" else "each"
    return strategy.rebalance.decide if strategy.rebalance else "after_close"


def signal_program(resolved: ResolvedSpec, decide: str) -> Program | None:
    """The program that scores the names; None for a Python strategy. Raises SpecError."""
    strategy = resolved.strategy
    if strategy.signal is not None:
        part = f"factor/{strategy.signal}"
        return factor_program(resolved.factors[strategy.signal], resolved.marks[part], decide)
    if strategy.expr is not None:
        return formula_program(strategy, resolved.marks["strategy"], decide)
    return None


def _rebalance(resolved: ResolvedSpec) -> RebalancePlan:
    rule = resolved.strategy.rebalance
    return RebalancePlan(rule.every, rule.on) if rule else RebalancePlan("day", "last")


def _construct(resolved: ResolvedSpec) -> ConstructPlan | None:
    how = resolved.strategy.construct_
    if how is None:
        return None
    return ConstructPlan(
        method=how.method,
        top=how.top,
        max_weight=_text(how.max_weight),
        cash_buffer=decimal_text(how.cash_buffer),
        turnover_cap=_text(how.turnover_cap),
        long_only=how.long_only,
        quantity=how.quantity,
    )


def _entry(resolved: ResolvedSpec) -> StrategyEntry | None:
    code = resolved.strategy.code
    if code is None or resolved.code is None:
        return None
    params = {k: _parameter(v) for k, v in code.params.items()}
    return StrategyEntry(code.entry, params, resolved.code.digest, code.style, code.instant)


def _parameter(value: Any) -> Any:
    """A parameter of a Python strategy as plain JSON data; decimals become floats."""
    match value:
        case Decimal():
            return float(value)
        case list():
            return [_parameter(v) for v in value]
        case dict():
            return {str(k): _parameter(v) for k, v in value.items()}
        case _:
            return value


def _cost(cost: CostSpec) -> CostPlan:
    return CostPlan(
        commission_rate=decimal_text(cost.commission.rate),
        commission_min=decimal_text(cost.commission.min),
        stamp_rate=_text(cost.stamp.rate if cost.stamp else None),
        transfer_rate=_text(cost.transfer.rate if cost.transfer else None),
        rounding=cost.rounding,
        slippage_ticks=cost.slippage.ticks,
        dividend_tax=cost.dividend_tax,
    )


def _risk(risk: RiskSpec, resolved: ResolvedSpec) -> RiskPlan:
    limits, halt = risk.limits, risk.halt
    return RiskPlan(
        single_name=_text(limits.single_name),
        gross=_text(limits.gross),
        cash_min=_text(limits.cash_min),
        order_value_max=_text(limits.order_value),
        order_quantity_max=limits.order_quantity,
        forbidden=codes_of(risk.forbidden, resolved.where("risk", "forbidden")),
        daily_loss=_text(halt.daily_loss),
        max_drawdown=_text(halt.drawdown),
    )


def _fill(fill: Fill) -> FillPlan:
    return FillPlan(fill.at, _text(fill.participation), fill.locked, fill.on_insufficient_cash)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)


def _assumptions(
    resolved: ResolvedSpec, frame: Frame, states: list[TableState], decide: str
) -> tuple[str, ...]:
    facts = {key: value for state in states for key, value in state.facts.items()}
    present = {state.name for state in states}
    found = []
    if frame.prices == "adjusted":
        found.append("events.ignored")
    else:
        taxed = resolved.cost.dividend_tax == "rulebook"
        found.append("dividend_tax.cash" if taxed else "dividend_tax.ignored")
        if "corporate_actions" not in present:
            found.append("events.absent")
        elif "events" in facts:
            found.append("events.inferred")
    if "adjustment_factors" not in present:
        found.append("adjustment.absent")
    if "st_history" in facts:
        found.append("st_history.absent")
    found += dict.fromkeys(code for fact, code in _FROM_FACTS.items() if fact in facts)
    found.append("delisted.last_price")
    if resolved.run.benchmark == "equal_weighted":
        found.append("benchmark.equal_weighted")
    found.append(f"fill.{frame.fill.at}")
    if frame.fill.at != "open" and frame.fill.participation is None:
        found.append("fill.unlimited_volume")
    if decide in ("before_close", "after_open"):
        found.append(f"decide.{decide}")
    code = resolved.strategy.code
    if code is not None and code.style != "class":
        found.append(f"style.{code.style}")
    if "restatements" in facts:
        found.append("restatements.undated")
    found.append("knowledge.latest" if frame.as_of is None else "knowledge.as_of")
    return tuple(found)
