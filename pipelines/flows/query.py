"""``quant data sql``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quant.core.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a query and what they were read from."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    versions: dict[str, int]
    engine: str
    seconds: float
    behind: dict[str, int] = field(default_factory=dict)
    """Newer versions that the lake has of tables that a server answered from."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "columns": list(self.columns),
            "rows": [[_plain(c) for c in row] for row in self.rows],
            "versions": self.versions,
            "engine": self.engine,
            "behind": self.behind,
            "seconds": round(self.seconds, 6),
        }


def _plain(cell: Any) -> Any:
    return cell if cell is None or isinstance(cell, bool | int | str) or cell == cell else None


def run_query(
    desk: Workspace,
    sql: str,
    *,
    engine: str = "clickhouse",
    at: Sequence[str] = (),
    as_of: datetime | None = None,
) -> Answer:
    """One SELECT over the lake; ``at`` pins tables as ``bars_1d=12``, or names a snapshot; ``as_of`` reads
    what was known at that instant.
    """
    from quant.pipelines.flows.warehouse import server_settings
    from quant.warehouse.engines import query
    from quant.warehouse.engines.as_of import query_as_of
    from quant.warehouse.lake import Lake

    began = time.perf_counter()
    server = server_settings(desk) if engine == "server" else None
    lake = Lake(desk.lake)
    if as_of is not None:
        result = query_as_of(sql, lake, _versions(lake, at), as_of, engine=engine)
    else:
        result = query(sql, lake, _versions(lake, at), engine=engine, server=server)
    table = result.table
    columns = table.to_pydict()
    rows = list(zip(*columns.values(), strict=True)) if columns else []
    spent = time.perf_counter() - began
    return Answer(tuple(table.column_names), rows, dict(result.versions), engine, spent, dict(result.behind))


def _versions(lake: Lake, at: Sequence[str]) -> dict[str, int]:
    from quant.pipelines.flows.upkeep import snapshot_versions

    pinned: dict[str, int] = {}
    for text in at:
        name, sign, version = text.partition("=")
        if not sign:
            pinned |= snapshot_versions(lake, name)
        elif version.isdigit():
            pinned[name] = int(version)
        else:
            raise UsageError(
                "sql.at",
                f"{text!r} pins no version",
                expected="table=version, as bars_1d=12, or the name of a snapshot",
                found=text,
            )
    return pinned
