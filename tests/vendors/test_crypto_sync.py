"""Three crypto exchanges in one workspace: one table of all, also when one of them is dead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from crypto_server import FIRST, PAIRS, CryptoServer, candles, funding, ms, trades

from quant.core.errors import QuantError
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.planning import Agreement
from quant.warehouse.sync import ingest

EXCHANGES = ("binance", "okx", "bybit")
START, END = date(2024, 8, 8), date(2024, 8, 9)
PROJECT = f"""\
apiVersion = "quant/v1"
kind = "project"
name = "crypto"
format = 1
[defaults]
profile = "real"
[profiles.real]
sources = ["my_binance", "my_okx", "my_bybit"]
from = "{START}"
to = "{END}"
"""
SOURCE = """\
---
apiVersion: quant/v1
kind: source
name: my_{name}
provider: ccxt
license: for tests
defaults: [{name}]
codes: [{codes}]
options: {{exchange: {name}, url: "{url}", window_s: 3600}}
limits: {{per_minute: 100000, max_rows: 100, timeout: 0.5, pause: 0.01, attempts: 2}}
"""
TABLE = """\
---
apiVersion: quant/v1
kind: table
name: {0}
dataset: {0}
description: Of all exchanges.
{1}
"""
ALL = "arbitrate: {rule: priority}"
TABLES = ("instruments", "bars_1h", "funding_rates")


@pytest.fixture
def servers() -> Iterator[dict[str, CryptoServer]]:
    started = {name: CryptoServer(name) for name in EXCHANGES}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture
def desk(tmp_path: Path, servers: dict[str, CryptoServer], monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("QUANT_QUOTA_DB", str(tmp_path / "quota.db"))
    return write_desk(tmp_path / "desk", servers, PAIRS)


def write_desk(root: Path, servers: dict[str, CryptoServer], pairs: Sequence[str]) -> Workspace:
    """A workspace with a source for each exchange."""
    (root / "specs").mkdir(parents=True)
    (root / "quant.toml").write_text(PROJECT, encoding="utf-8")
    documents = []
    for name, server in servers.items():
        codes = ", ".join(f"{pair}.{name.upper()}" for pair in pairs)
        documents.append(SOURCE.format(name=name, url=server.url, codes=codes))
    documents += [TABLE.format(name, ALL) for name in TABLES]
    documents.append(TABLE.format("ticks", "from: [my_binance]"))
    (root / "specs" / "sources.yaml").write_text("".join(documents), encoding="utf-8")
    return Workspace.find(root)


def synced(desk: Workspace, *tables: str, end: date = END) -> dict[tuple[str, str], QuantError]:
    """Store all that can be stored; what failed, by table and source."""
    lake, failed = Lake(desk.lake), {}
    for item in plan_sync(desk, SyncRequest(tables=tables, end=end), data_specs(desk), lake=lake).items:
        try:
            ingest(item, lake, run="test")
        except QuantError as error:
            failed[item.table.name, "" if isinstance(item, Agreement) else item.source.name] = error
    return failed


def golden(desk: Workspace, table: str) -> pl.DataFrame:
    lake = Lake(desk.lake)
    codes = lake.read("instruments").select("instrument_id", "code")
    return lake.read(table).join(codes, on="instrument_id").sort("code", "ts")


def test_three_exchanges_fill_one_table(desk: Workspace, servers: dict[str, CryptoServer]) -> None:
    assert synced(desk, *TABLES) == {}
    found = golden(desk, "bars_1h")
    truth = candles("BTCUSDT", 3600)
    for name in EXCHANGES:
        rows = found.filter(pl.col("code") == f"BTCUSDT.{name.upper()}")
        assert rows["close"].cast(pl.Float64).to_list() == pytest.approx([c[3] for c in truth.values()])
        assert rows["ts"].dt.epoch("ms").to_list() == [begins + 3_600_000 for begins in truth]
    assert found.height == 3 * 3 * 48 and set(found["source"]) == {f"my_{name}" for name in EXCHANGES}
    paid = golden(desk, "funding_rates")
    assert paid["rate"].to_list() == 3 * list(funding("BTCUSDT-PERP").values())
    before = sum(len(server.asked) for server in servers.values())
    assert synced(desk, *TABLES) == {}
    assert sum(len(server.asked) for server in servers.values()) == before


def test_a_dead_exchange_is_reported_and_the_others_are_merged(
    desk: Workspace, servers: dict[str, CryptoServer]
) -> None:
    assert synced(desk, "instruments") == {}
    servers["okx"].faults.extend(["drop"] * 100)
    failed = synced(desk, "bars_1h")
    assert failed["bars_1h", "my_okx"].fault.code == "vendor.unreachable"
    found = golden(desk, "bars_1h")
    assert set(found["source"]) == {"my_binance", "my_bybit"} and found.height == 2 * 3 * 48
    servers["okx"].faults.clear()
    assert synced(desk, "bars_1h") == {}
    assert golden(desk, "bars_1h").height == 3 * 3 * 48


def test_trades_arrive_whole_through_full_pages(
    tmp_path: Path, servers: dict[str, CryptoServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANT_QUOTA_DB", str(tmp_path / "quota.db"))
    desk = write_desk(tmp_path / "desk", servers, ("ETHUSDT",))
    assert synced(desk, "instruments", "ticks", end=START) == {}
    rows = golden(desk, "ticks").sort("session", "seq")
    first_day = [t for t in trades("ETHUSDT") if t.ts < ms(FIRST + timedelta(days=1))]
    assert rows["price"].cast(pl.Float64).to_list() == [t.price for t in first_day]
    assert rows["ts"].dt.epoch("ms").to_list() == [t.ts for t in first_day]
    asked = [path for path, _ in servers["binance"].asked if path.endswith("aggTrades")]
    assert len(asked) > 2 * 24  # an hour at once, more than a page each
