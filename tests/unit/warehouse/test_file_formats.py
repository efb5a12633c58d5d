"""Readers of provider files: what each gives, and what each refuses."""

from __future__ import annotations

import gzip
import struct
import zipfile
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars as pl
import pytest

from quant.core.errors import CheckFailed
from quant.warehouse.sources.files import FilesSource
from quant.warehouse.sources.formats import FORMATS, FileOptions, Unreadable, read_file
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings


def read(content: bytes, path: str, form: str, encoding: str = "utf-8", **options: Any) -> pl.DataFrame:
    return read_file(
        content, path, DatasetSettings("bars_1d", format=form, encoding=encoding), FileOptions(**options)
    )


def day_record(day: int, *prices: int, amount: float = 1234.5, volume: int = 100) -> bytes:
    return struct.pack("<IIIIIfII", day, *prices, amount, volume, 0)


TITLE = (
    "000001 平安银行 日线 前复权\r\n"
    "      日期\t    开盘\t    最高\t    最低\t    收盘\t    成交量\t    成交额\r\n"
)
ROWS = (
    "2024/01/02\t9.39\t9.42\t9.21\t9.21\t115836640\t1075742208.00\r\n"
    "2024/01/03\t9.19\t9.22\t9.15\t9.20\t73374568\t673673536.00\r\n"
)


def test_tdx_days_are_exact_at_their_decimals() -> None:
    content = day_record(20240102, 1001, 1010, 995, 1002) + day_record(20240103, 1002, 1002, 1002, 1002)
    frame = read(content, "vipdoc/sh/lday/sh600000.day", "tdx_day", name="{code}.day")
    assert frame["date"].to_list() == ["20240102", "20240103"]
    assert frame["open"].to_list() == [Decimal("10.01"), Decimal("10.02")]
    assert frame["volume"].to_list() == [100, 100] and frame["code"].unique().to_list() == ["sh600000"]
    fund = read(content, "sh510300.day", "tdx_day", price_decimals=3)
    assert fund["open"][0] == Decimal("1.001")


@pytest.mark.parametrize(
    "content", [b"", b"x" * 31, day_record(20241302, 1, 1, 1, 1), day_record(0, 1, 1, 1, 1)]
)
def test_tdx_days_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content, "sh600000.day", "tdx_day")


def test_tdx_minutes_unpack_date_and_time() -> None:
    packed = (2024 - 2004) * 2048 + 1 * 100 + 2
    record = struct.pack("<HHfffffII", packed, 9 * 60 + 35, 10.27, 10.3, 10.2, 10.25, 1e6, 1000, 0)
    frame = read(record, "sh600000.lc5", "tdx_minute")
    assert frame.row(0, named=True)["time"] == "09:35" and frame["date"][0] == "20240102"
    assert frame["open"][0] == pytest.approx(10.27, abs=1e-9)
    with pytest.raises(Unreadable, match="minute"):
        read(struct.pack("<HHfffffII", packed, 2000, *[1.0] * 5, 1, 0), "x.lc5", "tdx_minute")


@pytest.mark.parametrize("separator", ["\t", ",", "  ", " ,\t"])
def test_tdx_text_reads_title_columns_and_trailer(separator: str) -> None:
    body = (TITLE + ROWS + "数据来源:通达信\r\n").replace("\t", separator)
    frame = read(body.encode("gbk"), "export/SZ#000001.txt", "tdx_text", "gbk")
    assert frame.columns == ["date", "open", "high", "low", "close", "volume", "amount", "code", "title",
                             "claimed_adjustment"]  # fmt: skip
    assert frame["close"].to_list() == ["9.21", "9.20"] and frame["amount"][1] == "673673536.00"
    assert frame["code"].unique().to_list() == ["000001.SZ"]
    assert frame["claimed_adjustment"].unique().to_list() == ["pre"]


def test_tdx_text_without_headers_takes_the_usual_columns_and_the_code_of_the_title() -> None:
    body = "600000 浦发银行 日线 不复权\n" + ROWS.replace("\t", ",")
    frame = read(body.encode("gbk"), "a.txt", "tdx_text", "gbk")
    assert frame.row(0)[:5] == ("2024/01/02", "9.39", "9.42", "9.21", "9.21")
    assert frame["code"][0] == "600000" and frame["claimed_adjustment"][0] == "none"


