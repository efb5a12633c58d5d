"""Checking rows: pandera validates, the rules that a row broke name its reason.

pandera takes about a second to import: only the sync path imports this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from quant.core.errors import CheckFailed, InvariantBroken
from quant.warehouse.contracts.tables import ColumnContract, RowRule, TableContract, contract
from quant.warehouse.contracts.units import explained


@dataclass(frozen=True, slots=True)
class Verdict:
    """``good`` rows keep the contract; ``bad`` rows carry the columns ``rule`` and ``reason`` of the first
    rule they broke.
    """

    good: pl.DataFrame
    bad: pl.DataFrame

    @property
    def share(self) -> float:
        """Broken rows per row, 0 for no rows."""
        total = self.good.height + self.bad.height
        return self.bad.height / total if total else 0.0


@lru_cache(maxsize=32)
def pandera_schema(name: str) -> Any:
    """The pandera schema of a table: types, nulls, ranges, allowed values, row rules, unique key.

    It must be given eager frames: a lazy frame would only have its types checked.
    """
    table = contract(name)
    columns = {column.name: _pandera_column(column) for column in table.columns}
    checks = [_pandera_check(rule) for rule in table.rules]
    return pa.DataFrameSchema(
        columns, checks=checks, unique=list(table.key), strict=True, ordered=True, name=name
    )


def check(table: TableContract, frame: pl.DataFrame, carry: tuple[str, ...] = ()) -> Verdict:
    """Split ``frame`` by the contract. Of rows that say the same, one is kept; of different rows with one
    key the first. ``carry`` names columns that are passed through and not checked.

    Raises CheckFailed ``contract.schema`` when columns or types differ, which no row can be blamed for.
    """
    if frame.select(table.key).is_duplicated().any():
        frame = frame.unique(subset=list(table.content), keep="first", maintain_order=True)
    if _passes(table, frame.drop(carry)):
        return Verdict(frame, _no_rows(frame))
    verdict = _split(table, frame)
    if not _passes(table, verdict.good.drop(carry)):
        raise InvariantBroken(
            "contract.split", f"rows of {table.name} break their contract in a way no rule names"
        )
    return verdict


def _passes(table: TableContract, frame: pl.DataFrame) -> bool:
    try:
        pandera_schema(table.name).validate(frame, lazy=True)
    except SchemaErrors as errors:
        _refuse_wrong_schema(table, frame)
        if errors.failure_cases is None or not len(errors.failure_cases):
            raise
        return False
    return True


def _refuse_wrong_schema(table: TableContract, frame: pl.DataFrame) -> None:
    found, expected = dict(frame.schema), table.schema
    if found != expected or list(found) != list(expected):
        wrong = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
        raise CheckFailed(
            "contract.schema",
            f"{table.name}: columns or types differ: {', '.join(wrong)}",
            expected=", ".join(f"{n} {expected.get(n, 'absent')}" for n in wrong),
            found=", ".join(f"{n} {found.get(n, 'absent')}" for n in wrong),
        )


def _split(table: TableContract, frame: pl.DataFrame) -> Verdict:
    rule, reason = pl.lit(None, pl.String), pl.lit(None, pl.String)
    for broken in reversed(_all_rules(table)):
        fails = ~broken.expression.fill_null(value=True)
        rule = pl.when(fails).then(pl.lit(broken.name)).otherwise(rule)
        reason = pl.when(fails).then(pl.lit(broken.reason)).otherwise(reason)
    marked = frame.with_columns(rule=rule, reason=reason)
    return Verdict(
        marked.filter(pl.col("rule").is_null()).drop("rule", "reason"),
        explained(marked.filter(pl.col("rule").is_not_null())),
    )


def _all_rules(table: TableContract) -> list[RowRule]:
    rules = [rule for column in table.columns for rule in _column_rules(column)]
    rules += table.rules
    key = ", ".join(table.key)
    rules.append(
        RowRule("key.unique", f"a second row with the same {key}", pl.struct(table.key).is_first_distinct())
    )
    return rules


def _column_rules(column: ColumnContract) -> list[RowRule]:
    value, name = pl.col(column.name), column.name
    rules = []
    if not column.nullable:
        rules.append(RowRule(f"{name}.null", f"{name} must be given", value.is_not_null()))
    if column.low is not None:
        rules.append(RowRule(f"{name}.low", f"{name} must be at least {column.low:g}", value >= column.low))
    if column.high is not None:
        rules.append(RowRule(f"{name}.high", f"{name} must be at most {column.high:g}", value <= column.high))
    if column.values:
        rules.append(
            RowRule(
                f"{name}.value",
                f"{name} must be one of {', '.join(column.values)}",
                value.is_in(list(column.values)),
            )
        )
    return rules


def _pandera_column(column: ColumnContract) -> Any:
    checks = [_pandera_check(rule) for rule in _column_rules(column) if not rule.name.endswith(".null")]
    return pa.Column(column.dtype, checks=checks, nullable=column.nullable)


def _pandera_check(rule: RowRule) -> Any:
    expression = rule.expression.fill_null(value=True)
    return pa.Check(
        lambda data: data.lazyframe.select(expression.alias("ok")), name=rule.name, error=rule.reason
    )


def _no_rows(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.clear().with_columns(rule=pl.lit(None, pl.String), reason=pl.lit(None, pl.String))
