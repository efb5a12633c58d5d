"""The dated row a worked case asks for, when it may leave out the date."""

from __future__ import annotations

from quant.core.errors import UsageError
from quant.core.market.tables import DatedTable, Row
from quant.native.rules.given import Given

__all__ = ["row_for"]


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
