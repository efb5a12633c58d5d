"""What a data contract is made of: columns, units, availability, keys and row rules.

This module needs only the standard library and polars types; pandera is loaded where rows are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

PRICE: Final = pl.Decimal(18, 4)
FINE: Final = pl.Decimal(28, 8)
"""Prices and quantities of markets that trade fractions, as crypto."""
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
    a table without intervals, which is merged by key instead. ``group`` is where the lineage shows it;
    ``after`` names tables that are brought up to date before it, because it may be computed from them or
    judged by them.
    """

    name: str
    about: str
    columns: tuple[ColumnContract, ...]
    key: tuple[str, ...]
    time: str | None = None
    rules: tuple[RowRule, ...] = ()
    system: bool = False
    group: str = "reference"
    derived: bool = False
    """Computed here, never fetched."""
    after: tuple[str, ...] = ()

    @property
    def partitioned(self) -> bool:
        """Tables with intervals are partitioned by ``year`` of their time column."""
        return self.time is not None and not self.system

    @property
    def every_day(self) -> bool:
        """Rows may be dated on days without a session: companies announce at weekends."""
        return self.time is not None and not self.time.endswith("session")

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


def column(name: str, dtype: pl.DataType, meaning: str, **more: object) -> ColumnContract:
    """A column of a contract."""
    return ColumnContract(name, dtype, meaning, **more)  # type: ignore[arg-type]


def provenance() -> tuple[ColumnContract, ...]:
    """The bookkeeping columns that every stored table ends with."""
    return (
        column("known_at", INSTANT, "UTC instant from which the whole row could be known", nullable=True),
        column("recorded_at", INSTANT, "UTC instant at which we wrote the row"),
        column("source", pl.String(), "name of the source the row came from"),
        column("payload", pl.String(), "SHA-256 of the raw payload it was read from"),
    )


def price(name: str, meaning: str, available: str) -> ColumnContract:
    """An unadjusted price in yuan."""
    return column(
        name,
        PRICE,
        f"{meaning}, yuan, unadjusted",
        nullable=True,
        available=available,
        low=0.0001,
        high=10_000_000,
    )


def flag(name: str, meaning: str) -> ColumnContract:
    """A yes, a no, or not known."""
    return column(name, pl.Boolean(), f"{meaning}; null = unknown", nullable=True, available="preopen")


ID: Final = column("instrument_id", pl.Int64(), "opaque id of the instrument, minted once", low=1)
SESSION: Final = column("session", pl.Date(), "local date of the exchange")
