"""Text tables: CSV of any separator and encoding, with lines around the table that are none of it."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.sources.formats.options import FileOptions, Unreadable
from quant.warehouse.sources.settings import DatasetSettings

_BOMS: Final = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def as_text(content: bytes, encoding: str) -> str:
    """The text of bytes; a byte order mark decides over the declared encoding. Raises Unreadable."""
    marked = next((name for mark, name in _BOMS.items() if content.startswith(mark)), None)
    try:
        return content.decode(marked or encoding)
    except UnicodeError as error:
        raise Unreadable(f"not {marked or encoding}: {error}") from error


def read_delimited(content: bytes, wanted: DatasetSettings, options: FileOptions) -> pl.DataFrame:
    """Every column as text, so that numbers reach normalisation digit by digit."""
    text = as_text(content, wanted.encoding)
    if options.skip_rows or options.footer_rows or options.comment:
        text = _body(text, options)
    if not text.strip():
        raise Unreadable("there is no line of data")
    try:
        frame = pl.read_csv(
            text.encode(), separator=wanted.delimiter, infer_schema=False, has_header=options.header
        )
    except pl.exceptions.PolarsError as error:
        raise Unreadable(str(error).splitlines()[0]) from error
    return frame if options.header else _named(frame, options.names)


def _body(text: str, options: FileOptions) -> str:
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    lines = lines[options.skip_rows : len(lines) - options.footer_rows]
    if options.comment:
        lines = [line for line in lines if not line.lstrip().startswith(options.comment)]
    return "\n".join(lines) + "\n"


def _named(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    if frame.width < len(names):
        raise Unreadable(f"{frame.width} columns where {len(names)} are named")
    return frame.select(frame.columns[: len(names)]).rename(
        dict(zip(frame.columns[: len(names)], names, strict=True))
    )
