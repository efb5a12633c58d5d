"""SQL over the lake: one SELECT, tables pinned to versions, nothing written."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from quant.core.errors import UsageError
from quant.warehouse.engines.tables import QueryResult

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake

ENGINES = ("clickhouse", "duckdb")

__all__ = ["ENGINES", "QueryResult", "query"]


def query(
    sql: str, lake: Lake, versions: Mapping[str, int] | None = None, *, engine: str = "clickhouse"
) -> QueryResult:
    """Run one SELECT on an engine. Raises UsageError for bad SQL and unknown tables, columns, versions and
    engines, MissingComponent for an engine that is not installed.
    """
    if engine not in ENGINES:
        raise UsageError("sql.engine", f"no engine {engine!r}", expected=" or ".join(ENGINES), found=engine)
    result: QueryResult = import_module(f"{__name__}.{engine}").query(sql, lake, versions)
    return result
