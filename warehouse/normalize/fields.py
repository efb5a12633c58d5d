"""One vendor column to one of ours: text, dates, codes, exact numbers in shares and yuan.

A value that is there but cannot be read is never silently null: the row is marked with the rule
``<column>.unreadable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

import polars as pl

from quant.core.errors import QuantError, SpecError
from quant.core.ids import parse_code
from quant.warehouse.normalize.texts import ascii_form, plain_codes, plain_numbers
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
_DATE_FORMATS: Final = (
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y年%m月%d日",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
)
_ZONED: Final = ("%Y-%m-%dT%H:%M:%S%#z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%#z")
_LOCAL: Final = (
    "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f", "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M",
)  # fmt: skip
_EMPTY: Final = ["", "nan", "NaN", "NAN", "NaT", "None", "null", "NULL", "N/A", "n/a", "#N/A", "-", "--"]
_EPOCH_DIGITS: Final = {10: (1_000_000, 1), 13: (1000, 1), 16: (1, 1), 19: (1, 1000)}
"""Digits of seconds, milli-, micro- and nanoseconds since 1970 -> what makes them microseconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source writes: the IANA zone of its times, that of the exchange, and the exchange that its codes
    do not name.
    """

    zone: str = "Asia/Shanghai"
    exchange_zone: str = "Asia/Shanghai"
    venue: str | None = None


_PLAIN: Final = Reading()


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted column, and where a given value could not be read."""

    values: pl.Series
    unreadable: pl.Series


def convert(
    column: pl.Series, field: FieldSettings, dtype: pl.DataType, reading: Reading = _PLAIN
) -> Converted:
    """``column`` as ``dtype`` under our name. Raises SpecError for a unit that makes no sense."""
    given = _given(column, field)
    values = _values(given, field, dtype, reading).alias(field.name)
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


def _values(column: pl.Series, field: FieldSettings, dtype: pl.DataType, reading: Reading) -> pl.Series:
    if field.name == "code":
        return to_codes(column, field.style, reading.venue)
    if dtype == pl.Date:
        return to_dates(column, field.format, reading)
    if isinstance(dtype, pl.Datetime):
        return to_instants(column, field.format, reading)
    if dtype == pl.Boolean:
        return to_flags(column)
    if isinstance(dtype, pl.Decimal) or dtype in (pl.Int64, pl.Float64):
        return _number(column, field, dtype)
    return column.cast(dtype, strict=False)


def _number(column: pl.Series, field: FieldSettings, dtype: pl.DataType) -> pl.Series:
    factor, scale = _factor(field), None
    if column.dtype == pl.String:
        plain = plain_numbers(column)
        column, scale = plain.text, plain.scale
        if scale is not None and plain.percent is not None and field.unit == "percent":
            scale = scale.set(plain.percent & (scale == Decimal("0.01")), Decimal(1))  # said twice
    if dtype != pl.Float64:
        return to_exact(column, factor, dtype, scale)
    value = column.cast(pl.Float64, strict=False) * float(factor)
    value = value if scale is None else value * scale.cast(pl.Float64).fill_null(1.0)
    return value.set(value.is_infinite().fill_null(value=False), None)


def _factor(field: FieldSettings) -> Decimal:
    if field.unit not in UNITS:
        raise SpecError(
            "source.unit",
            f"{field.column}: unknown unit {field.unit!r}",
            expected=", ".join(UNITS),
            found=field.unit,
        )
    return UNITS[field.unit]


def to_exact(
    column: pl.Series, factor: Decimal, dtype: pl.DataType, scale: pl.Series | None = None
) -> pl.Series:
    """Numbers as decimals or whole numbers, half up at the last digit. Text is read digit by digit; a float
    means the shortest text that reads back as it. ``scale`` multiplies row by row.
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
    if scale is not None:
        by = scale.fill_null(Decimal(1)).alias("by")
        wide = (
            wide.alias("wide").to_frame().with_columns(by).select(pl.col("wide") * pl.col("by")).to_series()
        )
        wide = wide.cast(WIDE, strict=False)
    digits = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    return wide.round(digits, mode="half_away_from_zero").cast(dtype, strict=False)


def from_units(units: pl.Expr, scale: int) -> pl.Expr:
    """Prices of whole ``units`` per yuan, exactly. The divisor's scale is that of the result."""
    return (units.cast(pl.Decimal(18, 0)) / pl.lit(scale, pl.Decimal(18, 4))).cast(pl.Decimal(18, 4))


def to_dates(column: pl.Series, form: str | None, reading: Reading = _PLAIN) -> pl.Series:
    """Dates of the exchange. Without a format the forms of the known vendors are understood, and seconds to
    nanoseconds since 1970.

    A time with a zone, or one of a source whose zone is another than the exchange's, is the exchange's date
    at that instant; midnight without a zone is a date.
    """
    if column.dtype == pl.Date:
        return column
    if isinstance(column.dtype, pl.Datetime):
        return _local_date(column, reading)
    if column.dtype.is_float():
        column = column.cast(pl.Int64, strict=False)
    text = ascii_form(column.cast(pl.String)).str.replace(r"^(\d{8})\.0$", "$1")
    if form is not None:
        return _parsed(text, form, reading)
    result = pl.Series(column.name, [None] * len(text), dtype=pl.Date)
    for guess in (*_DATE_FORMATS, None):
        if result.null_count() == text.null_count():
            break
        read = _zoned_or_counted(text, reading) if guess is None else _parsed(text, guess, reading)
        result = pl.select(pl.coalesce(result, read)).to_series()
    return result


