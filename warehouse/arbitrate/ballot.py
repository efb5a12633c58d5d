"""The rows of several sources side by side: one line per key, whoever has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant.warehouse.contracts.tables import TableContract

Ints = NDArray[np.int64]
_AT = "at"
_NOWHERE = -1
_ROOM = 1 << 62


@dataclass(frozen=True, slots=True)
class Ballot:
    """``keys`` are the union of all keys, each once. ``rows[i]`` holds source i's row of each key, null where
    it has none; ``present[i]`` says where it has one, None meaning everywhere.
    """

    keys: pl.DataFrame
    sources: tuple[str, ...]
    rows: tuple[pl.DataFrame, ...]
    present: tuple[pl.Series | None, ...]

    @property
    def height(self) -> int:
        return self.keys.height

    def column(self, name: str, order: Sequence[int]) -> list[pl.Series]:
        return [self.rows[i][name] for i in order]


def align(table: TableContract, votes: Mapping[str, pl.DataFrame]) -> Ballot:
    """Lay the sources' rows side by side. Keys must be unique within each source."""
    key, names = list(table.key), tuple(votes)
    frames = [frame.select(table.names) for frame in votes.values()]
    if _same_keys(frames, key):
        return Ballot(frames[0].select(key), names, tuple(frames), (None,) * len(frames))
    numbers = _numbered(frames, key)
    at, keys = _by_number(frames, numbers, key) if numbers else _by_join(frames, key)
    places = [pl.Series(_AT, each, dtype=pl.Int64) for each in at]
    places = [each.set(each == _NOWHERE, None) for each in places]
    present = [at.is_not_null() if at.null_count() else None for at in places]
    rows = [_gathered(frame, at) for frame, at in zip(frames, places, strict=True)]
    return Ballot(keys, names, tuple(rows), tuple(present))


def _same_keys(frames: Sequence[pl.DataFrame], key: list[str]) -> bool:
    first = frames[0]
    return all(
        frame.height == first.height and all(frame[name].equals(first[name]) for name in key)
        for frame in frames[1:]
    )


def _numbered(frames: Sequence[pl.DataFrame], key: list[str]) -> list[Ints]:
    """One number a key, equal for equal keys of all frames; [] where keys are not all whole numbers, dates or
    instants, or are too many to be numbered.
    """
    numbers = [np.zeros(frame.height, dtype=np.int64) for frame in frames]
    room = 1
    for name in key:
        columns = [frame[name].to_physical() for frame in frames]
        if any(not column.dtype.is_integer() or column.null_count() for column in columns):
            return []
        known = pl.concat([column.cast(pl.Int64).unique() for column in columns]).unique().sort().to_numpy()
        room *= len(known) + 1
        if room >= _ROOM:
            return []
        for number, column in zip(numbers, columns, strict=True):
            number *= len(known) + 1
            number += np.searchsorted(known, column.to_numpy())
    return numbers


def _by_number(
    frames: Sequence[pl.DataFrame], numbers: Sequence[Ints], key: list[str]
) -> tuple[list[Ints], pl.DataFrame]:
    """Where each key of the union stands in each frame, and the union."""
    union = _distinct(np.concatenate([np.sort(each, kind="stable") for each in numbers]))
    at = []
    for each in numbers:
        place = np.full(len(union), _NOWHERE, dtype=np.int64)
        place[np.searchsorted(union, each)] = np.arange(len(each))
        at.append(place)
    whole = pl.concat([frame.select(key) for frame in frames])
    offset, found = 0, np.full(len(union), _NOWHERE, dtype=np.int64)
    for place, frame in zip(at, frames, strict=True):
        found = np.where(found == _NOWHERE, np.where(place == _NOWHERE, _NOWHERE, place + offset), found)
        offset += frame.height
    return at, whole.select(pl.all().gather(found))


def _distinct(numbers: Ints) -> Ints:
    """Each number once, in order; the input is a few ascending runs, which a stable sort merges fast."""
    ordered = np.sort(numbers, kind="stable")
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def _by_join(frames: Sequence[pl.DataFrame], key: list[str]) -> tuple[list[Ints], pl.DataFrame]:
    keys = pl.concat([frame.select(key) for frame in frames]).unique(maintain_order=True)
    return [_places(keys, frame, key).fill_null(_NOWHERE).to_numpy() for frame in frames], keys


def _places(keys: pl.DataFrame, frame: pl.DataFrame, key: list[str]) -> pl.Series:
    numbered = frame.select(key).with_row_index(_AT).with_columns(pl.col(_AT).cast(pl.Int64))
    return keys.join(numbered, on=key, how="left", nulls_equal=True, maintain_order="left")[_AT]


def _gathered(frame: pl.DataFrame, at: pl.Series) -> pl.DataFrame:
    if frame.height == len(at) and at.is_sorted() and not at.null_count():
        return frame
    return frame.select(pl.all().gather(at))
