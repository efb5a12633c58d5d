"""``quant rules``: the dated tables, the rows behind an answer, faults of the tables, worked cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quant.core.errors import UsageError
from quant.core.ids import parse_code
from quant.core.market.governing import Governing, governing, table_of
from quant.core.market.registry import all_tables
from quant.core.market.rules import rulebook
from quant.core.market.sessions import calendar_of
from quant.core.market.tables import DatedTable, Row, load_sources

if TYPE_CHECKING:
    from quant.native.rules.cases import Outcome

MAX_BYTES: Final = 16 << 20
PERIODS: Final = frozenset({"no_limit_days", "market_halts", "no_night"})
"""Tables of things that come and go: days between two rows are no fault."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of a table: rows that overlap, days no row covers, a source that nothing explains."""

    kind: str
    table: str
    key: tuple[str, ...]
    said: str

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "table": self.table, "key": list(self.key), "said": self.said}


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of every case of a file, in file order."""

    file: str
    outcomes: tuple[Outcome, ...]

    @property
    def mismatches(self) -> tuple[Outcome, ...]:
        return tuple(each for each in self.outcomes if not each.ok)

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "rulebook_hash": rulebook_hash(),
            "passed": len(self.outcomes) - len(self.mismatches),
            "failed": len(self.mismatches),
            "cases": [each.as_dict() for each in self.outcomes],
        }


def rulebook_hash() -> str:
    """Hash of what every table says, as plans and receipts carry it."""
    return rulebook().fingerprint


def list_tables() -> list[dict[str, Any]]:
    """Every table with its file, keys, and how many rows are how certain."""
    return [_summary(table) for table in all_tables()]


def is_table(name: str) -> bool:
    """Whether a table has this name."""
    return any(table.name == name for table in all_tables())


def rows_of(name: str, on: date | None = None) -> tuple[DatedTable, list[Row]]:
    """A table and its rows by key and date, or those in force ``on`` a date.

    Raises UsageError ``rule.table``.
    """
    table = table_of(name)
    return table, [row for row in table.each() if on is None or row.covers(on)]


def caution(code: str, on: date) -> str | None:
    """What a reader of the rules should know of the date; None where there is nothing to say."""
    days = calendar_of(parse_code(code))
    if on > days.last:
        return f"the calendar ends {days.last}: rules of {on} are those known today"
    if on >= days.first and not days.is_session(on):
        return f"{on} is no session of {code}"
    return None


def rules_on(code: str, on: date) -> list[Governing]:
    """What governs an instrument on a date. Raises RuleMissing, UsageError for a code that is none."""
    return governing(parse_code(code), on)


def problems(tables: Sequence[DatedTable] | None = None) -> list[Problem]:
    """Every fault of the tables: overlaps, gaps, rows without a known source."""
    checked = all_tables() if tables is None else tables
    return [problem for table in checked for problem in _faults(table)]


def verify_file(path: Path) -> Verification:
    """Run the worked cases of a file.

    Raises UsageError for a file that cannot be read, SpecErrors for one that holds no cases.
    """
    from quant.native.rules.cases import verify

    return Verification(str(path), tuple(verify(_text(path), str(path))))


def row_dict(row: Row) -> dict[str, Any]:
    """A row as JSON shows it, with its sources in full."""
    known = load_sources()
    return {
        "table": row.table,
        "key": list(row.key),
        "from": row.start.isoformat(),
        "to": row.end.isoformat() if row.end else None,
        "values": dict(row.values),
        "confidence": row.confidence,
        "note": row.note,
        "sources": [
            {"key": key, "title": known[key].title, "url": known[key].url}
            for key in row.source
            if key in known
        ],
    }


def said(values: Mapping[str, Any]) -> str:
    """The values of a row on one line; one value stands alone."""
    if len(values) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _faults(table: DatedTable) -> Iterator[Problem]:
    for left, right in table.overlaps():
        yield Problem("overlap", table.name, left.key, f"{left.span()} and {right.span()}")
    if table.name not in PERIODS:
        for left, right in table.gaps():
            yield Problem("gap", table.name, left.key, f"between {left.end} and {right.start}")
    known = load_sources()
    for row in table.each():
        unknown = [key for key in row.source if key not in known]
        if unknown or not row.source:
            what = f"no source {', '.join(unknown)}" if unknown else "no source is named"
            yield Problem("source", table.name, row.key, f"{row.span()}: {what}")
    if not table.rows:
        yield Problem("empty", table.name, (), f"{table.file} has no row of it")


def _summary(table: DatedTable) -> dict[str, Any]:
    rows = list(table.each())
    certain = {
        level: sum(row.confidence == level for row in rows) for level in ("sure", "likely", "unverified")
    }
    return {
        "table": table.name,
        "file": table.file,
        "key": list(table.key_names),
        "rows": len(rows),
        "from": min((row.start for row in rows), default=None),
        **certain,
    }


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(
                "cases.file",
                "the file is too large for worked cases",
                expected=f"at most {MAX_BYTES} bytes",
                found=f"{path}: {path.stat().st_size} bytes",
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            "cases.file", "the file is not UTF-8 text", found=str(path), hint="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise UsageError(
            "cases.file",
            f"the file cannot be read: {error.strerror}",
            expected="a file of worked cases",
            found=str(path),
        ) from error
