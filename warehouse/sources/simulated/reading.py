"""A payload of the simulated source as a frame: in the vendor's columns, or in ours."""

from __future__ import annotations

from io import BytesIO

import polars as pl

from quant.core.ids import parse_code
from quant.warehouse.contracts.tables import contract

_TEXT = ("ts_code", "code", "name", "display_name", "board", "curr_type", "currency", "attribute", "value")
_WHOLE = ("vol", "volume", "suspended", "paused", "is_st", "is_delisting", "no_limit")
_PRICES = ("open", "high", "low", "close", "pre_close", "up_limit", "down_limit", "high_limit", "low_limit")

OUR_NAMES = {
    "ts_code": "code", "trade_date": "session", "date": "session", "vol": "volume", "money": "amount",
    "up_limit": "limit_up", "down_limit": "limit_down", "high_limit": "limit_up", "low_limit": "limit_down",
    "paused": "suspended", "is_st": "st", "is_delisting": "delisting", "adj_factor": "factor",
    "display_name": "name", "curr_type": "currency", "ann_date": "announced", "pub_date": "announced",
    "record_date": "record_session", "a_registration_date": "record_session", "ex_date": "ex_session",
    "a_xr_date": "ex_session", "pay_date": "pay_session", "a_bonus_date": "pay_session",
    "cash_div_tax": "cash_per_share", "bonus_ratio_rmb": "cash_per_share", "stk_div": "bonus_ratio",
    "dividend_ratio": "bonus_ratio",
}
_OUR_NAMES_BY_DATASET = {
    "instruments": {"start_date": "list_date", "end_date": "delist_date"},
    "instrument_attributes": {"start_date": "from_session", "end_date": "to_session"},
}
_TIMES = {"vol": 100, "amount": 1_000}
_PER_TEN = ("bonus_ratio_rmb", "dividend_ratio")


def read(content: bytes) -> pl.DataFrame:
    """The vendor's columns: codes, dates and words as text, numbers as float64 or int64, blank as null."""
    return _csv(content, exact=False)


def canonical(dataset: str, content: bytes) -> pl.DataFrame:
    """Our columns, units and types, with ``code`` instead of an id and the date it was ``announced``."""
    table = _csv(content, exact=True)
    names = {**OUR_NAMES, **_OUR_NAMES_BY_DATASET.get(dataset, {})}
    table = table.with_columns(
        *(_whole_yuan(name, table.columns) for name in ("amount", "money") if name in table.columns),
        *(pl.col(name) * _TIMES[name] for name in ("vol",) if name in table.columns),
        *(pl.col(name) / 10 for name in _PER_TEN if name in table.columns),
    ).rename({name: names[name] for name in table.columns if name in names})
    types = contract(dataset).schema
    table = table.with_columns(
        *(_date(name) for name in table.columns if types.get(name) == pl.Date or name == "announced"),
        *(pl.col(name).cast(pl.Boolean) for name in table.columns if types.get(name) == pl.Boolean),
        _code(table["code"]),
    )
    table = _completed(dataset, table)
    return table.with_columns(pl.col(name).cast(types[name]) for name in table.columns if name in types)


def _csv(content: bytes, *, exact: bool) -> pl.DataFrame:
    header = content[: content.index(b"\n")].decode().split(",")
    return pl.read_csv(BytesIO(content), schema={name: _dtype(name, exact) for name in header})


def _dtype(name: str, exact: bool) -> pl.DataType:
    if name in _TEXT or "date" in name:
        return pl.String()
    if exact and name in _PRICES:
        return pl.Decimal(18, 4)
    return pl.Int64() if name in _WHOLE else pl.Float64()


def _whole_yuan(name: str, columns: list[str]) -> pl.Expr:
    """Amounts of the simulated market are whole yuan: exact in float64, whatever the vendor's unit."""
    factor = _TIMES[name] if name in _TIMES and "ts_code" in columns else 1
    return (pl.col(name) * factor).round().cast(pl.Int64)


def _date(name: str) -> pl.Expr:
    text = pl.col(name).str.replace_all("-", "", literal=True)
    return text.str.to_date("%Y%m%d")


def _code(codes: pl.Series) -> pl.Series:
    spelled = {text: str(parse_code(text)) for text in codes.unique().to_list()}
    return codes.replace_strict(spelled, default=None, return_dtype=pl.String)


def _completed(dataset: str, table: pl.DataFrame) -> pl.DataFrame:
    if dataset == "adjustment_factors":
        return table.with_columns(inferred=pl.lit(value=False))
    if dataset != "corporate_actions":
        return table
    cash, bonus = pl.col("cash_per_share") > 0, pl.col("bonus_ratio") > 0
    kind = pl.when(cash & bonus).then(pl.lit("mixed")).when(bonus).then(pl.lit("bonus"))
    return table.with_columns(
        pl.col("cash_per_share").round(6), pl.col("bonus_ratio").round(8),
        kind=kind.otherwise(pl.lit("cash")), inferred=pl.lit(value=False),
    )
