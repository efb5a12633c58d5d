"""Declared tables as assets: one step a table stores its sources' rows, the golden table, and judges it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import dagster as dg

from quant.assets.declared import DeclaredTable
from quant.assets.keys import GOLDEN, VENDOR, golden_key, group_of, op_name, vendor_key
from quant.assets.metadata import definition_metadata
from quant.assets.partitions import Years, yearly
from quant.assets.store import Results, SyncConfig, store
from quant.assets.warehouse import Warehouse
from quant.core.market.calendar import ALWAYS
from quant.warehouse.audit import TableRule
from quant.warehouse.sources.registry import provider
from quant.warehouse.sources.settings import SourceSettings

OWNERS: Final = ["team:data"]
WARN_AFTER: Final = timedelta(days=4)
"""A weekend and a night."""
FAIL_AFTER: Final = timedelta(days=10)
"""The longest break of the Chinese exchanges, and a day."""
A_DAY_LATE: Final = timedelta(hours=36)
"""Of a market that never closes: a day and half a day."""
IDENTITY_TABLES: Final = ("calendar", "instruments")
"""Tables that mint or need no instrument ids; every other one looks its ids up in ``instruments``."""


def build_assets(tables: Sequence[DeclaredTable], years: Years) -> list[dg.AssetsDefinition]:
    """One definition a table: an asset for each source's table, one for the golden table, and its checks."""
    names = {table.settings.dataset: table.name for table in tables}
    return [_build(table, names, years) for table in tables]


def _build(table: DeclaredTable, names: Mapping[str, str], years: Years) -> dg.AssetsDefinition:
    specs = [_vendor(table, source, _before(table, source, names)) for source in table.sources]
    specs.append(_golden(table))

    @dg.multi_asset(
        name=op_name(table.name),
        specs=specs,
        check_specs=[_check(table, rule) for rule in table.rules],
        partitions_def=yearly(years) if table.contract.partitioned else None,
        backfill_policy=dg.BackfillPolicy.single_run() if table.contract.partitioned else None,
        can_subset=True,
        description=f"Bring {table.name} up to date and check it.",
    )
    def sync_table(
        context: dg.AssetExecutionContext, config: SyncConfig, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[Results]:
        yield from store(context, config, warehouse, table)

    return sync_table


def _before(table: DeclaredTable, source: SourceSettings, names: Mapping[str, str]) -> list[str]:
    """The golden tables that a source's rows need: the instruments, and what computed rows come from."""
    needed = [] if table.settings.dataset in IDENTITY_TABLES else ["instruments"]
    if provider(source).computed:
        needed += table.contract.after
    return [names[dataset] for dataset in needed if dataset in names]


def _vendor(table: DeclaredTable, source: SourceSettings, before: Sequence[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        vendor_key(source.name, table.settings.dataset),
        deps=[golden_key(name) for name in before],
        description=f"{table.contract.about} As {source.name} says, in our columns and units.",
        group_name=group_of(table.settings.dataset),
        kinds={"deltalake", source.provider, source.name},  # lineage shows kinds, and not who of a key
        owners=OWNERS,
        tags={"layer": VENDOR, "source": source.name, "market": table.market},
        metadata={
            **definition_metadata(table.contract),
            "license": source.license,
            "known_at": source.known_at,
            "quarantine_max": source.quarantine_max,
        },
    )


def _golden(table: DeclaredTable) -> dg.AssetSpec:
    return dg.AssetSpec(
        golden_key(table.name),
        deps=[vendor_key(source.name, table.settings.dataset) for source in table.sources],
        description=table.description,
        group_name=group_of(table.settings.dataset),
        kinds={"deltalake", "polars"},
        owners=OWNERS,
        tags={"layer": GOLDEN, "market": table.market},
        metadata={**definition_metadata(table.contract), "preferred": table.settings.prefer},
        freshness_policy=freshness(table.cron, table.market),
    )


def freshness(cron: str | None, market: str) -> dg.FreshnessPolicy | None:
    """Of a table with a schedule: when it counts as late, and when as stale."""
    if cron is None:
        return None
    if market == ALWAYS:
        return dg.FreshnessPolicy.time_window(fail_window=WARN_AFTER, warn_window=A_DAY_LATE)
    return dg.FreshnessPolicy.time_window(fail_window=FAIL_AFTER, warn_window=WARN_AFTER)


def _check(table: DeclaredTable, rule: TableRule) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.check,
        asset=golden_key(table.name),
        description=f"At most {100 * rule.tolerance:.4g} % of the rows may break it; a breach is "
        + ("an error: it fails the run." if rule.severity == "error" else "a warning."),
        blocking=rule.severity == "error",
    )
