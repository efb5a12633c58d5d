"""What a strategy remembers, as JSON that gives equal values back.

Beside text, numbers, lists and dicts: tuples, sets, dates, NumPy numbers and arrays, pandas Series, frames.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np

_KEY: Final = "~"
_ATOMS: Final = (str, bool, int, type(None))


class Unkept(Exception):
    """A value that JSON cannot give back."""


def pack(value: Any) -> Any:
    """JSON data for ``value``. Raises Unkept with the type that cannot be kept."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is float:
        return value if math.isfinite(value) else {_KEY: "float", "v": repr(value)}
    if kind is list:
        return [pack(v) for v in value]
    if kind in (dict, OrderedDict, defaultdict):
        if all(type(k) is str and k != _KEY for k in value):
            return {k: pack(v) for k, v in value.items()}
        return {_KEY: "dict", "v": [[pack(k), pack(v)] for k, v in value.items()]}
    tagged = _PACK.get(kind) or (_pandas(kind) if kind.__module__.startswith("pandas") else None)
    if tagged is None and isinstance(value, np.generic):
        tagged = ("scalar", lambda v: [v.dtype.str, v.item()])
    if tagged is None:
        raise Unkept(kind.__name__)
    return {_KEY: tagged[0], "v": tagged[1](value)}


def unpack(data: Any) -> Any:
    """The value behind ``pack``'s data."""
    if isinstance(data, list):
        return [unpack(v) for v in data]
    if not isinstance(data, dict):
        return data
    tag = data.get(_KEY)
    return {k: unpack(v) for k, v in data.items()} if tag is None else _UNPACK[tag](data["v"])


def _members(values: Any) -> list[Any]:
    return sorted((pack(v) for v in values), key=repr)


def _array(values: Any) -> list[Any]:
    if values.dtype.kind not in "biufMmUS":
        return ["O", list(values.shape), [pack(v) for v in values.ravel().tolist()]]
    whole = values.astype("i8") if values.dtype.kind in "Mm" else values
    return [values.dtype.str, list(values.shape), [pack(v) for v in whole.ravel().tolist()]]


def _to_array(parts: list[Any]) -> Any:
    kind, shape, cells = parts
    values = [unpack(v) for v in cells]
    if kind == "O":
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out.reshape(shape)
    if np.dtype(kind).kind in "Mm":
        return np.array(values, dtype="i8").astype(kind).reshape(shape)
    return np.array(values, dtype=kind).reshape(shape)


_PACK: Final[Mapping[type, tuple[str, Callable[[Any], Any]]]] = {
    tuple: ("tuple", lambda v: [pack(x) for x in v]),
    set: ("set", _members),
    frozenset: ("frozenset", _members),
    deque: ("deque", lambda v: [v.maxlen, [pack(x) for x in v]]),
    date: ("date", lambda v: v.isoformat()),
    datetime: ("datetime", lambda v: v.isoformat()),
    timedelta: ("timedelta", lambda v: [v.days, v.seconds, v.microseconds]),
    np.ndarray: ("array", _array),
}


def _pandas(kind: type) -> tuple[str, Callable[[Any], Any]] | None:
    import pandas as pd

    if kind is pd.Timestamp:
        return "timestamp", lambda v: v.isoformat()
    if kind is pd.Series:
        return "series", lambda v: [_index(v.index), pack(v.name), _array(v.to_numpy())]
    if kind is pd.DataFrame:
        return "frame", lambda v: [
            _index(v.index),
            _index(v.columns),
            [_array(v.iloc[:, i].to_numpy()) for i in range(v.shape[1])],
        ]
    if issubclass(kind, pd.Index):
        return "index", _index
    return None


def _index(index: Any) -> list[Any]:
    return [_array(np.asarray(index.to_numpy())), pack(index.name)]


def _to_index(parts: list[Any]) -> Any:
    import pandas as pd

    return pd.Index(_to_array(parts[0]), name=unpack(parts[1]))


def _to_series(parts: list[Any]) -> Any:
    import pandas as pd

    return pd.Series(_to_array(parts[2]), index=_to_index(parts[0]), name=unpack(parts[1]))


def _to_frame(parts: list[Any]) -> Any:
    import pandas as pd

    index, columns = _to_index(parts[0]), _to_index(parts[1])
    frame = pd.DataFrame({i: _to_array(v) for i, v in enumerate(parts[2])}, index=index)
    frame.columns = columns
    return frame


def _timestamp(text: str) -> Any:
    import pandas as pd

    return pd.Timestamp(text)


_UNPACK: Final[Mapping[str, Callable[[Any], Any]]] = {
    "float": float,
    "dict": lambda v: {unpack(k): unpack(x) for k, x in v},
    "tuple": lambda v: tuple(unpack(x) for x in v),
    "set": lambda v: {unpack(x) for x in v},
    "frozenset": lambda v: frozenset(unpack(x) for x in v),
    "deque": lambda v: deque((unpack(x) for x in v[1]), v[0]),
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "timedelta": lambda v: timedelta(*v),
    "array": _to_array,
    "scalar": lambda v: np.dtype(v[0]).type(v[1]),
    "timestamp": _timestamp,
    "series": _to_series,
    "frame": _to_frame,
    "index": _to_index,
}
