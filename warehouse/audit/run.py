"""Auditing the vendor tables of a lake: read year by year, compared pair by pair, findings kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations
from typing import Any, Final

import polars as pl

from quant.core.errors import UsageError
from quant.core.ids import parse_code
from quant.core.market.calendar import calendar
from quant.core.time import to_datetime, utc_now
from quant.warehouse.audit.compare import (
    AuditReport,
    Chunk,
    Claims,
    Instruments,
    Listing,
    Relation,
    Request,
    Tolerance,
    combined,
    compare,
    compare_feed,
)
from quant.warehouse.audit.compare.feed import AROUND
from quant.warehouse.audit.compare.records import compare_records
from quant.warehouse.audit.compare.relation import COMPARED, days_of
from quant.warehouse.audit.set_aside import RULE, set_aside
from quant.warehouse.contracts.tables import TableContract, contract
from quant.warehouse.ingest import last_facts
from quant.warehouse.lake import GOLDEN, VENDOR, Lake, table_ref
from quant.warehouse.sources.settings import SourceSettings, TableSettings

_FIRST: Final = date(1990, 1, 1)


def audit_table(
    lake: Lake,
    table: TableSettings,
    sources: Sequence[str],
    start: date | None = None,
    end: date | None = None,
    *,
    audit_id: str,
    stamp: datetime | None = None,
    keep: bool = True,
    settings: Mapping[str, SourceSettings] | None = None,
) -> AuditReport:
    """Compare what the sources of a table say between two dates, every two of them; rows that were set aside
    are compared too, as far as ``settings`` of their sources, or our own column names, let them be read.

    Findings are kept in ``audit_findings`` unless ``keep`` is off. Raises UsageError for fewer than two
    sources that have stored rows.
    """
    there = [name for name in sources if lake.exists(table.dataset, layer=VENDOR, source=name)]
    if len(there) < 2:
        raise UsageError(
            "audit.sources",
            f"{table.name}: an audit compares two sources, {len(there)} of {len(sources)} have stored rows",
            expected="two sources of the table with stored rows",
            found=", ".join(there) or "none",
            hint=f"name two sources in the table's from: and run quant data sync {table.name}",
        )
    when = stamp or to_datetime(utc_now())
    reader = _Reader(lake, contract(table.dataset), start, end, settings or {})
    tolerances = {
        n: Tolerance(float(m.abs or 0), float(m.rel or 0)) for n, m in table.audit.tolerance.items()
    }
    request = reader.request(table.name, tolerances, audit_id, when)
    reports = [reader.compare(a, b, request) for a, b in combinations(there, 2)]
    whole = combined(reports, offenders(reports, there))
    if keep:
        keep_findings(lake, whole)
    return whole


def compare_stored(
    lake: Lake,
    table: str,
    a: str,
    b: str,
    start: date | None = None,
    end: date | None = None,
    *,
    code: str | None = None,
) -> AuditReport:
    """Two stored tables of one dataset: ``source``, ``source@version``, ``golden`` or ``golden@version``.

    Raises UsageError for one that has no rows.
    """
    reader = _Reader(lake, contract(table), start, end)
    request = reader.request(table, {}, "diff", to_datetime(utc_now()))
    frames = [reader.stored(name) for name in (a, b)]
    if code is not None:
        frames = [reader.only(frame, code) for frame in frames]
    vendor = a.partition("@")[0] if a.partition("@")[0] == b.partition("@")[0] else ""
    claims = Claims("none", units=True, vendor=vendor)
    left, right = (Relation(name, frame, claims) for name, frame in zip((a, b), frames, strict=True))
    if reader.table.key == ("instrument_id", "session"):
        return compare(left, right, request)
    return reader.records(left, right, request)


def keep_findings(lake: Lake, report: AuditReport) -> None:
    """Store the findings of an audit, typed absences too."""
    rows = pl.concat([report.findings, report.coverage])
    if rows.height:
        with lake.lock.hold("audit"):
            lake.append(table_ref("audit_findings"), rows)


def offenders(reports: Sequence[AuditReport], sources: Sequence[str]) -> list[dict[str, Any]]:
    """Who disagrees how often: findings that speak against a source, and with three and more sources how
    often it stands alone against all others.
    """
    against: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    causes: dict[str, Counter[str]] = defaultdict(Counter)
    pairs: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    blamed: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for report in reports:
        wrong = report.findings.filter(pl.col("kind").is_in(["defect", "unknown"]))
        for row in wrong.iter_rows(named=True):
            if row["suspect"]:
                against[row["suspect"]] += 1
                cells[row["suspect"]] += row["cells"]
                causes[row["suspect"]][row["cause"]] += 1
            key = (row["code"], row["session"], row["field"])
            pairs[key].update((row["a"], row["b"]))
            blamed[key] |= {row["suspect"]} if row["suspect"] else set()
    alone = Counter(
        name
        for key, seen in pairs.items()
        for name, count in seen.items()
        if (not blamed[key] or name in blamed[key])
        and len(sources) > 2
        and count == len(sources) - 1
        and all(seen[o] == 1 for o in seen if o != name)
    )
    return [
        {
            "source": name,
            "suspected": against[name],
            "cells": cells[name],
            "alone": alone[name],
            "causes": dict(causes[name].most_common()),
        }
        for name in sorted(sources, key=lambda n: (-alone[n], -against[n], n))
    ]


class _Reader:
    def __init__(
        self,
        lake: Lake,
        table: TableContract,
        start: date | None,
        end: date | None,
        settings: Mapping[str, SourceSettings] | None = None,
    ) -> None:
        self.lake, self.table, self.start, self.end = lake, table, start, end
        self.settings = settings or {}
        self.codes = _codes(lake)

    def request(
        self, name: str, tolerances: Mapping[str, Tolerance], audit_id: str, stamp: datetime
    ) -> Request:
        return Request(name, tolerances, self._listing(), self.codes, audit_id, stamp.astimezone(UTC))

    def compare(self, a: str, b: str, request: Request) -> AuditReport:
        if self.table.key in (("instrument_id", "session"),):
            return self._series(a, b, request)
        return self._records(a, b, request)

    def _series(self, a: str, b: str, request: Request) -> AuditReport:
        columns = ["instrument_id", "session", *(n for n in self.table.names if n in _fields(self.table))]
        told = [last_facts(self.lake, self.table.name, name.partition("@")[0]) for name in (a, b)]
        if any("amounts" in facts for facts in told):  # an estimate says nothing of the other's amounts
            columns.remove("amount")
        aside = (self._aside(a, columns), self._aside(b, columns))
        feed = LakeFeed(self.lake, self.table.name, a, b, columns, self.start, self.end, aside)
        claims = Claims("none", units=True)
        empty = pl.DataFrame(schema={n: self.table.schema[n] for n in columns})
        instruments = Instruments.of(feed.keys(), self.codes)
        left, right = (Relation(n, empty, replace(claims, vendor=n.partition("@")[0])) for n in (a, b))
        report = compare_feed(feed, left, right, instruments, request)
        return replace(report, findings=_with_rules(report.findings, dict(zip((a, b), aside, strict=True))))

    def _aside(self, source: str, columns: Sequence[str]) -> pl.DataFrame:
        ids = {code: int(str(key)) for key, code in self.codes.items()}
        return set_aside(
            self.lake, self.table, source, columns, self.settings.get(source), ids, self.start, self.end
        )

    def _records(self, a: str, b: str, request: Request) -> AuditReport:
        frames = [
            self.lake.read(self.table.name, layer=VENDOR, source=name, start=self.start, end=self.end)
            for name in (a, b)
        ]
        claims = Claims("none", units=True)
        left, right = (Relation(n, f, claims) for n, f in zip((a, b), frames, strict=True))
        return self.records(left, right, request)

    def stored(self, name: str) -> pl.DataFrame:
        """The rows of ``source``, ``source@version`` or ``golden``."""
        source, _, version = name.partition("@")
        if version and not version.isdigit():
            raise UsageError("audit.version", f"{name} names no version", expected="tushare@12", found=name)
        golden = source == GOLDEN
        rows = self.lake.read(
            self.table.name,
            layer=GOLDEN if golden else VENDOR,
            source=None if golden else source,
            version=int(version) if version else None,
            start=self.start,
            end=self.end,
        )
        if not rows.height:
            raise UsageError(
                "audit.empty",
                f"{name} has no rows of {self.table.name}",
                expected="a source with stored rows, golden, or a version of either",
                found=name,
                hint="quant data status lists the tables of this workspace",
            )
        return rows

    def only(self, rows: pl.DataFrame, code: str) -> pl.DataFrame:
        """The rows of one instrument."""
        wanted = str(parse_code(code))
        ids = [key for key, known in self.codes.items() if known == wanted]
        return rows.filter(pl.col("instrument_id").is_in(ids)) if "instrument_id" in rows.columns else rows

    def records(self, left: Relation, right: Relation, request: Request) -> AuditReport:
        frames = (left.frame, right.frame)
        keys = [f["instrument_id"] for f in frames if "instrument_id" in f.columns]
        known = Instruments.of(pl.concat(keys), self.codes) if keys else Instruments("", pl.Series([]), ())
        return compare_records(left, right, self.table, known, request)

    def _listing(self) -> Listing:
        """Listing dates of the golden instruments; those of several sources agree by arbitration."""
        days = calendar("XSHG")
        start, end = max(days.first, _FIRST), days.last
        sessions = days_of(pl.Series(days.sessions(start, end), dtype=pl.Date))
        frame = self.lake.read("instruments", columns=["instrument_id", "code", "list_date", "delist_date"])
        return Listing(frame if frame.height else None, tuple(sessions.tolist()))


def _fields(table: TableContract) -> tuple[str, ...]:
    """What is compared of a table of series: bars, factors, and the plain numbers of any other."""
    plain = [c.name for c in table.columns if c.dtype.is_numeric() and c.name not in table.key]
    return tuple(dict.fromkeys([*COMPARED, *plain]))


def _codes(lake: Lake) -> dict[object, str]:
    """The latest code of every id."""
    known = lake.read("identities").sort("first_session", "code")
    codes: dict[object, str] = dict(
        zip(known["instrument_id"].to_list(), known["code"].to_list(), strict=True)
    )
    master = lake.read("instruments", columns=["instrument_id", "code"])
    codes.update(zip(master["instrument_id"].to_list(), master["code"].to_list(), strict=True))
    return codes


class LakeFeed:
    """Two vendor tables of a lake, a year at a time with the days around it."""

    def __init__(
        self,
        lake: Lake,
        table: str,
        a: str,
        b: str,
        columns: Sequence[str],
        start: date | None,
        end: date | None,
        aside: tuple[pl.DataFrame, pl.DataFrame],
    ) -> None:
        self._lake, self._table, self._names = lake, table, (a, b)
        self._columns, self._aside = list(columns), aside
        self._start, self._end = start, end

    def keys(self) -> pl.Series:
        """The instruments of both tables."""
        return pl.concat([self._distinct(side, "instrument_id") for side in (0, 1)]).unique()

    def chunks(self) -> Iterator[Chunk]:
        """Every year is read once; the days around it come from the years beside it."""
        years = self._years()
        before: tuple[pl.DataFrame, pl.DataFrame] | None = None
        now = self._year(years[0]) if years else None
        for year in years:
            after = self._year(year + 1) if year + 1 in years else None
            if now is None:
                now = self._year(year)
            first, last = date(year, 1, 1) - AROUND, date(year, 12, 31) + AROUND
            yield Chunk(*now, *(_around(side, before, after, first, last) for side in (0, 1)))
            before, now = now, after

    def series(self, keys: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        wanted = pl.col("instrument_id").is_in(keys.implode())
        a, b = (
            self._with_aside(side, self._scan(side).filter(wanted).select(self._columns).collect(), wanted)
            for side in (0, 1)
        )
        return a, b

    def _with_aside(self, side: int, rows: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
        """The stored rows and those set aside whose key is not stored."""
        more = self._aside[side].filter(which).select(self._columns)
        if not more.height:
            return rows
        return pl.concat([rows, more.join(rows, on=["instrument_id", "session"], how="anti")])

    def _year(self, year: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        first = max(date(year, 1, 1), self._start or date(year, 1, 1))
        last = min(date(year, 12, 31), self._end or date(year, 12, 31))
        now = pl.col("session").is_between(first, last)
        a, b = (
            self._with_aside(
                side, self._scan(side, first, last).select(self._columns).collect(), now
            ).rechunk()
            for side in (0, 1)
        )
        return a, b

    def _years(self) -> list[int]:
        bounds = [
            self._scan(side).select(
                pl.col("session").min().alias("low"), pl.col("session").max().alias("high")
            )
            for side in (0, 1)
        ]
        days = [day for frame in pl.collect_all(bounds) for day in frame.row(0) if day is not None]
        return list(range(min(days).year, max(days).year + 1)) if days else []

    def _distinct(self, side: int, column: str) -> pl.Series:
        stored = self._scan(side).select(pl.col(column).unique()).collect()[column]
        return pl.concat([stored, self._aside[side][column]])

    def _scan(self, side: int, start: date | None = None, end: date | None = None) -> pl.LazyFrame:
        name = self._names[side]
        ref = table_ref(self._table, VENDOR, name.partition("@")[0])
        return self._lake.scan(ref, None, start or self._start, end or self._end)


def _around(
    side: int,
    before: tuple[pl.DataFrame, pl.DataFrame] | None,
    after: tuple[pl.DataFrame, pl.DataFrame] | None,
    first: date,
    last: date,
) -> pl.DataFrame | None:
    """The rows of one side from ``first`` to the year before, and from the year after to ``last``."""
    parts = []
    if before is not None:
        parts.append(before[side].filter(pl.col("session") >= first))
    if after is not None:
        parts.append(after[side].filter(pl.col("session") <= last))
    return pl.concat(parts) if parts else None


def _with_rules(findings: pl.DataFrame, aside: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Add to findings of single rows that a contract had set aside which rule they broke."""
    for name in aside:
        if not aside[name].height:
            continue
        rules = aside[name].select("instrument_id", "session", pl.col(RULE).alias("_rule"))
        said = pl.lit(f"; {name} was set aside by ") + pl.col("_rule")
        findings = (
            findings.join(rules, on=["instrument_id", "session"], how="left", maintain_order="left")
            .with_columns(
                detail=pl.col("detail")
                + pl.when(pl.col("_rule").is_not_null()).then(said).otherwise(pl.lit(""))
            )
            .drop("_rule")
        )
    return findings
