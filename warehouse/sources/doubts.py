"""Whether one answer can be what was asked for: columns, types, dates, repeats, too few rows.

A doubt is not yet an error: the question is put again first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, QuantError, TransientError, UsageError
from quant.core.market.statements import ITEMS
from quant.core.time import parse_date
from quant.warehouse.contracts.tables import contract
from quant.warehouse.normalize.fields import convert
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings
from quant.warehouse.sources.vendor import Answer, Call

SHORT: Final = 0.3
"""Fewer of the expected rows than this are a doubt: on no session did more than 55% of the market pause."""
SURE: Final = 50
"""From so many expected rows on, their number says something."""
FEW: Final = 5
MISFIT: Final = 5.0
_EXTRA: Final = {
    "code": pl.String(),
    "factor": pl.Float64(),
    **dict.fromkeys(("announced", "from_session", "to_session", "session"), pl.Date()),
}
_ITEMS: Final = {**dict.fromkeys(ITEMS, pl.Float64()), "update_flag": pl.Float64()}
_FROM: Final = re.compile(r"(start|begin|from|since)(_?(date|day|time))?")
_TO: Final = re.compile(r"(end|to|until)(_?(date|day|time))?")
_ON: Final = re.compile(r"((trade|cal)_?)?(date|day)")


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is odd about an answer. ``passing``: the vendor may simply not be ready (exit 4)."""

    code: str
    message: str
    expected: str
    found: str
    passing: bool = False

    def error(self, source: str, call: Call, digest: str) -> QuantError:
        """The doubt as an error, when asking again did not help."""
        hint = "ask again later: what has arrived is kept" if self.passing else (
            f"the payload {digest[:12]} is kept; compare it with the fields of the source spec"
        )  # fmt: skip
        kind = TransientError if self.passing else CheckFailed
        message = f"{source}: {call.endpoint} {_shown(call)}: {self.message}"
        return kind(self.code, message, expected=self.expected, found=self.found, hint=hint)


def inspect(
    frame: pl.DataFrame,
    answer: Answer,
    call: Call,
    dataset: DatasetSettings,
    today: date,
) -> Doubt | None:
    """The first doubt about an answer, None where there is none."""
    fields = fields_of(dataset, call.endpoint)
    if answer.rows == 0:
        return _empty(call, dataset) or (_columns(frame, fields) if frame.width else None)
    return (
        _columns(frame, fields)
        or _readable(frame, fields, dataset.dataset)
        or _dates(frame, fields, call, today)
        or _repeats(frame, fields, dataset)
        or _units(frame, fields, dataset)
        or _short(answer, call)
    )


def fields_of(dataset: DatasetSettings, endpoint: str) -> tuple[FieldSettings, ...]:
    """The declared columns of an endpoint: of the dataset's first, or of one of its parts."""
    if endpoint == dataset.endpoint:
        return dataset.fields
    return next((part.fields for part in dataset.parts if part.endpoint == endpoint), ())


def _empty(call: Call, dataset: DatasetSettings) -> Doubt | None:
    if dataset.empty_allowed or not call.rows:
        return None
    return Doubt(
        "vendor.empty",
        "the answer is empty, where the calendar and the listings say that there are rows",
        f"about {call.rows} rows",
        "0 rows",
        passing=True,
    )


def _columns(frame: pl.DataFrame, fields: Sequence[FieldSettings]) -> Doubt | None:
    missing = [field.column for field in fields if field.column not in frame.columns]
    if not missing:
        return None
    return Doubt(
        "vendor.schema",
        f"the column {', '.join(missing)} is missing",
        ", ".join(field.column for field in fields),
        ", ".join(frame.columns),
    )


