"""From the specs of sources and tables to the settings that the warehouse takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from quant.core.errors import SpecError, SpecErrors, UsageError
from quant.core.ids import parse_code
from quant.core.time import parse_date
from quant.specs.registry import load_workspace
from quant.specs.resolution import resolve_data
from quant.specs.schema import (
    FilesSource,
    ProjectSpec,
    SimulatedSource,
    SourceSpec,
    TableSpec,
    VendorSource,
)
from quant.specs.validate import validate
from quant.warehouse.arbitrate.settings import ArbitrationSettings, AuditSettings, ColumnRule, Margin
from quant.warehouse.scope import place_of
from quant.warehouse.sources.settings import (
    DatasetSettings,
    FieldSettings,
    LimitSettings,
    PartSettings,
    SourceSettings,
    TableSettings,
)

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.specs.schema.files import FileDataset, FileField
    from quant.specs.schema.tables import Arbitration
    from quant.specs.schema.vendors import VendorDataset, VendorPart


@dataclass(frozen=True, slots=True)
class DataSpecs:
    """The tables of a profile, their sources, and the specs they came from."""

    tables: tuple[TableSettings, ...]
    sources: Mapping[str, SourceSettings]
    table_specs: Mapping[str, TableSpec]
    source_specs: Mapping[str, SourceSpec]
    start: date | None
    end: date | None

    @property
    def calendars(self) -> tuple[str, ...]:
        """The trading calendars that the sources follow."""
        return tuple(sorted({source.calendar for source in self.sources.values()})) or ("XSHG",)

    def is_offered(self, table: TableSettings) -> bool:
        """Whether a source of the table can fill it; what none can fill is left out of a sync."""
        return any(s.offers(table.dataset) for n in table.sources if (s := self.sources.get(n)) is not None)

    def pick(self, names: tuple[str, ...]) -> tuple[TableSettings, ...]:
        """The named tables, all of them when none is named; raises UsageError for an unknown one."""
        known = {t.name for t in self.tables}
        for name in names:
            if name not in known:
                raise UsageError(
                    "table.unknown", f"no table {name!r}", expected=", ".join(sorted(known)), found=name
                )
        return tuple(t for t in self.tables if not names or t.name in names)


def data_specs(desk: Workspace) -> DataSpecs:
    """Sources and tables of the workspace under its profile. Raises SpecErrors with every fault."""
    registry = load_workspace(desk.root)
    project = registry.project
    profile = None
    if project is not None:
        model, _ = validate("project", project.tree, project.marks)
        profile = model.profiles.get(desk.profile) if isinstance(model, ProjectSpec) else None
    errors: list[SpecError] = []
    tables, sources = resolve_data(registry, profile, errors)
    if errors:
        raise SpecErrors(errors)
    settings = {name: _counted(source_settings(spec, desk.root), desk) for name, spec in sources.items()}
    return DataSpecs(
        tables=tuple(table_settings(t, settings) for t in tables.values()),
        sources=settings,
        table_specs=tables,
        source_specs=sources,
        start=_date(desk.get("from")),
        end=_date(desk.get("to")),
    )


def table_settings(spec: TableSpec, sources: Mapping[str, SourceSettings]) -> TableSettings:
    """A table with those of its sources that offer it, the preferred one first; all where none does. Sources
    of different markets are added up where the spec does not say how they agree.
    """
    named = tuple(spec.from_ or ())
    offering = tuple(name for name in named if name in sources and sources[name].offers(spec.dataset))
    arbitrate = arbitration(spec.arbitrate) if spec.arbitrate is not None else None
    if arbitrate is None and len({place_of(sources[name]) for name in offering}) > 1:
        arbitrate = ArbitrationSettings()  # nobody lists what others do: the table holds the rows of all
    shared = arbitrate.tolerance if arbitrate is not None else {}
    audit = AuditSettings(tolerance=shared)
    if spec.audit is not None:
        own = {name: Margin(m.abs, m.rel) for name, m in spec.audit.tolerance.items()}
        audit = AuditSettings(spec.audit.max_diff_rate, spec.audit.severity, {**shared, **own})
    return TableSettings(spec.name, spec.dataset, offering or named, arbitrate, audit)


def arbitration(spec: Arbitration) -> ArbitrationSettings:
    """The rules of a table; a column has the table's where its own are silent."""
    margins = {name: Margin(m.abs, m.rel) for name, m in spec.tolerance.items()}
    prefer = tuple(spec.prefer or ())
    return ArbitrationSettings(
        rule=spec.rule,
        quorum=spec.quorum,
        prefer=prefer,
        otherwise=spec.otherwise,
        tolerance=margins,
        columns={
            name: ColumnRule(
                rule=own.rule or spec.rule,
                quorum=own.quorum if own.quorum is not None else spec.quorum,
                prefer=tuple(own.prefer) if own.prefer is not None else prefer,
                otherwise=own.otherwise or spec.otherwise,
                margin=margins.get(name, Margin()),
            )
            for name, own in spec.columns.items()
        },
        needs=spec.needs,
    )


