"""Where the rows of two relations come from: memory, or a lake read year by year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.relation import Ints, Relation, days_of

_LARGE: Final = 4_000_000
AROUND: Final = timedelta(days=45)
"""How far beyond a piece neighbouring bars are looked for."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of both sides; ``around_*`` are the rows of the days just before and after them."""

    a: pl.DataFrame
    b: pl.DataFrame
    around_a: pl.DataFrame | None = None
    around_b: pl.DataFrame | None = None


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
            first, last = date(year, 1, 1), date(year, 12, 31)
            now = pl.col("session").is_between(first, last)
            near = ~now & pl.col("session").is_between(first - AROUND, last + AROUND)
            yield Chunk(*(side.filter(rows) for rows in (now, near) for side in (self._a, self._b)))

    def series(self, keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        wanted = pl.col(self._key).is_in(keys.implode())
        return self._a.filter(wanted), self._b.filter(wanted)


class Moved:
    """A feed whose second side stands on other days: ``days`` maps those it shows to those it means."""

    def __init__(self, feed: Feed, shown: Ints, meant: Ints) -> None:
        self._feed, self._shown, self._meant = feed, shown, meant

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self._feed.chunks():
            around = None if chunk.around_b is None else self._move(chunk.around_b)
            yield Chunk(chunk.a, self._move(chunk.b), chunk.around_a, around)

    def series(self, keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        a, b = self._feed.series(keys)
        return a, self._move(b)

    def _move(self, frame: pl.DataFrame) -> pl.DataFrame:
        day = days_of(frame["session"])
        at = np.minimum(np.searchsorted(self._shown, day), len(self._shown) - 1)
        moved = np.where(self._shown[at] == day, self._meant[at], day)
        return frame.with_columns(pl.Series("session", moved.astype(np.int32)).cast(pl.Date))
