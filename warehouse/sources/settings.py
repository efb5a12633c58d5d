"""What a source and a table are, as plain data: the resolved specs as the warehouse takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Final, Literal

from quant.core.errors import SpecError
from quant.core.hashing import fingerprint
from quant.warehouse.arbitrate.settings import AGREED_BY, ArbitrationSettings, AuditSettings

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
class PartSettings:
    """A further endpoint whose columns join those of the dataset's first, on our names ``on``.

    ``left`` adds columns, ``full`` adds rows too, ``spell`` holds from ``from_session`` to ``to_session``,
    ``append`` puts its rows below, joined on nothing. In the joined frame its columns are called
    ``endpoint.column``.
    """

    endpoint: str
    fields: tuple[FieldSettings, ...]
    on: tuple[str, ...] = ("code", "session")
    how: Literal["left", "full", "spell", "append"] = "left"
    params: Mapping[str, object] = field(default_factory=dict)
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What a vendor allows, and how patient we are. None: no limit that we know of. ``book`` is where the
    calls are counted, None the user's own place.
    """

    per_minute: int | None = None
    per_day: int | None = None
    max_rows: int | None = None
    on_full_page: Literal["split", "refuse"] = "split"
    timeout_s: float = 30.0
    attempts: int = 5
    parallel: int = 1
    pause_s: float = 0.5
    book: Path | None = None


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """How one dataset is fetched and read. ``endpoint`` is the provider's name for it: for ``files`` a
    pattern below the root. ``adjustment`` says how the prices there are adjusted: none, pre or post.
    ``distinct``: rows with one key are one row repeated. ``parts`` are further endpoints joined to the first;
    ``max_rows`` a full page of it where it is not the source's; ``empty_allowed``: an answer without rows is
    believed even where rows must exist. ``history``: how many sessions back it is fetched when nobody says
    from when; None: as far as any. ``codes``: ``stocks`` leaves out rows of codes that are no stocks.
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
    parts: tuple[PartSettings, ...] = ()
    max_rows: int | None = None
    empty_allowed: bool = False
    history: int | None = None
    codes: Literal["all", "stocks"] = "all"


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One source. ``datasets`` may be empty for a provider that speaks our own column names.

    ``root`` is where the files lie; ``params`` are the provider's own; ``facts`` are statements about the
    data that end in receipts and reports, as ``{"survivorship": "listed names only"}``. ``secret`` is a
    reference, never the credential; ``codes`` restricts a vendor to these instruments, () = all; ``options``
    say where its service is (host, port, url, exchange).
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
    secret: str | None = None
    limits: LimitSettings = LimitSettings()
    codes: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    on_new_column: Literal["warn", "stop"] = "warn"

    @property
    def fingerprint(self) -> str:
        """What the source says depends on: a change makes stored intervals stale. Where the files or the
        service are, the licence, the credential, the limits and the tolerance do not count.
        """
        chosen = {name: self.options[name] for name in _MEANING if name in self.options}
        return fingerprint(
            {
                **({"codes": sorted(self.codes)} if self.codes else {}),
                **({"options": _plain(chosen)} if chosen else {}),
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

    def page(self, dataset: str, endpoint: str) -> int | None:
        """The rows of a full page of an endpoint; None where the vendor has no such limit."""
        wanted = self.dataset(dataset)
        parts = {part.endpoint: part.max_rows for part in wanted.parts}
        own = wanted.max_rows if endpoint == wanted.endpoint else parts.get(endpoint)
        return own if own is not None else self.limits.max_rows

    def offers(self, name: str) -> bool:
        """Whether the source can fill a dataset."""
        if not self.datasets:
            return name in _OWN_DATASETS.get(self.provider, (name,))
        return name in self.datasets or (name == "corporate_actions" and self.infer_events)


@dataclass(frozen=True, slots=True)
class TableSettings:
    """A golden table: its dataset and its sources, the preferred one first. Without ``arbitrate`` the golden
    table is the preferred source's.
    """

    name: str
    dataset: str
    sources: tuple[str, ...]
    arbitrate: ArbitrationSettings | None = None
    audit: AuditSettings = field(default_factory=AuditSettings)

    @property
    def prefer(self) -> str:
        return self.sources[0]

    @property
    def agreed(self) -> bool:
        """Whether the golden table is agreed from several sources."""
        return self.arbitrate is not None and len(self.sources) > 1

    @property
    def label(self) -> str:
        """What the golden table's rows are logged as coming from."""
        return AGREED_BY.join(self.sources) if self.agreed else self.prefer


_OWN_DATASETS: Final = {
    "simulated": (
        *("instruments", "instrument_attributes", "bars_1d"),
        *("adjustment_factors", "corporate_actions"),
    ),
    "events": ("adjustment_factors",),
}
"""What providers offer whose datasets are not declared; others offer whatever is asked for."""
_MEANING: Final = ("exchange", "indices")
"""The options that decide what is said, not where it is asked."""
_ALWAYS: Final = frozenset(
    {
        *("column", "name", "unit", "format", "values", "style", "sentinels"),
        *("dataset", "endpoint", "fields", "params", "encoding", "delimiter"),
        *("code_from", "adjustment", "known_at", "distinct"),
    }
)
_NEVER: Final = frozenset({"max_rows", "empty_allowed", "history"})


def _meaning(value: FieldSettings | DatasetSettings | PartSettings) -> dict[str, object]:
    """What counts. A setting that came later counts only where it was set, so that what is stored stays."""
    found = {}
    for each in fields(value):
        given = getattr(value, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if each.name not in _NEVER and (each.name in _ALWAYS or given != default):
            found[each.name] = _plain(given)
    return found


def _plain(value: object) -> object:
    """Data that has canonical bytes: floats become text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, FieldSettings | DatasetSettings | PartSettings):
        return _meaning(value)
    if isinstance(value, bool | int | str | date) or value is None:
        return value
    return repr(value) if isinstance(value, float) else str(value)
