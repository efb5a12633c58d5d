"""The providers that can be named in a source spec; each is imported when it is first used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from typing import Final, cast

from quant.core.errors import MissingComponent, SpecError, UsageError
from quant.warehouse.sources.port import Source
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import Call, VendorAdapter, VendorWorld
from quant.warehouse.store import Storage


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider's factory is: ``factory(settings) -> Source``, or ``factory(settings, world) ->
    VendorAdapter`` for a ``vendor``. ``by_year``: intervals are fetched year by year; otherwise whole,
    because a fetch costs the same. ``revision(settings, dataset)`` names a function that says cheaply whether
    the data behind the settings may have changed. ``sdk`` is the vendor's own package; ``threads``: whether
    it may be asked from several threads at once. Rows of a ``computed`` source come out of the lake itself:
    nobody is asked, and ``factory`` is a function of the lake.
    """

    module: str
    factory: str
    by_year: bool
    revision: str | None = None
    vendor: bool = False
    sdk: str = ""
    threads: bool = False
    computed: bool = False


def _vendor(module: str, factory: str, sdk: str, *, threads: bool = False) -> Provider:
    where = f"quant.warehouse.sources.{module}"
    return Provider(where, factory, by_year=True, vendor=True, sdk=sdk, threads=threads)


PROVIDERS: Final[Mapping[str, Provider]] = {
    "calendar": Provider("quant.warehouse.sources.exchange_calendar", "open_calendar", by_year=False),
    "files": Provider("quant.warehouse.sources.files", "open_files", by_year=False, revision="revision"),
    "simulated": Provider(
        "quant.warehouse.sources.simulated", "open_simulated", by_year=True, revision="revision"
    ),
    "events": Provider(
        "quant.warehouse.adjust.derived", "computed_rows", by_year=True, revision=None, computed=True
    ),
    "tushare": _vendor("tushare", "open_tushare", "tushare", threads=True),
    "jqdatasdk": _vendor("joinquant", "open_joinquant", "jqdatasdk"),
    "baostock": _vendor("baostock", "open_baostock", "baostock"),
    "akshare": _vendor("akshare", "open_akshare", "akshare"),
    "ccxt": _vendor("ccxt", "open_ccxt", "ccxt", threads=True),
}


def provider(settings: SourceSettings) -> Provider:
    """The provider of a source. Raises SpecError ``source.provider``."""
    found = PROVIDERS.get(settings.provider)
    if found is None:
        raise SpecError(
            "source.provider",
            f"there is no provider {settings.provider!r}",
            expected=", ".join(sorted(PROVIDERS)),
            found=settings.provider,
        )
    return found


def open_source(
    settings: SourceSettings,
    world: VendorWorld | None = None,
    *,
    lake: Storage | None = None,
    table: str | None = None,
) -> Source:
    """The source behind settings. A vendor is asked through the shared calling layer, which needs the
    ``world`` and, to resume what was begun, the ``lake`` and the ``table`` that is being filled.
    """
    chosen = provider(settings)
    if chosen.computed:
        raise UsageError(
            "source.computed",
            f"source {settings.name} is computed from stored tables; it has no payloads to read",
            expected="a source with data of its own",
            found=settings.provider,
        )
    if not chosen.vendor:
        return cast(Source, getattr(import_module(chosen.module), chosen.factory)(settings))
    from quant.warehouse.sources.calling import CallingSource
    from quant.warehouse.sources.world import world_of

    known = world or world_of(settings)
    return CallingSource(settings, open_adapter(settings, known), known, lake=lake, table=table)


def open_adapter(settings: SourceSettings, world: VendorWorld) -> VendorAdapter:
    """The adapter of a vendor. Raises MissingComponent where its package is not installed."""
    chosen = provider(settings)
    if find_spec(chosen.sdk) is None:
        raise MissingComponent(
            "vendor.package",
            f"source {settings.name} needs the package {chosen.sdk}",
            expected=chosen.sdk,
            found="not installed",
            hint=f"pip install {chosen.sdk}",
        )
    return cast(VendorAdapter, getattr(import_module(chosen.module), chosen.factory)(settings, world))


def plan_calls(
    settings: SourceSettings, world: VendorWorld, dataset: str, start: date, end: date
) -> list[Call]:
    """The questions that a fetch would put to a vendor, for plans; nothing is asked."""
    adapter = open_adapter(settings, world)
    try:
        return list(adapter.calls(dataset, start, end))
    finally:
        adapter.close()


def revision(settings: SourceSettings, dataset: str) -> str:
    """A text that changes when what the source holds may have changed; "" where that cannot be seen."""
    chosen = provider(settings)
    if chosen.revision is None:
        return ""
    return str(getattr(import_module(chosen.module), chosen.revision)(settings, dataset))
