"""The fingerprint of a spec's meaning: two texts that mean the same have the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from quant.core.hashing import fingerprint
from quant.specs.document import API_VERSION
from quant.specs.schema import (
    BacktestSpec,
    CostSpec,
    DeploymentSpec,
    FactorSpec,
    RiskSpec,
    StrategySpec,
    UniverseSpec,
)
from quant.specs.schema.model import Header

_IDENTITY = {"api_version", "name", "description", "kind", "defaults"}
_COMMENT = re.compile(r"#[^\n]*")
_SPACE = re.compile(r"[ \t\r]+")


def expression_text(text: str) -> str:
    """An expression without comments and blanks, one statement a line."""
    lines = (_SPACE.sub("", line) for line in _COMMENT.sub("", text).split("\n"))
    return "\n".join(line for line in lines if line)


def meaning(model: Header) -> dict[str, Any]:
    """Plain data that says what a document means: defaults explicit, names and descriptions left out,
    collections without an order sorted."""
    exclude = _IDENTITY if model.kind != "project" else _IDENTITY - {"defaults"}
    body = model.model_dump(exclude=exclude)
    if isinstance(model, (FactorSpec, StrategySpec)) and model.expr is not None:
        body["expr"] = expression_text(model.expr)
    if isinstance(model, UniverseSpec):
        body["where"] = sorted(expression_text(w) for w in model.where)
        if isinstance(model.members, list):
            body["members"] = sorted(model.members)
    if isinstance(model, RiskSpec):
        body["forbidden"] = sorted(model.forbidden)
    if isinstance(model, (BacktestSpec, DeploymentSpec)):
        body.pop("params")
    if body.get("as_of", 0) is None:
        body.pop("as_of")
    return {"apiVersion": API_VERSION, "kind": model.kind, **body}


def meaning_of_graph(
    run: Header,
    strategy: StrategySpec,
    universe: UniverseSpec,
    cost: CostSpec,
    risk: RiskSpec,
    factors: Mapping[str, FactorSpec],
    code: str | None,
) -> str:
    """The fingerprint of a run: the documents it names count with their meaning, not their name."""
    body = meaning(run)
    body.pop("use")
    plan = meaning(strategy)
    if strategy.signal is not None:
        plan["signal"] = meaning(factors[strategy.signal])
    return fingerprint(
        {
            "run": body,
            "strategy": plan,
            "universe": meaning(universe),
            "cost": meaning(cost),
            "risk": meaning(risk),
            "code": code,
        }
    )
