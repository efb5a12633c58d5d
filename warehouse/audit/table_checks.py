"""Rules that the stored rows of a table must keep, as pure functions over frames.

Each check counts the rows that break its rule and passes while their share stays within the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from quant.core.errors import SpecError
from quant.core.market.calendar import calendar
from quant.warehouse.audit.judging import RULE, Found, Listing
from quant.warehouse.audit.series_checks import NEEDS, SERIES_CHECKS
from quant.warehouse.contracts.tables import RowRule, TableContract, contract

SAMPLE_ROWS: Final = 5


@dataclass(frozen=True, slots=True)
class TableRule:
    """One declared check. ``tolerance`` is the share of rows that may break it; ``severity`` is error, which
    fails the run, or warn, which only reports.
    """

    check: str
    severity: str = "error"
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. ``failing`` of ``total`` rows break the rule; ``sample`` shows the first of them
    with the rule's name.
    """

    check: str
    passed: bool
    failing: int
    total: int
    sample: pl.DataFrame
    about: str
    detail: str

    @property
    def share(self) -> float:
        return _share(self.failing, self.total)


def applies(check: str, dataset: str) -> bool:
    """Whether a check can be asked of a dataset's columns."""
    table = contract(dataset)
    if check in _PREFIXES:
        return bool(_rules(table, _PREFIXES[check]))
    if check in SERIES_CHECKS:
        return set(NEEDS.get(check, ())) <= set(table.names) and not table.system
    return check in _CHECKS and (check != "rows_vs_calendar" or table.key == ("instrument_id", "session"))


def run_check(rule: TableRule, dataset: str, rows: pl.DataFrame, listing: Listing) -> CheckResult:
    """Judge ``rows`` of a dataset by one rule.

    Raises SpecError ``table.check`` for a rule that the dataset has no columns for.
    """
    if not applies(rule.check, dataset):
        raise SpecError(
            "table.check",
            f"{dataset} cannot be checked by {rule.check}",
            expected=", ".join(name for name in _CHECKS if applies(name, dataset)),
            found=rule.check,
            hint="remove the check from the table's spec",
        )
    return _judged(rule, _CHECKS[rule.check](contract(dataset), rows, listing))


def combined(rule: TableRule, parts: Sequence[CheckResult]) -> CheckResult:
    """The result over several parts of a table that share no key, as its years, from the results of each."""
    sample = next((part.sample for part in parts if part.sample.height), parts[0].sample)
    return _judged(
        rule,
        Found(sum(p.failing for p in parts), sum(p.total for p in parts), sample, parts[0].about),
    )


def _judged(rule: TableRule, found: Found) -> CheckResult:
    share = _share(found.failing, found.total)
    detail = f"{found.failing:,} of {found.total:,} {found.about}"
    if found.failing:
        detail += f" ({share:.3%}, at most {rule.tolerance:.3%} allowed)"
    return CheckResult(
        check=rule.check,
        passed=share <= rule.tolerance,
        failing=found.failing,
        total=found.total,
        sample=found.sample.head(SAMPLE_ROWS),
        about=found.about,
        detail=detail,
    )


def _share(failing: int, total: int) -> float:
    return failing / total if total else float(failing > 0)


def _contract(table: TableContract, rows: pl.DataFrame, _listing: Listing) -> Found:
    from quant.warehouse.contracts.check import check

    bad = check(table, rows.select(table.names)).bad
    return Found(bad.height, rows.height, bad, "rows break the contract")


def _unique(table: TableContract, rows: pl.DataFrame, _listing: Listing) -> Found:
    again = rows.filter(~pl.struct(table.key).is_first_distinct())
    return Found(
        again.height,
        rows.height,
        again.with_columns(pl.lit("key.unique").alias(RULE)),
        f"rows repeat a key of {', '.join(table.key)}",
    )


def _row_rules(prefix: str, about: str) -> Callable[[TableContract, pl.DataFrame, Listing], Found]:
    def judge(table: TableContract, rows: pl.DataFrame, _listing: Listing) -> Found:
        broken = pl.lit(None, pl.String)
        for rule in reversed(_rules(table, prefix)):
            keeps = rule.expression.fill_null(value=True)
            broken = pl.when(keeps).then(broken).otherwise(pl.lit(rule.name))
        bad = rows.with_columns(broken.alias(RULE)).filter(pl.col(RULE).is_not_null())
        return Found(bad.height, rows.height, bad, about)

    return judge


def _rows_vs_calendar(_table: TableContract, rows: pl.DataFrame, listing: Listing) -> Found:
    """Every listed instrument has one row a session, and no row lies on another day or outside its listing.

    The listing date of an instrument for which it is unknown is its first row.
    """
    days = pl.Series("session", calendar(listing.mic).sessions(listing.start, listing.end), dtype=pl.Date)
    held = rows.select("instrument_id", "session").unique()
    bounds = _listed(listing, held)
    counted = bounds.with_columns(
        expected=days.search_sorted(bounds["to"], side="right").cast(pl.Int64)
        - days.search_sorted(bounds["from"], side="left").cast(pl.Int64)
    ).with_columns(pl.col("expected").clip(0))
    inside = held.join(bounds, on="instrument_id", how="left").with_columns(
        ok=pl.col("session").is_in(days.implode())
        & pl.col("session").is_between("from", "to").fill_null(value=False)
    )
    have = inside.filter("ok").group_by("instrument_id").len("found")
    gaps = (
        counted.join(have, on="instrument_id", how="left")
        .with_columns(pl.col("found").fill_null(0).cast(pl.Int64))
        .with_columns(missing=pl.col("expected") - pl.col("found"))
        .filter(pl.col("missing") > 0)
        .sort(["missing", "instrument_id"], descending=[True, False])
    )
    extra = inside.filter(~pl.col("ok"))
    failing = int(gaps["missing"].sum()) + extra.height
    sample = gaps.with_columns(pl.lit("rows.missing").alias(RULE))
    if not gaps.height:
        sample = extra.select("instrument_id", "session", pl.lit("rows.unexpected").alias(RULE))
    about = "rows are missing or unexpected"
    return Found(failing, int(counted["expected"].sum()), sample, about)


def _listed(listing: Listing, held: pl.DataFrame) -> pl.DataFrame:
    """First and last session of each instrument inside the range."""
    first = held.group_by("instrument_id").agg(pl.col("session").min().alias("first"))
    begin = pl.coalesce("list_date", "first", pl.lit(listing.start))
    last = pl.col("delist_date") - timedelta(days=1)
    return (
        listing.instruments.select("instrument_id", "list_date", "delist_date")
        .join(first, on="instrument_id", how="left")
        .select(
            "instrument_id",
            pl.max_horizontal(begin, pl.lit(listing.start)).alias("from"),
            pl.min_horizontal(last.fill_null(listing.end), pl.lit(listing.end)).alias("to"),
        )
    )


def _rules(table: TableContract, prefix: str) -> list[RowRule]:
    return [rule for rule in table.rules if rule.name.startswith(prefix)]


_PREFIXES: Final = {"ohlc_order": "ohlc.", "within_limits": "limit."}
_CHECKS: Final[Mapping[str, Callable[[TableContract, pl.DataFrame, Listing], Found]]] = {
    "contract": _contract,
    "unique": _unique,
    "ohlc_order": _row_rules("ohlc.", "rows have prices out of order"),
    "within_limits": _row_rules("limit.", "rows lie outside their price limits"),
    "rows_vs_calendar": _rows_vs_calendar,
    **SERIES_CHECKS,
}
