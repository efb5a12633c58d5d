"""What a table says, as one hash: equal rows give equal hashes on every machine.

Definition. The rows of one partition are sorted by the table's key. Each column of the content (all but
source, payload and recorded_at) is written as: its name and type; one validity byte per row; then the
values in row order, little endian, nulls as zero: booleans as one byte, integers and dates (days) and
instants (microseconds) at their width, decimals as 16-byte integers at their scale, floats as IEEE double
with one NaN and one zero, text as 8-byte lengths followed by all UTF-8 bytes. SHA-256 of that is the
partition's hash; the table's is the fingerprint of {columns, partitions}. File layout, row order, compaction
and Delta versions therefore do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.hashing import fingerprint
from quant.warehouse.contracts.tables import TableContract

CONTENT_FORMAT = 1
_CANONICAL_NAN = np.float64("nan")


def partition_hash(table: TableContract, rows: pl.DataFrame) -> str:
    """The hash of one partition's rows; ``rows`` needs the content columns in any order."""
    ordered = rows.select(table.content).sort(table.key, nulls_last=False)
    state = hashlib.sha256()
    for name in table.content:
        state.update(f"{name}:{ordered.schema[name]}:{ordered.height}\n".encode())
        for chunk in _column_bytes(ordered[name]):
            state.update(chunk)
    return state.hexdigest()


def table_hash(table: TableContract, partitions: Mapping[str, str]) -> str:
    """The hash of a table from its partitions' hashes; empty partitions must be left out."""
    columns = {name: str(dtype) for name, dtype in table.schema.items() if name in table.content}
    return fingerprint(
        {"format": CONTENT_FORMAT, "table": table.name, "columns": columns, "partitions": dict(partitions)}
    )


def _column_bytes(column: pl.Series) -> list[bytes]:
    valid = column.is_not_null().cast(pl.UInt8).to_numpy()
    return [_bytes(valid), *_values(column)]


def _values(column: pl.Series) -> list[bytes]:
    dtype = column.dtype
    if dtype == pl.String:
        text = column.fill_null("")
        lengths = text.str.len_bytes().cast(pl.Int64).to_numpy()
        return [_bytes(lengths), "".join(text.to_list()).encode()]
    if isinstance(dtype, pl.Decimal):
        return [_decimal_bytes(column)]
    if dtype == pl.Boolean:
        return [_bytes(column.fill_null(value=False).cast(pl.UInt8).to_numpy())]
    if dtype == pl.Float64:
        return [_bytes(_one_nan(column.fill_null(0.0).to_numpy()))]
    physical = column.to_physical().fill_null(0).to_numpy()
    return [_bytes(physical)]


def _decimal_bytes(column: pl.Series) -> bytes:
    """All our decimals fit 64 bits unless the amount is absurd; the bytes are those of 128-bit integers."""
    wide = column.to_physical().fill_null(0)
    narrow = wide.cast(pl.Int64, strict=False)
    if narrow.null_count():
        return b"".join(int(value).to_bytes(16, "little", signed=True) for value in wide.to_list())
    low = narrow.to_numpy()
    out = np.empty((len(low), 2), dtype="<i8")
    out[:, 0], out[:, 1] = low, low >> 63
    return out.tobytes()


def _one_nan(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    clean: npt.NDArray[np.float64] = np.where(np.isnan(values), _CANONICAL_NAN, values) + 0.0
    return clean


def _bytes(values: npt.NDArray[Any]) -> bytes:
    """Values in order, little endian."""
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
