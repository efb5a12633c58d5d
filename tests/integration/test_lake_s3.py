"""A lake on object storage, against moto's server in another process."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import QuantError, TransientError, UsageError
from quant.warehouse.contracts.tables import contract
from quant.warehouse.engines import query
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.lake.upkeep import histories
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.store import Address, LocalFolder, Storage, open_storage
from quant.warehouse.sync import plan_sync, sync

pytest.importorskip("moto.server", reason="moto[server] is not installed")
pytest.importorskip("boto3", reason="boto3 is not installed")

BARS = table_ref("bars_1d")
WRITERS = 8 if os.environ.get("QUANT_SOAK") == "1" else 4
START, END = date(2023, 11, 1), date(2024, 2, 29)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "moto does not start"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.kill()


@pytest.fixture
def address(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Address:
    """A fresh prefix of a bucket."""
    import boto3

    monkeypatch.setenv("LAKE_KEY", "AKIA-test-key")
    monkeypatch.setenv("LAKE_SECRET", "test-s3cret-value")
    options = {
        "endpoint": endpoint,
        "allow_http": True,
        "region": "us-east-1",
        "access_key": "env://LAKE_KEY",
        "secret_key": "env://LAKE_SECRET",
    }
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="AKIA-test-key", aws_secret_access_key="test-s3cret-value",
    )  # fmt: skip
    client.create_bucket(Bucket="lakes")
    return Address(f"s3://lakes/{tmp_path.name}/desk", options, tmp_path / "writer.lock")


@pytest.fixture
def lake(address: Address) -> Lake:
    return Lake(address)


def bars(days: list[date], close: str = "10.50", ids: tuple[int, ...] = (11, 22)) -> pl.DataFrame:
    from decimal import Decimal

    schema = contract("bars_1d").schema
    price = Decimal(close)
    rows = [
        {
            "instrument_id": i,
            "session": day,
            "ts": datetime(day.year, day.month, day.day, 7, tzinfo=UTC),
            **dict.fromkeys(("open", "high", "low", "close", "pre_close"), price),
            "volume": 100 + i,
            "amount": price * (100 + i),
            "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
            "source": "tiny",
            "payload": "p",
        }
        for day in days
        for i in ids
    ]
    full = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(full, schema=schema)


def filled(lake: Lake) -> Lake:
    source = SourceSettings("sim", "simulated", params={"seed": 3, "instruments": 6})
    names = ("instruments", "bars_1d", "adjustment_factors", "corporate_actions")
    tables = [TableSettings(name, name, ("sim",)) for name in names]
    plan = plan_sync(tables, {"sim": source}, lake, START, END)
    for _ in sync(plan, lake, run="one", now=lambda: 1_767_225_600_000_000_000):
        pass
    assert plan_sync(tables, {"sim": source}, lake, START, END).items == ()
    return lake


def test_a_sync_says_the_same_there_as_in_a_folder(lake: Lake, tmp_path: Path) -> None:
    there, here = filled(lake), filled(Lake(tmp_path / "local" / "lake"))
    assert [str(ref) for ref in there.refs()] == [str(ref) for ref in here.refs()]
    for ref in here.refs():
        if ref.layer != "system":
            own = here.content_hash(ref.table, layer=ref.layer, source=ref.source)
            assert there.content_hash(ref.table, layer=ref.layer, source=ref.source) == own
    assert there.tables() == here.tables()
    raw = {e.name for e in there.store.below("raw").entries()}
    assert raw == {e.name for e in here.store.below("raw").entries()}


def test_versions_pins_and_gc(lake: Lake) -> None:
    day = [date(2024, 1, 2)]
    versions = [
        lake.write_interval(BARS, bars(day, close), day[0], day[0]).version
        for close in ("10.1", "10.2", "10.3")
    ]
    lake.pin("run-1", {"bars_1d": versions[1]})
    assert lake.pins() == {"run-1": {"bars_1d": versions[1]}}
    doomed = lake.gc(keep_hours=0, dry_run=True)
    assert len([name for name in doomed if name.startswith("golden/")]) == 1
    assert lake.gc(keep_hours=0) == doomed
    assert lake.gc(keep_hours=0) == []
    seen = [str(lake.read("bars_1d", version=v)["close"][0]) for v in versions[1:]]
    assert seen == ["10.2000", "10.3000"]
    with pytest.raises(UsageError, match="removed by gc"):
        lake.read("bars_1d", version=versions[0])
    with pytest.raises(UsageError) as caught:
        lake.read("bars_1d", version=99)
    assert caught.value.fault.expected == f"0 to {versions[-1]}"
    assert [str(ref) for ref in histories(lake)] == ["history/golden/bars_1d"]
    lake.unpin("run-1")
    assert lake.pins() == {}


def test_small_files_are_joined_and_a_checkpoint_is_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from quant.warehouse.lake import log

    monkeypatch.setattr(log, "CHECKPOINT_EVERY", 5)
    days = [date(2024, 1, 1) + timedelta(n) for n in range(12)]
    for day in days:
        lake.write_interval(BARS, bars([day]), day, day)
    before = lake.content_hash("bars_1d")
    assert any(e.name.endswith(".checkpoint.parquet") for e in lake.path(BARS).below("_delta_log").entries())
    assert lake.compact() == ["golden/bars_1d"]
    log._CACHE.clear()
    assert lake.content_hash("bars_1d") == before
    assert lake.read("bars_1d", version=7).height == 14
    assert lake.count("bars_1d") == 24


@pytest.mark.parametrize("engine", ["clickhouse", "duckdb"])
def test_engines_read_it_in_place(lake: Lake, engine: str) -> None:
    if engine == "clickhouse":
        pytest.importorskip("chdb", reason="chdb has no wheel for this system")
    days = [date(2023, 12, 29), date(2024, 1, 2)]
    lake.write_interval(BARS, bars(days), days[0], days[1])
    sql = "select session, sum(volume) as v from bars_1d where session >= '2024-01-01' group by session"
    answer = query(sql, lake, engine=engine)
    assert answer.table.to_pylist() == [{"session": days[1], "v": 233}]


WRITE = """
import sys
from datetime import date, timedelta
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_lake_s3 import BARS, bars
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.lock import WriterLock
from quant.warehouse.store import Address
import json
import polars as pl

