"""What a source and a table are, as plain data: the resolved specs as the warehouse takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from quant.core.errors import SpecError
from quant.core.hashing import fingerprint

CLOSE_PLUS_2H = "close + 2h"


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """How one vendor column is read: ``column`` is its header there, ``name`` the column here.

    ``unit`` is the vendor's (shares, lot100, yuan, kCNY, wan, percent, ratio, per_share, per_10_shares, one);
    ``values`` maps the vendor's words to ours; ``sentinels`` are texts that mean unknown; ``format`` is that
    of a date; ``style`` that of a code.
    """

    column: str
    name: str
    unit: str = "one"
    format: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    style: str | None = None
    sentinels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """How one dataset is fetched and read. ``endpoint`` is the provider's name for it: for ``files`` a
    pattern below the root. ``adjustment`` says how the prices there are adjusted: none, pre or post.
    ``distinct``: rows with one key are one row repeated.
    """

    dataset: str
    endpoint: str = ""
    fields: tuple[FieldSettings, ...] = ()
    params: Mapping[str, object] = field(default_factory=dict)
    format: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    code_from: str = "column"
    adjustment: str = "none"
    known_at: str | None = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One source. ``datasets`` may be empty for a provider that speaks our own column names.

    ``root`` is where the files lie; ``params`` are the provider's own; ``facts`` are statements about the
    data that end in receipts and reports, as ``{"survivorship": "listed names only"}``.
    """

    name: str
    provider: str
    license: str = ""
    root: Path | None = None
    calendar: str = "XSHG"
    timezone: str = "Asia/Shanghai"
    known_at: str = CLOSE_PLUS_2H
    datasets: Mapping[str, DatasetSettings] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    infer_events: bool = False
    quarantine_max: float = 0.01
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """What the source says depends on: a change makes stored intervals stale. Where the files lie, the
        licence and the tolerance do not count.
        """
        return fingerprint(
            {
                "name": self.name,
                "provider": self.provider,
                "calendar": self.calendar,
                "timezone": self.timezone,
                "known_at": self.known_at,
                "datasets": _plain(self.datasets),
                "params": _plain(self.params),
                "infer_events": self.infer_events,
            }
        )

    def dataset(self, name: str) -> DatasetSettings:
        """The settings of a dataset. Raises SpecError ``source.dataset`` where there is none."""
        if name in self.datasets:
            return self.datasets[name]
        if not self.datasets or (name == "corporate_actions" and self.infer_events):
            return DatasetSettings(name)
        raise SpecError(
            "source.dataset",
            f"source {self.name} does not offer {name}",
            expected=", ".join(sorted(self.datasets)),
            found=name,
        )

    def offers(self, name: str) -> bool:
        """Whether the source can fill a dataset."""
        return (
            not self.datasets or name in self.datasets or (name == "corporate_actions" and self.infer_events)
        )


@dataclass(frozen=True, slots=True)
class TableSettings:
    """A golden table: its dataset and its sources, the preferred one first."""

    name: str
    dataset: str
    sources: tuple[str, ...]

    @property
    def prefer(self) -> str:
        return self.sources[0]


def _plain(value: object) -> object:
    """Data that has canonical bytes: floats become text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, FieldSettings | DatasetSettings):
        return {name: _plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, bool | int | str | date) or value is None:
        return value
    return repr(value) if isinstance(value, float) else str(value)
