"""Copies of the lake on a ClickHouse server: made once, brought up to date, checked, asked. Over a socket."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from server_case import PASSWORD, database

from quant.core.errors import QuantError, StateConflict, TransientError, UsageError
from quant.qcli.main import run
from quant.warehouse.contracts.tables import contract
from quant.warehouse.engines import query
from quant.warehouse.engines.projections import LOADS, NEXT, definition, init, load, loaded, status
from quant.warehouse.engines.server import ServerSettings, connection
from quant.warehouse.engines.verification import verify
from quant.warehouse.lake import Lake, table_ref

pytest.importorskip("chdb", reason="chdb has no wheel for this system")

BARS = table_ref("bars_1d")
KILLS = 60 if os.environ.get("QUANT_SOAK") == "1" else 3


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSettings]:
    with database(tmp_path_factory.mktemp("store") / "db") as server:
        yield server


@pytest.fixture
def lake(tmp_path: Path, settings: ServerSettings) -> Lake:
    """A lake of two years, and a database without copies."""
    with connection(settings, database=False) as client:
        client.command(f"drop database if exists `{settings.database}` sync")
    lake = Lake(tmp_path / "lake")
    for year in (2023, 2024):
        write(lake, days(year), "10.5")
    init(lake, settings)
    return lake


def days(year: int) -> list[date]:
    return [date(year, 3, 1) + timedelta(n) for n in range(20)]


def bars(on: list[date], close: str, names: int = 30) -> pl.DataFrame:
    frame = pl.DataFrame({"session": on}).join(
        pl.DataFrame({"instrument_id": list(range(1, names + 1))}), how="cross"
    )
    filled = [
        pl.lit(value).alias(name)
        for name, value in {
            **dict.fromkeys(("open", "high", "low", "close", "pre_close"), Decimal(close)),
            "volume": 100,
            "source": "tiny",
            "payload": "p",
        }.items()
    ]
    schema = contract("bars_1d").schema
    stamps = [pl.col("session").cast(pl.Datetime("us", "UTC")).alias(n) for n in ("ts", "recorded_at")]
    frame = frame.with_columns(*filled, *stamps)
    unknown = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return (
        frame.with_columns(unknown)
        .with_columns(amount=pl.lit(Decimal("1050.25")))
        .select(pl.col(name).cast(kind) for name, kind in schema.items())
    )


def write(lake: Lake, on: list[date], close: str) -> int:
    return lake.write_interval(BARS, bars(on, close), on[0], on[-1]).version


def brought(lake: Lake, settings: ServerSettings, **more: Any) -> list[tuple[bool, int, int]]:
    return [(r.changed, r.partitions_loaded, r.partitions_kept) for r in load(lake, settings, **more)]


def count(settings: ServerSettings, sql: str) -> int:
    with connection(settings) as client:
        return int(client.query(sql).result_rows[0][0])


def equal(lake: Lake, settings: ServerSettings) -> bool:
    checks = verify(lake, settings)
    return bool(checks) and all(check.equal for check in checks)


def test_a_load_takes_changed_partitions_only_and_repeating_it_takes_none(
    lake: Lake, settings: ServerSettings
) -> None:
    assert brought(lake, settings) == [(True, 2, 0)]
    assert brought(lake, settings) == [(False, 0, 2)]
    write(lake, [date(2024, 3, 5)], "10.75")
    assert brought(lake, settings) == [(True, 1, 1)]
    assert count(settings, "select count() from bars_1d") == 1200
    assert count(settings, "select count() from bars_1d where close = 10.75") == 30
    assert equal(lake, settings)
    assert brought(lake, settings, again=True) == [(True, 2, 0)]
    assert equal(lake, settings)


def test_rows_and_partitions_that_went_go_on_the_server_too(lake: Lake, settings: ServerSettings) -> None:
    brought(lake, settings)
    lake.write_interval(BARS, bars([], "1"), date(2023, 1, 1), date(2023, 12, 31))
    assert brought(lake, settings) == [(True, 0, 1)]
    assert count(settings, "select count() from bars_1d") == 600
    assert [check.partition for check in verify(lake, settings)] == ["2024"]


def test_compaction_changes_nothing_that_is_asked(lake: Lake, settings: ServerSettings) -> None:
    for day in days(2024)[:5]:
        write(lake, [day + timedelta(90)], "10.5")
    brought(lake, settings)
    assert lake.compact() == ["golden/bars_1d"]
    assert brought(lake, settings) == [(True, 1, 1)]
    assert equal(lake, settings)


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        ("alter table bars_1d delete where session = '2024-03-03' settings mutations_sync = 2", ["2024"]),
        ("insert into bars_1d select * from bars_1d where session = '2023-03-03'", ["2023"]),
        ("alter table bars_1d update close = 10.6 where session = '2024-03-03' and instrument_id = 7 "
         "settings mutations_sync = 2", ["2024"]),
        ("alter table bars_1d drop partition 2023", ["2023"]),
    ],
)  # fmt: skip
def test_verify_names_the_partition_that_differs(
    lake: Lake, settings: ServerSettings, damage: str, wrong: list[str]
) -> None:
    brought(lake, settings)
    with connection(settings) as client:
        client.command(damage)
    checks = verify(lake, settings)
    assert [check.partition for check in checks if not check.equal] == wrong
    assert all(check.table == "bars_1d" for check in checks)
    brought(lake, settings, again=True)
    assert equal(lake, settings)


def test_rows_inserted_twice_are_one_once_merged(lake: Lake, settings: ServerSettings) -> None:
    brought(lake, settings)
    with connection(settings) as client:
        client.command("insert into bars_1d select * from bars_1d")
        client.command("optimize table bars_1d final")
    assert count(settings, "select count() from bars_1d") == 1200
    assert equal(lake, settings)


def test_an_answer_says_that_the_server_is_behind(lake: Lake, settings: ServerSettings) -> None:
    brought(lake, settings)
    first = lake.version("bars_1d")
    sql = "select count(*) as n from bars_1d where close = 10.75"
    newest = write(lake, [date(2024, 3, 5)], "10.75")
    answer = query(sql, lake, engine="server", server=settings)
    assert (answer.table.to_pylist(), answer.versions) == ([{"n": 0}], {"bars_1d": first})
    assert answer.behind == {"bars_1d": newest}
    assert [(s.table, s.server_version, s.current) for s in status(lake, settings)] == [
        ("bars_1d", first, False)
    ]
    pinned = query(sql, lake, {"bars_1d": first or 0}, engine="server", server=settings)
    assert pinned.behind == {}
    with pytest.raises(StateConflict) as caught:
        query(sql, lake, {"bars_1d": newest}, engine="server", server=settings)
    assert (caught.value.fault.code, caught.value.fault.found) == ("server.version", str(first))
    brought(lake, settings)
    now = query(sql, lake, engine="server", server=settings)
    assert (now.table.to_pylist(), now.behind) == ([{"n": 30}], {})


def test_tables_that_were_never_loaded_are_refused(lake: Lake, settings: ServerSettings) -> None:
    with pytest.raises(StateConflict) as caught:
        query("select count(*) from bars_1d", lake, engine="server", server=settings)
    assert caught.value.fault.hint == "quant warehouse load bars_1d"
    assert verify(lake, settings) == []
    with pytest.raises(UsageError, match="there is no table nope"):
        list(load(lake, settings, ["nope"]))


def test_a_database_that_is_not_ours_is_left_alone(lake: Lake, settings: ServerSettings) -> None:
    with connection(settings) as client:
        client.command(f"drop table `{LOADS}`")
    with pytest.raises(UsageError) as caught:
        list(load(lake, settings))
    assert caught.value.fault.hint == "quant warehouse init"


def test_logs_keep_every_row_also_with_unknowns_in_their_key(lake: Lake, settings: ServerSettings) -> None:
    ref = table_ref("audit_findings")
    texts = {c.name: "x" for c in ref.contract.columns if c.dtype == pl.String and not c.nullable}
    row = {name: texts.get(name) for name in ref.contract.names}
    whole = {c.name: 1 for c in ref.contract.columns if c.dtype == pl.Int64 and not c.nullable}
    stamps = {
        c.name: date(2024, 1, 2) for c in ref.contract.columns if "at" in c.name and "Date" in str(c.dtype)
    }
    frame = pl.DataFrame([{**row, **whole}] * 2).with_columns(
        pl.lit(value).cast(pl.Datetime("us", "UTC")).alias(name) for name, value in stamps.items()
    )
    lake.append(ref, frame.select(pl.col(n).cast(kind) for n, kind in ref.contract.schema.items()))
    init(lake, settings, everything=True)
    assert [r.table for r in load(lake, settings, everything=True)] == ["bars_1d", "audit_findings"]
    with connection(settings) as client:
        client.command("optimize table audit_findings final")
    checks = verify(lake, settings, ["audit_findings"])
    assert [(check.server_rows, check.equal) for check in checks] == [(2, True)]


def test_definitions_follow_the_contract() -> None:
    text = definition(BARS, "bars_1d", "year")
    assert "`close` Nullable(Decimal(18, 4))" in text
    assert "`ts` DateTime64(6, 'UTC')" in text
    assert "`source` LowCardinality(String)" in text
    assert text.endswith(
        "engine = ReplacingMergeTree(recorded_at)\npartition by toYear(`session`)\n"
        "order by (`instrument_id`, `session`)"
    )
    assert "partition by toYYYYMM(`session`)" in definition(table_ref("bars_1m"), "bars_1m", "month")
    assert "engine = MergeTree\npartition by tuple()" in definition(table_ref("sync_log"), "sync_log", None)


def test_wrong_passwords_and_silent_servers_are_told_apart(
    settings: ServerSettings, monkeypatch: Any
) -> None:
    monkeypatch.setenv("WRONG", "not-the-password")
    with pytest.raises(QuantError) as refused:
        with connection(ServerSettings(settings.url, "env://WRONG")):
            pass
    assert (refused.value.fault.code, refused.value.exit_code) == ("server.refused", 1)
    assert "not-the-password" not in str(refused.value.fault)
    with pytest.raises(TransientError) as silent:
        with connection(ServerSettings("clickhouse://desk@127.0.0.1:9/quant")):
            pass
    assert silent.value.fault.code == "server.unreachable"
    with pytest.raises(UsageError, match="holds a password") as caught:
        ServerSettings("clickhouse://desk:secret@127.0.0.1/quant")
    assert "secret@" not in (caught.value.fault.found or "")


@pytest.mark.parametrize("step", ["create table", "attach partition", "insert_arrow", "insert", "exchange"])
def test_a_server_without_room_keeps_the_version_it_has(
    lake: Lake, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.exceptions import DatabaseError
    from clickhouse_connect.driver.httpclient import HttpClient

    brought(lake, settings)
    before = loaded_version(settings)
    newest = write(lake, [date(2024, 3, 5)], "10.75")
    full = DatabaseError(
        "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"
    )
    plain = {name: getattr(HttpClient, name) for name in ("command", "insert_arrow", "insert")}

    def command(self: Client, cmd: str, *args: Any, **kwargs: Any) -> Any:
        if step in cmd:
            raise full
        return plain["command"](self, cmd, *args, **kwargs)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(HttpClient, "command", command)
        if step.startswith("insert"):
            patch.setattr(HttpClient, step, refuse)
        with pytest.raises(TransientError) as caught:
            brought(lake, settings)
    assert (caught.value.fault.code, caught.value.exit_code) == ("server.busy", 4)
    assert loaded_version(settings) == before
    assert equal(lake, settings)
    assert brought(lake, settings) == [(True, 1, 1)]
    assert loaded_version(settings) == newest
    assert equal(lake, settings)


LOAD = """
import sys
from pathlib import Path
from quant.warehouse.engines.projections import load
from quant.warehouse.engines.server import ServerSettings
from quant.warehouse.lake import Lake