def source_settings(spec: SourceSpec, root: Path) -> SourceSettings:
    """One source as the warehouse takes it; ``root`` is the workspace, for relative folders."""
    plain = SourceSettings(
        name=spec.name,
        provider=_provider(spec),
        license=spec.license,
        calendar=spec.calendar,
        timezone=spec.timezone,
        known_at=spec.known_at,
        quarantine_max=float(spec.quarantine_max),
    )
    if isinstance(spec, FilesSource):
        datasets: dict[str, DatasetSettings] = {n: _dataset(n, d) for n, d in spec.datasets.items()}
        folder = files_root(spec, root)
        return replace(plain, root=folder, infer_events=spec.infer_events, datasets=datasets)
    if isinstance(spec, SimulatedSource):
        return replace(plain, params=spec.as_params())
    if isinstance(spec, VendorSource):
        return vendor_settings(spec, plain)
    return plain


def _counted(source: SourceSettings, desk: Workspace) -> SourceSettings:
    """With the place where the workspace counts its calls."""
    return replace(source, limits=replace(source.limits, book=desk.quota)) if desk.quota else source


def files_root(spec: FilesSource, workspace: Path) -> Path:
    """Where a files source lies: below ``root_env`` when it is declared, else relative to the workspace."""
    folder = Path(spec.root or ".")
    if spec.root_env is None:
        return workspace / folder
    given = os.environ.get(spec.root_env)
    if not given:
        raise UsageError(
            "source.root_env",
            f"source {spec.name} lies below ${spec.root_env}, which is not set",
            expected=f"{spec.root_env}=/path/to/files",
            hint=f"export {spec.root_env}=…",
        )
    return Path(given) / folder


def _provider(spec: SourceSpec) -> str:
    return str(getattr(spec, "provider"))  # noqa: B009  every concrete kind declares it


def vendor_settings(spec: VendorSource, plain: SourceSettings) -> SourceSettings:
    """A vendor's source: limits, codes, where it is, and its datasets."""
    limits = spec.limits
    return replace(
        plain,
        secret=spec.secret,
        codes=tuple(sorted({str(parse_code(code)) for code in spec.codes or ()})),
        options=spec.options.model_dump(exclude_none=True),
        infer_events=spec.infer_events,
        on_new_column=spec.on_new_column,
        datasets={n: _vendor_dataset(n, d) for n, d in spec.datasets.items()},
        limits=LimitSettings(
            per_minute=limits.per_minute,
            per_day=limits.per_day,
            max_rows=limits.max_rows,
            on_full_page=limits.on_full_page,
            timeout_s=float(limits.timeout),
            attempts=limits.attempts,
            parallel=limits.parallel,
            pause_s=float(limits.pause),
        ),
    )


def _vendor_dataset(name: str, spec: VendorDataset) -> DatasetSettings:
    return DatasetSettings(
        dataset=name,
        endpoint=spec.endpoint,
        fields=_fields(spec.fields),
        params=spec.params,
        adjustment=spec.adjustment,
        known_at=spec.known_at,
        distinct=spec.distinct,
        parts=tuple(_part(each) for each in spec.with_),
        max_rows=spec.max_rows,
        empty_allowed=spec.empty == "allow",
        history=spec.history,
    )


def _part(spec: VendorPart) -> PartSettings:
    return PartSettings(
        endpoint=spec.endpoint,
        fields=_fields(spec.fields),
        on=tuple(spec.on),
        how=spec.how,
        params=spec.params,
        max_rows=spec.max_rows,
    )


def _fields(spec: Mapping[str, FileField]) -> tuple[FieldSettings, ...]:
    return tuple(
        FieldSettings(
            column=column,
            name=f.as_,
            unit=f.unit,
            format=f.format,
            values=f.values or {},
            style=f.style,
            sentinels=tuple(f.sentinels),
        )
        for column, f in spec.items()
    )


def _dataset(name: str, spec: FileDataset) -> DatasetSettings:
    return DatasetSettings(
        dataset=name,
        endpoint=spec.files,
        fields=_fields(spec.fields),
        params=_file_options(spec),
        format=spec.format,
        encoding=spec.encoding,
        delimiter=spec.delimiter,
        code_from=spec.code_from,
        codes=spec.codes,
        adjustment=spec.adjustment,
        known_at=spec.known_at,
        distinct=spec.distinct,
    )


def _file_options(spec: FileDataset) -> dict[str, object]:
    """What a reader is told beyond the format, as far as it is not the usual."""
    from quant.warehouse.sources.formats.options import FileOptions

    said: dict[str, object] = {
        "skip_rows": spec.skip_rows,
        "footer_rows": spec.footer_rows,
        "comment": spec.comment,
        "header": spec.header,
        "names": tuple(spec.names or ()),
        "prefix": spec.prefix,
        "constants": spec.constants or {},
        "name": spec.name,
        "extract": {header: f.extract for header, f in spec.fields.items() if f.extract is not None},
        "divide": {header: f.divide for header, f in spec.fields.items() if f.divide is not None},
        "price_decimals": spec.price_decimals,
        "key": spec.key,
        "members": spec.members,
        "where": spec.where or {},
    }
    within_a_day = {"stamp": spec.stamp, "date_is": spec.date_is, "max_jump": str(spec.max_jump)}
    said |= {name: value for name, value in within_a_day.items() if name in spec.model_fields_set}
    usual = {field.name: getattr(FileOptions(), field.name) for field in fields(FileOptions)}
    return {name: value for name, value in said.items() if value != usual.get(name)}


def _date(value: object) -> date | None:
    return parse_date(value) if isinstance(value, str | date) and value else None
