"""What a materialisation or a check says about itself in the UI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg
import polars as pl

from quant.assets.warehouse import Warehouse
from quant.warehouse.audit import CheckResult, TableRule
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.sync import IngestReport

Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A table after a run: its version, the hash of its content, and its rows and dates by year (None for a
    table without years).
    """

    version: int
    content_hash: str
    years: Mapping[int | None, tuple[int, date | None, date | None]]


def inspect(warehouse: Warehouse, table: TableContract, source: str | None, span: Sequence[int]) -> Stored:
    """Look at a golden table (``source`` None) or a source's own; ``span`` lists the years to count."""
    lake = warehouse.lake
    layer = "vendor" if source else "golden"
    version = lake.version(table.name, layer=layer, source=source)
    content = lake.content_hash(table.name, version, layer=layer, source=source)
    if table.time is None:
        rows = lake.count(table.name, layer=layer, source=source)
        return Stored(version or 0, content, {None: (rows, None, None)})
    start, end = (date(span[0], 1, 1), date(span[-1], 12, 31)) if span else (None, None)
    days = lake.read(
        table.name, layer=layer, source=source, start=start, end=end, columns=[table.time]
    ).to_series()
    frame = pl.DataFrame({"day": days}).group_by(pl.col("day").dt.year().alias("year"))
    counted = frame.agg(pl.len(), pl.col("day").min().alias("first"), pl.col("day").max().alias("last"))
    return Stored(
        version or 0, content, {year: (rows, first, last) for year, rows, first, last in counted.iter_rows()}
    )


def table_metadata(
    stored: Stored,
    year: int | None,
    reports: Sequence[IngestReport],
    warehouse: Warehouse,
    told: Sequence[IngestReport] = (),
) -> Metadata:
    """Metadata of one materialised partition, or of a table without partitions.

    ``calls`` and ``quarantined`` are those of the intervals stored by this run; ``told`` are the reports that
    say what the sources disagree about.
    """
    rows, first, last = stored.years.get(year, (0, None, None))
    found: Metadata = {
        "dagster/row_count": rows,
        "table_version": stored.version,
        "content_hash": stored.content_hash,
        "calls": sum(r.calls for r in reports),
        "quarantined": sum(r.quarantined for r in reports),
        "spec_commit": warehouse.commit or "not in git",
    }
    if first is not None and last is not None:
        found |= {"first": first.isoformat(), "last": last.isoformat()}
    if reports:
        found |= {"changed": any(r.changed for r in reports)}
        found |= {"stored_from": min(r.start for r in reports).isoformat()}
        found |= {"stored_to": max(r.end for r in reports).isoformat()}
        facts = {key: value for r in reports for key, value in r.facts.items()}
        if facts:
            found["facts"] = dg.MetadataValue.json(facts)
    return found | _agreement(told)


def _agreement(reports: Sequence[IngestReport]) -> Metadata:
    """What a table's sources say: rows of each, cells they disagree about, cells each lost."""
    delivered = _summed(report.delivered for report in reports)
    if not delivered:
        return {}
    lost = {source: _summed(r.lost.get(source, {}) for r in reports) for source in delivered}
    contested = _summed(report.contested for report in reports)
    columns = sorted(contested, key=lambda name: -contested[name])
    votes = [
        dg.TableRecord({
            "source": source,
            "rows": rows,
            "cells_lost": sum(lost[source].values()),
            "worst": max(lost[source], key=lambda name: lost[source][name], default=""),
        })
        for source, rows in delivered.items()
    ]  # fmt: skip
    found: Metadata = {"disagreements": sum(contested.values()), "votes": dg.MetadataValue.table(votes)}
    if contested:
        by_column = [
            dg.TableRecord({
                "column": name,
                "disagreements": contested[name],
                **{source: lost[source].get(name, 0) for source in delivered},
            })
            for name in columns
        ]  # fmt: skip
        found["disagreements_by_column"] = dg.MetadataValue.table(by_column)
    return found


def _summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            sums[name] = sums.get(name, 0) + count
    return sums


def definition_metadata(table: TableContract) -> Metadata:
    """Columns, key and time column of a table, for the asset's page."""
    columns = [
        dg.TableColumn(
            column.name,
            str(column.dtype),
            description=column.meaning,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "key": ", ".join(table.key),
        "time": table.time or "none",
    }


def check_metadata(rule: TableRule, result: CheckResult) -> Metadata:
    """Counts, tolerance and the first rows that break a rule."""
    found: Metadata = {
        "failing": result.failing,
        "rows": result.total,
        "share": result.share,
        "tolerance": rule.tolerance,
    }
    if result.sample.height:
        found["sample"] = dg.MetadataValue.table(records(result.sample))
    return found


def records(rows: pl.DataFrame) -> list[dg.TableRecord]:
    """Rows as a metadata table."""
    return [dg.TableRecord({k: _plain(v) for k, v in row.items()}) for row in rows.to_dicts()]


def _plain(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
