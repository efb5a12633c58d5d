"""SQL over what was known at an instant, the same on every engine that reads the lake."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from tiny_market import bar_rows

from quant.core.errors import UsageError
from quant.warehouse.engines.as_of import query_as_of
from quant.warehouse.lake import Lake, table_ref

BARS = table_ref("bars_1d")
D1, D2 = date(2023, 12, 29), date(2024, 1, 2)
FIRST, SECOND = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
ASKED = "select session, count(*) as n, max(close) as top from bars_1d group by session order by session"


@pytest.fixture
def restated(lake: Lake) -> Lake:
    for close, stamp in (("10.50", FIRST), ("10.80", SECOND)):
        rows = bar_rows([D1, D2], close=close).with_columns(
            recorded_at=pl.lit(stamp).cast(pl.Datetime("us", "UTC")),
            known_at=pl.col("ts") + timedelta(hours=2),
        )
        lake.write_interval(BARS, rows, D1, D2)
        lake.write_interval(table_ref("bars_1d", "vendor", "a"), rows, D1, D2)
    return lake


def rows(
    lake: Lake, moment: datetime, engine: str, sql: str = ASKED, **more: int
) -> list[tuple[object, ...]]:
    found = query_as_of(sql, lake, more or None, moment, engine=engine)
    return list(zip(*found.table.to_pydict().values(), strict=True))


@pytest.mark.parametrize("engine", ["clickhouse", "duckdb"])
def test_each_instant_sees_its_own_rows(restated: Lake, engine: str) -> None:
    def shown(moment: datetime, **more: int) -> list[tuple[str, int, str]]:
        return [(str(s)[:10], int(n), f"{t:.2f}") for s, n, t in rows(restated, moment, engine, **more)]

    assert shown(FIRST) == [("2023-12-29", 2, "10.50"), ("2024-01-02", 2, "10.50")]
    assert shown(SECOND) == [("2023-12-29", 2, "10.80"), ("2024-01-02", 2, "10.80")]
    assert shown(datetime(2024, 1, 1, tzinfo=UTC)) == [("2023-12-29", 2, "10.50")]
    assert shown(datetime(2000, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("engine", ["clickhouse", "duckdb"])
def test_a_source_s_own_table_has_its_history_too(restated: Lake, engine: str) -> None:
    sql = "select max(close) as top from a.bars_1d"
    assert [f"{top:.2f}" for (top,) in rows(restated, FIRST, engine, sql)] == ["10.50"]
    answer = query_as_of(sql, restated, None, FIRST, engine=engine)
    assert answer.versions["a.bars_1d"] == restated.version("bars_1d", layer="vendor", source="a")


def test_faults_speak_of_the_lake_that_was_asked(restated: Lake) -> None:
    with pytest.raises(UsageError, match="no table barz") as caught:
        rows(restated, FIRST, "clickhouse", "select * from barz")
    assert "bars_1d" in (caught.value.fault.expected or "")
    with pytest.raises(UsageError, match="newest rows only"):
        rows(restated, FIRST, "server")
    with pytest.raises(UsageError, match="outside"):
        rows(restated, FIRST, "duckdb", "select * from read_parquet('x')")
