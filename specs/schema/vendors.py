"""Sources that are a vendor's own service, asked through the vendor's own client."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from quant.specs.schema.data import Dataset, KnownAt, SourceSpec
from quant.specs.schema.files import FileField
from quant.specs.schema.model import Part
from quant.specs.schema.values import (
    Attempts,
    Calls,
    EndpointName,
    Flag,
    InstrumentCode,
    Name,
    Port,
    Seconds,
    Sessions,
    Text,
    Threads,
)


class Limits(Part):
    """What the vendor allows, and how patient we are."""

    per_minute: Calls | None = None
    """Calls in any sixty seconds, of all processes of this user that share the account."""
    per_day: Calls | None = None
    """Calls in one day of the source's time zone."""
    max_rows: Calls | None = None
    """The rows of a full page. An answer with as many rows is taken to be cut off."""
    on_full_page: Literal["split", "refuse"] = "split"
    """Whether a full page is asked again in smaller questions, or stops the table."""
    timeout: Seconds = Decimal(30)
    """Seconds to wait for one answer."""
    attempts: Attempts = 5
    """How often a question is asked before a passing trouble counts as lasting."""
    pause: Seconds = Decimal("0.5")
    """Seconds before a question is put again the first time; the pause doubles from then on."""
    parallel: Threads = 1
    """How many questions may be under way at once, where the vendor's client allows more than one."""


class VendorOptions(Part):
    """Where the vendor's service is, for mirrors and proxies; left out, the client's own address."""

    host: Text | None = None
    """Name or address of the host."""
    port: Port | None = None
    """Port of the host."""
    url: Text | None = None
    """Whole address of the service, as `https://mirror.example/dataapi`."""
    exchange: Name | None = None
    """Which exchange is asked, for clients that know many, as `binance`."""
    https_proxy: Text | None = None
    """A proxy between us and the service, without credentials."""
    by: Literal["auto", "code", "day"] | None = None
    """Whether histories are asked code by code or day by day, for clients that know both; left out, whichever
    is fewer calls."""
    indices: list[InstrumentCode] | None = None
    """The indices whose members are asked for."""
    window_s: Seconds | None = None
    """How many seconds of trades are asked for at once."""


class VendorPart(Part):
    """A further endpoint whose columns are joined to those of the dataset's first."""

    endpoint: EndpointName
    """The vendor's name for it."""
    fields: Annotated[dict[str, FileField], Field(min_length=1)]
    """Its columns, those it is joined on among them."""
    on: list[Literal["code", "session"]] = ["code", "session"]  # noqa: RUF012  a pydantic default
    """What the rows are joined on."""
    how: Literal["left", "full", "spell", "append"] = "left"
    """left: adds columns to rows that are there; full: adds rows too; spell: holds from `from_session` to
    `to_session`, both read by this part; append: its rows stand below those of the first."""
    params: dict[str, Text] = Field(default_factory=dict)
    """Further parameters of its calls."""
    max_rows: Calls | None = None
    """The rows of a full page, where they differ from the source's."""


class VendorDataset(Part):
    """The endpoint of one dataset and its columns."""

    endpoint: EndpointName
    """The vendor's name for it."""
    fields: Annotated[dict[str, FileField], Field(min_length=1)]
    """The vendor's columns by their name; columns not named are ignored."""
    with_: Annotated[list[VendorPart], Field(alias="with")] = []  # noqa: RUF012  a pydantic default
    """Further endpoints that are joined to the first."""
    params: dict[str, Text] = Field(default_factory=dict)
    """Further parameters of its calls."""
    adjustment: Literal["none", "pre", "post"] = "none"
    """How the prices are adjusted: 不复权, 前复权, 后复权. Only unadjusted prices can be traded."""
    known_at: KnownAt | None = None
    """When a row can be known, where it differs from the source's."""
    distinct: Flag = False
    """Whether several rows with the same grain are one row repeated; otherwise they are quarantined."""
    max_rows: Calls | None = None
    """The rows of a full page, where they differ from the source's."""
    empty: Literal["refuse", "allow"] = "refuse"
    """Whether an answer without rows is believed where the calendar and the listings say that there are
    some."""
    history: Sessions | None = None
    """How many sessions back it is fetched where neither the command nor the profile says from when; left
    out, ten years, or one year where trading never stops."""


class VendorSource(SourceSpec):
    """A vendor's service, asked through its own client."""

    not_enforced: ClassVar[dict[str, str]] = {}

    limits: Limits = Limits()
    """What the vendor allows."""
    codes: Annotated[list[InstrumentCode], Field(min_length=1)] | None = None
    """Only these instruments; left out, all that the vendor lists."""
    options: VendorOptions = VendorOptions()
    """Where the service is."""
    datasets: Annotated[dict[Dataset, VendorDataset], Field(min_length=1)]
    """What is asked of the vendor."""
    on_new_column: Literal["warn", "stop"] = "warn"
    """What a column that the vendor did not send before does. A column that is missing, or that cannot be
    read any more, always stops its table."""
    infer_events: Flag = False
    """Whether jumps of the adjustment factor are booked as inferred distributions."""


class TushareSource(VendorSource):
    """Tushare Pro through `tushare`; the secret is the token."""

    provider: Literal["tushare"]


class JoinQuantSource(VendorSource):
    """JoinQuant through `jqdatasdk`, in a process of its own; the secret is `user:password`."""

    provider: Literal["jqdatasdk"]


class BaostockSource(VendorSource):
    """Baostock through `baostock`; needs no account."""

    provider: Literal["baostock"]


class AkshareSource(VendorSource):
    """Public pages through `akshare`; needs no account."""

    provider: Literal["akshare"]


class CcxtSource(VendorSource):
    """Crypto exchanges through `ccxt`; public data need no account."""

    provider: Literal["ccxt"]
    calendar: Literal["XSHG", "24x7"] = "24x7"
    """The trading calendar of the market; crypto never closes."""
    timezone: Literal["Asia/Shanghai", "UTC"] = "UTC"
    """The time zone of dates and times in the data."""
