"""The board, the status and the price limits of every bar, from the dated rows, on integers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

import polars as pl

from quant.core.errors import QuantError
from quant.core.ids import Code, parse_code
from quant.core.market.instrument import Asset, Board, Status, asset_of
from quant.core.market.rules import Rulebook
from quant.core.market.tables import DatedTable, Row
from quant.core.money import PRICE_SCALE, RATE_SCALE, scaled

LARGEST: Final = 2_000_000_000
"""References from here on do not fit the arithmetic of limits in 64 bits: 200,000 yuan."""
STOCK: Final = "stock"
_FOREVER: Final = date(9999, 12, 31)
_NO_RANGE: Final = "no code of a stock"
_KINDS: Final = {Asset.FUND: "fund", Asset.CB: "convertible bond"}
_LONGEST: Final = 6


def units(column: str) -> pl.Expr:
    """A price as integer at PRICE_SCALE."""
    return (pl.col(column).cast(pl.Float64) * PRICE_SCALE).round(0).cast(pl.Int64)


def with_boards(bars: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """``bars`` with ``board`` (null where no row of its range covers the date) and ``kind``: stock, or what
    else the code is.
    """
    codes = bars["code"].unique().sort().to_list()
    spans = [span for code in codes for span in _spans(code, book)]
    schema = {"code": pl.String, "start": pl.Date, "end": pl.Date, "board": pl.String, "kind": pl.String}
    table = pl.DataFrame(spans, schema=schema, orient="row")
    kinds = table.group_by("code").agg(pl.col("kind").first())
    return (
        _asof(bars, table.drop("kind"), "start", ["code"])
        .with_columns(board=pl.when(pl.col("session") <= pl.col("end")).then("board"))
        .drop("start", "end")
        .join(kinds, on="code", how="left", maintain_order="left")
    )


def with_limits(bars: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """``bars`` with ``tick`` and ``rate`` (null: no rule on that day), ``unlimited``, and the limits ``up``
    and ``down`` around ``base`` by ``core.market.rules.limit_price``.
    """
    rates = _rows(book.price_limits, ("board", "status"), _rate)
    ticks = _rows(book.ticks, ("board",), lambda row: scaled(Decimal(row.values["tick"]), PRICE_SCALE))
    rows = _dated(bars, rates, ["board", "status"], "rate")
    rows = _dated(rows, ticks, ["board"], "tick")
    rows = rows.with_columns(
        unlimited=(pl.col("rate") == _NONE).fill_null(value=False),
        rate=pl.when(pl.col("rate") != _NONE).then("rate"),
    )
    return rows.with_columns(**bounds(pl.col("base"), pl.col("rate"), pl.col("rate"), pl.col("tick")))


def bounds(base: pl.Expr, above: pl.Expr, below: pl.Expr, tick: pl.Expr) -> dict[str, pl.Expr]:
    """``limit_price`` as expressions; null where an operand is, and where the reference is none."""
    sound = pl.when((base > 0) & (base < LARGEST)).then(base)
    up = pl.max_horizontal(_nearest(sound, RATE_SCALE + above, tick), sound + tick)
    down = pl.max_horizontal(pl.min_horizontal(_nearest(sound, RATE_SCALE - below, tick), sound - tick), tick)
    known = sound.is_not_null() & above.is_not_null() & below.is_not_null() & tick.is_not_null()
    return {"up": pl.when(known).then(up), "down": pl.when(known).then(down)}


def statuses() -> pl.Expr:
    """The status a bar's flags say; what they do not tell is ``unknown``."""
    flagged = (
        pl.when(pl.col("delisting").fill_null(value=False))
        .then(pl.lit(Status.DELISTING.value))
        .when(pl.col("st"))
        .then(pl.lit(Status.ST.value))
        .when(pl.col("st").is_null())
        .then(pl.lit(Status.UNKNOWN.value))
    )
    return flagged.otherwise(pl.lit(Status.NORMAL.value))


_NONE: Final = -1


def _nearest(reference: pl.Expr, factor: pl.Expr, tick: pl.Expr) -> pl.Expr:
    return (2 * reference * factor + RATE_SCALE * tick) // (2 * RATE_SCALE * tick) * tick


def _rate(row: Row) -> int:
    said = row.values["rate"]
    return _NONE if said == "none" else scaled(Decimal(said), RATE_SCALE, exact=True)


def _spans(code: str, book: Rulebook) -> Iterator[tuple[str, date, date, str | None, str]]:
    """When a code belonged to which board."""
    found = _range(code, book)
    for row in found:
        board = row.values.get("board")
        if board is None or "unsupported" in row.values:
            yield code, row.start, row.end or _FOREVER, None, str(row.values.get("unsupported", _NO_RANGE))
        else:
            kind = _KINDS.get(asset_of(Board[board]), STOCK)
            yield code, row.start, row.end or _FOREVER, board if kind == STOCK else None, kind
    if not found:
        yield code, date.min, _FOREVER, None, _NO_RANGE


def _range(code: str, book: Rulebook) -> tuple[Row, ...]:
    try:
        parsed: Code = parse_code(code)
    except QuantError:
        return ()
    for length in range(_LONGEST, 0, -1):
        rows = book.boards.rows.get((parsed.mic, parsed.symbol[:length]))
        if rows:
            return rows
    return ()


def _rows(table: DatedTable, keys: tuple[str, ...], value) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    places = [table.key_names.index(key) for key in keys]
    found = [
        (*(row.key[i] for i in places), row.start, row.end or _FOREVER, value(row)) for row in table.each()
    ]
    schema = {**dict.fromkeys(keys, pl.String), "start": pl.Date, "end": pl.Date, "value": pl.Int64}
    return pl.DataFrame(found, schema=schema, orient="row")


def _dated(bars: pl.DataFrame, table: pl.DataFrame, keys: list[str], name: str) -> pl.DataFrame:
    """``bars`` with the value in force as ``name``; an unknown status is looked up as the book assumes."""
    joined = bars
    on = keys
    if "status" in keys:
        joined = bars.with_columns(
            assumed=pl.col("status").replace(Status.UNKNOWN.value, Status.NORMAL.value)
        )
        table = table.rename({"status": "assumed"})
        on = [key if key != "status" else "assumed" for key in keys]
    held = _asof(joined, table, "start", on)
    value = pl.when(pl.col("session") <= pl.col("end")).then("value")
    return held.with_columns(value.alias(name)).drop("start", "end", "value", *set(on) - set(keys))


def _asof(bars: pl.DataFrame, table: pl.DataFrame, start: str, by: list[str]) -> pl.DataFrame:
    """The last row of ``table`` that began by the session, in the order of ``bars``."""
    numbered = bars.with_row_index("_row").sort("session")
    found = numbered.join_asof(
        table.sort(start), left_on="session", right_on=start, by=by, strategy="backward",
        check_sortedness=False, coalesce=False,
    )  # fmt: skip
    return found.sort("_row").drop("_row")
