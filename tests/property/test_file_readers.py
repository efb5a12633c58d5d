"""Whatever bytes a file holds, a reader gives a frame or says that it cannot read it."""

from __future__ import annotations

import gzip
import os
import zipfile
from io import BytesIO
from typing import Any

import h5py
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.warehouse.sources.formats import FORMATS, FileOptions, Unreadable, read_file
from quant.warehouse.sources.settings import DatasetSettings

EXAMPLES = 4000 if os.environ.get("QUANT_SOAK") else 60


def archive() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("calendar.txt", "2024-01-02\n2024-01-03\n")
        file.writestr("close.day.bin", np.array([0, 1.5, 2.5], "<f4").tobytes())
    return out.getvalue()


def hdf5() -> bytes:
    out = BytesIO()
    with h5py.File(out, "w") as file:
        values = np.zeros(50, np.dtype([("datetime", "<u8"), ("name", "S8"), ("closePrice", "<u4")]))
        file.create_dataset("data/SH600000", data=values, compression="gzip")
    return out.getvalue()


def parquet() -> bytes:
    out = BytesIO()
    pl.DataFrame({"a": list(range(100)), "b": ["x"] * 100}).write_parquet(out)
    return out.getvalue()


SEEDS: dict[str, tuple[bytes, str]] = {
    "csv": (gzip.compress("日期,开盘\n2024-01-02,1.5\n".encode()), "a.csv.gz"),
    "parquet": (parquet(), "a.parquet"),
    "json_lines": (b'17 {"a":{"b":"1"}}\n{"a":2}\n', "a.jsonl"),
    "tdx_day": (bytes(range(64)), "sh600000.day"),
    "tdx_minute": (bytes(range(64)), "sh600000.lc5"),
    "tdx_text": (
        "000001 平安 日线 前复权\n日期\t开盘\t最高\t最低\t收盘\n2024/01/02\t1\t2\t3\t4\n来源\n".encode("gbk"),
        "a.txt",
    ),
    "qlib": (archive(), "features/sh600000"),
    "hdf5": (hdf5(), "a.h5"),
}


def attempt(content: bytes, path: str, form: str, **options: Any) -> None:
    wanted = DatasetSettings("bars_1d", format=form, encoding="gbk" if form == "tdx_text" else "utf-8")
    try:
        frame = read_file(content, path, wanted, FileOptions(**options))
    except Unreadable as error:
        assert str(error)
    else:
        assert isinstance(frame, pl.DataFrame)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(content=st.binary(max_size=300), packed=st.sampled_from(["", ".gz", ".zip"]))
def test_arbitrary_bytes(form: str, content: bytes, packed: str) -> None:
    attempt(content, f"x{packed}", form)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_damaged_files(form: str, data: st.DataObject) -> None:
    content, path = SEEDS[form]
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    attempt(bytes(damaged[: cut or None]), path, form)
