"""HDF5 files: tables of records as PyTables writes them (hikyuu's kdata), and pandas' fixed frames.

Nothing is ever unpickled: a pandas table whose columns only a pickle names is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any, Final

import numpy as np
import polars as pl

from quant.warehouse.sources.formats.options import MAX_UNPACKED, FileOptions, Unreadable

_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_FAULTS: Final = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    MemoryError,
    OverflowError,
)


def read_hdf5(content: bytes, options: FileOptions) -> pl.DataFrame:
    """The records of every data set whose path matches ``key``, with its last part as column ``key``."""
    if not content.startswith(_SIGNATURE):
        raise Unreadable("no HDF5 file")
    import h5py

    try:
        with h5py.File(BytesIO(content), "r") as file:
            frames = list(_tables(file, options.key))
    except _FAULTS as error:
        raise Unreadable(f"a damaged HDF5 file: {str(error)[:120]}") from error
    if not frames:
        raise Unreadable(f"no data set matches {options.key!r}")
    return pl.concat(frames, how="diagonal_relaxed")


def _tables(file: Any, wanted: str) -> Iterator[pl.DataFrame]:
    import h5py

    left = MAX_UNPACKED
    for path, node in sorted(_nodes(file)):
        if not fnmatchcase(path, wanted):
            continue
        if isinstance(node, h5py.Group):
            left -= sum(int(child.nbytes) for child in node.values() if isinstance(child, h5py.Dataset))
            if left < 0:
                raise Unreadable(f"unpacks to more than {MAX_UNPACKED} bytes")
            frame = _fixed(node)
        else:
            left -= int(node.nbytes)
            if left < 0:
                raise Unreadable(f"unpacks to more than {MAX_UNPACKED} bytes")
            frame = _records(node, path)
        yield frame.with_columns(pl.lit(path.rsplit("/", 1)[-1]).alias("key"))


def _nodes(file: Any) -> list[tuple[str, Any]]:
    """Tables and frames by path; links that lead out of the file are not followed."""
    import h5py

    found: list[tuple[str, Any]] = []

    def visit(path: str, node: Any) -> None:
        table = isinstance(node, h5py.Dataset) and bool(node.dtype.names)
        frame = isinstance(node, h5py.Group) and {"axis0", "axis1"} <= set(node.keys())
        if table or frame:
            found.append((path, node))

    file.visititems(visit)
    return found


def _records(node: Any, path: str) -> pl.DataFrame:
    if node.ndim != 1 or node.external or node.is_virtual:
        raise Unreadable(f"{path} is no table of its own")
    columns: dict[str, Any] = {}
    for name in node.dtype.names:
        kind = node.dtype[name]
        if kind.kind in "iufb" and not kind.shape:
            columns[name] = np.ascontiguousarray(node[name]).astype(kind.newbyteorder("="))
        elif kind.kind == "S":
            columns[name] = [value.decode("utf-8", "replace") for value in node[name].tolist()]
        else:
            raise Unreadable(f"{path}: column {name} has a type that is not read: {kind}")
    return pl.DataFrame(columns)


def _fixed(node: Any) -> pl.DataFrame:
    """A frame as ``DataFrame.to_hdf(format="fixed")`` writes it: axis1 is the index, blocks hold values."""
    columns: dict[str, Any] = {"index": _axis(node["axis1"])}
    for name in sorted(node.keys()):
        if not name.endswith("_items"):
            continue
        values = node[name.removesuffix("_items") + "_values"]
        if values.dtype.kind not in "iufb":
            raise Unreadable(f"{node.name}: a block of objects would have to be unpickled")
        cells = np.atleast_2d(values[()])
        for at, column in enumerate(_words(node[name])):
            columns[column] = np.ascontiguousarray(cells[:, at])
    return pl.DataFrame(columns)


def _words(node: Any) -> list[str]:
    return [w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in node[()].tolist()]


def _axis(node: Any) -> pl.Series:
    kind = node.attrs.get("kind", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if node.dtype.kind == "i" and kind.startswith("datetime64"):
        return pl.Series(node[()].astype(np.int64)).cast(pl.Datetime("ns"))
    if node.dtype.kind in "iuf":
        return pl.Series(node[()])
    return pl.Series(_words(node))
