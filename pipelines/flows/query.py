"""``quant data sql`` and the quarantine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quant.core.errors import UsageError

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace

ENGINES = ("clickhouse", "duckdb")


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a query and what they were read from."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    versions: dict[str, int]
    engine: str
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "columns": list(self.columns),
            "rows": [[_plain(c) for c in row] for row in self.rows],
            "versions": self.versions,
            "engine": self.engine,
            "seconds": round(self.seconds, 6),
        }


def _plain(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, bool | int | str) or cell == cell else None


def run_query(desk: Workspace, sql: str, *, engine: str = "clickhouse", at: Sequence[str] = ()) -> Answer:
    """One SELECT over the lake; ``at`` pins tables as ``bars_1d=12``."""
    from quant.warehouse.lake import Lake

    if engine not in ENGINES:
        raise UsageError("sql.engine", f"no engine {engine!r}", expected=" or ".join(ENGINES), found=engine)
    if engine == "clickhouse":
        from quant.warehouse.engines.clickhouse import query
    else:
        from quant.warehouse.engines.duckdb import query
    began = time.perf_counter()
    result = query(sql, Lake(desk.lake), _versions(at))
    table = result.table
    columns = table.to_pydict()
    rows = list(zip(*columns.values(), strict=True)) if columns else []
    return Answer(tuple(table.column_names), rows, dict(result.versions), engine, time.perf_counter() - began)


def _versions(at: Sequence[str]) -> dict[str, int]:
    pinned: dict[str, int] = {}
    for text in at:
        name, sign, version = text.partition("=")
        if not sign or not version.isdigit():
            raise UsageError(
                "sql.at", f"{text!r} pins no version", expected="table=version, as bars_1d=12", found=text
            )
        pinned[name] = int(version)
    return pinned


def quarantined(desk: Workspace, table: str | None, limit: int) -> list[dict[str, Any]]:
    """Newest rows that broke a contract."""
    from quant.warehouse.contracts.tables import CONTRACTS
    from quant.warehouse.lake import Lake

    known = sorted(name for name, table in CONTRACTS.items() if not table.system)
    if table is not None and table not in known:
        raise UsageError("table.unknown", f"no table {table!r}", expected=", ".join(known), found=table)
    frame = Lake(desk.lake).read("quarantine")
    if table is not None:
        frame = frame.filter(frame["table"] == table)
    return frame.sort("recorded_at", descending=True).head(limit).to_dicts()
