"""A plan as a tree of lines: what ``--explain`` prints and what a reviewer reads."""

from __future__ import annotations

from dataclasses import dataclass

from quant.specs.compile.assumptions import describe_assumption
from quant.specs.compile.plan import BacktestPlan, ConstructPlan, CostPlan, RiskPlan
from quant.specs.expr.ops import OPCODES, Parameter
from quant.specs.expr.program import Instruction, Program

_STYLES = {"class": "", "joinquant": " (written for JoinQuant)", "ricequant": " (written for RiceQuant)"}
_ON = {"first": "first", "last": "last"}
_DECIDE = {
    "before_open": "before the open, on earlier sessions",
    "after_open": "at 09:30, when the open is known",
    "after_close": "after the close, on the whole bar",
    "before_close": "at 14:57, before the bar is known",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A line and the lines below it."""

    label: str
    children: tuple[Node, ...] = ()


def explain(plan: BacktestPlan) -> Node:
    """The plan from data to assumptions."""
    what = "backtest" if plan.mode == "backtest" else "paper session"
    return Node(
        f"{what} {plan.name}  {plan.start} to {plan.end}  plan {plan.fingerprint[:12]}",
        (
            _data(plan),
            _universe(plan),
            _decision(plan),
            *_orders(plan),
            _costs(plan.cost),
            _risk(plan.risk),
            Node(f"benchmark: {plan.benchmark.kind.replace('_', ' ')}"),
            _identity(plan),
            _assumptions(plan),
        ),
    )


def _data(plan: BacktestPlan) -> Node:
    tables = tuple(Node(f"{t.name}  version {t.version}  content {t.content_hash[:12]}") for t in plan.tables)
    known = f"as known at {plan.as_of}" if plan.as_of else "as known now"
    return Node(
        f"data: {plan.lookback} sessions before the start, {known}, profile {plan.profile or 'default'}",
        tables,
    )


def _universe(plan: BacktestPlan) -> Node:
    members = plan.universe.members
    if members == "all":
        label = "every instrument"
    elif isinstance(members, dict):
        label = "boards " + ", ".join(members["boards"])
    else:
        label = f"{len(members)} instruments: {', '.join(members[:5])}{' …' if len(members) > 5 else ''}"
    where = plan.universe.where
    return Node(f"universe: {label}", (program_node("where", where),) if where else ())


def _decision(plan: BacktestPlan) -> Node:
    code = plan.code
    when = f"decide {_DECIDE[code.decide if code is not None and plan.decide == 'each' else plan.decide]}"
    if plan.code is not None:
        params = tuple(Node(f"{k} = {v}") for k, v in sorted(plan.code.params.items()))
        return Node(
            f"strategy: {plan.code.entry}{_STYLES[plan.code.style]}, every session; {when}",
            (*params, Node(f"source {plan.code.source_hash[:12]}")),
        )
    rule = plan.rebalance
    every = _EVERY.get(rule.every) or f"on the {_ON[rule.on]} session of each {rule.every}"
    return Node(f"signal: {every}; {when}", (program_node("program", plan.signal),) if plan.signal else ())


def program_node(label: str, program: Program) -> Node:
    """A program, one line an instruction."""
    lines = tuple(
        Node(f"%{slot} = {_instruction(step, program)}{'  → result' if slot == program.output else ''}")
        for slot, step in enumerate(program.instructions)
    )
    text = " ".join(program.source.split())
    return Node(f"{label}: {text}  (looks back {program.lookback} sessions)", lines)


def _instruction(step: Instruction, program: Program) -> str:
    opcode = OPCODES[step.op]
    arguments = [f"%{a}" for a in step.args]
    if opcode.parameter is Parameter.COLUMN:
        arguments.append(program.columns[int(step.params[0])])
    elif opcode.parameter is not Parameter.NONE:
        arguments += [f"{p:g}" for p in step.params]
    return f"{step.op}({', '.join(arguments)})"


_EVERY = {"bar": "every bar", "day": "every session"}


def _orders(plan: BacktestPlan) -> tuple[Node, ...]:
    fill = plan.fill
    volume = f", at most {percent(fill.participation)} of the bar's volume" if fill.participation else ""
    decide = plan.code.decide if plan.code is not None and plan.decide == "each" else plan.decide
    session = "the next session's" if decide == "after_close" else "the same session's"
    filled = Node(
        f"fill: at {session} {fill.at}{volume}; price limits {fill.locked.replace('_', ' ')}; "
        f"short of cash: {fill.on_insufficient_cash}; {plan.prices} prices"
    )
    cash = Node(f"cash: {plan.initial_cash} {plan.currency}")
    return (_construct(plan.construct), filled, cash) if plan.construct else (filled, cash)


def _construct(how: ConstructPlan) -> Node:
    names = {
        "equal": f"the best {how.top} alike",
        "score": f"the best {how.top} by score",
        "threshold": "every name above 0 alike",
        "fixed": f"{how.quantity} shares of every name that rises above 0, until it is above 0 no more",
    }[how.method]
    parts = [names]
    if how.method != "fixed":
        parts.append(f"{percent(how.cash_buffer)} cash")
    if how.max_weight:
        parts.append(f"at most {percent(how.max_weight)} a name")
    if how.turnover_cap:
        parts.append(f"turnover at most {percent(how.turnover_cap)}")
    return Node("construct: " + ", ".join(parts))


def _costs(cost: CostPlan) -> Node:
    def rate(value: str | None) -> str:
        return percent(value) if value is not None else "as the dated rulebook says"

    return Node(
        f"costs: rounding {cost.rounding}, slippage {cost.slippage_ticks} ticks",
        (
            Node(f"commission {percent(cost.commission_rate)}, at least {cost.commission_min} an order"),
            Node(f"stamp duty {rate(cost.stamp_rate)}"),
            Node(f"transfer fee {rate(cost.transfer_rate)}"),
        ),
    )


def _risk(risk: RiskPlan) -> Node:
    rules = [
        ("one name at most", risk.single_name, True),
        ("gross at most", risk.gross, True),
        ("cash at least", risk.cash_min, True),
        ("order value at most", risk.order_value_max, False),
        ("order quantity at most", risk.order_quantity_max, False),
        ("halt on a daily loss of", risk.daily_loss, True),
        ("halt on a drawdown of", risk.max_drawdown, True),
    ]
    lines = [Node(f"{label} {percent(str(v)) if share else v}") for label, v, share in rules if v is not None]
    if risk.forbidden:
        lines.append(Node(f"never buy {', '.join(risk.forbidden)}"))
    return Node("risk:" if lines else "risk: no limits", tuple(lines))


def _identity(plan: BacktestPlan) -> Node:
    return Node(
        "identity",
        (
            Node(f"spec {plan.spec_fingerprint[:12]}"),
            Node(f"rulebook {plan.rulebook_hash[:12]}"),
            Node(f"kernel {plan.kernel_hash[:12]}"),
            Node(f"seed {plan.seed}"),
        ),
    )


def _assumptions(plan: BacktestPlan) -> Node:
    return Node(
        "assumptions", tuple(Node(f"{code}: {describe_assumption(code)}") for code in plan.assumptions)
    )


def percent(text: str) -> str:
    """A share as percent, exactly."""
    from decimal import Decimal

    from quant.core.hashing import decimal_text

    return f"{decimal_text(Decimal(text) * 100)}%"
