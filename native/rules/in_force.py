"""The dated row a worked case asks for: when it may leave out the date, and since when a row holds."""

from __future__ import annotations

from typing import Final

from quant.core.errors import UsageError
from quant.core.market.registry import all_tables
from quant.core.market.tables import DatedTable, Row
from quant.native.rules.given import Given
from quant.native.rules.named import named
from quant.native.rules.verdict import Verdict

__all__ = ["CASES", "row_for"]


def row_for(given: Given, table: DatedTable, key: tuple[str, ...]) -> Row:
    """The row on the case's date; a case without one asks for the row that has no end.

    Raises RuleMissing; UsageError ``case.given`` when every row of the key has ended.
    """
    if given.get("date") is not None:
        return table.row(key, given.day("date"))
    for row in table.rows.get(key, ()):
        if row.end is None:
            return row
    raise UsageError("case.given", f"{table.name} has no rule that still holds", expected="a date")


def rule_since(given: Given) -> Verdict:
    """The first day of the row of ``table`` and ``key`` that holds on ``date``."""
    name = given.text("table")
    tables = {table.name: table for table in all_tables()}
    if name not in tables:
        raise UsageError("case.given", f"no table is called {name}", expected=", ".join(sorted(tables)))
    row = tables[name].row(tuple(given["key"]), given.day("date"))
    return Verdict(row.start.isoformat(), (row,))


CASES: Final = named(rule_since)
