"""What the resolved specs declare about stored tables, as the factory takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quant.core.errors import SpecError, SpecErrors
from quant.specs.schema.data import SourceSpec
from quant.specs.schema.tables import TableSpec
from quant.warehouse.audit import TableRule, applies
from quant.warehouse.contracts.tables import TableContract, contract
from quant.warehouse.scope import market_of
from quant.warehouse.sources.exchange_calendar import CALENDAR_SOURCES
from quant.warehouse.sources.registry import provider
from quant.warehouse.sources.settings import SourceSettings, TableSettings
from quant.warehouse.sync import calendar_table

CROSS_SOURCE: Final = "cross_source"
FACTORS_VS_EVENTS: Final = "factors_vs_events"
CALENDAR_RULES: Final = (TableRule("contract"), TableRule("unique"))


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """A golden table, its sources (the preferred one first), its rules, and when it is brought up to date:
    ``cron`` in the time zone of the market ``clock``, None for never. ``market`` is the calendar that the
    rows are measured by.
    """

    settings: TableSettings
    sources: tuple[SourceSettings, ...]
    description: str
    rules: tuple[TableRule, ...]
    cron: str | None
    market: str
    clock: str | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def contract(self) -> TableContract:
        return contract(self.settings.dataset)


def declare(
    tables: Sequence[TableSettings],
    sources: Mapping[str, SourceSettings],
    table_specs: Mapping[str, TableSpec],
    source_specs: Mapping[str, SourceSpec],
) -> tuple[DeclaredTable, ...]:
    """The tables of a profile and the calendar, which every profile has.

    Raises SpecErrors for checks that a table has no columns for.
    """
    named = [t for t in tables if t.dataset != "calendar"]
    found = [_calendar(sources)]
    found += [_table(t, sources, table_specs[t.name], source_specs) for t in named]
    errors = [
        SpecError(
            "table.check",
            f"table {table.name} cannot be checked by {rule.check}",
            found=rule.check,
            hint="remove the check from the table's spec",
        )
        for table in found
        for rule in table.rules
        if rule.check != CROSS_SOURCE and not _applies(rule.check, table.settings.dataset)
    ]
    if errors:
        raise SpecErrors(errors)
    return tuple(found)


def _applies(check: str, dataset: str) -> bool:
    return dataset == "adjustment_factors" if check == FACTORS_VS_EVENTS else applies(check, dataset)


def _calendar(sources: Mapping[str, SourceSettings]) -> DeclaredTable:
    settings = calendar_table(sources.values())
    known = {source.name: source for source in CALENDAR_SOURCES.values()}
    mine = tuple(known[name] for name in settings.sources)
    return DeclaredTable(settings, mine, contract("calendar").about, CALENDAR_RULES, None, market_of(mine))


def _table(
    settings: TableSettings,
    sources: Mapping[str, SourceSettings],
    spec: TableSpec,
    source_specs: Mapping[str, SourceSpec],
) -> DeclaredTable:
    cron, clock = _schedule(settings, sources, spec, source_specs)
    rules = {rule.check: TableRule(rule.check, rule.severity, float(rule.tolerance)) for rule in spec.checks}
    if spec.audit is not None:
        audit = settings.audit
        rules[CROSS_SOURCE] = TableRule(CROSS_SOURCE, audit.severity, float(audit.max_diff_rate))
    if len(settings.sources) < 2:
        rules.pop(CROSS_SOURCE, None)  # nothing to compare under this profile
    if all(provider(sources[name]).computed for name in settings.sources):
        rules.pop(FACTORS_VS_EVENTS, None)
    return DeclaredTable(
        settings=settings,
        sources=tuple(sources[name] for name in settings.sources),
        description=spec.description or contract(settings.dataset).about,
        rules=tuple(rules.values()),
        cron=cron,
        market=market_of(sources[name] for name in settings.sources),
        clock=clock,
    )


def _schedule(
    settings: TableSettings,
    sources: Mapping[str, SourceSettings],
    spec: TableSpec,
    source_specs: Mapping[str, SourceSpec],
) -> tuple[str | None, str | None]:
    """When a table is brought up to date, and by which market's clock: as it says, else as its sources do."""
    if spec.schedule is not None:
        return spec.schedule.cron, spec.schedule.calendar
    for name in settings.sources:
        own = source_specs[name].schedule
        if own is not None:
            return own.cron, own.calendar or sources[name].calendar
    return None, None
