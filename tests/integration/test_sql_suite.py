"""One suite of queries on every engine: the same question has the same answer, in every cell and type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from server_case import database

from quant.core.errors import QuantError, UsageError
from quant.warehouse.contracts.tables import contract
from quant.warehouse.engines import ENGINES, query
from quant.warehouse.engines.projections import init, load
from quant.warehouse.engines.server import ServerSettings
from quant.warehouse.lake import Lake, table_ref

pytest.importorskip("chdb", reason="chdb has no wheel for this system")

DAYS = [date(2023, 12, 28), date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 3)]
IDS = (11, 22, 33)


def bars(close_of: int = 0) -> pl.DataFrame:
    """Three names, four sessions, prices of four decimals, amounts beyond 2**53, unknowns in between."""
    rows = []
    for i in IDS:
        for n, day in enumerate(DAYS):
            close = Decimal(f"{i + n}.{i * 101 + n:04d}") + close_of
            dark = i == 33 and n == 2
            rows.append(
                {
                    "instrument_id": i,
                    "session": day,
                    "ts": datetime(day.year, day.month, day.day, 7, tzinfo=UTC),
                    **dict.fromkeys(("open", "high", "low", "close", "pre_close"), None if dark else close),
                    "limit_up": close + 1,
                    "limit_down": close - 1,
                    "volume": 0 if dark else i * 100_000_000_000_000 + n,
                    "amount": Decimal(0) if dark else Decimal(f"{i}12345678901234.{n:04d}"),
                    "suspended": dark,
                    "st": None if n == 1 else i == 22,
                    "delisting": False,
                    "no_limit": n == 0,
                    "known_at": None
                    if n == 3
                    else datetime(day.year, day.month, day.day, 9, 0, 0, 123456, UTC),
                    "recorded_at": datetime(2026, 1, 5, 1, 2, 3, 456789, UTC),
                    "source": "tiny",
                    "payload": f"{n:064x}",
                }
            )
    return pl.DataFrame(rows, schema=contract("bars_1d").schema)


def instruments() -> pl.DataFrame:
    names = {11: "浦发银行", 22: 'It\'s "quoted", \\ and\ttabbed', 33: ""}
    rows = [
        {
            "instrument_id": i,
            "code": f"{600000 + i}.SH",
            "mic": "XSHG",
            "name": names[i],
            "board": "main",
            "currency": "CNY",
            "list_date": date(1999, 11, 10),
            "delist_date": None,
            "recorded_at": datetime(2026, 1, 5, tzinfo=UTC),
            "source": "tiny",
            "payload": "p" * 64,
        }
        for i in IDS
    ]
    schema = contract("instruments").schema
    frame = pl.DataFrame(rows, schema_overrides={n: t for n, t in schema.items() if n in rows[0]})
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(missing).select(list(schema)).cast(schema)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("suite") / "lake")
    lake.write_interval(table_ref("bars_1d"), bars(), DAYS[0], DAYS[-1])
    lake.write_interval(table_ref("bars_1d", "vendor", "tiny-co"), bars(1), DAYS[0], DAYS[-1])
    lake.merge(table_ref("instruments"), instruments())
    return lake


@pytest.fixture(scope="module")
def server(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSettings]:
    with database(tmp_path_factory.mktemp("store") / "db") as settings:
        init(lake, settings, everything=True)
        list(load(lake, settings, everything=True))
        yield settings


@pytest.fixture(params=ENGINES)
def ask(request: pytest.FixtureRequest, lake: Lake) -> Any:
    settings = request.getfixturevalue("server") if request.param == "server" else None

    def asked(sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = query(
            sql, lake, engine=request.param, server=settings
        ).table.to_pylist()
        return found

    return asked


def test_every_cell_of_a_table_is_what_was_stored(ask: Any) -> None:
    found = ask("select * from bars_1d order by instrument_id, session")
    assert found == bars().sort("instrument_id", "session").to_dicts()
    assert {type(row["close"]) for row in found} == {Decimal, type(None)}
    assert {type(row["session"]) for row in found} == {date}


def test_instants_are_utc_to_the_microsecond(ask: Any) -> None:
    row = ask("select known_at, recorded_at from bars_1d where instrument_id = 11 order by session limit 1")[
        0
    ]
    assert row["known_at"] == datetime(2023, 12, 28, 9, 0, 0, 123456, UTC)
    assert row["recorded_at"].utcoffset().total_seconds() == 0
    assert row["recorded_at"].microsecond == 456789


def test_texts_come_back_as_they_are(ask: Any) -> None:
    found = ask("select name, code from instruments order by instrument_id")
    assert found == instruments().select("name", "code").to_dicts()


def test_sums_of_money_are_exact(ask: Any) -> None:
    found = ask("select sum(amount) as amount, sum(volume) as volume from bars_1d where instrument_id = 22")
    own = bars().filter(pl.col("instrument_id") == 22)
    assert found == [
        {"amount": sum(own["amount"].to_list(), Decimal(0)), "volume": sum(own["volume"].to_list())}
    ]


def test_unknown_is_not_false_and_not_zero(ask: Any) -> None:
    sql = ("select count(*) as n, count(close) as priced, count(st) as told, "
           "sum(case when st then 1 else 0 end) as special from bars_1d")  # fmt: skip
    assert ask(sql) == [{"n": 12, "priced": 11, "told": 9, "special": 3}]
    assert ask("select instrument_id from bars_1d where close is null") == [{"instrument_id": 33}]


def test_dates_are_compared_and_grouped(ask: Any) -> None:
    sql = ("select session, count(*) as n, max(close) as top from bars_1d where session >= '2023-12-29' "
           "and session < '2024-01-03' group by session order by session")  # fmt: skip
    expected = [
        {"session": day, "n": 3, "top": bars().filter(pl.col("session") == day)["close"].max()}
        for day in DAYS[1:3]
    ]
    assert ask(sql) == expected


def test_tables_are_joined_also_with_a_vendors_own(ask: Any) -> None:
    sql = ('select i.code as code, b.close as golden, v.close as theirs from bars_1d b '
           'join "tiny-co".bars_1d v '
           "on b.instrument_id = v.instrument_id and b.session = v.session "
           "join instruments i on i.instrument_id = b.instrument_id "
           "where b.session = '2024-01-03' order by code")  # fmt: skip
    found = ask(sql)
    assert [row["code"] for row in found] == ["600011.SH", "600022.SH", "600033.SH"]
    assert {row["theirs"] - row["golden"] for row in found} == {Decimal("1.0000")}


def test_windows_over_time(ask: Any) -> None:
    sql = ("select session, close - first_value(close) over (order by session) as gained "
           "from bars_1d where instrument_id = 11 order by session")  # fmt: skip
    assert [str(row["gained"]) for row in ask(sql)] == ["0.0000", "1.0001", "2.0002", "3.0003"]


def test_a_column_that_is_not_there_is_the_users_error(ask: Any) -> None:
    with pytest.raises(UsageError) as caught:
        ask("select nope from bars_1d")
    assert caught.value.fault.code == "sql.invalid"


@pytest.mark.parametrize("sql", ["select * from nope", "select * from elsewhere.bars_1d"])
def test_a_table_that_is_not_there_is_named_with_those_that_are(ask: Any, sql: str) -> None:
    with pytest.raises(UsageError) as caught:
        ask(sql)
    assert (caught.value.fault.code, caught.value.fault.expected) == (
        "sql.table",
        "bars_1d, instruments, tiny-co.bars_1d",
    )


@pytest.mark.parametrize(
    "sql",
    [
        "drop table bars_1d",
        "insert into bars_1d select * from bars_1d",
        "alter table bars_1d delete where 1 = 1",
        "select * from file('/etc/hosts')",
        "select * from remote('127.0.0.1', 'system.one')",
    ],
)
def test_nothing_is_written_and_nothing_else_is_read(ask: Any, sql: str) -> None:
    with pytest.raises(QuantError) as caught:
        ask(sql)
    assert caught.value.exit_code == 2
    assert ask("select count(*) as n from bars_1d") == [{"n": 12}]
