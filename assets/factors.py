"""Factors as assets: each stands below the golden tables that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import dagster as dg

from quant.assets.keys import factor_key, golden_key
from quant.warehouse.contracts.tables import contract


@dataclass(frozen=True, slots=True)
class DeclaredFactor:
    """A factor, and the golden tables among the workspace's that it reads."""

    name: str
    description: str
    expression: str
    tables: tuple[str, ...]


class Computed(Protocol):
    """What computing a factor tells."""

    rows: int
    first: date | None
    last: date | None
    coverage: float
    mean: float | None
    deviation: float | None
    version: int
    content_hash: str
    changed: bool


class FactorStore(Protocol):
    """Computes a factor over the newest tables and stores its values."""

    def __call__(self, name: str, /) -> Computed: ...


def build_factor_assets(factors: Sequence[DeclaredFactor]) -> list[dg.AssetsDefinition]:
    """One asset a factor."""
    return [_build(factor) for factor in factors]


def _build(factor: DeclaredFactor) -> dg.AssetsDefinition:
    @dg.asset(
        key=factor_key(factor.name),
        deps=[golden_key(table) for table in factor.tables],
        description=factor.description or f"Values of the factor {factor.name}.",
        group_name=contract("factor_values").group,
        kinds={"deltalake", "cplusplus"},
        owners=["team:research"],
        tags={"layer": "features"},
        metadata={"expression": dg.MetadataValue.md(f"```\n{factor.expression}\n```")},
        op_tags={"quant/factor": factor.name},
    )
    def compute(
        context: dg.AssetExecutionContext,
        factors: dg.ResourceParam[FactorStore],
    ) -> dg.MaterializeResult[Any]:
        stored = factors(factor.name)
        context.log.info(f"{factor.name}: {stored.rows} values")
        said = dg.DataVersion(stored.content_hash)
        return dg.MaterializeResult(metadata=_metadata(stored), data_version=said)

    return compute


def _metadata(stored: Computed) -> dict[str, Any]:
    found: dict[str, Any] = {
        "dagster/row_count": stored.rows,
        "coverage": round(stored.coverage, 6),
        "table_version": stored.version,
        "content_hash": stored.content_hash,
        "changed": stored.changed,
    }
    numbers = {"mean": stored.mean, "deviation": stored.deviation}
    found |= {name: value for name, value in numbers.items() if value is not None}
    days = {"first": stored.first, "last": stored.last}
    return found | {name: day.isoformat() for name, day in days.items() if day is not None}
