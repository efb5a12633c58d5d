"""One finding, and the days and numbers it is told in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from quant.warehouse.audit.compare.causes import Kind, Verdict, cause

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Found:
    """One disagreement. ``instrument`` is a number, -1 = many; ``first`` and ``last`` are days since
    1970-01-01; ``suspect`` is a or b, "" where nothing speaks against either. ``kind`` overrides that of the
    cause; ``rows`` counts the rows that could have shown it, 0 = unknown. ``market`` for a whole market.
    """

    cause: str
    field: str
    instrument: int
    first: int
    last: int
    cells: int
    detail: str
    suspect: str = ""
    kind: Kind | None = None
    value_a: float | None = None
    value_b: float | None = None
    difference: float | None = None
    relative: float | None = None
    rows: int = 0
    market: str = ""

    @property
    def nature(self) -> Kind:
        return self.kind or cause(self.cause).kind

    @property
    def verdict(self) -> Verdict:
        if self.nature == "rounding":
            return "tolerated"
        return "open" if self.nature == "unknown" else "explained"

    def swapped(self) -> Found:
        """The same finding with the two sources exchanged."""
        other = {"a": "b", "b": "a"}.get(self.suspect, "")
        return replace(self, suspect=other, value_a=self.value_b, value_b=self.value_a)


def day_text(day: int) -> str:
    """A day since 1970-01-01 as an ISO date."""
    return (_EPOCH + timedelta(days=int(day))).isoformat()


def as_date(day: int) -> date:
    return _EPOCH + timedelta(days=int(day))


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None
