"""Files of TDX (通达信): daily records (.day), minute records (.lc1, .lc5) and exported text tables.

A daily record is 32 bytes, little endian: date as YYYYMMDD, open, high, low, close as whole numbers of
``price_decimals`` (2 for stocks, 3 for funds), amount (float32, about seven digits), volume, reserved. A
minute record: date packed as (year - 2004) * 2048 + month * 100 + day, minute of the day, four prices and the
amount (float32), volume, reserved.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import polars as pl

from quant.warehouse.sources.formats.delimited import as_text
from quant.warehouse.sources.formats.options import FileOptions, Unreadable
from quant.warehouse.sources.settings import DatasetSettings

_DAY: Final = np.dtype(
    [("date", "<u4"), ("open", "<u4"), ("high", "<u4"), ("low", "<u4"), ("close", "<u4"),
     ("amount", "<f4"), ("volume", "<u4"), ("reserved", "<u4")]
)  # fmt: skip
_MINUTE: Final = np.dtype(
    [("date", "<u2"), ("minute", "<u2"), ("open", "<f4"), ("high", "<f4"), ("low", "<f4"), ("close", "<f4"),
     ("amount", "<f4"), ("volume", "<u4"), ("reserved", "<u4")]
)  # fmt: skip
_PRICES: Final = ("open", "high", "low", "close")
_COLUMNS: Final = {
    "日期": "date", "时间": "time", "开盘": "open", "开盘价": "open", "最高": "high", "最高价": "high",
    "最低": "low", "最低价": "low", "收盘": "close", "收盘价": "close", "成交量": "volume",
    "成交额": "amount", "成交金额": "amount", "持仓": "open_interest", "持仓量": "open_interest",
    "结算价": "settlement", "结算": "settlement",
}  # fmt: skip
_USUAL: Final = ("date", "open", "high", "low", "close", "volume", "amount")
_ADJUSTED: Final = {"前复权": "pre", "后复权": "post", "不复权": "none", "除权": "none"}
_DATE: Final = re.compile(r"\d{4}[/-]?\d{1,2}[/-]?\d{1,2}|\d{1,2}/\d{1,2}/\d{4}")
_CODE: Final = re.compile(r"(?<!\d)(\d{6})(?!\d)")
_MARKET: Final = re.compile(r"(?i)(?:^|[^a-z])(sh|sz|bj)[#._]?(\d{6})(?!\d)")


def read_tdx_day(content: bytes, options: FileOptions) -> pl.DataFrame:
    """Columns date (YYYYMMDD), open, high, low, close, amount, volume, reserved."""
    records = _records(content, _DAY)
    price = pl.Decimal(18, options.price_decimals)
    _refuse_dates(records["date"].astype(np.int64))
    return pl.DataFrame(
        {
            "date": pl.Series(records["date"].astype(np.int64)).cast(pl.String),
            **{name: _scaled(records[name], options.price_decimals).cast(price) for name in _PRICES},
            **{name: records[name].copy() for name in ("amount", "volume", "reserved")},
        }
    )


def read_tdx_minute(content: bytes, options: FileOptions) -> pl.DataFrame:
    """Columns date (YYYYMMDD), time (HH:MM, end of the bar), open, high, low, close, amount, volume."""
    records = _records(content, _MINUTE)
    packed, minute = records["date"].astype(np.int64), records["minute"].astype(np.int64)
    days = (packed // 2048 + 2004) * 10_000 + packed % 2048
    _refuse_dates(days)
    if minute.size and int(minute.max()) >= 24 * 60:
        raise Unreadable(f"record {int(minute.argmax())} has minute {int(minute.max())} of a day")
    for name in _PRICES:
        if not np.isfinite(records[name]).all():
            raise Unreadable(f"a price in column {name} is no number")
    clock = pl.DataFrame({"h": minute // 60, "m": minute % 60}).select(
        time=pl.format(
            "{}:{}", pl.col("h").cast(pl.String).str.zfill(2), pl.col("m").cast(pl.String).str.zfill(2)
        )
    )
    prices = {
        name: pl.Series(records[name].copy()).cast(pl.Float64).round(options.price_decimals)
        for name in _PRICES
    }
    return pl.DataFrame(
        {
            "date": pl.Series(days).cast(pl.String),
            "time": clock["time"],
            **prices,
            **{name: records[name].copy() for name in ("amount", "volume")},
        }
    )


def read_tdx_text(content: bytes, wanted: DatasetSettings, path: str) -> pl.DataFrame:
    """An exported table: a title (code, name, period, adjustment), a line of column names, rows, a trailer.

    Columns are called date, time, open, high, low, close, volume, amount whatever the file calls them, and
    ``code``, ``title`` and ``claimed_adjustment`` (pre, post, none) say what the title says. Values are text.
    Raises Unreadable for a line between the rows that is no row.
    """
    lines = [line.strip() for line in as_text(content, wanted.encoding).splitlines()]
    lines = [line for line in lines if line]
    first = next((i for i, line in enumerate(lines) if _is_row(line)), None)
    if first is None:
        raise Unreadable("no line begins with a date")
    title, names = _head(lines[:first])
    rows = _rows(lines[first:], first + 1, len(names))
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    adjusted = next((ours for word, ours in _ADJUSTED.items() if word in title), None)
    about = {"code": _code_in(path, title), "title": title, "claimed_adjustment": adjusted}
    return pl.DataFrame(table, schema=dict.fromkeys(names, pl.String)).with_columns(
        pl.lit(value, pl.String).alias(name) for name, value in about.items()
    )


def _records(content: bytes, layout: np.dtype[Any]) -> Any:
    if not content or len(content) % layout.itemsize:
        raise Unreadable(f"{len(content)} bytes are no whole records of {layout.itemsize}")
    return np.frombuffer(content, dtype=layout)


def _refuse_dates(days: Any) -> None:
    year, month, day = days // 10_000, days // 100 % 100, days % 100
    wrong = np.flatnonzero(
        (year < 1980) | (year > 2199) | (month < 1) | (month > 12) | (day < 1) | (day > 31)
    )
    if wrong.size:
        raise Unreadable(f"record {int(wrong[0])} has date {int(days[wrong[0]])}")


def _scaled(units: Any, decimals: int) -> pl.Series:
    whole = pl.Series("x", units.astype(np.int64)).cast(pl.Decimal(18, 0)).to_frame()
    return whole.select(pl.col("x") / pl.lit(10**decimals, pl.Decimal(18, max(decimals, 1)))).to_series()


def _cells(line: str) -> list[str]:
    for separator in (",", "\t", ";"):
        if separator in line:
            return [cell.strip() for cell in line.split(separator)]
    return line.split()


def _is_row(line: str) -> bool:
    cells = _cells(line)
    return len(cells) >= 5 and _DATE.fullmatch(cells[0].split(" ")[0]) is not None


def _head(lines: list[str]) -> tuple[str, list[str]]:
    """The title and the column names before the rows; the usual columns where no line names them."""
    names: list[str] = list(_USUAL)
    title: list[str] = []
    for line in lines:
        cells = [cell.replace(" ", "") for cell in _cells(line)]
        known = [_COLUMNS.get(cell, cell.lower()) for cell in cells]
        if "date" in known and "close" in known:
            names = known
        else:
            title.append(line)
    if len(set(names)) != len(names):
        raise Unreadable(f"two columns have one name: {', '.join(names)}")
    return " ".join(title), names


def _rows(lines: list[str], number: int, width: int) -> list[list[str]]:
    rows, ended = [], None
    for offset, line in enumerate(lines):
        cells = _cells(line)
        if not _is_row(line):
            ended = ended or (number + offset, line)
            continue
        if ended is not None:
            raise Unreadable(f"line {ended[0]} is no row: {ended[1][:60]!r}")
        if len(cells) < width:
            raise Unreadable(f"line {number + offset} has {len(cells)} of {width} columns")
        rows.append(cells[:width])
    return rows


def _code_in(path: str, title: str) -> str | None:
    """The instrument: the file's name tells the exchange too, the title only the number."""
    name = path.rsplit("/", 1)[-1]
    market = _MARKET.search(name)
    if market is not None:
        return f"{market[2]}.{market[1].upper()}"
    found = _CODE.search(title) or _CODE.search(name)
    return None if found is None else found[1]
