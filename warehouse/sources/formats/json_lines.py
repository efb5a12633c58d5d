"""Recorded streams: one JSON object a line, perhaps after the instant it was received."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from quant.warehouse.sources.formats.delimited import as_text
from quant.warehouse.sources.formats.options import FileOptions, Unreadable
from quant.warehouse.sources.settings import DatasetSettings


def read_json_lines(content: bytes, wanted: DatasetSettings, options: FileOptions) -> pl.DataFrame:
    """Records that match ``where``, as text columns: objects in objects are flattened (``data.p``), lists are
    left out, a number before the object is the column ``received``.
    """
    rows = []
    for number, line in enumerate(as_text(content, wanted.encoding).splitlines(), 1):
        if not line.strip():
            continue
        row = _flat(_record(line, number))
        if all(row.get(name) == value for name, value in options.where.items()):
            rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String)
    )


def _record(line: str, number: int) -> dict[str, Any]:
    begin = line.find("{")
    received = line[:begin].strip()
    try:
        record = json.loads(line[begin:], parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"line {number} is no JSON object: {error}") from error
    if begin < 0 or not isinstance(record, dict) or (received and not received.isdigit()):
        raise Unreadable(f"line {number} is no JSON object")
    return {"received": received, **record} if received else record


def _flat(record: dict[str, Any], head: str = "") -> dict[str, str | None]:
    out: dict[str, str | None] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{head}{name}.")
        elif isinstance(value, bool):
            out[head + name] = "true" if value else "false"
        elif value is None or isinstance(value, str):
            out[head + name] = value
    return out
