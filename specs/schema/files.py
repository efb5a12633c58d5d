"""Sources that are files as a vendor delivered them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from quant.core.ids import CodeStyle
from quant.specs.schema.data import Dataset, KnownAt, SourceSpec, Unit
from quant.specs.schema.model import Part
from quant.specs.schema.values import (
    EnvironmentName,
    FilePattern,
    Flag,
    Folder,
    Name,
    Pattern,
    PriceDecimals,
    Rows,
    Scale,
    Text,
    Tolerance,
)


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
    style: CodeStyle | None = None
    """The style of instrument codes, where it says what is read otherwise elsewhere."""
    sentinels: list[Text] = Field(default_factory=list)
    """Texts that mean unknown."""
    extract: Pattern | None = None
    """A pattern with one group; the group's text is the value, as `(\\S+) .*` for a date with its weekday."""
    divide: Scale | None = None
    """What the file's whole numbers are multiplied by, as 10000 for prices in hundredths of a cent."""


class FileDataset(Part):
    """The files of one dataset and their columns."""

    files: FilePattern
    """A pattern below the root, as `by_stock/*.csv.gz`; it can never leave the root."""
    format: Literal["csv", "parquet", "json_lines", "tdx_day", "tdx_minute", "tdx_text", "qlib", "hdf5"] = (
        "csv"
    )
    """The format of the files; `.gz` and `.zip` endings are unpacked."""
    encoding: Literal["utf-8", "utf-8-sig", "gbk", "gb2312", "gb18030", "big5", "utf-16", "latin-1"] = "utf-8"
    """The encoding of text files; a byte order mark decides over it and is skipped."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What separates the columns of CSV files."""
    skip_rows: Rows = 0
    """Lines before the header."""
    footer_rows: Rows = 0
    """Lines after the data, as a vendor's notice."""
    comment: Literal["#", "//", ";", "%"] | None = None
    """What begins a line that is none of the table."""
    header: Flag = True
    """Whether the first line names the columns; otherwise `names` does."""
    names: list[Text] | None = None
    """The columns of files without a header, in order."""
    prefix: Text = ""
    """What every header begins with and is cut off, as `stock.`."""
    constants: dict[str, Text] | None = None
    """Columns that the files lack and every row has, as `{exchange: SHFE}`."""
    name: Text | None = None
    """The form of file names, as `{date}_{code}_*.csv`; its parts become columns."""
    price_decimals: PriceDecimals = 2
    """Decimals of prices in TDX files: 2 for stocks, 3 for funds and bonds."""
    key: Text = "**"
    """Which data sets of an HDF5 file are read, as `data/*`; the last part of each is the column `key`."""
    members: Text = "*"
    """Which files of a zip archive are read, as `*.csv`."""
    stamp: Literal["end", "start"] = "end"
    """Which end of a bar within the day its time is; bars are stored with their end."""
    date_is: Literal["calendar", "session"] = "calendar"
    """Whether the date beside a time is the calendar's, or at night that of the session it belongs to."""
    max_jump: Tolerance = Decimal("0.2")
    """How far a tick may lie from the last good one unless the next one confirms it; 0 = any distance."""
    where: dict[str, Text] | None = None
    """Which records of JSON lines are read, as `{stream: btcusdt@trade}`."""
    fields: Annotated[dict[str, FileField], Field(min_length=1)]
    """The vendor's columns by their header; columns not named are ignored."""
    code_from: Literal["column", "file_name"] = "column"
    """Whether the instrument's code is a column or the file's name."""
    codes: Literal["all", "stocks"] = "all"
    """Whether rows of codes that are no stocks (indices, funds, bonds, B shares) are left out, as where a
    program keeps all of them in one folder; they are counted, not set aside."""
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
    calendar: Literal["XSHG", "24x7"] = "XSHG"
    """The calendar of the market; crypto exchanges never close, China's futures keep Shanghai's days."""
    root: Folder | None = None
    """The folder of the files, absolute or relative to the workspace."""
    root_env: EnvironmentName | None = None
    """The environment variable that names the folder; `root` is then a folder below it."""
    datasets: Annotated[dict[Dataset, FileDataset], Field(min_length=1)]
    """What the files hold."""
    infer_events: Flag = False
    """Whether jumps of the adjustment factor are booked as inferred distributions."""