def test_a_broken_line_between_rows_of_tdx_text_is_refused_with_its_number() -> None:
    first, second = ROWS.strip().split("\r\n")
    body = TITLE + first + "\r\nbroken\r\n" + second
    with pytest.raises(Unreadable, match="line 4 is no row"):
        read(body.encode("gbk"), "a.txt", "tdx_text", "gbk")
    with pytest.raises(Unreadable, match="5 of 7 columns"):
        read((TITLE + "2024/01/02\t1\t2\t3\t4\r\n").encode("gbk"), "a.txt", "tdx_text", "gbk")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "big5"])
def test_text_in_every_encoding(encoding: str) -> None:
    frame = read("日期,名\n2024-01-02,中\n".encode(encoding), "a.csv", "csv", encoding)
    assert frame.row(0) == ("2024-01-02", "中") and frame.columns == ["日期", "名"]


def test_lines_around_a_table_comments_headers_and_constants() -> None:
    body = (
        "Vendor X\nexported\n# note\n <Date>, st.<Open>\n2024-01-02,1.5\n# more\n2024-01-03,1.6\nthe end\n\n"
    )
    frame = read(
        body.encode(), "a.csv", "csv", skip_rows=2, footer_rows=1, comment="#", constants={"mic": "XSGE"}
    )
    assert frame.columns == ["<Date>", "st.<Open>", "mic"] and frame.height == 2
    assert read(b"x.a,x.b\n1,2\n", "a.csv", "csv", prefix="x.").columns == ["a", "b"]
    bare = read(b"20240102,5\n", "a.csv", "csv", header=False, names=("date", "open"))
    assert bare.row(0) == ("20240102", "5")
    with pytest.raises(Unreadable, match="2 columns where 3"):
        read(b"20240102,5\n", "a.csv", "csv", header=False, names=("date", "open", "high"))


def test_values_are_extracted_and_divided_exactly() -> None:
    body = "date,open\n2024/1/2 星期二,545001\n,\n".encode("gbk")
    frame = read(body, "a.csv", "csv", "gbk", extract={"date": r"^(\S+)"}, divide={"open": 10_000})
    assert frame["date"][0] == "2024/1/2"
    assert Decimal(frame["open"][0]) == Decimal("54.5001") and frame["open"][1] is None


def test_parts_of_file_names_become_columns() -> None:
    frame = read(b"a\n1\n", "minute/spy/20131007_spy_minute_trade.csv", "csv", name="{date}_{code}_minute_*")
    assert frame.row(0) == ("1", "20131007", "spy")
    with pytest.raises(Unreadable, match="form"):
        read(b"a\n1\n", "x.csv", "csv", name="{date}_{code}.csv")


def test_archives_are_read_in_memory_by_their_members() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../evil.csv", "a\n1\n")
        archive.writestr("b.csv", "a\n2\n")
        archive.writestr("note.txt", "no table")
    frame = read(out.getvalue(), "x.zip", "csv", members="*.csv")
    assert sorted(frame["a"].to_list()) == ["1", "2"]
    with pytest.raises(Unreadable, match="no member"):
        read(out.getvalue(), "x.zip", "csv", members="*.day")


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quant.warehouse.sources.formats.unpacking.MAX_UNPACKED", 1000)
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "a\n" + "1\n" * 300)
        archive.writestr("b.csv", "a\n" + "1\n" * 300)
    with pytest.raises(Unreadable, match="more than 1000"):
        read(out.getvalue(), "x.zip", "csv")
    with pytest.raises(Unreadable, match="more than 1000"):
        read(gzip.compress(b"a\n" + b"1\n" * 600), "x.csv.gz", "csv")
    monkeypatch.setattr("quant.warehouse.sources.formats.hdf5.MAX_UNPACKED", 1000)
    with pytest.raises(Unreadable, match="more than 1000"):
        read(tables({"data/SH600000": 4000}), "x.h5", "hdf5")


def tables(rows: dict[str, int], compression: str | None = "gzip") -> bytes:
    layout = np.dtype([("datetime", "<u8"), ("closePrice", "<u4"), ("transAmount", "<u8")])
    out = BytesIO()
    with h5py.File(out, "w") as file:
        for path, count in rows.items():
            values = np.zeros(count, layout)
            values["datetime"], values["closePrice"] = 202401020000 + np.arange(count), 9980
            file.create_dataset(path, data=values, compression=compression)
    return out.getvalue()


