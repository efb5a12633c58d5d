"""Factors over the lake's newest tables: their values, and which tables they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from quant.core.errors import CheckFailed, QuantError, SpecErrors, UsageError
from quant.core.hashing import fingerprint
from quant.core.market.calendar import calendar
from quant.core.market.instrument import LISTED
from quant.core.time import to_datetime, utc_now
from quant.native.factor import evaluate
from quant.research.columns import PanelColumns
from quant.research.panel import load_panel

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.specs.expr.program import Program
    from quant.warehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class WorkspaceFactor:
    """A factor that the workspace can name, and the golden tables that it reads."""

    name: str
    description: str
    expression: str
    program: Program
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredFactor:
    """A factor's table after it was computed. ``coverage`` is the share of listed names that have a value."""

    name: str
    rows: int
    first: date | None
    last: date | None
    coverage: float
    mean: float | None
    deviation: float | None
    version: int
    content_hash: str
    changed: bool
    inputs: Mapping[str, int]
    """The versions of the golden tables that it was computed from."""


def workspace_factors(desk: Workspace) -> list[WorkspaceFactor]:
    """Every factor of the workspace and the shipped library that compiles; lint says why another does not."""
    from quant.specs.compile.programs import factor_program
    from quant.specs.registry import load_workspace
    from quant.specs.schema import FactorSpec
    from quant.specs.validate import validate

    found = []
    for document in load_workspace(desk.root).of("factor"):
        model, _ = validate(document.kind, document.tree, document.marks)
        if not isinstance(model, FactorSpec):
            continue
        try:
            program = factor_program(model, document.marks, "after_close")
        except QuantError:
            continue
        tables = _tables(program, adjusted=model.price != "raw")
        found.append(WorkspaceFactor(model.name, model.description, model.expr.strip(), program, tables))
    return found


def _tables(program: Program, *, adjusted: bool) -> tuple[str, ...]:
    """The golden tables that hold what a program loads, in the order in which they are filled."""
    from quant.specs.compile import reported_tables
    from quant.warehouse.contracts.tables import datasets

    named = {column.lstrip("$") for column in program.columns}
    found = {"instruments", "bars_1d"} | ({"adjustment_factors"} if adjusted else set())
    found |= {t.name for t in datasets() if t.group == "bars" and named & set(t.names)}
    found |= set(reported_tables(named))
    return tuple(t.name for t in datasets() if t.name in found)


def store_factor(desk: Workspace, name: str) -> StoredFactor:
    """Compute a factor over all bars that are stored and keep its values in the lake, in one commit.

    Raises UsageError for an unknown factor, CheckFailed ``data.missing`` without bars.
    """
    from quant.warehouse.contracts.tables import contract
    from quant.warehouse.lake import Lake
    from quant.warehouse.lake.layout import table_ref

    factor = next((f for f in workspace_factors(desk) if f.name == name), None)
    if factor is None:
        raise UsageError("factor.unknown", f"no factor {name!r} that compiles", hint="quant spec lint")
    lake = Lake(desk.lake)
    with lake.lock.hold(f"factor {name}"):
        inputs = {table: version for table in factor.tables if (version := lake.version(table)) is not None}
        values = factor_values(desk, name)
        rows = _as_rows(lake, factor, values)
        ref, target = table_ref("factor_values", source=name), contract("factor_values")
        state = lake.read("bars_1d", columns=["session"])["session"]
        first, last = state.min(), state.max()
        assert isinstance(first, date) and isinstance(last, date), "factor_values refuses an empty lake"
        kept = [day for day in _kept(lake, name) if day is not None]
        begin, end = min([first, *kept]), max([last, *kept])
        written = lake.write_interval(ref, rows.select(target.names), begin, end, note={"quant": "factor"})
        digest = lake.content_hash("factor_values", source=name)
    finite = rows["value"]
    return StoredFactor(
        name,
        rows.height,
        first,
        last,
        rows.height / state.len() if state.len() else 0.0,
        finite.mean() if rows.height else None,  # type: ignore[arg-type]
        finite.std() if rows.height else None,  # type: ignore[arg-type]
        written.version,
        digest,
        written.changed,
        inputs,
    )


def _kept(lake: Lake, name: str) -> tuple[date | None, date | None]:
    """First and last session of the values that are stored now."""
    days = lake.read("factor_values", source=name, columns=["session"])["session"]
    return days.min(), days.max()  # type: ignore[return-value]


def _as_rows(lake: Lake, factor: WorkspaceFactor, values: pl.DataFrame) -> pl.DataFrame:
    """Values as the contract has them: ids, and the close of the session from which they are known."""
    bars = lake.read("bars_1d", columns=["instrument_id", "session", "ts"])
    ids = lake.read("instruments", columns=["instrument_id", "code"])
    return (
        values.filter(pl.col("value").is_finite())
        .join(ids, on="code", how="inner")
        .join(bars, on=["instrument_id", "session"], how="inner")
        .with_columns(
            pl.lit(fingerprint(factor.program.to_dict())).alias("program"),
            pl.col("ts").alias("known_at"),
            pl.lit(to_datetime(utc_now())).cast(pl.Datetime("us", "UTC")).alias("recorded_at"),
            pl.lit(factor.name).alias("source"),
            pl.lit("").alias("payload"),
        )
    )


def factor_values(
    desk: Workspace, name: str, *, start: date | None = None, end: date | None = None
) -> pl.DataFrame:
    """``session, code, value`` of a factor of the workspace, lookback loaded before ``start``."""
    from quant.specs.compile.programs import factor_program
    from quant.specs.registry import load_workspace
    from quant.specs.schema import FactorSpec
    from quant.specs.validate import validate
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.lake import Lake

    document = load_workspace(desk.root).get("factor", name)
    spec, faults = validate("factor", document.tree, document.marks)
    if not isinstance(spec, FactorSpec):
        raise SpecErrors(faults)
    lake = Lake(desk.lake)
    state = DeltaCatalog(lake).table("bars_1d")
    if state is None or state.start is None or state.end is None:
        raise CheckFailed("data.missing", "the lake has no bars yet", hint="quant data sync bars_1d")
    program = factor_program(spec, document.marks, "after_close")
    dates = calendar("XSHG")
    first, last = max(start or state.start, state.start), min(end or state.end, state.end)
    begin = max(dates.offset(first, -program.lookback) if program.lookback else first, dates.first)
    panel = load_panel(lake, dates, begin, last)
    rows = np.flatnonzero(np.array([d >= first for d in panel.sessions])).astype(np.int32)
    values = evaluate(program, PanelColumns(panel), mask=np.ascontiguousarray(panel.has(LISTED)), rows=rows)
    t, s = np.nonzero(~np.isnan(values))
    sessions = np.array(panel.sessions, dtype="datetime64[D]")[rows[t]]
    return pl.DataFrame(
        {
            "session": pl.Series(sessions).cast(pl.Date),
            "code": [panel.codes[i] for i in s],
            "value": values[t, s],
        }
    )
