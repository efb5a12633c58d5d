"""What a file without a spec is: its format, encoding and separator, and its columns where no header says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from quant.core.errors import CheckFailed, UsageError
from quant.warehouse.audit.compare.relation import OHLC
from quant.warehouse.audit.headers import is_code, is_wide, known_headers
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import DatasetSettings

TEXT: Final = (".csv", ".txt", ".tsv", "")
FORMATS: Final = {".day": "tdx_day", ".parquet": "parquet", ".h5": "hdf5", ".hdf5": "hdf5"}
_ENCODINGS: Final = ("utf-8-sig", "gb18030")
_DELIMITERS: Final = (",", "\t", ";", "|")
_DATE: Final = re.compile(r"^(\d{4}[-/.]?\d{2}[-/.]?\d{2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ T]\d.*)?$")
_TIME: Final = re.compile(r"^\d{1,2}:?\d{2}(:?\d{2}(\.\d+)?)?$")
_ORDERS: Final = (("open", "high", "low", "close"), ("open", "close", "high", "low"))
_LINES: Final = 60


def payload(path: Path) -> Payload:
    return Payload("bars_1d", path.read_bytes(), "application/octet-stream", {"path": path.name})


def sniffed(path: Path) -> DatasetSettings:
    """Format, encoding and separator of a file, from its ending and first lines."""
    plain = path.name.removesuffix(".gz").removesuffix(".zip").lower()
    suffix = Path(plain).suffix
    if suffix in FORMATS:
        return DatasetSettings("bars_1d", path.name, format=FORMATS[suffix])
    if suffix not in TEXT and not path.name.lower().endswith((".gz", ".zip")):
        raise UsageError(
            "audit.format",
            f"files called *{suffix} need a source spec",
            expected=".csv, .txt, .parquet, .day, .h5, each also .gz",
            found=path.name,
            hint="describe the file in a source spec and name it with --spec-a or --spec-b",
        )
    text, encoding = _head(path)
    lines = [line for line in text.splitlines() if line.strip()]
    for delimiter in _DELIMITERS:
        headers = [cell.strip().strip('"') for cell in lines[0].split(delimiter)] if lines else []
        if len(headers) > 1 and (known_headers(tuple(headers)) or is_wide(headers)):
            return DatasetSettings("bars_1d", path.name, encoding=encoding, delimiter=delimiter)
    if any(known_headers(tuple(line.split())) or "收盘" in line for line in lines[:5]):
        return DatasetSettings("bars_1d", path.name, format="tdx_text", encoding="gb18030")
    for delimiter in _DELIMITERS:
        names = _by_position(lines, delimiter) if lines else ()
        if names:
            options = {"header": False, "names": names}
            return DatasetSettings(
                "bars_1d", path.name, encoding=encoding, delimiter=delimiter, params=options
            )
    return DatasetSettings("bars_1d", path.name, encoding=encoding)


def _head(path: Path) -> tuple[str, str]:
    for content in _unpacked(path):
        for encoding in _ENCODINGS:
            try:
                return content.decode(encoding)[:20_000], "utf-8" if encoding == "utf-8-sig" else encoding
            except UnicodeDecodeError:
                continue
        return content.decode("latin-1")[:20_000], "latin-1"
    return "", "utf-8"


def _unpacked(path: Path) -> list[bytes]:
    from quant.warehouse.sources.formats.options import Unreadable
    from quant.warehouse.sources.formats.unpacking import unpacked

    try:
        return [content for _, content in unpacked(path.read_bytes(), path.name, "*")]
    except Unreadable as error:
        raise CheckFailed(
            "payload.unreadable", f"{path.name} cannot be unpacked", expected="a whole .gz or .zip",
            found=str(error),
        ) from error  # fmt: skip


def _by_position(lines: Sequence[str], delimiter: str) -> tuple[str, ...]:
    """The columns of a file without a header: perhaps a code, a date, perhaps a time, four prices in the
    order in which no high is below any of them, and what was traded; () where the lines do not read so.
    """
    rows = [[cell.strip().strip('"') for cell in line.split(delimiter)] for line in lines[:_LINES]]
    first = rows[0]
    names = ["code"] if len(first) > 1 and is_code(first[0]) and _DATE.match(first[1]) else []
    if len(first) <= len(names) or not _DATE.match(first[len(names)]):
        return ()
    names.append("date")
    if len(first) > len(names) + len(OHLC) and _TIME.match(first[len(names)]) and _is_time(rows, len(names)):
        names.append("time of day")
    start = len(names)
    numbers = [values for row in rows if (values := _numbers(row[start : start + len(OHLC)])) is not None]
    if len(numbers) < max(1, 0.9 * len(rows)):
        return ()
    order = next((each for each in _ORDERS if _ordered(numbers, each)), None)
    if order is None:
        return ()
    names += [*order, *("volume", "amount")[: len(first) - start - len(OHLC)]]
    if len(first) > start + len(OHLC) + 2:
        names = names[:-1]  # what a longer row goes on with is anything
    return tuple(names)


def _is_time(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether the column goes like a clock: prices without a decimal point are no times."""
    seen = {row[at] for row in rows if len(row) > at}
    return all(":" in one or (one.isdigit() and one < "240000" and int(one) % 100 < 60) for one in seen) and (
        any(":" in one or one.startswith("0") for one in seen)
    )


def _numbers(cells: Sequence[str]) -> list[float] | None:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    return values if len(values) == len(OHLC) and min(values) >= 0 else None


def _ordered(rows: Sequence[Sequence[float]], order: Sequence[str]) -> bool:
    """Whether the highs are above and the lows below the others, in all rows but a few."""
    high, low = order.index("high"), order.index("low")
    right = sum(row[high] >= max(row) and row[low] <= min(row) for row in rows)
    return right >= 0.95 * len(rows)