settings = ServerSettings(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
print("started", flush=True)
for result in load(Lake(Path(sys.argv[1])), settings):
    print(result.version, flush=True)
"""


def start(lake: Lake, settings: ServerSettings) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LOAD, str(lake.root), settings.url]
    process = subprocess.Popen(
        [*command, *([settings.password] if settings.password else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_load_killed_at_any_moment_leaves_one_whole_version(lake: Lake, settings: ServerSettings) -> None:
    choose = random.Random(7)
    brought(lake, settings)
    began = time.perf_counter()
    write(lake, days(2024), "11.0")
    assert start(lake, settings).wait(60) == 0
    spent = time.perf_counter() - began
    for step in range(KILLS):
        before = loaded_version(settings)
        close = f"{12 + step}.0"
        newest = write(lake, [*days(2023)], close)
        newest = write(lake, [*days(2024)], close)
        process = start(lake, settings)
        time.sleep(choose.uniform(0, spent))
        process.kill()
        process.communicate()
        held = loaded_version(settings)
        assert held in (before, newest)
        assert equal(lake, settings)
        brought(lake, settings)
        assert loaded_version(settings) == newest
        assert count(settings, f"select count() from bars_1d where close = {close}") == 1200
        assert equal(lake, settings)
    with connection(settings) as client:
        assert not client.query(f"exists table `bars_1d{NEXT}`").result_rows[0][0]


def loaded_version(settings: ServerSettings) -> int:
    with connection(settings) as client:
        held = loaded(client, BARS)
    assert held is not None
    return held.version


def test_from_the_command_line(
    lake: Lake, settings: ServerSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    reference = f'password = "{settings.password}"' if settings.password else ""
    (desk / "quant.toml").write_text(
        f'[profiles.demo]\npaths.lake = "{lake.root}"\n[profiles.demo.clickhouse]\n'
        f'url = "{settings.url}"\n{reference}\n[profiles.demo.engine]\nsql = "server"\n',
        encoding="utf-8",
    )
    assert quant(capsys, desk, "warehouse", "init")[0] == 0
    code, out = quant(capsys, desk, "warehouse", "load", "--json")
    assert (code, json.loads(out)["tables"][0]["rows"]) == (0, 1200)
    assert quant(capsys, desk, "warehouse", "verify")[0] == 0
    code, out = quant(capsys, desk, "data", "sql", "select count(*) as n from bars_1d", "--json")
    assert (code, json.loads(out)["rows"], json.loads(out)["engine"]) == (0, [[1200]], "server")
    with connection(settings) as client:
        client.command("alter table bars_1d drop partition 2024")
    code, out = quant(capsys, desk, "warehouse", "verify", "--json")
    report = json.loads(out)
    assert (code, report["error"]["code"]) == (3, "server.differs")
    assert "bars_1d 2024" in report["error"]["message"]
    assert quant(capsys, desk, "warehouse", "load", "--again")[0] == 0
    code, out = quant(capsys, desk, "warehouse", "status", "--json")
    assert [(t["table"], t["current"]) for t in json.loads(out)["tables"]] == [("bars_1d", True)]
    assert PASSWORD not in out


def quant(capsys: pytest.CaptureFixture[str], desk: Path, *argv: str) -> tuple[int, str]:
    code = run([*argv, "-w", str(desk)])
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err
    assert code != 1, said.err
    return code, said.out
