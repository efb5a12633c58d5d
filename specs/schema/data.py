"""Sources and tables: where data come from, and what is stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quant.specs.schema.model import Part, Spec
from quant.specs.schema.values import (
    Cron,
    Date,
    EnvironmentName,
    FilePattern,
    Flag,
    Folder,
    Instruments,
    Intensity,
    Name,
    Secret,
    Seed,
    Text,
    Tolerance,
)

Dataset = Literal[
    "instruments", "instrument_attributes", "bars_1d", "adjustment_factors", "corporate_actions"
]
KnownAt = Literal["preopen", "open", "close", "close + 2h", "announcement"]
Unit = Literal[
    "shares",
    "lot100",
    "yuan",
    "kCNY",
    "wan",
    "percent",
    "ratio",
    "per_share",
    "per_10_shares",
    "one",
]


class Schedule(Part):
    """When new data are fetched."""

    cron: Cron
    """Five cron fields in the calendar's time zone."""
    calendar: Literal["XSHG"] = "XSHG"
    """The calendar whose sessions are expected."""


class SourceSpec(Spec):
    """Where data come from, under which licence, and when they could be known."""

    not_enforced: ClassVar[dict[str, str]] = {
        "limits": "",
    }

    kind: Literal["source"]
    license: Annotated[Text, Field(min_length=1)]
    """Under which terms the data may be used, as `personal-research` or `synthetic`."""
    timezone: Literal["Asia/Shanghai"] = "Asia/Shanghai"
    """The time zone of dates and times in the data."""
    calendar: Literal["XSHG"] = "XSHG"
    """The trading calendar of the market."""
    known_at: KnownAt = "close + 2h"
    """When a session's rows can be known."""
    schedule: Schedule | None = None
    """When new data are fetched."""
    secret: Secret | None = None
    """A reference to the credential; never the credential."""
    quarantine_max: Tolerance = Decimal("0.01")
    """The share of rows that may break the contract before a sync fails."""


class SimulatedMarket(Part):
    """The parameters of the simulated market. Intensities: 1 is the usual market, 0 never."""

    seed: Seed = 7
    """The same seed is the same market, on every machine."""
    instruments: Instruments = 300
    """How many instruments there are."""
    start: Date | None = None
    """The first session of the market."""
    listings: Intensity = Decimal(1)
    """How often new instruments are listed."""
    delistings: Intensity = Decimal(1)
    """How often instruments are delisted."""
    suspensions: Intensity = Decimal(1)
    """How often trading is suspended."""
    st: Intensity = Decimal(1)
    """How often an instrument gets special treatment."""
    dividends: Intensity = Decimal(1)
    """How often cash and shares are distributed."""
    jumps: Intensity = Decimal(1)
    """How often news moves a price."""
    view: Literal["a", "b"] = "a"
    """Through which vendor the market is seen; the market itself is the same."""
    disagreements: Intensity = Decimal(1)
    """How often view b differs from view a."""


class SimulatedSource(SourceSpec):
    """A market made by a seeded generator; needs no network and no files."""

    provider: Literal["simulated"]
    params: SimulatedMarket = SimulatedMarket()
    """The market's parameters."""

    def as_params(self) -> dict[str, object]:
        """The stated parameters as plain numbers, dates and words, for the generator."""
        plain = self.params.model_dump(exclude_none=True)
        return {k: float(v) if isinstance(v, Decimal) else v for k, v in plain.items()}


class FileField(Part):
    """How one vendor column is read."""

    as_: Annotated[Name, Field(alias="as")]
    """The name of the column here."""
    unit: Unit = "one"
    """The vendor's unit; values are converted to shares, yuan and plain ratios."""
    format: Text | None = None
    """The form of a date, as `%Y%m%d`; ISO dates need none."""
    values: dict[str, Text] | None = None
    """The vendor's words and ours."""
    style: Literal["tushare", "joinquant", "qlib", "baostock", "vnpy", "bare"] | None = None
    """The style of instrument codes."""
    sentinels: list[Text] = Field(default_factory=list)
    """Texts that mean unknown."""


class FileDataset(Part):
    """The files of one dataset and their columns."""

    files: FilePattern
    """A pattern below the root, as `by_stock/*.csv.gz`; it can never leave the root."""
    format: Literal["csv", "parquet"] = "csv"
    """The format of the files; a `.gz` ending is unpacked."""
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    """The text encoding of CSV files; a byte order mark is skipped."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What separates the columns of CSV files."""
    fields: Annotated[dict[str, FileField], Field(min_length=1)]
    """The vendor's columns by their header; columns not named are ignored."""
    code_from: Literal["column", "file_name"] = "column"
    """Whether the instrument's code is a column or the file's name."""
    adjustment: Literal["none", "pre", "post"] = "none"
    """How prices in the files are adjusted: 不复权, 前复权, 后复权. Only unadjusted prices can be traded."""
    known_at: KnownAt | None = None
    """When a row can be known, where it differs from the source's."""
    distinct: Flag = False
    """Whether several rows with the same grain are one row repeated, as in a file of bars that also names the
    instrument; otherwise they are quarantined."""


class FilesSource(SourceSpec):
    """Files as a vendor delivered them."""

    provider: Literal["files"]
    root: Folder | None = None
    """The folder of the files, absolute or relative to the workspace."""
    root_env: EnvironmentName | None = None
    """The environment variable that names the folder; `root` is then a folder below it."""
    datasets: Annotated[dict[Dataset, FileDataset], Field(min_length=1)]
    """What the files hold."""
    infer_events: Flag = False
    """Whether jumps of the adjustment factor are booked as inferred distributions."""


class TableCheck(Part):
    """A rule the stored rows must keep."""

    check: Literal["contract", "unique", "ohlc_order", "rows_vs_calendar", "within_limits"]
    """The rule."""
    severity: Literal["error", "warn"] = "error"
    """Whether a breach fails the run or is only reported."""
    tolerance: Tolerance = Decimal(0)
    """The share of rows that may break the rule."""


class TableSpec(Spec):
    """A stored table, agreed from one or more sources."""

    not_enforced: ClassVar[dict[str, str]] = {
        "arbitrate": "name the sources in from:, the preferred one first",
    }

    kind: Literal["table"]
    dataset: Dataset
    """What the rows are about; fixes the columns and the grain."""
    from_: Annotated[list[Name] | None, Field(alias="from", min_length=1)] = None
    """The sources, the preferred one first; left out, the profile's sources."""
    checks: list[TableCheck] = Field(default_factory=list)
    """Rules checked after every sync."""
    partition: Literal["year"] = "year"
    """How the rows are cut into files."""
    schedule: Schedule | None = None
    """When the table is brought up to date."""
