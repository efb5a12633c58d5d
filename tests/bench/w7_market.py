"""The market of ../shared/bench/gen.py as tables of a lake: 5000 instruments on 2430 sessions of Shanghai."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quant.core.market.calendar import calendar
from quant.core.versions import TABLE_FORMAT
from quant.warehouse.contracts import contract
from quant.warehouse.lake import Lake, delta, table_ref
from quant.warehouse.lock import WriterLock

ROOT = Path(__file__).resolve().parents[2]
CODE = "600123.SH"
STAMP = datetime(2026, 1, 2, tzinfo=UTC)
EPOCH = date(1970, 1, 1)


def data_in(data: Path) -> Path:
    """``data``, generated once if it is not there. The peers read the second layout."""
    shared = Path(os.environ.get("QUANT_SHARED", ROOT.parent / "shared"))
    if not (data / "panel/close.npy").is_file() or not (data / "w7_fund.parquet").is_file():
        script = shared / "bench/gen.py"
        if not script.is_file():
            sys.exit(f"the generator {script} is absent; set QUANT_SHARED")
        subprocess.run([sys.executable, str(script), "--data", str(data), "--only", "panel,w7"], check=True)
    return data


@lru_cache(maxsize=32)
def matrix(data: Path, name: str) -> Any:
    return np.load(data / "panel" / f"{name}.npy", mmap_mode="r")


@lru_cache(maxsize=4)
def sessions_of(data: Path) -> tuple[date, ...]:
    count = matrix(data, "close").shape[0]
    return tuple(calendar("XSHG").sessions(date(2015, 1, 5), date(2025, 12, 31)))[:count]


@lru_cache(maxsize=4)
def codes_of(data: Path) -> tuple[str, ...]:
    names = (data / "panel/symbols.txt").read_text(encoding="utf-8").split()
    return tuple(name.replace(".XSHG", ".SH").replace(".XSHE", ".SZ") for name in names)


def ids_of(data: Path) -> Any:
    return np.arange(1, len(codes_of(data)) + 1, dtype="i8") * 1_000_003


def decimals(values: Any, precision: int) -> pl.Series:
    """Numbers with four decimals, exactly."""
    import pyarrow as pa

    units = np.round(values * 10_000).astype("<i8")
    wide = np.empty((len(units), 2), "<i8")
    wide[:, 0], wide[:, 1] = units, units >> 63
    return pl.Series(
        pa.Array.from_buffers(pa.decimal128(precision, 4), len(units), [None, pa.py_buffer(wide)])
    )


def bars_of(data: Path, *rows: int) -> pl.DataFrame:
    """Contract rows of some sessions, sorted by instrument and session."""
    at = np.array(rows) % len(sessions_of(data))
    count = len(codes_of(data))
    days = np.array([(d - EPOCH).days for d in sessions_of(data)], "i4")[at]
    before = np.maximum(at - 1, 0)

    def cells(name: str, chosen: Any = at) -> Any:
        return np.ascontiguousarray(matrix(data, name)[chosen].T).ravel()

    ends = np.tile(days.astype("i8") * 86_400 + 7 * 3_600, count) * 1_000_000
    prices = {
        "open": "open",
        "high": "high",
        "low": "low",
        "close": "close",
        "limit_up": "up",
        "limit_down": "down",
    }
    no = np.zeros(len(at) * count, bool)
    frame = pl.DataFrame(
        {
            "instrument_id": np.repeat(ids_of(data), len(at)),
            "session": pl.Series(np.tile(days, count)).cast(pl.Date),
            "ts": pl.Series(ends).cast(pl.Datetime("us", "UTC")),
            **{ours: decimals(cells(theirs), 18) for ours, theirs in prices.items()},
            "pre_close": decimals(cells("close", before), 18),
            "volume": cells("volume").astype("i8"),
            "amount": cells("amount"),
            "suspended": cells("susp"),
            **dict.fromkeys(("st", "delisting", "no_limit"), no),
        }
    )
    amount = contract("bars_1d").schema["amount"]
    frame = frame.with_columns(amount=decimals(frame["amount"].to_numpy(), 20).cast(amount))
    return stored("bars_1d", frame.with_columns(known_at=pl.col("ts")))


def factors_of(data: Path, *rows: int) -> pl.DataFrame:
    at, count = np.array(rows), len(codes_of(data))
    days = np.array([(d - EPOCH).days for d in sessions_of(data)], "i4")[at]
    frame = pl.DataFrame(
        {
            "instrument_id": np.repeat(ids_of(data), len(at)),
            "session": pl.Series(np.tile(days, count)).cast(pl.Date),
            "factor": np.ascontiguousarray(matrix(data, "factor")[at].T).ravel(),
            "inferred": np.zeros(len(at) * count, bool),
        }
    )
    return stored("adjustment_factors", frame)


def instruments_of(data: Path) -> pl.DataFrame:
    codes = codes_of(data)
    frame = pl.DataFrame(
        {
            "instrument_id": ids_of(data),
            "code": codes,
            "mic": ["XSHG" if code.endswith("SH") else "XSHE" for code in codes],
            "board": ["SSE_MAIN" if code.endswith("SH") else "SZSE_MAIN" for code in codes],
            "currency": ["CNY"] * len(codes),
            "list_date": [sessions_of(data)[0]] * len(codes),
        }
    )
    return stored("instruments", frame)


def stored(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with every column of their contract."""
    target = contract(table)
    given = {"recorded_at": pl.lit(STAMP), "source": pl.lit("gen"), "payload": pl.lit("0" * 64)}
    frame = frame.with_columns(**given)
    return frame.select(
        (pl.col(n) if n in frame.columns else pl.lit(None)).cast(t).alias(n) for n, t in target.schema.items()
    )


def lake_in(data: Path, place: Path, *, years: int = 10, factors: bool = True) -> Lake:
    """A lake with the last ``years`` of the market, written once, year by year."""
    lake = Lake(place / "lake", lock=WriterLock(place / "writer.lock"))
    layout = f"{TABLE_FORMAT} {delta.SEGMENT_ROWS} {delta.CODEC}"
    if (place / "done").is_file() and (place / "done").read_text(encoding="utf-8") == layout:
        return lake
    shutil.rmtree(place, ignore_errors=True)
    sessions = sessions_of(data)
    every = np.array([d.year for d in sessions])
    for year in np.unique(every)[-years:]:
        rows = np.flatnonzero(every == year)
        first, last = sessions[rows[0]], sessions[rows[-1]]
        lake.write_interval(table_ref("bars_1d"), bars_of(data, *rows), first, last)
        if factors:
            lake.write_interval(table_ref("adjustment_factors"), factors_of(data, *rows), first, last)
    lake.merge(table_ref("instruments"), instruments_of(data))
    (place / "done").write_text(layout, encoding="utf-8")
    return lake
