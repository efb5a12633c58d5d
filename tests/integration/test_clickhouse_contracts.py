"""Every table that the lake can hold is the same on a ClickHouse server: given values, nulls, all types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from server_case import database

from quant.warehouse.contracts.columns import ColumnContract
from quant.warehouse.contracts.tables import CONTRACTS, contract
from quant.warehouse.engines.projections import init, load
from quant.warehouse.engines.server import ServerSettings
from quant.warehouse.engines.verification import verify
from quant.warehouse.lake import Lake, table_ref

pytest.importorskip("chdb", reason="chdb has no wheel for this system")

VALUES: dict[Any, Any] = {
    pl.Int64: 7,
    pl.Float64: 0.1,
    pl.Boolean: True,
    pl.Date: date(2024, 3, 1),
    pl.Datetime: datetime(2024, 3, 1, 7, tzinfo=UTC),
    pl.Decimal: Decimal("1.25"),
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSettings]:
    with database(tmp_path_factory.mktemp("store") / "db") as server:
        yield server


def value(column: ColumnContract, number: int) -> Any:
    if isinstance(column.dtype, pl.String):
        return column.values[0] if column.values else f"x{number}"
    given = VALUES[type(column.dtype)]
    return given + number if isinstance(given, int | Decimal) and not isinstance(given, bool) else given


def test_every_contract_is_verified(tmp_path: Path, settings: ServerSettings) -> None:
    lake = Lake(tmp_path / "lake")
    for name in CONTRACTS:
        table = contract(name)
        full = {c.name: value(c, 0) for c in table.columns}
        bare = {
            c.name: None if c.nullable and c.name not in table.key else value(c, 1) for c in table.columns
        }
        lake.append(table_ref(name), pl.DataFrame([full, bare], schema=table.schema))
    init(lake, settings, everything=True)
    list(load(lake, settings, everything=True))
    checks = verify(lake, settings)
    assert {check.table for check in checks} == set(CONTRACTS)
    assert {check.table: check.lake_rows for check in checks if not check.equal} == {}
    assert sum(check.lake_rows for check in checks) == 2 * len(CONTRACTS)