uri, options, me, rounds = sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
lake = Lake(Address(uri, options, Path(sys.argv[6]) / f"machine-{me}.lock"))
ids = table_ref("identities")
print("ready", flush=True)
sys.stdin.readline()
for n in range(rounds):
    day = date(2024, 1, 1) + timedelta(n)
    shared = date(2024, 6, 1)
    lake.write_interval(BARS, bars([day + timedelta(100 * me)], ids=(me,)), day + timedelta(100 * me),
                        day + timedelta(100 * me))
    lake.write_interval(BARS, bars([shared], close=f"{10 + me}.{n:02d}", ids=(1, 2)), shared, shared)
    stamp = bars([day])["ts"][0]
    row = {"code": f"{me}{n:05d}.SZ", "first_session": day, "instrument_id": 1 + me * 1000 + n,
           "recorded_at": stamp}
    full = {name: row.get(name) for name in ids.contract.names}
    lake.merge(ids, pl.DataFrame([full], schema=ids.contract.schema))
"""


def test_commits_of_several_machines_neither_lose_nor_overwrite(
    lake: Lake, address: Address, tmp_path: Path
) -> None:
    """Each process has a lock of its own, as machines have: only the conditional PUT keeps them apart."""
    import json

    rounds = 6
    argv = [str(Path(__file__).parent), address.uri, json.dumps(dict(address.options))]
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, *argv, str(me), str(rounds), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(WRITERS)
    ]
    for process in crowd:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline().strip() == "ready", process.stderr and process.stderr.read()
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in crowd:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    rows = lake.read("bars_1d")
    shared = rows.filter(pl.col("session") == date(2024, 6, 1))
    assert sorted(shared["instrument_id"].to_list()) == [1, 2]
    assert shared["close"].n_unique() == 1
    own = rows.filter(pl.col("session") != date(2024, 6, 1))
    assert own.height == WRITERS * rounds
    assert own.select("instrument_id", "session").n_unique() == WRITERS * rounds
    merged = lake.read("identities")
    assert merged.height == WRITERS * rounds
    assert merged["code"].n_unique() == WRITERS * rounds


def test_of_many_writers_one_creates_a_name(address: Address) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = open_storage(address)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.create("race", f"writer {n}".encode()), range(16)))
    assert sum(won) == 1
    assert store.read("race") == f"writer {won.index(True)}".encode()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return LocalFolder(tmp_path / "store")
    return open_storage(request.getfixturevalue("address"))


def test_both_storages_keep_the_port(store: Storage) -> None:
    assert (store.folders(), list(store.entries()), store.size("a/b"), store.stamp("a/b")) == (
        [],
        [],
        None,
        None,
    )
    with pytest.raises(FileNotFoundError):
        store.read("a/b")
    assert store.create("a/b", b"one")
    assert not store.create("a/b", b"two")
    first = store.stamp("a/b")
    store.write("a/b", b"three")
    assert (store.read("a/b"), store.size("a/b")) == (b"three", 5)
    assert store.stamp("a/b") != first
    store.write("c/d/e 湖.json", b"{}", durable=False)
    assert store.folders() == ["a", "c"]
    assert sorted((e.name, e.size) for e in store.entries()) == [("a/b", 5), ("c/d/e 湖.json", 2)]
    assert store.below("c").folders() == ["d"]
    assert [e.name for e in store.below("c", "d").entries()] == ["e 湖.json"]
    assert all(abs(e.modified - time.time()) < 120 for e in store.entries())
    store.remove("a/b")
    store.remove("a/b")
    assert store.size("a/b") is None


def test_a_folder_without_hard_links_still_gives_a_name_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = LocalFolder(tmp_path / "store")
    assert store.create("a/b", b"one")
    assert not store.create("a/b", b"two")
    assert (store.read("a/b"), len(list(store.entries()))) == (b"one", 1)


def test_payloads_are_kept_by_digest_on_both(store: Storage) -> None:
    payloads = PayloadStore(store)
    payload = Payload("bars_1d", b"a,b\n1,2\n", "text/csv", {"day": "2024-01-02"})
    payloads.put("tiny", payload)
    payloads.put("tiny", payload)
    assert payloads.get("tiny", payload.digest) == payload
    store.write(payloads.name("tiny", payload.digest), b"other")
    with pytest.raises(QuantError) as caught:
        payloads.get("tiny", payload.digest)
    assert caught.value.fault.code == "payload.digest"


def test_what_cannot_be_reached_or_is_refused_says_so(address: Address, tmp_path: Path) -> None:
    gone = Lake(Address("s3://no-such-bucket/x", address.options, tmp_path / "l"))
    with pytest.raises(QuantError) as refused:
        gone.write_interval(BARS, bars([START]), START, START)
    assert refused.value.fault.code in ("storage.refused", "storage.missing")
    silent = {**address.options, "endpoint": "http://127.0.0.1:9"}
    with pytest.raises(TransientError) as caught:
        Lake(Address(address.uri, silent, tmp_path / "l")).version("bars_1d")
    assert caught.value.fault.code == "storage.unreachable"
    assert "test-s3cret-value" not in str(caught.value.fault)
    with pytest.raises(UsageError, match="not encrypted"):
        Lake(Address(address.uri, {**address.options, "allow_http": False}))
    with pytest.raises(UsageError, match="no option nope"):
        Lake(Address(address.uri, {"nope": 1}))
    with pytest.raises(UsageError, match="no bucket"):
        Lake("s3://UPPER/x")
    with pytest.raises(UsageError, match="no storage for ftp"):
        Lake("ftp://host/x")


def test_a_workspace_with_its_lake_in_a_bucket(address: Address, tmp_path: Path) -> None:
    from quant.pipelines.workspace import Workspace

    desk = tmp_path / "desk"
    desk.mkdir()
    pairs = "\n".join(f"{k} = {str(v).lower() if v is True else repr(v)}" for k, v in address.options.items())
    (desk / "quant.toml").write_text(
        f"[profiles.demo.paths]\nlake = '{address.uri}'\n[profiles.demo.storage]\n{pairs}\n", encoding="utf-8"
    )
    lake = Lake(Workspace.find(desk).lake)
    lake.write_interval(BARS, bars([START]), START, START)
    command = [
        sys.executable,
        "-m",
        "quant.qcli.main",
        "data",
        "sql",
        "select count(*) as n from bars_1d",
        "--json",
    ]
    done = subprocess.run([*command, "-w", str(desk)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r'"rows": \[\s*\[\s*2\s*\]', done.stdout)
    assert (desk / ".quant" / "demo" / "writer.lock").exists()
    assert "test-s3cret-value" not in done.stdout + done.stderr
