"""SQL over the lake: one SELECT, tables pinned to versions, nothing written.

``clickhouse`` (embedded) and ``duckdb`` read the lake's files at any version; ``server`` answers from the
copies that ``quant warehouse load`` put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from quant.core.errors import UsageError
from quant.warehouse.engines.tables import QueryResult

if TYPE_CHECKING:
    from quant.warehouse.engines.server import ServerSettings
    from quant.warehouse.lake import Lake

ENGINES = ("clickhouse", "duckdb", "server")

__all__ = ["ENGINES", "QueryResult", "query"]


def query(
    sql: str,
    lake: Lake,
    versions: Mapping[str, int] | None = None,
    *,
    engine: str = "clickhouse",
    server: ServerSettings | None = None,
) -> QueryResult:
    """Run one SELECT on an engine. Raises UsageError for bad SQL and unknown tables, columns, versions and
    engines, MissingComponent for an engine that is not installed, StateConflict for a table that the server
    does not hold.
    """
    if engine not in ENGINES:
        raise UsageError("sql.engine", f"no engine {engine!r}", expected=" or ".join(ENGINES), found=engine)
    if engine == "server":
        from quant.warehouse.engines.server import query as ask

        if server is None:
            raise UsageError(
                "server.missing", "no ClickHouse server is known", expected="clickhouse.url", found="none"
            )
        return ask(sql, lake, versions, settings=server)
    result: QueryResult = import_module(f"{__name__}.{engine}").query(sql, lake, versions)
    return result
