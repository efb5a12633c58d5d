"""Tushare through its real client against the stand-in: rows, units, calls, resuming."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from desks import sync_desk, write_desk
from faults import Faults
from soak import SOAK
from truth import truth
from tushare_server import TOKEN, TushareServer

from quant.core.errors import QuantError
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.sources.quota import quota_spent
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import ingest, plan_sync

START, END = date(2021, 3, 1), date(2021, 3, 3)
SOURCE = """\
apiVersion: quant/v1
kind: source
name: ts
provider: tushare
license: for tests
secret: env://TS_TOKEN
defaults: [tushare]
options: {{url: "{url}"}}
limits: {{per_minute: {per_minute}, per_day: {per_day}, max_rows: {rows}, timeout: {timeout}, pause: 0.01}}
datasets: {{index_weights: {{params: {{index_code: "000300.SH"}}}}}}
"""


def ts_desk(
    root: Path, vendor: TushareServer, start: date = START, end: date = END, **limits: object
) -> Workspace:
    given = {"per_minute": 100_000, "per_day": 1_000_000, "rows": 5000, "timeout": 5, **limits}
    return write_desk(root, "ts", SOURCE.format(url=vendor.url, **given), start, end)


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TS_TOKEN", TOKEN)
    monkeypatch.setenv("QUANT_QUOTA_DB", str(tmp_path / "quota.db"))


@pytest.fixture
def vendor() -> Iterator[TushareServer]:
    with TushareServer() as server:
        yield server


def golden(desk: Workspace, table: str) -> pl.DataFrame:
    lake = Lake(desk.lake)
    rows = lake.read(table)
    codes = lake.read("instruments").select("instrument_id", "code")
    return rows.join(codes, on="instrument_id").sort(
        "code", *(c for c in ("session", "ex_session") if c in rows.columns)
    )


def test_three_days_arrive_in_shares_and_yuan(tmp_path: Path, vendor: TushareServer) -> None:
    desk = ts_desk(tmp_path, vendor)
    reports, failures = sync_desk(desk)
    assert failures == []
    assert {r.table for r in reports} >= {"instruments", "instrument_attributes", "bars_1d", "daily_basics"}
    columns = ["code", "session", "open", "high", "low", "close", "volume", "amount"]
    expected = truth().bars.filter(pl.col("session").is_between(START, END)).sort("code", "session")
    found = golden(desk, "bars_1d")
    assert found.height == expected.height > 30
    traded = ~pl.col("suspended").fill_null(value=False)
    assert (
        found.filter(traded)
        .select(columns)
        .equals(expected.filter(traded).select(columns).cast(dict(found.select(columns).schema)))
    )
    limits = ["code", "session", "limit_up", "limit_down"]
    assert found.filter(traded).select(limits).equals(expected.filter(traded).select(limits))
    assert found["suspended"].fill_null(value=False).to_list() == expected["suspended"].to_list()


def test_a_second_sync_asks_nothing(tmp_path: Path, vendor: TushareServer) -> None:
    desk = ts_desk(tmp_path, vendor)
    sync_desk(desk)
    before = len(vendor.calls)
    reports, failures = sync_desk(desk)
    assert (reports, failures, len(vendor.calls) - before) == ([], [], 0)


# --- faults -----------------------------------------------------------------------------------------------

FAULTY = ("instruments", "bars_1d", "adjustment_factors")
SEEDS = range(500 if SOAK else 20)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> SourceSettings:
    """The shipped source, quick to give up."""
    with TushareServer() as vendor:
        desk = ts_desk(tmp_path_factory.mktemp("ts"), vendor, timeout=0.4)
        return data_specs(desk).sources["ts"]


def synced(
    folder: Path, settings: SourceSettings, vendor: TushareServer, *tables: str
) -> tuple[dict[str, pl.DataFrame], list[QuantError]]:
    """Golden rows without bookkeeping, and what failed."""
    source = replace(settings, options={"url": vendor.url})
    lake, failures = Lake(folder), []
    wanted = [TableSettings(name, name, ("ts",)) for name in tables]
    for item in plan_sync(wanted, {"ts": source}, lake, START, END).items:
        try:
            ingest(item, lake, run="test")
        except QuantError as error:
            failures.append(error)
    return {name: plain(lake, name) for name in tables}, failures


def plain(lake: Lake, table: str) -> pl.DataFrame:
    rows = lake.read(table)
    return rows.drop("recorded_at", "payload", "source").sort(pl.all())


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory, settings: SourceSettings) -> dict[str, pl.DataFrame]:
    with pytest.MonkeyPatch.context() as patch, TushareServer() as vendor:
        folder = tmp_path_factory.mktemp("whole")
        patch.setenv("TS_TOKEN", TOKEN)
        patch.setenv("QUANT_QUOTA_DB", str(folder / "quota.db"))
        rows, failures = synced(folder / "lake", settings, vendor, *FAULTY)
    assert failures == []
    return rows


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_never_change_what_is_stored(
    seed: int, tmp_path: Path, settings: SourceSettings, faultless: dict[str, pl.DataFrame]
) -> None:
    faults = Faults(seed, rate=0.3, lasting=0.15)
    with TushareServer(faults=faults, slow=0.8) as vendor:
        rows, failures = synced(tmp_path, settings, vendor, *FAULTY)
    for error in failures:
        assert error.exit_code in (3, 4), (error.fault, faults.planted)
        assert error.fault.expected
        assert error.fault.found
    for name in FAULTY:
        whole = rows[name].equals(faultless[name])
        assert whole or (failures and not rows[name].height), (name, faults.planted)


# --- limits and kills -------------------------------------------------------------------------------------

CHILD = """
import sys
sys.path[:0] = ["tests/vendors", "tests"]
from pathlib import Path
from desks import sync_desk
from quant.pipelines.workspace import Workspace
_, failures = sync_desk(Workspace.find(Path(sys.argv[1])), "instruments", "bars_1d")
print([str(each) for each in failures])
"""


def test_the_vendor_never_sees_more_than_the_declared_calls(tmp_path: Path) -> None:
    with TushareServer(per_window=12, window=60.0) as vendor:
        desk = ts_desk(tmp_path, vendor, per_day=11)
        _, failures = sync_desk(desk, "instruments", "bars_1d", "daily_basics", "adjustment_factors")
        assert {error.fault.code for error in failures} == {"vendor.quota"}
        assert (len(vendor.calls), vendor.over) == (11, 0)
        spent = quota_spent(data_specs(desk).sources["ts"])
        assert (spent.day, spent.minute) == (11, 11)


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_full_page_is_split_until_every_row_is_there(
    overlap: int, tmp_path: Path, settings: SourceSettings, faultless: dict[str, pl.DataFrame]
) -> None:
    small = replace(settings, limits=replace(settings.limits, max_rows=4))
    datasets = {
        name: replace(d, max_rows=4, parts=tuple(replace(p, max_rows=4) for p in d.parts))
        for name, d in settings.datasets.items()
    }
    with TushareServer(cap=4, overlap=overlap) as vendor:
        rows, failures = synced(tmp_path, replace(small, datasets=datasets), vendor, *FAULTY)
    assert failures == []
    assert all(rows[name].equals(faultless[name]) for name in FAULTY)


def test_a_page_smaller_than_declared_is_never_taken_for_everything(
    tmp_path: Path, settings: SourceSettings
) -> None:
    with TushareServer(cap=4) as vendor:
        rows, failures = synced(tmp_path, settings, vendor, "instruments")
    assert [(e.fault.code, e.exit_code) for e in failures] == [("vendor.answer", 3)]
    assert "declare max_rows: 4" in str(failures[0].fault.found)
    assert rows["instruments"].height == 0


@pytest.mark.parametrize("after", range(10) if SOAK else (2, 5))
def test_a_killed_sync_goes_on_without_asking_twice(after: int, tmp_path: Path) -> None:
    with TushareServer() as vendor:
        desk = ts_desk(tmp_path, vendor, END - timedelta(days=26))
        command = [sys.executable, "-c", CHILD, str(desk.root)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while len(vendor.calls) < after and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        child.kill()
        child.communicate()
        arrived = {json.loads(line)["key"] for line in journal_lines(desk)}
        before = len(vendor.calls)
        _, failures = sync_desk(desk, "instruments", "bars_1d")
        assert failures == []
        asked = [call.key for call in vendor.calls if call.endpoint != "namechange"]  # of two datasets
        twice = [key for key in set(asked) if asked.count(key) > 1]
        under_way = 2  # two questions may have been asked whose answers were not written down yet
        assert len(twice) <= under_way
        assert len(vendor.calls) - before <= len(set(asked)) + 2 - len(arrived) + under_way
        whole = truth().bars.filter(pl.col("session").is_between(END - timedelta(days=26), END))
        assert golden(desk, "bars_1d").height == whole.height
        assert not list(journal_lines(desk))


def journal_lines(desk: Workspace) -> list[bytes]:
    folder = desk.lake / "raw" / "ts" / "received"
    files = [folder / f"{name}.jsonl" for name in ("instruments", "bars_1d")]
    return [line for path in files if path.is_file() for line in path.read_bytes().splitlines()]
