"""What a query may name: golden and system tables by their name, a source's own as ``source.table``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quant.core.errors import QuantError, UsageError
from quant.warehouse.contracts.tables import TableContract
from quant.warehouse.lake import Lake, TableRef, delta
from quant.warehouse.lake.log import DataFile
from quant.warehouse.store import Storage

if TYPE_CHECKING:
    import pyarrow as pa

_SKIPPED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'", re.DOTALL)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A query's rows and the versions of the tables it named, ``source.table`` for a source's own."""

    table: pa.Table
    versions: dict[str, int]
    behind: dict[str, int] = field(default_factory=dict)
    """Newer versions that the lake has of tables that were read from a server's older copy."""


@dataclass(frozen=True, slots=True)
class QueryTable:
    """A table that a query names: ``schema`` is "" or the source."""

    schema: str
    name: str
    ref: TableRef
    folder: Storage
    version: int

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def contract(self) -> TableContract:
        return self.ref.contract

    def files(self) -> list[DataFile]:
        """The data files of the version."""
        opened = delta.open_table(self.folder, self.version)
        groups = opened.partitions() if opened is not None else {}
        return [file for group in groups.values() for file in group]


_OUTSIDE = re.compile(
    r"(?i)\b(file|filecluster|url|urlcluster|s3|s3cluster|gcs|hdfs|azureblobstorage|deltalake\w*|iceberg\w*|hudi\w*"
    r"|remote|remotesecure|cluster|clusterallreplicas|mysql|postgresql|mongodb|redis|sqlite|odbc|jdbc|executable"
    r"|python|input|fuzzjson|read_csv\w*|read_parquet|read_json\w*|read_text|read_blob|glob|parquet_\w+)\s*\("
)
_INTO = re.compile(r"(?i)\binto\s+outfile\b")
_READING = re.compile(
    r"(?i)^\s*\(*\s*(select|with|describe|desc|show|explain|exists|from|values|summarize)\b"
)


def _refuse_outside(text: str) -> None:
    """A query reads the lake's tables and nothing else: no files, no network, no writing."""
    plain = _SKIPPED.sub(" ", text)
    found = _OUTSIDE.search(plain) or _INTO.search(plain)
    if found is not None:
        raise UsageError(
            "sql.outside",
            f"{found[0].strip(' (')} reaches outside the lake",
            expected="tables of the lake",
            found=found[0].strip(),
            hint="quant data status lists the tables",
        )
    if not _READING.match(plain):
        raise UsageError("sql.invalid", "only queries are run here", expected="one SELECT", found=text[:80])


def one_statement(sql: str) -> str:
    """The statement without its closing semicolon. Raises UsageError unless it is one query of the lake."""
    text = sql.strip().rstrip(";").rstrip()
    if not text:
        raise UsageError("sql.empty", "there is no query", expected="one SELECT")
    if ";" in _SKIPPED.sub(" ", text):
        raise UsageError("sql.several", "one query at a time", expected="one SELECT", found=text[:80])
    _refuse_outside(text)
    return text


def named_tables(sql: str, lake: Lake, versions: Mapping[str, int] | None) -> list[QueryTable]:
    """The tables of the lake whose name is a word of the query, at the asked or the latest version.

    Raises UsageError for a pinned table that the lake does not have.
    """
    wanted = dict(versions or {})
    plain = _SKIPPED.sub(" ", sql)
    found = []
    known = lake.refs()
    for ref in known:
        schema, label = ref.source or "", _label(ref)
        if not all(_has_word(plain, word) for word in (ref.table, schema) if word):
            continue
        version = wanted.pop(label, None)
        latest = lake.version(ref.table, layer=ref.layer, source=ref.source)
        chosen = latest if version is None else version
        assert chosen is not None
        if version is not None:
            lake.count(ref.table, version=version, layer=ref.layer, source=ref.source)
        found.append(QueryTable(schema, ref.table, ref, lake.path(ref), chosen))
    if missing := set(wanted) - {_label(ref) for ref in known}:
        raise unknown_table(sorted(missing)[0], lake)
    return found


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def unknown_table(name: str, lake: Lake) -> UsageError:
    """The error for a name that is no table."""
    there = sorted(_label(ref) for ref in lake.refs())
    return UsageError(
        "sql.table",
        f"there is no table {name}",
        expected=", ".join(there) or "a table; this lake has none yet",
        found=name,
        hint="quant data status lists the tables" if there else "quant data sync",
    )


def invalid(message: str, *, found: str = "", hint: str | None = None) -> UsageError:
    """The error for SQL that an engine refuses, in its words."""
    return UsageError(
        "sql.invalid", " ".join(message.split())[:600], expected="one SELECT", found=found or None, hint=hint
    )


def result(table: Any, tables: list[QueryTable]) -> QueryResult:
    return QueryResult(table, {each.label: each.version for each in tables})


def _label(ref: TableRef) -> str:
    return f"{ref.source}.{ref.table}" if ref.source else ref.table


_CODE = re.compile(r"[Cc]ode: (\d+)")
_NOISE = re.compile(
    r"^Received ClickHouse exception.*?server response: |(Code: \d+\. )|(DB::Exception: )"
    r"|(\(version [^)]*\))|( \(for url .*\))|(\. \([A-Z_]+\)\s*$)"
)
_UNKNOWN_TABLE, _UNKNOWN_DATABASE, _SYNTAX = 60, 81, 62
_NOT_THE_QUERYS = frozenset({0, 159, 160, 202, 209, 210, 236, 241, 243, 252, 319, 425, 192, 193, 194, 516})
_PREFIX = "explain query tree "
_PLACE = re.compile(r"position (\d+)")
_LISTS = re.compile(r"\s*(describe|desc|show|exists|explain)\b", re.IGNORECASE)


def explains(statement: str) -> bool:
    """Whether a statement lists or explains, and so has no query tree."""
    return _LISTS.match(statement) is not None


def explained(error: Exception, statement: str, lake: Lake, database: str) -> QuantError | None:
    """What ClickHouse found wrong with a query; None for errors that are not the query's."""
    text = str(error)
    code = _CODE.search(text)
    number = int(code[1]) if code else 0
    if number in _NOT_THE_QUERYS:
        return None
    if number in (_UNKNOWN_TABLE, _UNKNOWN_DATABASE):
        name = re.search(r"identifier '([^']+)'|Table ([\w.`]+) does|Database ([\w`]+) does", text)
        asked = next((part for part in (name.groups() if name else ()) if part), statement[:80])
        return unknown_table(asked.replace(f"{database}.", "").replace("`", ""), lake)
    place = _PLACE.search(text)
    if number == _SYNTAX and place is not None:
        at = max(int(place[1]) - 1 - (0 if explains(statement) else len(_PREFIX)), 0)
        near = statement[at : at + 40] or "the end"
        return invalid(
            f"the query cannot be read at character {at + 1}, near {near!r}",
            found=statement[:80],
            hint="only SELECT is possible: the lake is not changed through SQL",
        )
    return invalid(_NOISE.sub("", text), found=statement[:80])
