"""Binary features of Qlib: ``features/<code>/<field>.day.bin`` beside ``calendars/day.txt``.

A file is little-endian float32: the row of the calendar where it begins, then one value a session. Prices
there are usually adjusted (price * factor) and volume divided by the factor, as ``factor.day.bin`` says;
``shares`` is the volume times the factor again.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import polars as pl

from quant.warehouse.sources.formats.options import MAX_UNPACKED, Unreadable

CALENDAR: Final = "calendar.txt"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def bundle(files: list[Path], calendar: Path) -> bytes:
    """The features of one instrument and the calendar as one payload: equal files give equal bytes."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in [(CALENDAR, calendar), *((path.name, path) for path in sorted(files))]:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, path.read_bytes())
    return out.getvalue()


def calendar_of(path: Path, root: Path) -> Path:
    """The calendar of a feature file: ``calendars/<frequency>.txt`` beside ``features``."""
    frequency = path.name.rsplit(".", 2)[-2] if path.name.count(".") >= 2 else "day"
    for folder in path.parents:
        found = folder / "calendars" / f"{frequency}.txt"
        if found.is_file():
            return found
        if folder == root:
            break
    raise Unreadable(f"there is no calendars/{frequency}.txt beside {path.parent.name}")


def read_qlib(members: dict[str, bytes], code: str) -> pl.DataFrame:
    """Columns date, code, one a feature (float32, NaN as null), and ``shares`` where they can be told."""
    try:
        days = members.pop(CALENDAR).decode().split()
    except (KeyError, UnicodeError) as error:
        raise Unreadable("the calendar is absent or no text") from error
    starts: dict[str, tuple[int, np.ndarray[tuple[int], np.dtype[np.float32]]]] = {}
    for name, content in members.items():
        if len(content) % 4 or len(content) < 4 or len(content) > MAX_UNPACKED:
            raise Unreadable(f"{name}: {len(content)} bytes are no float32 values after a start")
        values = np.frombuffer(content, "<f4")
        first = float(values[0])
        if not (first >= 0 and first == int(first) and first + len(values) - 1 <= len(days)):
            raise Unreadable(f"{name}: row {first:g} and {len(values) - 1} values leave the calendar")
        starts[PurePosixPath(name).name.split(".")[0]] = (int(first), values[1:])
    if not starts:
        raise Unreadable("there is no feature")
    begin = min(start for start, _ in starts.values())
    end = max(start + len(values) for start, values in starts.values())
    columns = {}
    for name, (start, values) in starts.items():
        whole = np.full(end - begin, np.nan, np.float32)
        whole[start - begin : start - begin + len(values)] = values
        columns[name] = pl.Series(whole).fill_nan(None)
    frame = pl.DataFrame({"date": days[begin:end], **columns}).with_columns(pl.lit(code).alias("code"))
    if not {"volume", "factor"} <= set(columns):
        return frame
    shares = pl.col("volume").cast(pl.Float64) * pl.col("factor").cast(pl.Float64)
    return frame.with_columns(shares=shares.round(0, mode="half_away_from_zero"))
