"""One file to one frame: unpack, read by format, add what the file's name and the spec say."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import PurePosixPath
from typing import Final

import polars as pl

from quant.warehouse.sources.formats.delimited import read_delimited
from quant.warehouse.sources.formats.hdf5 import read_hdf5
from quant.warehouse.sources.formats.json_lines import read_json_lines
from quant.warehouse.sources.formats.options import FileOptions, Unreadable
from quant.warehouse.sources.formats.qlib import read_qlib
from quant.warehouse.sources.formats.tdx import read_tdx_day, read_tdx_minute, read_tdx_text
from quant.warehouse.sources.formats.unpacking import unpacked
from quant.warehouse.sources.settings import DatasetSettings

FORMATS: Final = ("csv", "parquet", "json_lines", "tdx_day", "tdx_minute", "tdx_text", "qlib", "hdf5")
_PART: Final = re.compile(r"\{(\w+)\}|\*|\?")


def read_file(content: bytes, path: str, wanted: DatasetSettings, options: FileOptions) -> pl.DataFrame:
    """The vendor's columns of a file. Raises Unreadable."""
    if wanted.format == "qlib":
        members = {PurePosixPath(name).name: plain for name, plain in unpacked(content, f"{path}.zip", "*")}
        return _described(read_qlib(members, PurePosixPath(path).name), path, options)
    frames = [
        _described(_read(plain, name, wanted, options), name, options)
        for name, plain in unpacked(content, path, options.members)
    ]
    return pl.concat(frames, how="diagonal_relaxed") if len(frames) > 1 else frames[0]


def _read(content: bytes, path: str, wanted: DatasetSettings, options: FileOptions) -> pl.DataFrame:
    match wanted.format:
        case "parquet":
            return _parquet(content)
        case "json_lines":
            return read_json_lines(content, wanted, options)
        case "tdx_day":
            return read_tdx_day(content, options)
        case "tdx_minute":
            return read_tdx_minute(content, options)
        case "tdx_text":
            return read_tdx_text(content, wanted, path)
        case "hdf5":
            return read_hdf5(content, options)
        case _:
            return read_delimited(content, wanted, options)


def _parquet(content: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Unreadable((str(error).splitlines() or ["no Parquet file"])[0]) from error


def _described(frame: pl.DataFrame, path: str, options: FileOptions) -> pl.DataFrame:
    """Tidy column names, the parts of the file's name, constants, and numbers at their true scale."""
    tidy = {name: name.strip().removeprefix(options.prefix) for name in frame.columns}
    if len(set(tidy.values())) != len(tidy):
        raise Unreadable("two columns have one name")
    frame = frame.rename(tidy)
    said = {**_name_parts(path, options.name), **options.constants}
    frame = frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in said.items())
    for name, pattern in options.extract.items():
        if name in frame.columns:
            frame = frame.with_columns(_extracted(frame[name], pattern))
    for name, factor in options.divide.items():
        if name in frame.columns:
            frame = frame.with_columns(_divided(frame[name], factor))
    return frame


def _extracted(column: pl.Series, pattern: str) -> pl.Series:
    try:
        return column.cast(pl.String).str.extract(pattern, 1)
    except pl.exceptions.PolarsError as error:
        raise Unreadable(f"the pattern {pattern!r} cannot be used: {str(error).splitlines()[0]}") from error


def _divided(column: pl.Series, factor: int) -> pl.Series:
    """Numbers as the text of what they are, exactly; what is no number stays as it is and is seen later."""
    wide = column.cast(pl.String).str.strip_chars().cast(pl.Decimal(38, 0), strict=False)
    exact = pl.select(wide / pl.lit(factor, pl.Decimal(18, 12))).to_series().cast(pl.String)
    return exact.zip_with(exact.is_not_null(), column.cast(pl.String)).alias(column.name)


def _name_parts(path: str, pattern: str | None) -> dict[str, str]:
    if pattern is None:
        return {}
    name = PurePosixPath(path).name
    at, expression = 0, ""
    for part in _PART.finditer(pattern):
        expression += re.escape(pattern[at : part.start()])
        expression += f"(?P<{part[1]}>[^_]+?)" if part[1] else ".*" if part[0] == "*" else "."
        at = part.end()
    found = re.fullmatch(expression + re.escape(pattern[at:]), name)
    if found is None:
        raise Unreadable(f"the name {name!r} is not of the form {pattern!r}")
    return found.groupdict()
