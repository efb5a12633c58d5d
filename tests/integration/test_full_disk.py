"""A disk that is full at any moment: nothing is lost, doubled or half written, and the error says so."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any

import polars as pl
import pytest
from test_lake_s3 import BARS, bars

from quant.core.errors import TransientError
from quant.warehouse.lake import Lake, log, superseded, table_ref
from quant.warehouse.lake.layout import history_ref
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.store import LocalFolder
from quant.warehouse.sync import plan_sync, sync

DAYS = [date(2023, 12, 28), date(2023, 12, 29), date(2024, 1, 2)]
SOAK = os.environ.get("QUANT_SOAK") == "1"


class Full:
    """A file on a disk with no room: half of what is written arrives, then ENOSPC."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle

    def write(self, content: bytes) -> int:
        self._handle.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


@contextlib.contextmanager
def full_after(writes: int) -> Iterator[list[int]]:
    """From the given write on, every file that is opened for writing is on a full disk."""
    opened, count = Path.open, [0]

    def patched(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        handle = opened(path, mode, *args, **kwargs)
        if mode != "wb":
            return handle
        count[0] += 1
        return Full(handle) if count[0] > writes else handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", patched)
        yield count


def closes(lake: Lake) -> dict[tuple[int, date], str]:
    rows = lake.read("bars_1d").select("instrument_id", "session", "close")
    assert rows.select("instrument_id", "session").is_unique().all()
    return {(i, day): str(close) for i, day, close in rows.iter_rows()}


def sweep(root: Path, prepare: Callable[[Lake], None], write: Callable[[Lake], object]) -> int:
    """Fill the disk at every write of an operation in turn; how many moments there were."""
    moments = 0
    while True:
        lake = Lake(root / f"moment{moments}" / "lake")
        prepare(lake)
        before = said(lake)
        with full_after(moments) as count:
            try:
                write(lake)
            except TransientError as error:
                assert error.fault.code == "storage.full"
                assert error.exit_code == 4
        done = count[0] <= moments
        log._CACHE.clear()
        half = said(Lake(lake.root))
        write(Lake(lake.root))
        after = said(Lake(lake.root))
        assert half in (before, after)
        assert not [name for name in lake.root.rglob("*.tmp") if name.is_file()]
        if done:
            return moments
        moments += 1


def said(lake: Lake) -> dict[str, object]:
    return {
        str(ref): (lake.content_hash(ref.table, layer=ref.layer, source=ref.source), lake.count(ref.table))
        for ref in lake.refs()
        if lake.count(ref.table, layer=ref.layer, source=ref.source)
    }


def test_a_new_interval(tmp_path: Path) -> None:
    moments = sweep(
        tmp_path, lambda lake: None, lambda lake: lake.write_interval(BARS, bars(DAYS), DAYS[0], DAYS[-1])
    )
    assert moments >= 4


def test_an_interval_that_replaces_rows_and_keeps_their_history(tmp_path: Path) -> None:
    def prepare(lake: Lake) -> None:
        lake.write_interval(BARS, bars(DAYS), DAYS[0], DAYS[-1])

    def write(lake: Lake) -> None:
        lake.write_interval(BARS, bars(DAYS[1:], "10.75"), DAYS[1], DAYS[-1])
        superseded.settle(lake, BARS)
        past = lake.scan(history_ref(BARS), None, None, None).collect()
        assert past.height == bars(DAYS[1:]).height
        assert past.select("instrument_id", "session").is_unique().all()

    assert sweep(tmp_path, prepare, write) >= 6


def test_a_merge_and_a_joined_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quant.warehouse.lake.lake.CROWD", 3)

    def prepare(lake: Lake) -> None:
        for day in DAYS[:2]:
            lake.write_interval(BARS, bars([day]), day, day)

    def write(lake: Lake) -> None:
        day = date(2023, 12, 27)
        lake.write_interval(BARS, bars([day]), day, day)

    assert sweep(tmp_path, prepare, write) >= 2


def test_a_payload(tmp_path: Path) -> None:
    payload = Payload("bars_1d", b"a,b\n1,2\n" * 100, "text/csv", {"day": "2024-01-02"})
    store = PayloadStore(LocalFolder(tmp_path / "lake"))
    for moment in range(2):
        with full_after(moment), pytest.raises(TransientError):
            store.put("tiny", payload)
        assert store.store.size(store.name("tiny", payload.digest)) is None
    store.put("tiny", payload)
    assert store.get("tiny", payload.digest) == payload


def test_a_sync_goes_on_where_the_disk_was_full(tmp_path: Path) -> None:
    source = SourceSettings("sim", "simulated", params={"seed": 1, "instruments": 4})
    tables = [
        TableSettings(name, name, ("sim",)) for name in ("instruments", "bars_1d", "adjustment_factors")
    ]

    def run(lake: Lake) -> None:
        plan = plan_sync(tables, {"sim": source}, lake, date(2023, 12, 1), date(2024, 1, 31))
        for _ in sync(plan, lake, run="r", now=lambda: 1_767_225_600_000_000_000):
            pass

    whole = Lake(tmp_path / "whole" / "lake")
    with full_after(10**9) as count:
        run(whole)
    expected = {k: v for k, v in said(whole).items() if not k.startswith("system/")}
    for moment in range(0, count[0], 1 if SOAK else max(count[0] // 12, 1)):
        lake = Lake(tmp_path / f"moment{moment}" / "lake")
        code = ""
        with full_after(moment):
            try:
                run(lake)
            except TransientError as error:
                code = error.fault.code
        # The very last write keeps a content hash, which can be done without.
        assert code == "storage.full" or moment == count[0] - 1
        log._CACHE.clear()
        run(Lake(lake.root))
        assert {k: v for k, v in said(Lake(lake.root)).items() if not k.startswith("system/")} == expected


def test_a_checkpoint_that_does_not_fit_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "CHECKPOINT_EVERY", 2)

    def fails(folder: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(log, "checkpoint", fails)
    lake = Lake(tmp_path / "lake")
    for day in DAYS:
        lake.write_interval(BARS, bars([day]), day, day)
    assert lake.count("bars_1d") == 6


SMALL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from datetime import date, timedelta
from test_lake_s3 import BARS, bars
from quant.core.errors import TransientError
from quant.warehouse.lake import Lake

lake = Lake(Path(sys.argv[2]) / "lake")
stored = 0
try:
    for n in range(10_000):
        day = date(2000, 1, 3) + timedelta(n)
        lake.write_interval(BARS, bars([day], ids=tuple(range(1, 400))), day, day)
        stored = n + 1
except TransientError as error:
    print(stored, error.fault.code)
"""


def test_a_real_small_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(disk)], capture_output=True, check=False
    ) if sys.platform == "linux" and os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        done = subprocess.run(
            [sys.executable, "-c", SMALL_DISK, str(Path(__file__).parent), str(disk)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        stored, code = done.stdout.split()
        assert code == "storage.full"
        rows = Lake(disk / "lake").read("bars_1d")
        per_day = rows.group_by("session").len()
        assert per_day["len"].unique().to_list() == [399]
        assert per_day.height in (int(stored), int(stored) + 1)
        assert rows.select("instrument_id", "session").is_unique().all()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_merged_table_that_grows(tmp_path: Path) -> None:
    ids = table_ref("identities")
    stamp = bars([DAYS[0]])["ts"][0]

    def rows(*numbers: int) -> pl.DataFrame:
        made = [{"code": f"{n:06d}.SZ", "first_session": DAYS[0], "instrument_id": n, "recorded_at": stamp}
                for n in numbers]  # fmt: skip
        return pl.DataFrame(
            [{name: row.get(name) for name in ids.contract.names} for row in made], schema=ids.contract.schema
        )

    moments = sweep(
        tmp_path, lambda lake: lake.merge(ids, rows(1, 2)), lambda lake: lake.merge(ids, rows(2, 3))
    )
    assert moments >= 2