def _parsed(text: pl.Series, form: str, reading: Reading) -> pl.Series:
    if any(mark in form for mark in ("%H", "%M", "%S", "%T", "%I")):
        return _local_date(text.str.to_datetime(form, strict=False), reading)
    return text.str.to_date(form, strict=False)


def _zoned_or_counted(text: pl.Series, reading: Reading) -> pl.Series:
    """Times that say their zone, 2024-01-02T00:00:00+08:00 or …Z, and times counted since 1970."""
    plus = text.str.replace(r"(?i)z$", "+00:00")
    found = [plus.str.to_datetime(form, strict=False, time_zone="UTC") for form in _ZONED]
    number, digits = text.cast(pl.Int64, strict=False), text.str.len_chars()
    for width, (up, down) in _EPOCH_DIGITS.items():
        counted = number.set(digits != width, None) * up // down
        found.append(counted.cast(pl.Datetime("us", "UTC")))
    return _local_date(pl.select(pl.coalesce(*found)).to_series(), reading)


def _local_date(at: pl.Series, reading: Reading) -> pl.Series:
    """The exchange's date at an instant."""
    if getattr(at.dtype, "time_zone", None):
        return at.dt.convert_time_zone(reading.exchange_zone).dt.date()
    if reading.zone == reading.exchange_zone:
        return at.dt.date()
    zoned = at.dt.replace_time_zone(reading.zone, ambiguous="earliest", non_existent="null")
    there = zoned.dt.convert_time_zone(reading.exchange_zone).dt.date()
    midnight = at.dt.time() == pl.Series([0], dtype=pl.Time)
    return at.dt.date().alias("date").to_frame().select(
        pl.when(midnight).then("date").otherwise(there)
    ).to_series()  # fmt: skip


def to_instants(column: pl.Series, form: str | None, reading: Reading = _PLAIN) -> pl.Series:
    """Instants in UTC: times with a zone, times of the source's zone, and times counted since 1970."""
    if isinstance(column.dtype, pl.Datetime):
        return _in_utc(column.cast(pl.Datetime("us", column.dtype.time_zone)), reading)
    text = ascii_form(column.cast(pl.String))
    if form is not None:
        return _in_utc(text.str.to_datetime(form, time_unit="us", strict=False), reading)
    found = pl.Series(column.name, [None] * len(text), dtype=pl.Datetime("us", "UTC"))
    for read in _readings(text, reading):
        found = found.zip_with(found.is_not_null(), read())
        if found.null_count() == text.null_count():
            break
    return found


def _readings(text: pl.Series, reading: Reading) -> Iterator[Callable[[], pl.Series]]:
    """The ways to read an instant, the most telling first."""
    for form in _LOCAL[:1]:
        yield partial(_local_instant, text, form, reading)
    plus = text.str.replace(r"(?i)z$", "+00:00")
    for form in _ZONED:
        yield partial(plus.str.to_datetime, form, time_unit="us", strict=False, time_zone="UTC")
    for width, (up, down) in _EPOCH_DIGITS.items():
        yield partial(_counted, text, width, up, down)
    for form in _LOCAL[1:]:
        yield partial(_local_instant, text, form, reading)


def _local_instant(text: pl.Series, form: str, reading: Reading) -> pl.Series:
    return _in_utc(text.str.to_datetime(form, time_unit="us", strict=False), reading)


def _counted(text: pl.Series, digits: int, up: int, down: int) -> pl.Series:
    number = text.cast(pl.Int64, strict=False)
    number = number.set(text.str.len_chars() != digits, None)
    return (number * up // down).cast(pl.Datetime("us", "UTC"))


def _in_utc(at: pl.Series, reading: Reading) -> pl.Series:
    if getattr(at.dtype, "time_zone", None):
        return at.dt.convert_time_zone("UTC")
    zoned = at.dt.replace_time_zone(reading.zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def to_flags(column: pl.Series) -> pl.Series:
    """Yes and no in the words of vendors; anything else is null."""
    if column.dtype == pl.Boolean:
        return column
    text = pl.col("text")
    flag = pl.when(text.is_in(_TRUE)).then(statement=True).when(text.is_in(_FALSE)).then(statement=False)
    return column.cast(pl.String).alias("text").to_frame().select(flag.alias(column.name)).to_series()


def to_codes(column: pl.Series, style: str | None = None, venue: str | None = None) -> pl.Series:
    """Codes in any accepted spelling as 600519.SH; null where there is none. ``style`` is the vendor's,
    ``venue`` the exchange of codes that name none.
    """
    if column.dtype.is_float():
        column = column.cast(pl.Int64, strict=False)
    text = plain_codes(column.cast(pl.String))
    spelled = {code: _code(code, style, venue) for code in text.unique().to_list() if code is not None}
    return text.replace_strict(spelled, default=None, return_dtype=pl.String)


def _code(text: str, style: str | None, venue: str | None) -> str | None:
    padded = text.zfill(6) if text.isdigit() and venue is None else text
    try:
        return str(parse_code(padded, style=style, venue=venue))
    except QuantError:
        return None
