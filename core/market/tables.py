"""Dated rule tables: TOML rows with from, to, source and confidence, looked up by key and date.

A row holds from ``from`` to ``to``, both inclusive local dates of the exchange; no ``to`` means still in
force. A lookup that no row answers raises RuleMissing: the newest row never stands in for history.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from quant.core.errors import InvariantBroken, Location, RuleMissing

__all__ = ["NO_RULE", "Confidence", "DatedTable", "Row", "Source", "load_sources", "load_toml", "unchanging"]

Confidence = Literal["sure", "likely", "unverified"]

NO_RULE: Final = -1
"""Cell of a [T, B] table on a session on which the board did not exist; reading it is a bug."""

_DATA: Final = Path(__file__).parent / "data"
_FRAME: Final = frozenset({"from", "to", "source", "confidence", "note"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row was read: a rule and its clause, a notice, a data file."""

    key: str
    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One dated rule: what it is about (``key``), when it held, what it says, and who says so."""

    table: str
    key: tuple[str, ...]
    start: date
    end: date | None
    values: Mapping[str, Any]
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None

    @property
    def identity(self) -> tuple[str, tuple[str, ...], date]:
        """What tells a row from all others."""
        return self.table, self.key, self.start

    def covers(self, on: date) -> bool:
        return self.start <= on and (self.end is None or on <= self.end)

    def span(self) -> str:
        return f"{self.start} to {self.end or 'today'}"


@dataclass(frozen=True, slots=True)
class DatedTable:
    """The rows of one table by key, each key's rows in date order."""

    name: str
    file: str
    key_names: tuple[str, ...]
    rows: Mapping[tuple[str, ...], tuple[Row, ...]]
    _starts: Mapping[tuple[str, ...], tuple[date, ...]] = field(repr=False)

    @classmethod
    def load(cls, file: str, name: str, key_names: Sequence[str]) -> DatedTable:
        """Table ``name`` of ``data/<file>.toml``; list-valued keys are expanded to one row per value."""
        found: dict[tuple[str, ...], list[Row]] = {}
        for raw in load_toml(file)[name]:
            for row in _expand(name, raw, key_names):
                found.setdefault(row.key, []).append(row)
        rows = {key: tuple(sorted(group, key=lambda row: row.start)) for key, group in found.items()}
        starts = {key: tuple(row.start for row in group) for key, group in rows.items()}
        return cls(
            name,
            f"core/market/data/{file}.toml",
            tuple(key_names),
            MappingProxyType(rows),
            MappingProxyType(starts),
        )

    def find(self, key: tuple[str, ...], on: date) -> Row | None:
        """The row of ``key`` in force on ``on``, or None."""
        starts = self._starts.get(key)
        if not starts:
            return None
        place = bisect_right(starts, on) - 1
        if place < 0:
            return None
        row = self.rows[key][place]
        return row if row.end is None or on <= row.end else None

    def row(self, key: tuple[str, ...], on: date) -> Row:
        """The row of ``key`` in force on ``on``. Raises RuleMissing ``rule.missing``."""
        row = self.find(key, on)
        if row is None:
            raise self.missing(key, on)
        return row

    def spread(self, key: tuple[str, ...], sessions: Sequence[date]) -> Iterator[tuple[Row, int, int]]:
        """(row, start, end) slices that cover ascending ``sessions`` without a hole.

        Raises RuleMissing ``rule.missing`` at the first session without a row.
        """
        done = 0
        for row in self.rows.get(key, ()):
            start = bisect_left(sessions, row.start)
            end = len(sessions) if row.end is None else bisect_right(sessions, row.end)
            if start > done:
                break
            if end > done:
                yield row, done, end
                done = end
        if done < len(sessions):
            raise self.missing(key, sessions[done])

    def missing(self, key: tuple[str, ...], on: date) -> RuleMissing:
        """The error for a question no row answers; ``expected`` says what is known."""
        asked = ", ".join(f"{name} {value}" for name, value in zip(self.key_names, key, strict=True))
        known = self.rows.get(key, ())
        return RuleMissing(
            "rule.missing",
            f"no {self.name} rule for {asked} on {on}",
            where=Location(self.file),
            expected="; ".join(row.span() for row in known) or f"no row of {self.name} has this key",
            found=on.isoformat(),
            hint="choose dates the table covers, or add a row with its source"
            if known
            else f"quant rules show {self.name} lists what it has",
        )

    def each(self) -> Iterator[Row]:
        for key in sorted(self.rows):
            yield from self.rows[key]

    def overlaps(self) -> list[tuple[Row, Row]]:
        """Pairs of rows of one key that hold on the same day; a valid table has none."""
        return [
            (left, right)
            for group in self.rows.values()
            for left, right in pairwise(group)
            if left.end is None or left.end >= right.start
        ]

    def gaps(self) -> list[tuple[Row, Row]]:
        """Pairs of neighbouring rows of one key with uncovered days between them."""
        day = timedelta(days=1)
        return [
            (left, right)
            for group in self.rows.values()
            for left, right in pairwise(group)
            if left.end is not None and left.end + day < right.start
        ]

    def meaning(self) -> list[dict[str, Any]]:
        """What the fingerprint covers: keys, dates and values; not sources, confidence or notes."""
        return [
            {"key": row.key, "from": row.start, "to": row.end, "values": dict(row.values)}
            for row in self.each()
        ]


def unchanging(sessions: Sequence[date], rows: Iterable[Row]) -> Iterator[tuple[int, int]]:
    """Slices (start, end) of ascending ``sessions`` within which none of ``rows`` begins or ends."""
    cuts = {0, len(sessions)}
    for row in rows:
        cuts.add(bisect_left(sessions, row.start))
        if row.end is not None:
            cuts.add(bisect_right(sessions, row.end))
    return ((start, end) for start, end in pairwise(sorted(cuts)))


@cache
def load_toml(name: str) -> Mapping[str, Any]:
    """The parsed ``data/<name>.toml``, read once. Treat it as read-only."""
    import tomllib

    with (_DATA / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def load_sources() -> Mapping[str, Source]:
    """Every source a row may cite, by key."""
    table: dict[str, dict[str, str]] = dict(load_toml("sources"))
    return MappingProxyType({key: Source(key, row["title"], row.get("url")) for key, row in table.items()})


def _expand(name: str, raw: Mapping[str, Any], key_names: Sequence[str]) -> Iterator[Row]:
    source, confidence = tuple(raw["source"]), raw["confidence"]
    end = raw.get("to")
    if confidence not in get_args(Confidence) or (end is not None and end < raw["from"]):
        raise InvariantBroken("rule.malformed", f"malformed row in {name}", found=repr(dict(raw)))
    values = {k: v for k, v in raw.items() if k not in _FRAME and k not in key_names}
    choices = [raw[k] if isinstance(raw[k], list) else [raw[k]] for k in key_names]
    for key in product(*choices):
        yield Row(name, key, raw["from"], end, MappingProxyType(values), source, confidence, raw.get("note"))
