"""Mutants of dated rows: each row with a value, its start or its end changed, put in place for a moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from quant.core.market.calendar import calendar
from quant.core.market.tables import DatedTable, Row
from quant.native.rules.cases import Case, run_case

DAY = timedelta(days=1)
BY_RULE = frozenset({"sessions"})
"""Tables whose rows list many products under one rule: the list is changed as a whole."""
BY_SESSION = frozenset(
    {
        "sale_cash",
        "etf_primary",
        "phases",
        "after_hours",
        "market_halts",
        "bonus_shares",
        "sessions",
        "no_night",
    }
)
"""Tables that are only asked on sessions: their dates move by a session."""
_CLOCK = re.compile(r"\d\d:\d\d")


@dataclass(frozen=True)
class Mutant:
    """One change of one dated row; ``rows`` are the rows of the table with the change in place."""

    table: DatedTable
    row: Row
    what: str
    rows: Mapping[tuple[str, ...], tuple[Row, ...]]

    @property
    def name(self) -> str:
        return f"{self.table.name} | {' '.join(self.row.key)} | {self.row.start} | {self.what}"


def mutants(table: DatedTable) -> Iterator[Mutant]:
    """Every value of every row up and down, every boundary earlier and later.

    A row of the file that names several keys is one unit for its dates, one for each key for its values.
    """
    for group in _units(table):
        for rows in [group] if table.name in BY_RULE else [(row,) for row in group]:
            yield from _value_mutants(table, rows)
        first = group[0]
        for back in (True, False):
            what = "earlier" if back else "later"
            moved = _moved_start(table, group, back)
            yield Mutant(table, first, f"from {what}", _swapped(table, moved))
            if first.end is not None and not any(_next(table, row) for row in group):
                ended = {
                    id(row): replace(row, end=_shift(table, row.end, back, start=False))
                    for row in group
                    if row.end
                }
                yield Mutant(table, first, f"to {what}", _swapped(table, ended))


def _value_mutants(table: DatedTable, rows: Sequence[Row]) -> Iterator[Mutant]:
    for field, value in rows[0].values.items():
        for changed in _changes(value):
            mutated = {id(row): _with_value(row, field, changed) for row in rows}
            yield Mutant(table, rows[0], f"{field} {value} -> {changed}", _swapped(table, mutated))


def _shift(table: DatedTable, day: date, back: bool, *, start: bool) -> date:
    """A day earlier or later; where a rule is only asked on sessions, so that one session changes sides."""
    if table.name not in BY_SESSION:
        return day + (-DAY if back else DAY)
    days = calendar("XSHG")
    if back == start or days.is_session(day):
        return days.previous(day) if back else days.next(day)
    inside = days.next(day) if start else days.previous(day)
    return days.next(inside) if start else days.previous(inside)


@contextmanager
def in_place(mutant: Mutant) -> Iterator[None]:
    """The table with the change, for the length of a ``with``."""
    table = mutant.table
    before = table.rows, table._starts
    starts = {key: tuple(row.start for row in rows) for key, rows in mutant.rows.items()}
    object.__setattr__(table, "rows", MappingProxyType(dict(mutant.rows)))
    object.__setattr__(table, "_starts", MappingProxyType(starts))
    try:
        yield
    finally:
        object.__setattr__(table, "rows", before[0])
        object.__setattr__(table, "_starts", before[1])


def consulted(case: Case) -> set[str]:
    """The tables a case asks, whether a row answers or not."""
    asked: set[str] = set()
    find, each = DatedTable.find, DatedTable.each

    def finding(table: DatedTable, key: tuple[str, ...], on: date) -> Row | None:
        asked.add(table.name)
        return find(table, key, on)

    def listing(table: DatedTable) -> Iterator[Row]:
        asked.add(table.name)
        return each(table)

    with patch.object(DatedTable, "find", finding), patch.object(DatedTable, "each", listing):
        run_case(case)
    return asked


def survives(mutant: Mutant, cases: Sequence[Case], run: Callable[[Case], bool]) -> bool:
    """Whether no case notices the change; a case that breaks has noticed it."""
    with in_place(mutant):
        return all(run(case) for case in cases)


def holds(case: Case) -> bool:
    try:
        return run_case(case).ok
    except Exception:
        return False


def _units(table: DatedTable) -> list[tuple[Row, ...]]:
    found: dict[Any, list[Row]] = {}
    for row in table.each():
        said = repr(tuple(row.values.items()))
        found.setdefault((row.start, row.end, said, row.source, row.note), []).append(row)
    return [tuple(rows) for rows in found.values()]


def _with_value(row: Row, field: str, value: Any) -> Row:
    return replace(row, values=MappingProxyType({**row.values, field: value}))


def _changes(value: Any) -> list[Any]:
    """A value up and down: a tenth of a count, the last decimal of a number, a minute of a time, a day."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        step = max(1, value // 10)
        return [value + step, value - step] if value > 0 else [value + 1]
    if isinstance(value, date):
        return [value + DAY, value - DAY]
    if isinstance(value, (list, tuple)):
        places = [(k, changed) for k, each in enumerate(value) for changed in _changes(each)]
        return [[*value[:k], changed, *value[k + 1 :]] for k, changed in places]
    if isinstance(value, Mapping):
        return [{**value, name: changed} for name, each in value.items() for changed in _changes(each)]
    return _text_changes(value)


def _text_changes(value: str) -> list[str]:
    if _CLOCK.fullmatch(value):
        minutes = int(value[:2]) * 60 + int(value[3:])
        return [f"{m // 60:02d}:{m % 60:02d}" for m in (minutes + 1, minutes - 1)]
    try:
        number = Decimal(value)
    except InvalidOperation:
        return [f"{value}?"]
    if number == 0:
        return ["0.001"]
    unit = Decimal(1).scaleb(int(number.as_tuple().exponent))
    return [str(number + unit), str(number - unit)]


def _moved_start(table: DatedTable, group: Sequence[Row], back: bool) -> dict[int, Row]:
    """Rows whose start moves; a row that ends the day before moves its end with it."""
    moved: dict[int, Row] = {}
    for row in group:
        start = _shift(table, row.start, back, start=True)
        moved[id(row)] = replace(row, start=start)
        for other in table.rows[row.key]:
            if other.end is not None and other.end + DAY == row.start:
                moved[id(other)] = replace(other, end=start - DAY)
    return moved


def _next(table: DatedTable, row: Row) -> bool:
    """Whether another row starts where this one ends: then that start is the boundary."""
    return any(row.end is not None and other.start == row.end + DAY for other in table.rows[row.key])


def _swapped(table: DatedTable, changes: Mapping[int, Row]) -> dict[tuple[str, ...], tuple[Row, ...]]:
    return {key: tuple(changes.get(id(row), row) for row in rows) for key, rows in table.rows.items()}
