"""A resolved spec and a catalog become a plan. Nothing is fetched: missing data is an error that says how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from quant.core.errors import Location, QuantError, SpecError, SpecErrors
from quant.core.hashing import decimal_text
from quant.core.ids import parse_code
from quant.core.market.calendar import calendar
from quant.specs.compile.catalog import Catalog, TableState
from quant.specs.compile.plan import (
    BacktestPlan,
    BenchmarkPlan,
    ConstructPlan,
    CostPlan,
    FillPlan,
    Members,
    PinnedTable,
    RebalancePlan,
    RiskPlan,
    StrategyEntry,
    UniversePlan,
)
from quant.specs.compile.programs import conjunction, factor_program, formula_program, where_programs
from quant.specs.expr.program import Program
from quant.specs.resolution import ResolvedSpec
from quant.specs.schema import CostSpec, FilesSource, RiskSpec
from quant.specs.schema.research import Boards
from quant.specs.schema.trading import Fill

TABLES = ("instruments", "instrument_attributes", "bars_1d", "adjustment_factors", "corporate_actions")
DAILY = ("bars_1d", "adjustment_factors")
_FROM_FACTS = {
    "survivorship": "delistings.absent",
    "limits": "limits.derived",
    "suspensions": "suspensions.derived",
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a backtest and a session state in different places."""

    mode: Literal["backtest", "paper"]
    start: date
    end: date
    cash: Decimal
    fill: Fill
    prices: Literal["raw", "adjusted"]
    at: Location


def compile_backtest(
    resolved: ResolvedSpec,
    catalog: Catalog,
    *,
    rulebook_hash: str,
    kernel_hash: str,
    as_of: datetime | None = None,
) -> BacktestPlan:
    """The plan of a backtest over the newest tables.

    Raises SpecErrors: look-ahead, or ``data.missing`` with the command that fetches what is missing.
    """
    spec = resolved.backtest
    frame = _Frame(
        "backtest",
        spec.range.from_,
        spec.range.to,
        spec.cash,
        spec.fill,
        spec.prices,
        resolved.where("backtest", "range"),
    )
    return _compile(resolved, catalog, frame, rulebook_hash, kernel_hash, as_of)


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
    frame = _Frame(
        "paper",
        start or paper.from_,
        end or paper.to,
        paper.cash,
        spec.fill,
        "raw",
        resolved.where("deployment", "env", "paper", "from"),
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
    return _compile(resolved, catalog, frame, rulebook_hash, kernel_hash, as_of)


def _compile(
    resolved: ResolvedSpec,
    catalog: Catalog,
    frame: _Frame,
    rulebook_hash: str,
    kernel_hash: str,
    as_of: datetime | None,
) -> BacktestPlan:
    if as_of is not None:
        raise _knowledge_time(as_of)
    decide = decision_instant(resolved)
    signal = signal_program(resolved, decide)
    where = conjunction(where_programs(resolved.universe, resolved.marks["universe"], decide))
    code = resolved.strategy.code
    lookback = max(
        1, signal.lookback if signal else 0, where.lookback if where else 0, code.lookback if code else 0
    )
    states = _states(resolved, catalog, frame, lookback)
    pinned = tuple(PinnedTable(s.name, s.version, s.content_hash) for s in states)
    return BacktestPlan(
        name=resolved.name,
        mode=frame.mode,
        calendar=resolved.run.calendar,
        start=frame.start.isoformat(),
        end=frame.end.isoformat(),
        decide=decide,
        tables=pinned,
        universe=UniversePlan(_members(resolved), where),
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
        profile=resolved.profile,
    )


def _knowledge_time(as_of: datetime) -> SpecErrors:
    return SpecErrors(
        [
            SpecError(
                "spec.unenforced",
                "a knowledge time is not enforced by this version",
                where=Location("<as_of>"),
                expected="no as_of: runs use the newest tables and pin their versions",
                found=as_of.isoformat(),
                hint="replay an earlier run to use the versions it pinned",
            )
        ]
    )


def decision_instant(resolved: ResolvedSpec) -> Literal["after_close", "before_close"]:
    """When the strategy decides."""
    strategy = resolved.strategy
    if strategy.code is not None:
        return strategy.code.decide
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


def _states(resolved: ResolvedSpec, catalog: Catalog, frame: _Frame, lookback: int) -> list[TableState]:
    """The tables the run reads. Raises SpecErrors naming the command that completes them."""
    dates = calendar(resolved.run.calendar)
    try:
        first = dates.offset(frame.start, -lookback)
    except QuantError:
        raise SpecErrors(
            [
                SpecError(
                    "spec.range",
                    f"the run needs {lookback} sessions before its start, before the calendar begins",
                    where=frame.at,
                    expected=f"a start after {dates.first}",
                    found=str(frame.start),
                )
            ]
        ) from None
    needed = [n for n in TABLES if n != "corporate_actions" or frame.prices == "raw"]
    states, missing = [], []
    sessions = dates.sessions(frame.start, frame.end)
    last = sessions[-1] if sessions else frame.end
    for name in needed:
        state = catalog.table(name)
        if state is None:
            if name in ("bars_1d", "instruments") or offers(resolved, name):
                missing.append((name, "never fetched"))
            continue
        states.append(state)
        if name in DAILY and not _covers(state, first, last):
            missing.append((name, f"{state.start} to {state.end}"))
    if missing:
        raise SpecErrors([_missing(missing, len(needed), first, frame, lookback, resolved)])
    return states


def offers(resolved: ResolvedSpec, table: str) -> bool:
    """Whether a source of the table can fill it; what none can fill is left out and said to be assumed."""
    spec = resolved.tables.get(table)
    if spec is None:
        return False
    found = [s for n in spec.from_ or () if (s := resolved.sources.get(n)) is not None]
    return any(
        not isinstance(source, FilesSource)
        or spec.dataset in source.datasets
        or (spec.dataset == "corporate_actions" and source.infer_events)
        for source in found
    )


def _covers(state: TableState, first: date, last: date) -> bool:
    return state.start is not None and state.end is not None and state.start <= first and state.end >= last


def _missing(
    missing: list[tuple[str, str]],
    needed: int,
    first: date,
    frame: _Frame,
    lookback: int,
    resolved: ResolvedSpec,
) -> SpecError:
    """One error with the one command that fetches everything the run lacks."""
    names = [n for n, _ in missing]
    words = ["quant data sync", *(names if len(names) < needed else [])]
    words.append(f"--start {first} --end {frame.end}")
    if resolved.profile != resolved.default_profile:
        words.append(f"--profile {resolved.profile}")
    return SpecError(
        "data.missing",
        f"data are missing: {', '.join(names)}",
        where=frame.at,
        expected=f"sessions from {first} ({lookback} before the start) to {frame.end}; "
        "a later start needs less",
        found="; ".join(f"{n}: {have}" for n, have in missing),
        hint=" ".join(words),
    )


def _codes(written: Iterable[str], where: Location) -> tuple[str, ...]:
    found = []
    for text in written:
        try:
            found.append(str(parse_code(text)))
        except QuantError as error:
            raise SpecErrors(
                [SpecError("spec.value", str(error), where=where, found=text, expected="a code as 600519.SH")]
            ) from error
    return tuple(sorted(set(found)))


def _members(resolved: ResolvedSpec) -> Members:
    members = resolved.universe.members
    if isinstance(members, Boards):
        return {"boards": tuple(sorted(set(members.boards)))}
    if isinstance(members, list):
        return _codes(members, resolved.where("universe", "members"))
    return "all"


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
    )


