"""Rows that broke a contract or that sources could not agree on, and what someone decided about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from quant.core.errors import UsageError
from quant.core.hashing import digest
from quant.warehouse.contracts.tables import INSTANT, TableContract, contract
from quant.warehouse.lake import Lake, table_ref

ID: Final = "id"
RELEASE: Final = "release"
DROP: Final = "drop"
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Decisions:
    """Ids of the rows of a table and source that were released or dropped."""

    released: frozenset[str]
    dropped: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.released | self.dropped


@dataclass(frozen=True, slots=True)
class Within:
    """What was set aside of these dates is replaced; ``whole``: of all dates."""

    start: date
    end: date
    whole: bool = False


def with_ids(rows: pl.DataFrame, table: str, source: str) -> pl.DataFrame:
    """Rejected rows with the id by which someone may decide on each: the same rule broken by the same row is
    the same id, whenever it is fetched.
    """
    ids = [
        digest("\n".join((table, source, rule, row)))
        for rule, row in rows.select("rule", "row_json").iter_rows()
    ]
    return rows.with_columns(pl.Series(ID, ids, dtype=pl.String))


def decisions(lake: Lake, table: str, source: str) -> Decisions:
    """What was decided on rows of a table from a source."""
    rows = lake.read("quarantine_decisions").filter((pl.col("table") == table) & (pl.col("source") == source))
    by = {
        which: frozenset(rows.filter(pl.col("decision") == which)["row"].to_list())
        for which in (RELEASE, DROP)
    }
    return Decisions(by[RELEASE], by[DROP])


def set_aside(
    lake: Lake, table: str, source: str, within: Within, rows: pl.DataFrame, stamp: datetime
) -> None:
    """What is set aside of an interval replaces what was set aside of it before. ``rows`` have session, code,
    rule, reason, row_json and payload.
    """
    ref = table_ref("quarantine")
    equal: dict[str, str | date | None] = {"table": table, "source": source}
    said = (
        rows.with_columns(
            pl.lit(table).alias("table"),
            pl.lit(source).alias("source"),
            pl.lit(within.start).alias("interval_start"),
            pl.lit(within.end).alias("interval_end"),
            pl.lit(stamp).cast(INSTANT).alias("recorded_at"),
        )
        .select(ref.contract.names)
        .unique(ref.contract.key, keep="first", maintain_order=True)
    )
    if within.whole:
        lake.replace_where(ref, said, equal)
        return
    dated = pl.col("session").is_not_null()
    lake.replace_where(ref, said.filter(dated), equal, between=("session", within.start, within.end))
    undated = {**equal, "session": None}
    lake.replace_where(
        ref, said.filter(~dated), undated, between=("interval_start", within.start, within.end)
    )


def listed(lake: Lake) -> pl.DataFrame:
    """Every row set aside, newest first, with its id and the decision on it (null = none yet)."""
    rows = lake.read("quarantine")
    parts = [
        with_ids(part, str(table), str(source))
        for (table, source), part in rows.group_by("table", "source", maintain_order=True)
    ]
    whole = pl.concat(parts) if parts else rows.with_columns(pl.lit(None, pl.String).alias(ID))
    decided = lake.read("quarantine_decisions").select(
        pl.col("row").alias(ID), "decision", pl.col("reason").alias("because"), "actor",
        pl.col("recorded_at").alias("decided_at"),
    )  # fmt: skip
    joined = whole.join(decided, on=ID, how="left", maintain_order="left")
    return joined.sort("recorded_at", "table", "source", ID, descending=[True, False, False, False])


def find(rows: pl.DataFrame, wanted: Iterable[str]) -> pl.DataFrame:
    """The rows of ``listed`` with these ids, or unique beginnings of ids. Raises UsageError."""
    found = []
    for text in wanted:
        hits = rows.filter(pl.col(ID).str.starts_with(text)).unique(ID, keep="first", maintain_order=True)
        if len(text) < 4 or hits.height != 1:
            raise UsageError(
                "quarantine.row",
                f"{text!r} names no row set aside"
                if not hits.height
                else f"{text!r} names {hits.height} rows set aside",
                expected="an id, or at least four characters that only one id begins with",
                found=text,
                hint="quant data quarantine ls --all lists the ids",
            )
        found.append(hits)
    return pl.concat(found).unique(ID, keep="first", maintain_order=True)


def short(row_id: str) -> str:
    """An id as it is shown."""
    return row_id[:_SHOWN]


def refuse_unreleasable(row: Mapping[str, object], keys: TableContract) -> None:
    """Refuse what can never be a row of the table. Raises UsageError ``quarantine.release``."""
    rule = str(row["rule"])
    column, _, kind = rule.rpartition(".")
    why = ""
    if rule == "key.unique":
        why = "another row with its key is stored"
    elif kind in ("unreadable", "unknown", "unsupported") or rule.startswith("payload."):
        why = "it could not be read into the table's columns"
    elif kind == "null" and (column in keys.key or not _nullable(keys, column)):
        why = f"it has no {column}"
    elif kind == "closed":
        why = "the exchange was closed on its date"
    if why:
        raise UsageError(
            "quarantine.release",
            f"row {short(str(row[ID]))} of {row['table']} cannot be released: {why}",
            expected="a row that is complete and only breaks a rule",
            found=rule,
            hint="mend the source's spec or the vendor's data and sync again, or drop the row",
        )


def decide(
    lake: Lake, rows: pl.DataFrame, decision: str, *, reason: str, actor: Mapping[str, str], stamp: datetime
) -> int:
    """Write down a decision; the rows that it is news for. Deciding the same again changes nothing."""
    ref = table_ref("quarantine_decisions")
    fresh = rows.filter(pl.col("decision").ne_missing(pl.lit(decision)))
    said = pl.DataFrame(
        [
            {
                "row": row[ID],
                "table": row["table"],
                "source": row["source"],
                "decision": decision,
                "reason": reason,
                "actor": json.dumps(dict(actor), sort_keys=True, ensure_ascii=False),
                "recorded_at": stamp,
            }
            for row in fresh.iter_rows(named=True)
        ],
        schema=ref.contract.schema,
    )
    if said.height:
        lake.merge(ref, said)
    return said.height


def _nullable(table: TableContract, name: str) -> bool:
    return name in table.names and table.column(name).nullable


def table_of(row: Mapping[str, object]) -> TableContract:
    return contract(str(row["table"]))
