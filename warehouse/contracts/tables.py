"""The canonical tables as data: columns, units, availability, keys and row rules.

This module needs only the standard library and polars types; pandera is loaded where rows are checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from quant.core.errors import UsageError

PRICE: Final = pl.Decimal(18, 4)
AMOUNT: Final = pl.Decimal(20, 4)
CASH: Final = pl.Decimal(18, 6)
RATIO: Final = pl.Decimal(18, 8)
INSTANT: Final = pl.Datetime("us", "UTC")

PROVENANCE: Final = ("source", "payload", "recorded_at")
"""Where a row came from and when we wrote it: not part of a table's content hash."""


@dataclass(frozen=True, slots=True)
class ColumnContract:
    """One column. ``available`` says when its value can be known in a session: preopen, open, close,
    close+2h or announcement; empty for keys and bookkeeping.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    nullable: bool = False
    available: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule over one row; a row breaks it when ``expression`` is False (null passes)."""

    name: str
    reason: str
    expression: pl.Expr


@dataclass(frozen=True, slots=True)
class TableContract:
    """What a canonical table holds. ``key`` is unique; ``time`` is the date column of its intervals, None for
    a table without intervals, which is merged by key instead.
    """

    name: str
    about: str
    columns: tuple[ColumnContract, ...]
    key: tuple[str, ...]
    time: str | None = None
    rules: tuple[RowRule, ...] = ()
    system: bool = False

    @property
    def partitioned(self) -> bool:
        """Tables with intervals are partitioned by ``year`` of their time column."""
        return self.time is not None and not self.system

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Polars types in column order, without the partition column."""
        return {column.name: column.dtype for column in self.columns}

    @property
    def content(self) -> tuple[str, ...]:
        """The columns that the content hash covers: all but provenance, unless it is part of the key."""
        return tuple(name for name in self.names if name not in PROVENANCE or name in self.key)

    def column(self, name: str) -> ColumnContract:
        return next(column for column in self.columns if column.name == name)


def _column(name: str, dtype: pl.DataType, meaning: str, **more: object) -> ColumnContract:
    return ColumnContract(name, dtype, meaning, **more)  # type: ignore[arg-type]


def _provenance() -> tuple[ColumnContract, ...]:
    return (
        _column("known_at", INSTANT, "UTC instant from which the whole row could be known", nullable=True),
        _column("recorded_at", INSTANT, "UTC instant at which we wrote the row"),
        _column("source", pl.String(), "name of the source the row came from"),
        _column("payload", pl.String(), "SHA-256 of the raw payload it was read from"),
    )


def _price(name: str, meaning: str, available: str) -> ColumnContract:
    return _column(
        name,
        PRICE,
        f"{meaning}, yuan, unadjusted",
        nullable=True,
        available=available,
        low=0.0001,
        high=10_000_000,
    )


def _flag(name: str, meaning: str) -> ColumnContract:
    return _column(name, pl.Boolean(), f"{meaning}; null = unknown", nullable=True, available="preopen")


_ID = _column("instrument_id", pl.Int64(), "opaque id of the instrument, minted once", low=1)
_SESSION = _column("session", pl.Date(), "local date of the exchange")


def _bar_rules() -> tuple[RowRule, ...]:
    c = pl.col
    traded = c("volume") > 0
    return (
        RowRule(
            "ohlc.order",
            "low <= open, close <= high must hold",
            (c("low") <= c("open"))
            & (c("low") <= c("close"))
            & (c("high") >= c("open"))
            & (c("high") >= c("close"))
            & (c("low") <= c("high")),
        ),
        RowRule(
            "ohlc.missing",
            "a session with volume must have open, high, low and close",
            ~traded | pl.all_horizontal(c(n).is_not_null() for n in ("open", "high", "low", "close")),
        ),
        RowRule(
            "amount.sign",
            "amount must be positive where volume is, and zero where it is not",
            traded == (c("amount") > 0),
        ),
        RowRule(
            "amount.range",
            "amount / volume must lie within low and high (0.5% slack for rounding)",
            ~traded
            | (c("amount").cast(pl.Float64) / c("volume")).is_between(
                c("low").cast(pl.Float64) * 0.995, c("high").cast(pl.Float64) * 1.005
            ),
        ),
        RowRule("limit.order", "limit_down < limit_up must hold", c("limit_down") < c("limit_up")),
        RowRule(
            "limit.exceeded",
            "high and low must lie within the price limits",
            (c("no_limit").fill_null(value=False))
            | ((c("high") <= c("limit_up")) & (c("low") >= c("limit_down"))),
        ),
        RowRule("suspended.traded", "a suspended session has no volume", ~(c("suspended") & traded)),
    )


_TABLES: Final = (
    TableContract(
        "instruments",
        "One row per instrument: what it is and when it was listed.",
        (
            _ID,
            _column("code", pl.String(), "exchange code, 600519.SH"),
            _column("mic", pl.String(), "market identifier code of the exchange"),
            _column("name", pl.String(), "latest known name", nullable=True),
            _column("board", pl.String(), "board at listing (core.market.instrument.Board)"),
            _column("currency", pl.String(), "ISO 4217 currency of its prices"),
            _column("list_date", pl.Date(), "first session; null = unknown", nullable=True),
            _column("delist_date", pl.Date(), "first date no longer listed; null = none", nullable=True),
            *_provenance(),
        ),
        key=("instrument_id",),
        rules=(
            RowRule(
                "dates.order",
                "delist_date must be after list_date",
                pl.col("delist_date") > pl.col("list_date"),
            ),
        ),
    ),
    TableContract(
        "instrument_attributes",
        "Dated attributes of instruments: names, ST spells, boards, former codes, delisting periods.",
        (
            _ID,
            _column(
                "attribute",
                pl.String(),
                "which attribute",
                values=("name", "st", "board", "code", "delisting"),
            ),
            _column("value", pl.String(), "its value as text"),
            _column("from_session", pl.Date(), "first session it holds"),
            _column("to_session", pl.Date(), "last session it holds; null = still", nullable=True),
            *_provenance(),
        ),
        key=("instrument_id", "attribute", "from_session"),
        rules=(
            RowRule(
                "dates.order",
                "to_session must not be before from_session",
                pl.col("to_session") >= pl.col("from_session"),
            ),
        ),
    ),
    TableContract(
        "calendar",
        "Trading sessions of an exchange with their instants.",
        (
            _column("mic", pl.String(), "market identifier code of the exchange"),
            _SESSION,
            _column("preopen", INSTANT, "start of the opening auction"),
            _column("open", INSTANT, "start of continuous trading"),
            _column("close", INSTANT, "end of the closing auction"),
            *_provenance(),
        ),
        key=("mic", "session"),
        time="session",
        rules=(
            RowRule(
                "instants.order",
                "preopen <= open < close must hold",
                (pl.col("preopen") <= pl.col("open")) & (pl.col("open") < pl.col("close")),
            ),
        ),
    ),
    TableContract(
        "bars_1d",
        "Daily bars, unadjusted, one row per instrument and session.",
        (
            _ID,
            _SESSION,
            _column("ts", INSTANT, "end of the bar: the close instant"),
            _price("open", "first price", "open"),
            _price("high", "highest price", "close"),
            _price("low", "lowest price", "close"),
            _price("close", "closing price", "close"),
            _price("pre_close", "exchange reference price", "preopen"),
            _price("limit_up", "highest allowed price", "preopen"),
            _price("limit_down", "lowest allowed price", "preopen"),
            _column("volume", pl.Int64(), "shares traded", available="close", low=0),
            _column("amount", AMOUNT, "yuan traded", available="close", low=0),
            _flag("suspended", "no trading on this session"),
            _flag("st", "under special treatment"),
            _flag("delisting", "in its delisting period"),
            _flag("no_limit", "a session without price limits"),
            *_provenance(),
        ),
        key=("instrument_id", "session"),
        time="session",
        rules=_bar_rules(),
    ),
    TableContract(
        "adjustment_factors",
        "Cumulative post-adjustment factors: adjusted price = price * factor.",
        (
            _ID,
            _SESSION,
            _column("factor", pl.Float64(), "cumulative factor", available="preopen", low=1e-9, high=1e9),
            _column("inferred", pl.Boolean(), "derived by us, not stated by the source"),
            *_provenance(),
        ),
        key=("instrument_id", "session"),
        time="session",
        rules=(RowRule("factor.finite", "the factor must be a finite number", pl.col("factor").is_finite()),),
    ),
    TableContract(
        "corporate_actions",
        "Distributions by ex-date.",
        (
            _ID,
            _column("ex_session", pl.Date(), "first session without the entitlement"),
            _column(
                "record_session", pl.Date(), "last session with it", nullable=True, available="announcement"
            ),
            _column(
                "pay_session",
                pl.Date(),
                "cash is paid; null = on the ex-date",
                nullable=True,
                available="announcement",
            ),
            _column(
                "cash_per_share",
                CASH,
                "yuan per share before tax",
                available="announcement",
                low=0,
                high=100_000,
            ),
            _column(
                "bonus_ratio", RATIO, "new shares per share held", available="announcement", low=0, high=1000
            ),
            _column("kind", pl.String(), "what it is", values=("cash", "bonus", "mixed", "inferred", "none")),
            _column("inferred", pl.Boolean(), "derived by us from a factor jump"),
            *_provenance(),
        ),
        key=("instrument_id", "ex_session"),
        time="ex_session",
        rules=(
            RowRule(
                "action.empty",
                "an action must pay cash or shares",
                (pl.col("cash_per_share") > 0) | (pl.col("bonus_ratio") > 0),
            ),
            RowRule(
                "dates.order",
                "record_session < ex_session <= pay_session must hold",
                (pl.col("record_session").fill_null(pl.date(1900, 1, 1)) < pl.col("ex_session"))
                & (pl.col("pay_session").fill_null(pl.date(9999, 1, 1)) >= pl.col("ex_session")),
            ),
        ),
    ),
    TableContract(
        "identities",
        "Instrument ids as minted: one row per code, never changed.",
        (
            _column("code", pl.String(), "exchange code at the time of minting"),
            _column("first_session", pl.Date(), "the date it was minted with"),
            _ID,
            _column("recorded_at", INSTANT, "UTC instant of minting"),
        ),
        key=("code", "first_session"),
        system=True,
    ),
    TableContract(
        "quarantine",
        "Rows that broke a contract, with the rule and the reason.",
        (
            _column("table", pl.String(), "table the row was meant for"),
            _column("source", pl.String(), "source it came from"),
            _column("session", pl.Date(), "date of the row, if it has one", nullable=True),
            _column("code", pl.String(), "code as far as known", nullable=True),
            _column("rule", pl.String(), "rule that was broken"),
            _column("reason", pl.String(), "what the rule demands"),
            _column("row_json", pl.String(), "the row"),
            _column("payload", pl.String(), "SHA-256 of the raw payload"),
            _column("interval_start", pl.Date(), "first date of the interval it was fetched with"),
            _column("interval_end", pl.Date(), "last date of that interval"),
            _column("recorded_at", INSTANT, "UTC instant of the check"),
        ),
        key=("table", "source", "payload", "row_json", "rule"),
        system=True,
    ),
    TableContract(
        "sync_log",
        "What was synchronised, when, by whom.",
        (
            _column("run", pl.String(), "id of the sync"),
            _column("source", pl.String(), "source"),
            _column("source_hash", pl.String(), "fingerprint of the source's settings and data"),
            _column("table", pl.String(), "table"),
            _column("start", pl.Date(), "first date of the interval"),
            _column("end", pl.Date(), "last date of the interval"),
            _column("status", pl.String(), "ok, or refused when the quarantine tolerance was passed"),
            _column("golden", pl.Boolean(), "whether the interval was taken into the golden table"),
            _column("calls", pl.Int64(), "payloads fetched"),
            _column("rows", pl.Int64(), "rows stored"),
            _column("quarantined", pl.Int64(), "rows set aside"),
            _column("facts", pl.String(), "JSON: what is known about the data"),
            _column("actor", pl.String(), "JSON: who asked for it"),
            _column("recorded_at", INSTANT, "UTC instant of the end"),
        ),
        key=("run", "source", "table", "start", "end", "recorded_at"),
        system=True,
    ),
)

CONTRACTS: Final = {table.name: table for table in _TABLES}


def contract(name: str) -> TableContract:
    """The contract of a dataset. Raises UsageError ``table.unknown``."""
    found = CONTRACTS.get(name)
    if found is None:
        raise UsageError(
            "table.unknown",
            f"there is no table {name!r}",
            expected=", ".join(sorted(CONTRACTS)),
            found=name,
            hint="quant data status lists the tables of this workspace",
        )
    return found


def datasets() -> Iterator[TableContract]:
    """The tables that sources can fill, in the order in which they must be synchronised."""
    return (table for table in _TABLES if not table.system)
