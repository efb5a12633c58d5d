"""The canonical tables, in the order in which they must be synchronised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from quant.core.errors import UsageError
from quant.warehouse.contracts import (
    audits,
    bars,
    corporate_actions,
    features,
    fundamentals,
    intraday,
    reference,
    system,
)
from quant.warehouse.contracts.columns import (
    AMOUNT,
    CASH,
    FINE,
    INSTANT,
    PRICE,
    PROVENANCE,
    RATIO,
    ColumnContract,
    RowRule,
    TableContract,
)

__all__ = [
    "AMOUNT",
    "CASH",
    "CONTRACTS",
    "FINE",
    "INSTANT",
    "PRICE",
    "PROVENANCE",
    "RATIO",
    "ColumnContract",
    "RowRule",
    "TableContract",
    "contract",
    "datasets",
]

_TABLES: Final = (
    *reference.TABLES,
    *bars.TABLES,
    *corporate_actions.TABLES,
    *fundamentals.TABLES,
    *intraday.TABLES,
    *features.TABLES,
    *system.TABLES,
    *audits.TABLES,
)
CONTRACTS: Final = {table.name: table for table in _TABLES}


def contract(name: str) -> TableContract:
    """The contract of a dataset. Raises UsageError ``table.unknown``."""
    found = CONTRACTS.get(name)
    if found is None:
        raise UsageError(
            "table.unknown",
            f"there is no table {name!r}",
            expected=", ".join(sorted(CONTRACTS)),
            found=name,
            hint="quant data status lists the tables of this workspace",
        )
    return found


def datasets() -> Iterator[TableContract]:
    """The tables that sources can fill, in the order in which they must be synchronised: as they are listed,
    each behind those that it comes after.
    """
    waiting = [table for table in _TABLES if not table.system and not table.derived]
    names, done = {table.name for table in waiting}, set[str]()
    while waiting:
        ready = next(table for table in waiting if set(table.after) & names <= done)
        waiting.remove(ready)
        done.add(ready.name)
        yield ready
