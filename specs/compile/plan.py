"""The plan of a backtest or paper session: pure data with a fingerprint and an exact JSON form.

Fractions, rates and money are decimal texts, dates ISO texts; nothing here depends on the machine but the
local version numbers of tables, and those do not count in the fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from quant.core.errors import SpecError, StateConflict
from quant.core.hashing import fingerprint
from quant.core.versions import PLAN_FORMAT
from quant.specs.expr.program import Program

Decide: TypeAlias = Literal["before_open", "after_open", "before_close", "after_close", "each"]
"""When a strategy is asked; each: at every instant of a session, as a platform's functions are."""
Members: TypeAlias = "Literal['all'] | tuple[str, ...] | dict[str, tuple[str, ...]]"


@dataclass(frozen=True, slots=True)
class PinnedTable:
    """A table as the run reads it; ``version`` is local, ``content_hash`` is not."""

    name: str
    version: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class UniversePlan:
    """``members``: "all", codes, or ``{"boards": (…)}``; ``where`` must be 1 for a name to be eligible."""

    members: Members
    where: Program | None = None


@dataclass(frozen=True, slots=True)
class RebalancePlan:
    every: Literal["bar", "day", "week", "month"]
    on: Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class ConstructPlan:
    method: Literal["equal", "score", "threshold", "fixed"]
    top: int | None
    max_weight: str | None
    cash_buffer: str
    turnover_cap: str | None
    long_only: bool = True
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class StrategyEntry:
    """A Python strategy: ``module:Class``, its parameters, and the digest of its source text.

    With another ``style`` the entry is a module of functions, and ``decide`` is when the main one is called.
    """

    entry: str
    params: dict[str, Any]
    source_hash: str
    style: Literal["class", "joinquant", "ricequant"] = "class"
    decide: Decide = "after_close"


@dataclass(frozen=True, slots=True)
class CostPlan:
    """``None`` for a rate means the dated rulebook's."""

    commission_rate: str
    commission_min: str
    stamp_rate: str | None
    transfer_rate: str | None
    rounding: Literal["cent", "none"]
    slippage_ticks: int
    dividend_tax: Literal["rulebook", "none"] = "rulebook"


@dataclass(frozen=True, slots=True)
class RiskPlan:
    """Fractions of net asset value; ``order_value_max`` in yuan; ``None`` means no limit."""

    single_name: str | None
    gross: str | None
    cash_min: str | None
    order_value_max: str | None
    order_quantity_max: int | None
    forbidden: tuple[str, ...]
    daily_loss: str | None
    max_drawdown: str | None


@dataclass(frozen=True, slots=True)
class FillPlan:
    at: Literal["open", "close", "vwap"]
    participation: str | None
    locked: Literal["by_side", "by_target"]
    on_insufficient_cash: Literal["reduce", "reject", "overdraft"]


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    kind: Literal["equal_weighted", "none"]


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """Everything a run does. ``lookback`` is the number of sessions read before ``start``."""

    name: str
    mode: Literal["backtest", "paper"]
    calendar: str
    start: str
    end: str
    decide: Decide
    tables: tuple[PinnedTable, ...]
    universe: UniversePlan
    signal: Program | None
    rebalance: RebalancePlan
    construct: ConstructPlan | None
    code: StrategyEntry | None
    cost: CostPlan
    risk: RiskPlan
    fill: FillPlan
    prices: Literal["raw", "adjusted"]
    initial_cash: str
    currency: str
    benchmark: BenchmarkPlan
    lookback: int
    seed: int
    spec_fingerprint: str
    rulebook_hash: str
    kernel_hash: str
    assumptions: tuple[str, ...]
    as_of: str | None = None
    profile: str = ""
    format: int = PLAN_FORMAT

    @property
    def knowledge_time(self) -> datetime | None:
        """``as_of`` as an instant; None for the newest tables."""
        return None if self.as_of is None else datetime.fromisoformat(self.as_of)

    @property
    def fingerprint(self) -> str:
        """Of everything but the name, the profile's name and local table versions."""
        body = self.to_dict()
        for key in ("name", "profile"):
            del body[key]
        for table in body["tables"]:
            del table["version"]
        for program in (body["signal"], body["universe"]["where"]):
            if program is not None:
                del program["source"]
        return fingerprint(body)

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = _plain(self)
        return plain

    def to_json(self) -> str:
        """Readable JSON; ``from_json`` gives an equal plan."""
        return (
            json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False) + "\n"
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> BacktestPlan:
        """Read a plan. Raises StateConflict for a newer format and SpecError for anything that is no plan."""
        try:
            body = json.loads(text)
            version = body.get("format")
            if isinstance(version, int) and version > PLAN_FORMAT:
                raise StateConflict(
                    "plan.newer",
                    "this plan was made by a newer quant",
                    expected=f"format <= {PLAN_FORMAT}",
                    found=str(version),
                    hint="install the newer version: pip install -U quant-toolkit",
                )
            return cls(**{k: _READ.get(k, _same)(v) for k, v in body.items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SpecError(
                "plan.invalid", f"not a plan: {error}", expected=f"a plan of format {PLAN_FORMAT}"
            ) from error


def _plain(value: Any) -> Any:
    match value:
        case Program():
            return value.to_dict()
        case tuple() | list():
            return [_plain(v) for v in value]
        case Mapping():
            return {k: _plain(v) for k, v in value.items()}
        case _ if is_dataclass(value):
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            return value


def _same(value: Any) -> Any:
    return value


def _program(value: Any) -> Program | None:
    return None if value is None else Program.from_dict(value)


def _universe(value: dict[str, Any]) -> UniversePlan:
    members = value["members"]
    if isinstance(members, list):
        members = tuple(members)
    elif isinstance(members, dict):
        members = {k: tuple(v) for k, v in members.items()}
    return UniversePlan(members, _program(value["where"]))


def _risk(value: dict[str, Any]) -> RiskPlan:
    return RiskPlan(**{**value, "forbidden": tuple(value["forbidden"])})


_READ: dict[str, Callable[[Any], Any]] = {
    "tables": lambda v: tuple(PinnedTable(**t) for t in v),
    "universe": _universe,
    "signal": _program,
    "rebalance": lambda v: RebalancePlan(**v),
    "construct": lambda v: None if v is None else ConstructPlan(**v),
    "code": lambda v: None if v is None else StrategyEntry(**v),
    "cost": lambda v: CostPlan(**v),
    "risk": _risk,
    "fill": lambda v: FillPlan(**v),
    "benchmark": lambda v: BenchmarkPlan(**v),
    "assumptions": tuple,
}
