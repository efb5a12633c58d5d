"""Each shipped source of files alone in an empty workspace: its stocks are stored, what lies beside them is
left out, and a source that lists no instruments is told what it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

from quant.core.errors import CheckFailed
from quant.core.market.calendar import calendar
from quant.core.market.rules import rulebook
from quant.pipelines.flows.status import status
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.sync import ingest

DAYS = calendar("XSHG").sessions(date(2024, 1, 2), date(2024, 1, 31))
STOCKS = ("sh600000", "sz000001", "sz300001")
OTHERS = ("sh000001", "sz399001", "sh510300", "sh900901", "sh999999")
"""Two indices, a fund, a B share, and an index under a number of a program's own."""
PROJECT = """\
apiVersion = "quant/v1"
kind = "project"
name = "alone"
format = 1
[defaults]
profile = "own"
[profiles.own]
sources = ["{source}"]
from = "2024-01-02"
to = "2024-01-31"
"""


def row(code: str, n: int) -> tuple[int, int, int]:
    """Close in cents, shares, yuan of the n-th day; what is no stock counts otherwise."""
    close = 1000 + n + len(code)
    return (close, 100 * (n + 1), close * (n + 1)) if code in STOCKS else (close * 300, n + 1, close * 10**6)


def tdx(root: Path) -> None:
    layout = np.dtype([(n, "<f4" if n == "a" else "<u4") for n in "dohlcavr"])
    for code in (*STOCKS, *OTHERS):
        rows = [(int(f"{d:%Y%m%d}"), c, c, c, c, a, v, 0)
                for n, d in enumerate(DAYS) for c, v, a in [row(code, n)]]  # fmt: skip
        file = root / "vipdoc" / code[:2] / "lday" / f"{code}.day"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(np.array(rows, dtype=layout).tobytes())
    elsewhere = root / "vipdoc" / "ds" / "lday" / "31#00700.day"  # Hong Kong, in another form
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(b"\1" * 32)


def tdx_text(root: Path) -> None:
    root.mkdir(parents=True)
    for code in (*STOCKS, *OTHERS):
        lines = [f"{code[2:]} 某某 日线 不复权", "日期\t开盘\t最高\t最低\t收盘\t成交量\t成交额"]
        for n, day in enumerate(DAYS):
            close, volume, amount = row(code, n)
            prices = "\t".join([str(Decimal(close) / 100)] * 4)
            lines.append(f"{day:%Y/%m/%d}\t{prices}\t{volume}\t{amount}")
        file = root / f"{code[:2].upper()}#{code[2:]}.txt"
        file.write_bytes("\r\n".join([*lines, "数据来源:通达信"]).encode("gb18030"))


def qlib(root: Path) -> None:
    days = root / "calendars" / "day.txt"
    days.parent.mkdir(parents=True)
    days.write_text("\n".join(map(str, DAYS)))
    for code in (*STOCKS, *OTHERS):
        folder = root / "features" / code
        folder.mkdir(parents=True)
        rows = [row(code, n) for n in range(len(DAYS))]
        close = [c / 100 * 2 for c, _, _ in rows]
        told = {**dict.fromkeys(("open", "high", "low", "close"), close), "factor": [2.0] * len(rows),
                "volume": [v / 2 for _, v, _ in rows]}  # fmt: skip
        for name, values in told.items():
            (folder / f"{name}.day.bin").write_bytes(np.array([0, *values], "<f4").tobytes())


