"""Binance, OKX and Bybit through the real command: one table of all, an exchange that is dead or dies midway,
days that are not over, and Chinese shares in the same workspace.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from crypto_server import FIRST, NOW, PAIRS, CryptoServer, candles, funding, ms, trades

from quant.core.time import from_datetime
from quant.pipelines.dagster import build_definitions, open_instance
from quant.pipelines.flows import sync as flow
from quant.pipelines.flows.status import status
from quant.pipelines.flows.sync import SyncRequest
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.qcli.main import run
from quant.warehouse import fetching
from quant.warehouse.lake import Lake

EXCHANGES = ("binance", "okx", "bybit")
PROJECT = """apiVersion = "quant/v1"
kind = "project"
name = "crypto"
format = 1
[defaults]
profile = "real"
[profiles.real]
sources = ["my_binance", "my_okx", "my_bybit"]
from = "2024-08-08"
[profiles.recent]
sources = ["my_binance", "my_okx", "my_bybit"]
[profiles.mixed]
sources = ["small", "my_binance", "my_okx", "my_bybit"]
from = "2024-08-08"
to = "2024-08-11"
"""
SHARES = """apiVersion: quant/v1
kind: source
name: small
provider: simulated
license: synthetic
params: {instruments: 10, start: 2024-07-01, suspensions: 0, listings: 0, delistings: 0}
"""
SOURCE = """---
apiVersion: quant/v1
kind: source
name: my_{name}
defaults: [{name}]
codes: [{codes}]
options: {{exchange: {name}, url: "{url}", window_s: 3600}}
limits: {{per_minute: 1000000, timeout: 1, pause: 0.01, attempts: 2}}
"""
MORNING = NOW + timedelta(minutes=10)
"""Ten past midnight of UTC, when the two days of the stand-ins are over."""


@pytest.fixture
def servers() -> Iterator[dict[str, CryptoServer]]:
    started = {name: CryptoServer(name, now=MORNING) for name in EXCHANGES}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture
def desk(tmp_path: Path, servers: dict[str, CryptoServer], monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("QUANT_QUOTA_DB", str(tmp_path / "quota.db"))
    at(monkeypatch, MORNING)
    root = tmp_path / "desk"
    (root / "specs").mkdir(parents=True)
    (root / "quant.toml").write_text(PROJECT, encoding="utf-8")
    told = [
        SOURCE.format(name=name, url=server.url, codes=", ".join(f"{pair}.{name.upper()}" for pair in PAIRS))
        for name, server in servers.items()
    ]
    (root / "specs" / "sources.yaml").write_text(SHARES + "".join(told), encoding="utf-8")
    return Workspace.find(root)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """The clock by which a sync decides what can be known."""
    monkeypatch.setattr(flow, "utc_now", lambda: from_datetime(moment))


def call(capsys: pytest.CaptureFixture[str], desk: Workspace, *words: str) -> tuple[int, dict[str, Any]]:
    code = run([*words, "-w", str(desk.root), "--json"])
    return code, json.loads(capsys.readouterr().out)


def golden(desk: Workspace, table: str) -> pl.DataFrame:
    lake = Lake(desk.lake)
    codes = lake.read("instruments").select("instrument_id", "code")
    return lake.read(table).join(codes, on="instrument_id", how="left").sort("code", "ts")


def asked(servers: dict[str, CryptoServer]) -> dict[str, int]:
    return {name: len(server.asked) for name, server in servers.items()}


def test_every_table_of_three_exchanges_is_whole_and_a_second_sync_asks_nothing(
    desk: Workspace, servers: dict[str, CryptoServer], capsys: pytest.CaptureFixture[str]
) -> None:
    tables = ("instruments", "bars_5m", "bars_1h", "funding_rates")
    code, body = call(capsys, desk, "data", "sync", *tables)
    assert code == 0, body
    codes = {f"{pair}.{name.upper()}" for name in EXCHANGES for pair in PAIRS}
    assert set(Lake(desk.lake).read("instruments")["code"]) == codes
    for table, seconds in (("bars_5m", 300), ("bars_1h", 3600)):
        found = golden(desk, table)
        for each in sorted(codes):
            rows, truth = found.filter(pl.col("code") == each), candles(each.partition(".")[0], seconds)
            assert rows["ts"].dt.epoch("ms").to_list() == [begins + seconds * 1000 for begins in truth]
            assert rows["close"].cast(pl.Float64).to_list() == pytest.approx([c[3] for c in truth.values()])
            assert rows["known_at"].to_list() == rows["ts"].to_list()
        assert found.height == len(codes) * 2 * 86_400 // seconds
    paid = golden(desk, "funding_rates")
    assert paid["rate"].to_list() == 3 * list(funding("BTCUSDT-PERP").values())
    days = Lake(desk.lake).read("calendar")
    assert days["mic"].unique().to_list() == ["24x7"] and days["session"].to_list() == [
        FIRST.date(), FIRST.date() + timedelta(days=1)
    ]  # fmt: skip
    before = asked(servers)
    code, body = call(capsys, desk, "data", "sync", *tables)
    assert code == 0 and body["tables"] == [] and asked(servers) == before
    (hours,) = [r for r in status(desk).reach if r.table == "bars_1h" and r.golden]
    assert (hours.missing, hours.behind, hours.sessions) == (0, 0, 2)
    assert (hours.first, hours.last) == ("2024-08-08", "2024-08-09")


def test_trades_are_fetched_where_an_exchange_shows_them(
    desk: Workspace, servers: dict[str, CryptoServer], capsys: pytest.CaptureFixture[str]
) -> None:
    code, body = call(capsys, desk, "data", "sync", "ticks", "--end", "2024-08-08")
    assert code == 0, body
    found, until = golden(desk, "ticks"), ms(FIRST + timedelta(days=1))
    for pair in PAIRS:
        truth = [t for t in trades(pair) if t.ts < until]
        for name in ("BINANCE", "OKX"):
            rows = found.filter(pl.col("code") == f"{pair}.{name}").sort("seq")
            assert rows["price"].cast(pl.Float64).to_list() == [t.price for t in truth]
            assert rows["ts"].dt.epoch("ms").to_list() == [t.ts for t in truth]
    assert set(found["source"]) == {"my_binance", "my_okx"}  # Bybit has no history of trades
    assert {path for path, _ in servers["bybit"].asked} <= {"/v5/market/instruments-info"}


def test_a_dead_exchange_costs_exit_4_and_only_its_own_rows(
    desk: Workspace, servers: dict[str, CryptoServer], capsys: pytest.CaptureFixture[str]
) -> None:
    servers["okx"].faults.extend(["drop"] * 1000)
    code, body = call(capsys, desk, "data", "sync", "bars_1h", "funding_rates")
    assert code == 4 and {f["code"] for f in body["failures"]} == {"vendor.unreachable"}
    assert all("my_okx" in f["message"] for f in body["failures"])
    assert {f["table"] for f in body["failures"]} == {"instruments", "bars_1h", "funding_rates"}
    assert set(golden(desk, "bars_1h")["source"]) == {"my_binance", "my_bybit"}
    assert golden(desk, "bars_1h").height == 2 * 3 * 48
    log = Lake(desk.lake).read("sync_log").filter(pl.col("status") == "failed")
    assert set(log["source"]) == {"my_okx"}
    assert {json.loads(facts)["error"] for facts in log["facts"]} == {"vendor.unreachable"}
    (okx,) = [r for r in status(desk).reach if (r.table, r.source) == ("bars_1h", "my_okx")]
    assert (okx.status, okx.missing, okx.rows) == ("failed", 2, 0)
    with open_instance(desk) as instance:
        runs = instance.get_runs()
    assert {"SUCCESS", "FAILURE"} == {each.status.value for each in runs}
    servers["okx"].faults.clear()
    before = asked(servers)
    code, body = call(capsys, desk, "data", "sync", "bars_1h", "funding_rates")
    after = asked(servers)
    assert code == 0, body
    assert (after["binance"], after["bybit"]) == (before["binance"], before["bybit"])
    found = golden(desk, "bars_1h")
    assert found.height == 3 * 3 * 48 and found["code"].null_count() == 0
    assert golden(desk, "funding_rates").height == 3 * 6


def test_an_exchange_that_dies_midway_is_completed_without_asking_twice(
    desk: Workspace, servers: dict[str, CryptoServer], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, desk, "data", "sync", "instruments")[0] == 0
    okx = servers["okx"]
    okx.asked.clear()
    okx.faults.extend([""] * 7 + ["drop"] * 1000)
    assert call(capsys, desk, "data", "sync", "bars_5m")[0] == 4
    arrived = {json.dumps(question) for _, question in okx.asked[:7]}
    okx.asked.clear()
    okx.faults.clear()
    assert golden(desk, "bars_5m").height == 2 * 3 * 576
    code, body = call(capsys, desk, "data", "sync", "bars_5m")
    assert code == 0, body
    assert golden(desk, "bars_5m").height == 3 * 3 * 576
    assert len(arrived) == 7 and not arrived & {json.dumps(question) for _, question in okx.asked}


def test_a_day_that_is_not_over_is_never_fetched(
    desk: Workspace,
    servers: dict[str, CryptoServer],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evening = NOW - timedelta(minutes=20, seconds=30)
    at(monkeypatch, evening)
    for server in servers.values():
        server.now = evening
    code, body = call(capsys, desk, "data", "sync", "bars_1h", "--end", "2024-08-09")
    assert code == 0, body
    assert golden(desk, "bars_1h")["ts"].max() == FIRST + timedelta(days=1)
    code, body = call(capsys, desk, "data", "sync", "bars_1h", "--start", "2024-08-09", "--end", "2024-08-09")
    assert code == 2 and body["error"]["code"] == "sync.range"
    at(monkeypatch, NOW + timedelta(minutes=2))  # a clock that is fast must not close the day too early
    assert call(capsys, desk, "data", "sync", "bars_1h")[1]["tables"] == []
    at(monkeypatch, MORNING)
    for server in servers.values():
        server.now = MORNING
    assert call(capsys, desk, "data", "sync", "bars_1h")[0] == 0
    assert golden(desk, "bars_1h").height == 3 * 3 * 48


def test_without_a_first_day_each_table_goes_back_as_far_as_its_source_says(desk: Workspace) -> None:
    recent = Workspace.find(desk.root, profile="recent")
    spans = {}
    for item in flow.plan_sync(recent, SyncRequest(), data_specs(recent)).items:
        low, high = spans.get(item.table.name, (item.start, item.end))
        spans[item.table.name] = (min(low, item.start), max(high, item.end))
    days = {name: (high - low).days + 1 for name, (low, high) in spans.items()}
    wanted = {"ticks": 1, "bars_1m": 7, "bars_5m": 30, "bars_1h": 365}
    assert {name: days[name] for name in wanted} == wanted
    assert {high for _, high in spans.values()} == {NOW.date() - timedelta(days=1)}
    given = flow.plan_sync(recent, SyncRequest(tables=("ticks",), start="2024-08-01"), data_specs(recent))
    assert {item.start for item in given.items if item.table.name == "ticks"} == {datetime(2024, 8, 1).date()}


def test_shares_and_coins_keep_their_own_calendars(
    desk: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, datetime(2024, 8, 12, 3, tzinfo=UTC))
    words = ("data", "sync", "instruments", "bars_1d", "bars_1h", "--profile", "mixed")
    code, body = call(capsys, desk, *words)
    assert code == 0, body
    assert [c for c in body["checks"] if not c["passed"]] == []  # coins are not missing among the shares
    mixed = Workspace.find(desk.root, profile="mixed")
    lake = Lake(mixed.lake)
    days = lake.read("calendar").group_by("mic").agg(pl.col("session").max()).sort("mic")
    assert [(mic, str(last)) for mic, last in days.rows()] == [("24x7", "2024-08-11"), ("XSHG", "2024-08-09")]
    assert lake.read("instruments").height == 10 + 9
    reach = {(r.table, r.source): r for r in status(mixed).reach}
    assert (reach["bars_1d", "small"].sessions, reach["bars_1d", "small"].missing) == (2, 0)
    assert (reach["bars_1h", "my_okx"].sessions, reach["bars_1h", "my_okx"].missing) == (4, 0)
    assert call(capsys, desk, *words)[1]["tables"] == []


def test_exchanges_are_asked_at_the_same_time(
    desk: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meet, real = threading.Barrier(3, timeout=10), fetching.ask

    def waiting(*given: Any) -> Any:
        meet.wait()  # broken unless all three are under way together
        return real(*given)

    monkeypatch.setattr(fetching, "ask", waiting)
    code, body = call(capsys, desk, "data", "sync", "instruments", "bars_1h")
    assert code == 0, body
    order = [t["source"] for t in body["tables"] if t["table"] == "bars_1h"]
    assert order == ["my_binance", "my_okx", "my_bybit", "my_binance+my_okx+my_bybit"]


def test_lineage_and_schedules_follow_the_market(desk: Workspace) -> None:
    definitions = build_definitions(desk, data_specs(desk))
    (daily,) = list(definitions.schedules or ())
    assert daily.name == "always_0010" and daily.execution_timezone == "UTC"  # type: ignore[union-attr]
    graph = definitions.resolve_asset_graph()
    groups = {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()}
    for table in ("bars_1m", "bars_5m", "bars_1h", "ticks", "funding_rates"):
        mine = {name: group for name, group in groups.items() if name.endswith(f"/{table}")}
        assert len(mine) == (3 if table == "ticks" else 4) and set(mine.values()) == {"intraday"}
