"""The providers that can be named in a source spec; each is imported when it is first used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from quant.core.errors import SpecError
from quant.warehouse.sources.port import Source
from quant.warehouse.sources.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider's factory is: ``factory(settings) -> Source``. ``by_year``: intervals are fetched year
    by year; otherwise whole, because a fetch costs the same. ``revision(settings, dataset)`` names a function
    that says cheaply whether the data behind the settings may have changed.
    """

    module: str
    factory: str
    by_year: bool
    revision: str | None = None


PROVIDERS: Final[Mapping[str, Provider]] = {
    "calendar": Provider("quant.warehouse.sources.exchange_calendar", "open_calendar", by_year=False),
    "files": Provider("quant.warehouse.sources.files", "open_files", by_year=False, revision="revision"),
    "simulated": Provider(
        "quant.warehouse.sources.simulated", "open_simulated", by_year=True, revision="revision"
    ),
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


def open_source(settings: SourceSettings) -> Source:
    """The source behind settings."""
    chosen = provider(settings)
    return cast(Source, getattr(import_module(chosen.module), chosen.factory)(settings))


def revision(settings: SourceSettings, dataset: str) -> str:
    """A text that changes when what the source holds may have changed; "" where that cannot be seen."""
    chosen = provider(settings)
    if chosen.revision is None:
        return ""
    return str(getattr(import_module(chosen.module), chosen.revision)(settings, dataset))
