"""The data-contract page of the documentation, generated from the contracts."""

from __future__ import annotations

import polars as pl

from quant.warehouse.contracts.tables import CONTRACTS, ColumnContract, TableContract


def contract_docs() -> str:
    """Markdown: one section per table with its columns, key and row rules."""
    head = (
        "# Data contracts\n\n"
        "Generated from `quant.warehouse.contracts`. Every row is checked against its contract before it is "
        "stored; rows that break one go to the table `quarantine` with the rule and the reason.\n"
        "Instants are UTC, sessions are local dates of the exchange, null means unknown unless a column says "
        "otherwise.\n"
    )
    return head + "".join(_section(table) for table in CONTRACTS.values())


def _section(table: TableContract) -> str:
    rows = "\n".join(_row(column) for column in table.columns)
    rules = "".join(f"- `{rule.name}`: {rule.reason}\n" for rule in table.rules)
    partition = f" Partitioned by year of `{table.time}`." if table.partitioned else ""
    return (
        f"\n## {table.name}\n\n{table.about} Key: {', '.join(f'`{k}`' for k in table.key)}.{partition}\n\n"
        f"| column | type | null | known | range | meaning |\n|---|---|---|---|---|---|\n{rows}\n"
        + (f"\nRow rules:\n{rules}" if rules else "")
    )


def _row(column: ColumnContract) -> str:
    null = "yes" if column.nullable else ""
    return (
        f"| `{column.name}` | {_type(column.dtype)} | {null} | {column.available} | {_range(column)} "
        f"| {column.meaning} |"
    )


def _range(column: ColumnContract) -> str:
    if column.values:
        return ", ".join(column.values)
    low = "" if column.low is None else f"≥ {column.low:g}"
    high = "" if column.high is None else f"≤ {column.high:g}"
    return " ".join(part for part in (low, high) if part)


def _type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "instant"
    return str(dtype).lower()
