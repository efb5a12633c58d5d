"""Audits: the sources of a workspace against each other, two files, two versions of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from quant.core.errors import QuantError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.sources import DataSpecs
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.audit.compare import AuditReport
    from quant.warehouse.lake import Lake
    from quant.warehouse.sources.settings import TableSettings


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What is audited; empty ``tables`` and ``sources`` mean all of them."""

    tables: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class TableAudit:
    """One table's report and the share of cells that may differ in it."""

    report: AuditReport
    allowed: Decimal

    @property
    def passed(self) -> bool:
        return self.report.beyond(float(self.allowed)).height == 0

    @property
    def verdict(self) -> str:
        """agrees: nothing speaks against either; within: some does, but no more than allowed; differs."""
        if not self.passed:
            return "differs"
        wrong = self.report.rates()["rate"]
        return "within" if (wrong > 0).any() else "agrees"

    def as_dict(self) -> dict[str, Any]:
        report = self.report
        return {
            "table": report.table,
            "verdict": self.verdict,
            "passed": self.passed,
            "allowed": float(self.allowed),
            "rows": [dict(row) for row in report.rows],
            "alignment": list(report.alignment),
            "summary": report.summary.to_dicts(),
            "rates": report.rates().to_dicts(),
            "causes": _described(report.causes),
            "findings": report.findings.drop("audit", "table", "recorded_at").to_dicts(),
            "coverage": report.coverage.drop("audit", "table", "recorded_at").to_dicts(),
            "offenders": [dict(row) for row in report.offenders],
        }


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """What an audit found, table by table; ``skipped`` tables have no two sources, for the reason given."""

    audit: str
    tables: tuple[TableAudit, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(table.passed for table in self.tables)

    def as_dict(self) -> dict[str, Any]:
        return {
            "audit": self.audit,
            "passed": self.passed,
            "tables": [table.as_dict() for table in self.tables],
            "skipped": dict(self.skipped),
        }


def audit_workspace(desk: Workspace, request: AuditRequest) -> AuditOutcome:
    """Compare the stored tables of the sources, every two of them, and keep what is found."""
    from quant.core.time import utc_now
    from quant.pipelines.sources import data_specs
    from quant.warehouse.audit.compare import combined
    from quant.warehouse.audit.run import audit_table
    from quant.warehouse.lake import Lake
    from quant.warehouse.scope import place_of

    specs = data_specs(desk)
    _known_sources(request.sources, specs.sources)
    lake, audit_id = Lake(desk.lake), f"audit-{utc_now():x}"
    done, skipped = [], {}
    for table in specs.pick(request.tables):
        sources = tuple(s for s in table.sources if not request.sources or s in request.sources)
        sources += tuple(s for s in request.sources if s not in sources)
        if (
            len({place_of(specs.sources[name]) for name in sources if name in specs.sources})
            == len(sources)
            > 1
        ):
            skipped[table.name] = f"{', '.join(sources)} are different markets, without a common instrument"
            continue
        vendors = tuple(name for name in sources if not _is_computed(specs, name))
        factors = _with_events(lake, table, vendors, request, audit_id)
        try:
            report = audit_table(
                lake,
                table,
                vendors if factors is not None else sources,
                request.start,
                request.end,
                audit_id=audit_id,
                settings=specs.sources,
            )
        except UsageError as error:
            if error.fault.code != "audit.sources" or (table.name in request.tables and factors is None):
                raise
            if factors is None:
                skipped[table.name] = error.fault.message
                continue
            report = factors
        else:
            report = combined([report, factors], report.offenders) if factors is not None else report
        done.append(TableAudit(report, table.audit.max_diff_rate))
    if not done:
        raise UsageError(
            "audit.sources",
            "no table has two sources with stored rows",
            expected="a table whose from: names two sources, both synchronised",
            found=_at_most(skipped) or "no tables",
            hint="quant data sync; or quant data audit --files A B for files without a workspace",
        )
    return AuditOutcome(audit_id, tuple(done), skipped)


def _is_computed(specs: DataSpecs, name: str) -> bool:
    from quant.warehouse.sources.registry import provider

    return name in specs.sources and provider(specs.sources[name]).computed


def _with_events(
    lake: Lake, table: TableSettings, vendors: Sequence[str], request: AuditRequest, audit_id: str
) -> AuditReport | None:
    """Each vendor's factors against those that follow from the golden bars and events; the findings are kept.
    None for other tables, and while there are no bars or events.
    """
    from quant.core.time import to_datetime, utc_now
    from quant.warehouse.audit.factors import TABLE, audit_factors

    if table.dataset != TABLE:
        return None
    with lake.lock.hold("audit"):
        found = audit_factors(
            lake, vendors, request.start, request.end, audit_id=audit_id, stamp=to_datetime(utc_now())
        )
    return found.report() if found is not None else None


def diff_tables(
    desk: Workspace,
    a: str,
    b: str,
    table: str,
    start: date | None = None,
    end: date | None = None,
    code: str | None = None,
) -> TableAudit:
    """Row-level differences of two sources, of two versions (``name@12``), or of either and ``golden``."""
    from quant.warehouse.audit.run import compare_stored
    from quant.warehouse.lake import Lake

    return TableAudit(compare_stored(Lake(desk.lake), table, a, b, start, end, code=code), Decimal(0))


def audit_files(
    a: str,
    b: str,
    *,
    spec_a: str | None = None,
    spec_b: str | None = None,
    tables: Sequence[str] = (),
    start: date | None = None,
    end: date | None = None,
    allowed: Decimal = Decimal(0),
) -> AuditOutcome:
    """Compare two files, folders or sources; needs no workspace and keeps nothing."""
    from quant.pipelines.audit_inputs import compare_inputs, read_input

    left, right = read_input(a, spec_a), read_input(b, spec_b)
    reports = compare_inputs(left, right, tables, start, end)
    return AuditOutcome("files", tuple(TableAudit(report, allowed) for report in reports))


def _at_most(skipped: Mapping[str, str], limit: int = 3) -> str:
    """The first reasons, and how many more there are."""
    more = f"; and {len(skipped) - limit} more tables" if len(skipped) > limit else ""
    return "; ".join([*skipped.values()][:limit]) + more


def _known_sources(names: Sequence[str], known: Mapping[str, object]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                "source.unknown", f"no source {name!r}", expected=", ".join(sorted(known)), found=name
            )


def _described(causes: pl.DataFrame) -> list[dict[str, Any]]:
    from quant.warehouse.audit.compare import cause

    return [{**row, "about": cause(row["cause"]).about} for row in causes.to_dicts()]


def failure(outcome: AuditOutcome) -> QuantError | None:
    """What to say when an audit is past what is allowed."""
    from quant.core.errors import CheckFailed

    bad = [table for table in outcome.tables if not table.passed]
    if not bad:
        return None
    worst = bad[0].report.beyond(float(bad[0].allowed)).row(0, named=True)
    return CheckFailed(
        "audit.differs",
        f"{bad[0].report.table}: {worst['a']} and {worst['b']} differ in {worst['field']}",
        expected=f"at most {float(bad[0].allowed):.4%} of the cells",
        found=f"{worst['rate']:.4%} of {worst['cells']:,}",
        hint="the causes name what differs and how it was recognised; --json has every finding",
    )
