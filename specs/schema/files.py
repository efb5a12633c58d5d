"""Sources that are files as a vendor delivered them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quant.specs.schema.data import Dataset, KnownAt, SourceSpec, Unit
from quant.specs.schema.model import Part
from quant.specs.schema.values import EnvironmentName, FilePattern, Flag, Folder, Name, Text


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
