"""The fields of a daily panel: how ``$name`` is made of panel columns, and when it is known.

Panel columns are the unadjusted columns of the tables (``close``, ``volume``, ``adj_factor`` …), float64 with
NaN for unknown. An adjusted field is a product inside the program, so only the cells needed are computed.
Valuations of a session are computed by vendors after its close; reported items are what was announced before
the session opened, of the newest period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quant.core.market.statements import BASICS, ITEMS
from quant.specs.expr.types import Availability, Unit

ADJUSTMENT = "adj_factor"
PRICES = ("adj_post", "raw")


@dataclass(frozen=True, slots=True)
class Field:
    """``adjust`` is the operation with the cumulative factor: ``mul`` for prices, ``div`` for shares."""

    name: str
    column: str
    available: Availability
    summary: str
    unit: Unit = Unit.NONE
    adjust: str = ""


ALIASES = {"mktcap": "total_cap"}
"""Other names of columns."""


def _fields() -> tuple[Field, ...]:
    preopen, opening, close = Availability.PREOPEN, Availability.OPEN, Availability.CLOSE
    bars = (
        ("open", opening, "first price"),
        ("high", close, "highest price"),
        ("low", close, "lowest price"),
        ("close", close, "last price"),
        ("vwap", close, "amount / volume"),
    )
    prices = [Field(n, n, a, f"{s}, yuan, post-adjusted", Unit.ADJUSTED, "mul") for n, a, s in bars]
    raw = [Field(f"raw_{n}", n, a, f"{s}, yuan, as traded", Unit.RAW) for n, a, s in bars]
    return (
        *prices, *raw,
        Field("volume", "volume", close, "shares traded, divided by the factor", adjust="div"),
        Field("raw_volume", "volume", close, "shares traded"),
        Field("amount", "amount", close, "money traded, yuan"),
        Field("pre_close", "pre_close", preopen, "reference price of the session, as traded", Unit.RAW),
        Field("limit_up", "limit_up", preopen, "upper price limit, as traded; NaN without one", Unit.RAW),
        Field("limit_down", "limit_down", preopen, "lower price limit, as traded; NaN without one", Unit.RAW),
        Field("list_days", "list_days", preopen, "sessions since listing, 1 on the first"),
        Field("is_st", "is_st", preopen, "1 known to be under special treatment, else 0"),
        Field("suspended", "suspended", preopen, "1 known to be suspended for the session, else 0"),
        Field(ADJUSTMENT, ADJUSTMENT, preopen, "cumulative post-adjustment factor"),
        *(Field(name, name, Availability.AFTER, meaning) for name, meaning in BASICS.items()),
        *(Field(alias, name, Availability.AFTER, BASICS[name]) for alias, name in ALIASES.items()),
        *(Field(n, n, preopen, f"{i.meaning}, {i.unit}, as last announced") for n, i in ITEMS.items()),
    )  # fmt: skip


FIELDS: dict[str, Field] = {f.name: f for f in _fields()}


def find_field(name: str, price: str, available: Mapping[str, str]) -> Field | None:
    """The field called ``name`` under the price convention, or None.

    ``available`` (column name to instant) overrides the table's instants and adds columns of other tables.
    """
    field = FIELDS.get(name)
    if field is None:
        if name not in available:
            return None
        return Field(name, name, Availability.read(available[name]), "column of a table")
    if price == "raw" and field.adjust:
        field = Field(
            name,
            field.column,
            field.available,
            field.summary,
            Unit.RAW if field.unit is Unit.ADJUSTED else field.unit,
        )
    stated = available.get(name, available.get(field.column))
    if stated is None:
        return field
    return Field(name, field.column, Availability.read(stated), field.summary, field.unit, field.adjust)
