"""Whether a server's copies say what the lake says: rows and checksums, by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from quant.core.errors import CheckFailed
from quant.warehouse.contracts.columns import ColumnContract
from quant.warehouse.engines.clickhouse import aggregate
from quant.warehouse.engines.projections import (
    Loaded,
    Progress,
    chosen,
    loaded,
    partition_expression,
    require_log,
    server_name,
    silent,
)
from quant.warehouse.engines.server import ServerSettings, connection, ref_label
from quant.warehouse.engines.tables import QueryTable
from quant.warehouse.lake import TableRef, delta

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake

_ZERO: Final = {
    pl.Int64: "toInt64(0)",
    pl.Float64: "toFloat64(0)",
    pl.String: "''",
    pl.Boolean: "false",
    pl.Date: "toDate32('1970-01-01')",
    pl.Datetime: "toDateTime64(0, 6, 'UTC')",
}


@dataclass(frozen=True, slots=True)
class PartitionCheck:
    """Rows and checksum of a partition in the lake and on the server."""

    table: str
    version: int
    partition: str
    lake_rows: int
    server_rows: int
    equal: bool


def verify(
    lake: Lake,
    settings: ServerSettings,
    labels: Sequence[str] = (),
    *,
    progress: Progress = silent,
) -> list[PartitionCheck]:
    """Rows and checksums of every partition of the loaded copies, against the same version in the lake.

    The lake's side is computed by the embedded ClickHouse from the files. Raises UsageError when nothing is
    loaded, CheckFailed ``server.unloaded`` for a named table that is not.
    """
    checks: list[PartitionCheck] = []
    with connection(settings) as client:
        require_log(client)
        refs = chosen(lake, labels, everything=True)
        held = {ref: loaded(client, ref) for ref in refs}
        for ref in refs:
            if labels and held[ref] is None:
                raise CheckFailed(
                    "server.unloaded",
                    f"{ref_label(ref)} is not on the server",
                    hint=f"quant warehouse load {ref_label(ref)}",
                )
        there = [(ref, copy) for ref, copy in held.items() if copy is not None]
        for number, (ref, copy) in enumerate(there):
            progress(ref_label(ref), number, len(there))
            checks += _checked(client, lake, ref, copy)
    return checks


def _checked(client: Any, lake: Lake, ref: TableRef, copy: Loaded) -> list[PartitionCheck]:
    label = ref_label(ref)
    base = delta.open_table(lake.path(ref), copy.version)
    column = base.partition_column if base is not None else None
    sums = _sums(ref, column)
    source = QueryTable(ref.source or "", ref.table, ref, lake.path(ref), copy.version)
    ours = _by_partition(aggregate(sums, source))
    theirs = _by_partition(
        client.query_arrow(sums.replace("{rows}", f"`{server_name(ref)}`"), use_strings=True)
    )
    return [
        PartitionCheck(
            label,
            copy.version,
            partition,
            ours.get(partition, (0, 0))[0],
            theirs.get(partition, (0, 0))[0],
            ours.get(partition) == theirs.get(partition),
        )
        for partition in sorted({*ours, *theirs})
    ]


def _sums(ref: TableRef, column: str | None) -> str:
    """Rows and a sum of row hashes by partition, for the lake's files and a server's table alike."""
    parts = [
        f"ifNull({_hashed(each)}, {_zero(each)}), isNull(`{each.name}`)" for each in ref.contract.columns
    ]
    partition = partition_expression(ref, column) if column else "0"
    return (
        f"select toString(assumeNotNull({partition})) as part, count() as n, "
        f"sum(cityHash64({', '.join(parts)})) as h from {{rows}} group by part"
    )


def _hashed(column: ColumnContract) -> str:
    """A column as it is hashed: the width of a decimal counts, and that of a nullable one is another."""
    if isinstance(column.dtype, pl.Decimal):
        return f"cast(`{column.name}` as Nullable(Decimal(38, {column.dtype.scale})))"
    text = isinstance(column.dtype, pl.String)
    return f"cast(`{column.name}` as Nullable(String))" if text else f"`{column.name}`"


def _zero(column: ColumnContract) -> str:
    if isinstance(column.dtype, pl.Decimal):
        return f"toDecimal128(0, {column.dtype.scale})"
    return _ZERO[type(column.dtype)]


def _by_partition(table: Any) -> dict[str, tuple[int, int]]:
    return {row["part"]: (int(row["n"]), int(row["h"])) for row in table.to_pylist()}
