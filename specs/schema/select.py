"""Which model describes a document, and which keys may stand at a place in it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from quant.specs.document import Path
from quant.specs.schema.computed import EventsSource
from quant.specs.schema.data import SimulatedSource
from quant.specs.schema.files import FilesSource
from quant.specs.schema.model import Header, Part
from quant.specs.schema.project import ProjectSpec
from quant.specs.schema.research import FactorSpec, StrategySpec, UniverseSpec
from quant.specs.schema.tables import TableSpec
from quant.specs.schema.trading import BacktestSpec, CostSpec, DeploymentSpec, RiskSpec
from quant.specs.schema.vendors import (
    AkshareSource,
    BaostockSource,
    CcxtSource,
    JoinQuantSource,
    TushareSource,
)

PROVIDERS: Mapping[str, type[Header]] = {
    "simulated": SimulatedSource,
    "files": FilesSource,
    "events": EventsSource,
    "tushare": TushareSource,
    "jqdatasdk": JoinQuantSource,
    "baostock": BaostockSource,
    "akshare": AkshareSource,
    "ccxt": CcxtSource,
}
_MODELS: Mapping[str, type[Header]] = {
    "project": ProjectSpec,
    "table": TableSpec,
    "universe": UniverseSpec,
    "factor": FactorSpec,
    "strategy": StrategySpec,
    "cost": CostSpec,
    "risk": RiskSpec,
    "backtest": BacktestSpec,
    "deployment": DeploymentSpec,
}


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One key that may stand at a place."""

    name: str
    required: bool
    description: str


def models() -> dict[str, tuple[type[Header], ...]]:
    """The models of each kind; a source has one for each provider."""
    return {
        "project": (ProjectSpec,),
        "source": tuple(PROVIDERS.values()),
        **{kind: (model,) for kind, model in _MODELS.items() if kind != "project"},
    }


def model_for(kind: str, tree: Mapping[str, Any]) -> type[Header] | None:
    """The model of a document; None when its provider is not known."""
    if kind == "source":
        provider = tree.get("provider")
        return PROVIDERS.get(provider) if isinstance(provider, str) else None
    return _MODELS[kind]


def key_of(name: str, alias: str | None) -> str:
    """The key of a field as it is written in a spec."""
    return alias or name


def fields_at(model: type[BaseModel], path: Path) -> list[FieldInfo] | None:
    """The keys that may stand in the mapping at ``path``; None where any key may, or none."""
    found = part_at(model, path)
    if found is None:
        return None
    words = descriptions(found)
    return [
        FieldInfo(key_of(n, f.alias), f.is_required(), words.get(n, ""))
        for n, f in found.model_fields.items()
    ]


@cache
def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What each field means: the text below it in the source. Read only when somebody asks, since reading
    source at import time would cost every command a tenth of a second."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not (issubclass(owner, Part)):
            continue
        body = _class_body(owner)
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                match text:
                    case ast.Expr(value=ast.Constant(value=str() as words)):
                        found[field.target.id] = " ".join(words.split())
    return found


def _class_body(owner: type) -> list[ast.stmt]:
    for node in _module(owner.__module__).body:
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__:
            return node.body
    return []


@cache
def _module(name: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[name]))


def part_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model of the mapping at ``path``."""
    current: Any = model
    for step in path:
        current = _step(current, step)
        if current is None:
            return None
    return _part(current)


def _part(annotation: Any) -> type[BaseModel] | None:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, Part):
            return option
    return None


def _options(annotation: Any) -> list[Any]:
    """The members of a union, without their annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [o for a in get_args(annotation) for o in _options(a)]
    return [annotation]


def _step(annotation: Any, step: str | int) -> Any:
    for option in _options(annotation):
        origin = get_origin(option)
        if origin is list and isinstance(step, int):
            return get_args(option)[0]
        if origin is dict:
            return get_args(option)[1]
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, field in option.model_fields.items():
                if step == key_of(name, field.alias):
                    return field.annotation
    return None


def choices_at(model: type[BaseModel], path: Path) -> list[str]:
    """The words allowed at ``path``, where only certain words are."""
    current: Any = model
    for step in path:
        current = _step(current, step)
        if current is None:
            return []
    return [str(a) for o in _options(current) if get_origin(o) is Literal for a in get_args(o)]
