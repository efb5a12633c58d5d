"""What is compared: two relations over instruments and sessions, and what their sources say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Adjustment = Literal["none", "pre", "post", "unknown"]
OHLC: Final = ("open", "high", "low", "close")
FAMILIES: Final = ("", "adj_", "qfq_", "hfq_")
"""Prices as given, adjusted somehow, pre-adjusted and post-adjusted columns of one relation."""
PRICES: Final = (*OHLC, "pre_close", "limit_up", "limit_down")
ADJUSTED: Final = tuple(family + name for family in FAMILIES[1:] for name in OHLC)
FLAGS: Final = ("suspended", "st", "delisting", "no_limit")
NUMBERS: Final = (*PRICES, "volume", "amount", "factor", "change", "pct_chg", "turnover", *ADJUSTED)
COMPARED: Final = (*NUMBERS, *FLAGS)
"""The fields of a table of bars, in the order in which they are reported."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Numbers agree within ``abs`` or within ``rel`` of the larger one."""

    abs: float = 0.0
    rel: float = 0.0


DEFAULT_TOLERANCES: Final[Mapping[str, Tolerance]] = {
    "volume": Tolerance(abs=1.0),
    "amount": Tolerance(abs=6.0),
    "factor": Tolerance(rel=2e-6),
    "change": Tolerance(abs=0.0101),
    "pct_chg": Tolerance(abs=0.0101),
    "turnover": Tolerance(abs=0.0101),
    "cash_per_share": Tolerance(abs=1e-6),
    "bonus_ratio": Tolerance(abs=1e-6),
}
"""Shares, yuan and percent. A vendor that prints thousand yuan to two decimals is off by up to 5 yuan."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a source says of its numbers. ``units``: it states its units, so that a factor that is left over
    contradicts it. ``vendor`` is the same for two versions of one vendor's data. ``spelling`` is how it
    writes codes.
    """

    adjustment: Adjustment = "unknown"
    units: bool = False
    vendor: str = ""
    spelling: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """One source's rows: ``code`` (or ``instrument_id``), ``session`` and fields in shares and yuan as far as
    the source states its units.
    """

    name: str
    frame: pl.DataFrame
    claims: Claims = field(default_factory=Claims)

    @property
    def key(self) -> str:
        return "instrument_id" if "instrument_id" in self.frame.columns else "code"


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of the instruments beside the relations: ``frame`` has code or instrument_id, code,
    list_date and delist_date (null = unknown). ``sessions`` are the exchange's, empty where unknown.
    """

    frame: pl.DataFrame | None = None
    sessions: tuple[int, ...] = ()
    """Days since 1970-01-01."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """Dense numbers for the instruments of both relations. ``keys`` are sorted and unique."""

    column: str
    keys: pl.Series
    codes: tuple[str, ...]

    @classmethod
    def of(cls, keys: pl.Series, codes: Mapping[object, str] | None = None) -> Instruments:
        known = keys.unique().drop_nulls().sort()
        names = codes or {}
        return cls(keys.name, known, tuple(str(names.get(key, key)) for key in known.to_list()))

    def __len__(self) -> int:
        return len(self.keys)

    def numbers(self, column: pl.Series) -> Ints:
        """The number of each key; every key must be known."""
        numbered = pl.DataFrame({"key": self.keys, "number": np.arange(len(self.keys))})
        found = column.alias("key").to_frame().join(numbered, on="key", how="left", maintain_order="left")
        return found["number"].to_numpy().astype(np.int64, copy=False)

    def id(self, number: int) -> int | None:
        key = self.keys[number]
        return int(key) if self.column == "instrument_id" else None

    def market(self, number: int) -> str:
        """The exchange as the code spells it; "" for codes without one."""
        _, dot, exchange = self.codes[number].rpartition(".")
        return exchange if dot else ""


def numeric(column: pl.Series) -> Floats:
    """A column as float64, NaN for null; decimals and flags too."""
    plain = column.cast(pl.Float64, strict=False) if column.dtype != pl.Float64 else column
    values = plain.fill_null(float("nan")).to_numpy()
    return np.asarray(values, dtype=np.float64)


def days_of(column: pl.Series) -> Ints:
    """Dates as days since 1970-01-01."""
    return column.to_physical().to_numpy().astype(np.int64)