def _readable(frame: pl.DataFrame, fields: Sequence[FieldSettings], dataset: str) -> Doubt | None:
    types = {**contract(dataset).schema, **_EXTRA, **_ITEMS}
    for field in fields:
        if field.name not in types:
            continue
        unreadable = convert(frame[field.column], field, types[field.name]).unreadable
        if unreadable.any():
            shown = frame[field.column].filter(unreadable)[0]
            return Doubt(
                "vendor.schema",
                f"{int(unreadable.sum())} values of {field.column} cannot be read as {field.name}",
                f"{types[field.name]}, unit {field.unit}",
                repr(shown)[:80],
            )
    return None


def _dates(frame: pl.DataFrame, fields: Sequence[FieldSettings], call: Call, today: date) -> Doubt | None:
    field = next((f for f in fields if f.name == "session"), None)
    if field is None:
        return None
    days = convert(frame[field.column], field, pl.Date()).values.drop_nulls()
    if not len(days):
        return None
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    if last > today:
        return Doubt(
            "vendor.clock", "the answer holds days that have not come yet", f"up to {today}", str(last)
        )
    start, end = asked(call)
    if (start and first < start) or (end and last > end):
        return Doubt(
            "vendor.unasked",
            "the answer is about other days than were asked for",
            f"{start or '…'} to {end or '…'}",
            f"{first} to {last}",
        )
    return None


def asked(call: Call) -> tuple[date | None, date | None]:
    """The days a call names, as far as its parameters do."""
    start = end = None
    for name, value in call.params.items():
        day = _day(value)
        if day is None:
            continue
        if _ON.fullmatch(name):
            return day, day
        if _FROM.fullmatch(name):
            start = day
        elif _TO.fullmatch(name):
            end = day
    return start, end


def _day(value: object) -> date | None:
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str):
        return None
    try:
        return parse_date(text[:10])
    except UsageError:
        return None


def _repeats(frame: pl.DataFrame, fields: Sequence[FieldSettings], dataset: DatasetSettings) -> Doubt | None:
    key = [f.column for f in fields if f.name in ("code", "session")]
    if dataset.distinct or len(key) != 2:
        return None
    repeated = frame.height - frame.select(key).n_unique()
    if not repeated:
        return None
    return Doubt(
        "vendor.repeated", "the answer holds rows twice", "one row a key", f"{repeated} repeated rows"
    )


def _units(frame: pl.DataFrame, fields: Sequence[FieldSettings], dataset: DatasetSettings) -> Doubt | None:
    """Amount / volume is a price: if it is a hundred times the close, the declared units are wrong."""
    known = {f.name: f for f in fields}
    if dataset.adjustment != "none" or not {"close", "volume", "amount"} <= set(known):
        return None
    volume, amount, close = (
        convert(frame[known[n].column], known[n], pl.Float64()).values for n in ("volume", "amount", "close")
    )
    rows = pl.DataFrame({"volume": volume, "amount": amount, "close": close})
    traded = rows.filter((pl.col("volume") > 0) & (pl.col("amount") > 0) & (pl.col("close") > 0))
    if traded.height < FEW:
        return None
    ratio = traded.select((pl.col("amount") / pl.col("volume") / pl.col("close")).median()).item()
    if MISFIT > ratio > 1 / MISFIT:
        return None
    units = f"{known['volume'].unit} and {known['amount'].unit}"
    return Doubt(
        "vendor.schema",
        f"amount / volume is {ratio:.4g} times the close: a unit is not the declared one",
        f"about 1, in {units}",
        f"{ratio:.4g}",
    )


def _short(answer: Answer, call: Call) -> Doubt | None:
    if call.rows < SURE or answer.rows >= SHORT * call.rows:
        return None
    return Doubt(
        "vendor.short",
        "the answer holds far fewer rows than the listings say that there are",
        f"about {call.rows} rows",
        f"{answer.rows} rows",
        passing=True,
    )


def _shown(call: Call) -> str:
    text = ", ".join(f"{name}={value}" for name, value in call.params.items())
    return text if len(text) <= 120 else f"{text[:117]}…"