def _entry(resolved: ResolvedSpec) -> StrategyEntry | None:
    code = resolved.strategy.code
    if code is None or resolved.code is None:
        return None
    return StrategyEntry(code.entry, {k: _parameter(v) for k, v in code.params.items()}, resolved.code.digest)


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
    )


def _risk(risk: RiskSpec, resolved: ResolvedSpec) -> RiskPlan:
    limits, halt = risk.limits, risk.halt
    return RiskPlan(
        single_name=_text(limits.single_name),
        gross=_text(limits.gross),
        cash_min=_text(limits.cash_min),
        order_value_max=_text(limits.order_value),
        order_quantity_max=limits.order_quantity,
        forbidden=_codes(risk.forbidden, resolved.where("risk", "forbidden")),
        daily_loss=_text(halt.daily_loss),
        max_drawdown=_text(halt.drawdown),
    )


def _fill(fill: Fill) -> FillPlan:
    return FillPlan(fill.at, _text(fill.participation), fill.locked, fill.on_insufficient_cash)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)


def _assumptions(
    resolved: ResolvedSpec, frame: _Frame, states: list[TableState], decide: str
) -> tuple[str, ...]:
    facts = {key: value for state in states for key, value in state.facts.items()}
    present = {state.name for state in states}
    found = []
    if frame.prices == "adjusted":
        found.append("events.ignored")
    else:
        found.append("dividend_tax.ignored")
        if "corporate_actions" not in present:
            found.append("events.absent")
        elif "events" in facts:
            found.append("events.inferred")
    if "adjustment_factors" not in present:
        found.append("adjustment.absent")
    if "st_history" in facts or "instrument_attributes" not in present:
        found.append("st_history.absent")
    found += [code for fact, code in _FROM_FACTS.items() if fact in facts]
    if resolved.run.benchmark == "equal_weighted":
        found.append("benchmark.equal_weighted")
    found.append(f"fill.{frame.fill.at}")
    if frame.fill.at != "open" and frame.fill.participation is None:
        found.append("fill.unlimited_volume")
    if decide == "before_close":
        found.append("decide.before_close")
    found.append("knowledge.latest")
    return tuple(found)
