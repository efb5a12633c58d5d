from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tiny_market import bar_rows

from quant.core.errors import UsageError
from quant.warehouse.engines import query
from quant.warehouse.lake import Lake, table_ref

D1, D2 = date(2023, 12, 29), date(2024, 1, 2)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Golden bars: version 1 has one session, 2 has two, 3 other prices; a vendor's own table beside them."""
    lake = Lake(tmp_path_factory.mktemp("it's {a} lake, 湖") / "lake")
    bars, vendor = table_ref("bars_1d"), table_ref("bars_1d", "vendor", "tiny")
    lake.write_interval(bars, bar_rows([D1]), D1, D1)
    lake.write_interval(bars, bar_rows([D2]), D2, D2)
    lake.write_interval(bars, bar_rows([D1, D2], close="10.60"), D1, D2)
    lake.write_interval(vendor, bar_rows([D1], ids=(11,)), D1, D1)
    yield lake


@pytest.fixture(params=["clickhouse", "duckdb"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "clickhouse":
        pytest.importorskip("chdb", reason="chdb has no wheel for this system")
    return str(request.param)


def rows(
    sql: str, lake: Lake, versions: dict[str, int] | None = None, *, engine: str
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = query(sql, lake, versions, engine=engine).table.to_pylist()
    return found


def test_the_latest_version_is_read_and_named(stored: Lake, engine: str) -> None:
    result = query("select count(*) as n, max(close) as top from bars_1d;", stored, engine=engine)
    assert result.table.to_pylist() == [{"n": 4, "top": Decimal("10.6000")}]
    assert result.versions == {"bars_1d": 3}


def test_two_tables_at_different_versions_in_one_query(stored: Lake, engine: str) -> None:
    sql = ("select count(*) as n from bars_1d b join tiny.bars_1d v "
           "on b.instrument_id = v.instrument_id and b.session = v.session")  # fmt: skip
    result = query(sql, stored, {"bars_1d": 2, "tiny.bars_1d": 1}, engine=engine)
    assert result.table.to_pylist() == [{"n": 1}]
    assert result.versions == {"bars_1d": 2, "tiny.bars_1d": 1}
    assert rows("select count(*) as n from bars_1d", stored, {"bars_1d": 1}, engine=engine) == [{"n": 2}]


def test_types_come_back_exact(stored: Lake, engine: str) -> None:
    sql = "select session, close, volume, suspended, st, ts from bars_1d order by session, volume limit 1"
    row = rows(sql, stored, engine=engine)[0]
    assert (row["session"], row["close"], row["volume"]) == (D1, Decimal("10.6000"), 1011)
    assert (row["suspended"], row["st"]) == (False, None)
    assert str(row["ts"]) == "2023-12-29 07:00:00+00:00"


def test_the_partition_column_is_not_shown(stored: Lake, engine: str) -> None:
    names = query("select * from bars_1d limit 0", stored, engine=engine).table.column_names
    assert names == list(stored.read("bars_1d").columns)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("", "sql.empty"),
        ("selec 1", "sql.invalid"),
        ("select nope from bars_1d", "sql.invalid"),
        ("select * from nope", "sql.table"),
        ("select * from elsewhere.bars_1d", "sql.table"),
        ("select 1; select 2", "sql.several"),
        ("drop table bars_1d", "sql.invalid"),
        ("insert into bars_1d select * from bars_1d", "sql.invalid"),
        ("create table x as select 1 as a", "sql.invalid"),
        ("select * from file('/etc/hosts')", "sql.outside"),
        ("select * from read_csv('/etc/hosts')", "sql.outside"),
        ("select * from URL ('http://127.0.0.1:1/x')", "sql.outside"),
        ("select 1 into outfile 'x'", "sql.outside"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(stored: Lake, engine: str, sql: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        query(sql, stored, engine=engine)
    assert (caught.value.fault.code, caught.value.exit_code) == (code, 2)


def test_semicolons_in_texts_and_comments_are_no_second_query(stored: Lake, engine: str) -> None:
    assert rows("select ';' as a -- ; and more", stored, engine=engine) == [{"a": ";"}]


def test_pins_must_name_tables_and_versions_that_exist(stored: Lake, engine: str) -> None:
    with pytest.raises(UsageError, match="no version 9"):
        query("select * from bars_1d", stored, {"bars_1d": 9}, engine=engine)
    with pytest.raises(UsageError) as caught:
        query("select * from bars_1d", stored, {"nope": 1}, engine=engine)
    assert caught.value.fault.expected == "bars_1d, tiny.bars_1d"


def test_queries_write_nowhere(stored: Lake, engine: str, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    stealthy = {
        "duckdb": f"copy (select 1) to '{target}'",
        "clickhouse": f"insert into function file('{target}', 'CSV') select 1",
    }
    with pytest.raises(UsageError):
        query(stealthy[engine], stored, engine=engine)
    assert not target.exists()


def test_threads_of_one_process_take_turns(stored: Lake, engine: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(rows, "select count(*) as n from bars_1d", stored, engine=engine) for _ in range(8)
        ]
    assert [each.result() for each in asked] == [[{"n": 4}]] * 8


def test_another_process_asks_at_the_same_time(stored: Lake, engine: str) -> None:
    script = (
        "import sys; from pathlib import Path; from quant.warehouse.lake import Lake\n"
        "from quant.warehouse.engines import query\n"
        "print(query('select count(*) as n from bars_1d', Lake(Path(sys.argv[1])), engine=sys.argv[2])"
        ".table.to_pylist())"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(stored.root), engine], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert rows("select count(*) as n from bars_1d", stored, engine=engine) == [{"n": 4}]
    assert [other.communicate(timeout=120)[0].strip() for other in others] == ["[{'n': 4}]"] * 2


def test_unknown_engines_are_named(stored: Lake) -> None:
    with pytest.raises(UsageError, match="no engine 'oracle'"):
        query("select 1", stored, engine="oracle")