def test_hdf5_tables_by_key() -> None:
    frame = read(tables({"data/SH600000": 3, "data/SH600004": 2, "week/SH600000": 1}), "x.h5", "hdf5",
                 key="data/*", divide={"closePrice": 1000}, extract={"datetime": "^([0-9]{8})"})  # fmt: skip
    assert frame["key"].to_list() == ["SH600000"] * 3 + ["SH600004"] * 2
    assert Decimal(frame["closePrice"][0]) == Decimal("9.98") and frame["datetime"][0] == "20240102"
    with pytest.raises(Unreadable, match="no data set"):
        read(tables({"data/SH600000": 3}), "x.h5", "hdf5", key="minute/*")


def test_hdf5_frames_of_pandas_without_pickles() -> None:
    out = BytesIO()
    with h5py.File(out, "w") as file:
        group = file.create_group("600000")
        group["axis0"], group["block0_items"] = np.array([b"open", b"close"]), np.array([b"open", b"close"])
        group["axis1"] = np.array([1704153600_000000000], "i8")
        group["axis1"].attrs["kind"] = b"datetime64"
        group["block0_values"] = np.array([[1.5, 2.5]])
    frame = read(out.getvalue(), "x.h5", "hdf5")
    assert frame["close"].to_list() == [2.5] and str(frame["index"][0])[:10] == "2024-01-02"
    with h5py.File(out, "a") as file:
        file["600000"]["block1_items"] = np.array([b"name"])
        file["600000"]["block1_values"] = np.frombuffer(b"\x80\x04.", "S3")
    with pytest.raises(Unreadable, match="unpickled"):
        read(out.getvalue(), "x.h5", "hdf5")


def test_json_lines_flatten_filter_and_keep_digits() -> None:
    trade = b'17 {"stream":"t","data":{"p":"61837.63000000","T":1723161255342,"m":true,"b":[1]}}'
    lines = trade + b'\n18 {"stream":"d"}\n'
    frame = read(lines, "x.gz.json", "json_lines", where={"stream": "t"})
    assert frame.row(0, named=True) == {"received": "17", "stream": "t", "data.p": "61837.63000000",
                                        "data.T": "1723161255342", "data.m": "true"}  # fmt: skip
    for broken in (b"nonsense\n", b"[1]\n", b'x {"a":1}\n', b'{"a":\n'):
        with pytest.raises(Unreadable, match="line 1"):
            read(broken, "x.jsonl", "json_lines")


def qlib_store(root: Path) -> None:
    (root / "calendars").mkdir()
    (root / "calendars/day.txt").write_text("2024-01-02\n2024-01-03\n2024-01-04\n")
    for code, first, values in (("sh600000", 0, [1.5, 2.5, np.nan]), ("sz000001", 1, [7.0])):
        folder = root / "features" / code
        folder.mkdir(parents=True)
        for field in ("close", "factor"):
            (folder / f"{field}.day.bin").write_bytes(np.array([first, *values], "<f4").tobytes())


def test_qlib_features_are_placed_on_their_calendar(tmp_path: Path) -> None:
    qlib_store(tmp_path)
    wanted = DatasetSettings("bars_1d", "features/*/*.day.bin", format="qlib")
    source = FilesSource(SourceSettings("q", "files", root=tmp_path, datasets={"bars_1d": wanted}))
    from datetime import date

    payloads = list(source.fetch("bars_1d", date(2024, 1, 1), date(2024, 1, 5)))
    again = list(source.fetch("bars_1d", date(2024, 1, 1), date(2024, 1, 5)))
    assert [p.digest for p in payloads] == [p.digest for p in again]
    first, second = (source.parse(p) for p in payloads)
    assert first.select("date", "close", "code").rows()[1] == ("2024-01-03", 2.5, "sh600000")
    assert first["close"][2] is None
    assert second["date"].to_list() == ["2024-01-03"] and second["factor"].to_list() == [7.0]
    broken = tmp_path / "features/sh600000/close.day.bin"
    broken.write_bytes(np.array([2, 1.0, 2.0, 3.0], "<f4").tobytes())
    with pytest.raises(CheckFailed, match="features/sh600000"):
        source.parse(next(iter(source.fetch("bars_1d", date(2024, 1, 1), date(2024, 1, 5)))))


def test_every_format_has_a_reader_and_refuses_another_format() -> None:
    for form in FORMATS:
        with pytest.raises(Unreadable):
            read(b"\x00\xff\x00\xfe\xfd", "x", form)
