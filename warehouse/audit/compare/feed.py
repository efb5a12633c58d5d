"""Where the rows of two relations come from: memory, or a lake read year by year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.relation import Ints, Relation, days_of

_LARGE = 4_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of both sides. Only days ``inside`` (inclusive, since 1970-01-01) count; None: all."""

    a: pl.DataFrame
    b: pl.DataFrame
    inside: tuple[int, int] | None = None


class Feed(Protocol):
    """Two relations in pieces, and whole series of some instruments."""

    def chunks(self) -> Iterator[Chunk]: ...

    def series(self, keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]: ...


class MemoryFeed:
    """Two relations in memory, cut into years when they are large."""

    def __init__(self, a: Relation, b: Relation) -> None:
        self._a, self._b, self._key = a.frame, b.frame, a.key

    def chunks(self) -> Iterator[Chunk]:
        if self._a.height + self._b.height <= _LARGE:
            yield Chunk(self._a, self._b)
            return
        years = pl.concat([self._a["session"].dt.year(), self._b["session"].dt.year()]).unique().sort()
        for year in years.drop_nulls().to_list():
            start, end = pl.date(year, 1, 1), pl.date(year, 12, 31)
            near = pl.col("session").is_between(start.dt.offset_by("-45d"), end.dt.offset_by("45d"))
            first = int(np.datetime64(f"{year}-01-01", "D").astype(int))
            last = int(np.datetime64(f"{year}-12-31", "D").astype(int))
            yield Chunk(self._a.filter(near), self._b.filter(near), (first, last))

    def series(self, keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        wanted = pl.col(self._key).is_in(keys.implode())
        return self._a.filter(wanted), self._b.filter(wanted)


class Moved:
    """A feed whose second side stands on other days: ``days`` maps those it shows to those it means."""

    def __init__(self, feed: Feed, shown: Ints, meant: Ints) -> None:
        self._feed, self._shown, self._meant = feed, shown, meant

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self._feed.chunks():
            yield Chunk(chunk.a, self._move(chunk.b), chunk.inside)

    def series(self, keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        a, b = self._feed.series(keys)
        return a, self._move(b)

    def _move(self, frame: pl.DataFrame) -> pl.DataFrame:
        day = days_of(frame["session"])
        at = np.minimum(np.searchsorted(self._shown, day), len(self._shown) - 1)
        moved = np.where(self._shown[at] == day, self._meant[at], day)
        return frame.with_columns(pl.Series("session", moved.astype(np.int32)).cast(pl.Date))
