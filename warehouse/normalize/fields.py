"""One vendor column to one of ours: text, dates, codes, exact numbers in shares and yuan.

A value that is there but cannot be read is never silently null: the row is marked with the rule
``<column>.unreadable``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import polars as pl

from quant.core.errors import QuantError, SpecError
from quant.core.ids import parse_code
from quant.warehouse.sources.settings import FieldSettings

WIDE: Final = pl.Decimal(38, 12)
"""Intermediate of exact conversions: twelve decimals and 26 digits before them."""

UNITS: Final = {
    "one": Decimal(1),
    "shares": Decimal(1),
    "lot100": Decimal(100),
    "yuan": Decimal(1),
    "kCNY": Decimal(1000),
    "wan": Decimal(10_000),
    "percent": Decimal("0.01"),
    "ratio": Decimal(1),
    "per_share": Decimal(1),
    "per_10_shares": Decimal("0.1"),
}
_TRUE: Final = ["1", "1.0", "true", "True", "TRUE", "t", "y", "Y", "yes", "Yes", "是"]
_FALSE: Final = ["0", "0.0", "false", "False", "FALSE", "f", "n", "N", "no", "No", "否"]
_DATE_FORMATS: Final = ("%Y-%m-%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d")
_EMPTY: Final = ["", "nan", "NaN", "None", "null", "NULL", "-", "--"]


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted column, and where a given value could not be read."""

    values: pl.Series
    unreadable: pl.Series


def convert(column: pl.Series, field: FieldSettings, dtype: pl.DataType) -> Converted:
    """``column`` as ``dtype`` under our name. Raises SpecError for a unit that makes no sense."""
    given = _given(column, field)
    values = _values(given, field, dtype).alias(field.name)
    return Converted(values, given.is_not_null() & values.is_null())


def _given(column: pl.Series, field: FieldSettings) -> pl.Series:
    """The column with blanks and the vendor's words for unknown as null, and its words as ours."""
    if column.dtype == pl.Categorical:
        column = column.cast(pl.String)
    if column.dtype in (pl.Float32, pl.Float64):
        column = column.fill_nan(None)
    if column.dtype != pl.String:
        if not field.values and not field.sentinels:
            return column
        column = column.cast(pl.String)
    text = column.str.strip_chars()
    unknown = text.is_in([*_EMPTY, *field.sentinels])
    text = text.set(unknown, None)
    return text.replace(dict(field.values)) if field.values else text


def _values(column: pl.Series, field: FieldSettings, dtype: pl.DataType) -> pl.Series:
    if field.name == "code":
        return to_codes(column)
    if dtype == pl.Date:
        return to_dates(column, field.format)
    if dtype == pl.Boolean:
        return to_flags(column)
    if isinstance(dtype, pl.Decimal) or dtype == pl.Int64:
        return to_exact(column, _factor(field), dtype)
    if dtype == pl.Float64:
        return column.cast(pl.Float64, strict=False) * float(_factor(field))
    return column.cast(dtype, strict=False)


def _factor(field: FieldSettings) -> Decimal:
    if field.unit not in UNITS:
        raise SpecError(
            "source.unit",
            f"{field.column}: unknown unit {field.unit!r}",
            expected=", ".join(UNITS),
            found=field.unit,
        )
    return UNITS[field.unit]


def to_exact(column: pl.Series, factor: Decimal, dtype: pl.DataType) -> pl.Series:
    """Numbers as decimals or whole numbers, half up at the last digit. Text is read digit by digit; a float
    means the shortest text that reads back as it.
    """
    if column.dtype == dtype and factor == 1:
        return column
    if column.dtype.is_integer() and dtype == pl.Int64:
        return column.cast(pl.Int64, strict=False) * int(factor) if factor == int(factor) else column
    if column.dtype.is_float():
        column = column.cast(pl.Float64).cast(pl.String)
    wide = column.cast(WIDE, strict=False)
    if factor != 1:
        wide = pl.select(wide * pl.lit(factor, pl.Decimal(18, 6))).to_series().cast(WIDE)
    digits = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    return wide.round(digits, mode="half_away_from_zero").cast(dtype, strict=False)


def from_units(units: pl.Expr, scale: int) -> pl.Expr:
    """Prices of whole ``units`` per yuan, exactly. The divisor's scale is that of the result."""
    return (units.cast(pl.Decimal(18, 0)) / pl.lit(scale, pl.Decimal(18, 4))).cast(pl.Decimal(18, 4))


def to_dates(column: pl.Series, form: str | None) -> pl.Series:
    """Dates of the exchange. Without a format the ISO form, YYYYMMDD and YYYY/MM/DD are understood."""
    if column.dtype == pl.Date:
        return column
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.date()
    text = column.cast(pl.String)
    if form is not None:
        return _parsed(text, form)
    result = pl.Series(column.name, [None] * len(text), dtype=pl.Date)
    for guess in _DATE_FORMATS:
        if result.null_count() == text.null_count():
            break
        result = pl.select(pl.coalesce(result, _parsed(text, guess))).to_series()
    return result


def _parsed(text: pl.Series, form: str) -> pl.Series:
    if any(mark in form for mark in ("%H", "%M", "%S", "%T", "%I")):
        return text.str.to_datetime(form, strict=False).dt.date()
    return text.str.to_date(form, strict=False)


def to_flags(column: pl.Series) -> pl.Series:
    """Yes and no in the words of vendors; anything else is null."""
    if column.dtype == pl.Boolean:
        return column
    text = pl.col("text")
    flag = pl.when(text.is_in(_TRUE)).then(statement=True).when(text.is_in(_FALSE)).then(statement=False)
    return column.cast(pl.String).alias("text").to_frame().select(flag.alias(column.name)).to_series()


def to_codes(column: pl.Series) -> pl.Series:
    """Codes in any accepted spelling as 600519.SH; null where there is none."""
    text = column.cast(pl.String)
    spelled = {code: _code(code) for code in text.unique().to_list() if code is not None}
    return text.replace_strict(spelled, default=None, return_dtype=pl.String)


def _code(text: str) -> str | None:
    try:
        return str(parse_code(text.zfill(6) if text.isdigit() else text))
    except QuantError:
        return None
