"""What the compiler asks about stored tables: one port, answered by the lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Column:
    """A stored column; ``available`` is preopen, open, close, close+2h or announcement."""

    name: str
    dtype: str
    available: str = "close"


@dataclass(frozen=True, slots=True)
class TableState:
    """One version of a table.

    ``start`` and ``end`` are the first and last session for which the sources were asked. ``facts`` say what
    the data cannot tell, as ``{"st_history": "absent", "events": "inferred", "benchmark": "absent"}``.
    """

    name: str
    version: int
    content_hash: str
    start: date | None
    end: date | None
    columns: tuple[Column, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Catalog(Protocol):
    """Which table versions there are."""

    def table(self, name: str, as_of: datetime | None = None) -> TableState | None:
        """The newest version of a golden table; None when it was never written. With ``as_of``, content and
        coverage are what was known then.
        """
        ...