def hikyuu(root: Path) -> None:
    root.mkdir(parents=True)
    names = ("datetime", "openPrice", "highPrice", "lowPrice", "closePrice", "transAmount", "transCount")
    layout = np.dtype([(name, "<u8") for name in names])
    for market in ("sh", "sz"):
        with h5py.File(root / f"{market}_day.h5", "w") as file:
            for code in (c for c in (*STOCKS, *OTHERS) if c.startswith(market)):
                rows = [(int(f"{d:%Y%m%d}0000"), *([c * 10] * 4), a // 1000 or 1, v // 100 or 1)
                        for n, d in enumerate(DAYS)
                        for c, v, a in [row(code, 1000 * (n + 1) - 1)]]  # fmt: skip
                file.create_dataset(f"data/{code.upper()}", data=np.array(rows, dtype=layout))


def alone(root: Path, source: str, document: str = "") -> Workspace:
    for folder in ("specs", "strategies"):
        (root / folder).mkdir(parents=True)
    if document:
        (root / "specs" / "source.yaml").write_text(document)
    (root / "quant.toml").write_text(PROJECT.format(source=source))
    return Workspace.find(root)


def stored(desk: Workspace, *tables: str) -> Lake:
    lake = Lake(desk.lake)
    for item in plan_sync(desk, SyncRequest(tables), data_specs(desk), lake=lake).items:
        ingest(item, lake, run="r")
    return lake


@pytest.mark.parametrize(
    ("source", "folder", "write"),
    [("tdx", "tdx", tdx), ("tdx_text", "tdx_text", tdx_text), ("qlib_files", "qlib", qlib),
     ("hikyuu", "hikyuu", hikyuu)],
)  # fmt: skip
def test_a_shipped_source_works_alone(
    tmp_path: Path, source: str, folder: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "data" / folder)
    lake = stored(alone(tmp_path, source))
    names = lake.read("instruments").sort("code")
    assert names["code"].to_list() == ["000001.SZ", "300001.SZ", "600000.SH"]
    assert names["board"].to_list() == ["SZSE_MAIN", "CHINEXT", "SSE_MAIN"]
    bars = lake.read("bars_1d")
    assert bars.height == len(DAYS) * len(STOCKS)
    assert lake.count("quarantine") == 0
    log = lake.read("sync_log").filter(pl.col("table") == "bars_1d").row(0, named=True)
    others = len(OTHERS)
    assert json.loads(log["facts"])["left_out"] == (
        f"{others * len(DAYS)} rows of {others} codes that are no stocks"
    )
    one = names.filter(pl.col("code") == "600000.SH")["instrument_id"][0]
    first = bars.filter(pl.col("instrument_id") == one).sort("session").row(0, named=True)
    n = 999 if source == "hikyuu" else 0
    close, volume, _ = row("sh600000", n)
    assert (first["close"], first["volume"]) == (Decimal(close) / 100, volume)
    assert abs(first["amount"] - Decimal(close * volume) / 100) < 1000  # hikyuu's are in thousands
    assert ("amounts" in json.loads(log["facts"])) == (source == "qlib_files")


BARS_ALONE = """\
apiVersion: quant/v1
kind: source
name: mine
provider: files
license: test
root: data
datasets:
  bars_1d:
    files: bars.csv
    fields: {code: {as: code}, day: {as: session}, open: {as: open}, high: {as: high}, low: {as: low},
             close: {as: close}, volume: {as: volume}, amount: {as: amount}}
"""


def test_unknown_codes_without_any_instruments_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    head = "code,day,open,high,low,close,volume,amount\n"
    (tmp_path / "data" / "bars.csv").write_text(head + "600000.SH,2024-01-02,1,1,1,1,100,100\n")
    with pytest.raises(CheckFailed) as refused:
        stored(alone(tmp_path, "mine", BARS_ALONE))
    fault = refused.value.fault
    assert "most of them code.unknown" in fault.message
    assert "no source of this profile lists instruments" in str(fault.hint)
    assert "distinct: true" in str(fault.hint)


def test_files_that_no_longer_grow_are_behind(tmp_path: Path) -> None:
    tdx(tmp_path / "data" / "tdx")
    for file in (tmp_path / "data").rglob("*.day"):
        file.write_bytes(file.read_bytes()[: 32 * (len(DAYS) - 4)])
    desk = alone(tmp_path, "tdx")
    stored(desk)
    reach = {(r.table, r.golden): r for r in status(desk).reach}
    for golden in (True, False):
        bars = reach["bars_1d", golden]
        assert (bars.last, bars.newest) == (str(date(2024, 1, 31)), str(DAYS[-5]))
        assert (bars.missing, bars.behind) == (0, 4)
    assert reach["instruments", True].newest is None


def test_stocks_are_told_by_the_boards_of_any_time() -> None:
    book = rulebook()
    assert all(book.is_stock(code) for code in (*STOCKS, "bj430047", "bj920118", "688981.SH", "002594.SZ"))
    others = (*OTHERS, "123001.SZ", "159915.SZ", "880001.SH", "IF2401.CFFEX")
    assert not any(book.is_stock(code) for code in others)
