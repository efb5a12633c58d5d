"""The tables of a report, built from a run: text in the order of the page, numbers already formatted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from quant.research.reports.folder import RunFolder
from quant.research.reports.metrics import blocked_orders
from quant.research.reports.numbers import Kind, show
from quant.research.reports.words import word

TRADES_CAP = 5000
BLOCKED_CAP = 2000
FIRST_PAGE = 20
BEST_NAMES = 10
WHOLE = 60  # a longer list of positions is paged


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a page's table: word of its head, how its values are shown, right-aligned or not."""

    key: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        return self.kind != "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Formatted rows; ``total`` counts those that exist, the newest come first where the table is capped."""

    key: str
    columns: tuple[Column, ...]
    rows: list[list[str]]
    total: int

    @property
    def first_page(self) -> list[list[str]]:
        return self.rows[:FIRST_PAGE]


def trades(run: RunFolder, lang: str) -> Table:
    """Fills, newest first."""
    columns = (
        Column("session"),
        Column("code"),
        Column("name"),
        Column("side"),
        Column("quantity", "count"),
        Column("price", "price"),
        Column("notional", "plain_money"),
        Column("fees", "plain_money"),
    )
    newest = run.fills.reverse().head(TRADES_CAP)
    frame = newest.with_columns(
        (pl.col("commission") + pl.col("stamp") + pl.col("transfer")).alias("fees"), _words("side", lang)
    )
    return Table("trades", columns, _rows(frame, columns, lang), len(run.fills))


def blocked(run: RunFolder, lang: str) -> Table:
    """Orders that ended short of what they asked for, newest first."""
    columns = (
        Column("session"),
        Column("code"),
        Column("name"),
        Column("side"),
        Column("quantity", "count"),
        Column("filled", "count"),
        Column("reason"),
    )
    short = blocked_orders(run.orders)
    frame = _named(short.reverse().head(BLOCKED_CAP), run).with_columns(
        _words("side", lang), _words("reason", lang, "reason_")
    )
    return Table("blocked", columns, _rows(frame, columns, lang), len(short))


def _named(orders: pl.DataFrame, run: RunFolder) -> pl.DataFrame:
    """Orders with the name of each code: their own column, else that of names ever held."""
    if "name" in orders.columns:
        return orders
    known = run.names.select("code", "name").unique("code")
    return orders.join(known, on="code", how="left", maintain_order="left")


def blocked_reasons(run: RunFolder, lang: str) -> list[tuple[str, str, float]]:
    """(reason, orders, share of all blocked orders), most frequent first."""
    short = blocked_orders(run.orders)
    counts = short.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    return [
        (word(f"reason_{reason}", lang), show(n, "count", lang), n / len(short))
        for reason, n in counts.iter_rows()
    ]


def last_positions(run: RunFolder, lang: str) -> Table:
    """Holdings of the last session, heaviest first. The stored cost is the whole position's, in yuan."""
    columns = (
        Column("code"),
        Column("name"),
        Column("quantity", "count"),
        Column("cost_price", "price"),
        Column("price", "price"),
        Column("market_value", "plain_money"),
        Column("unrealised", "percent"),
        Column("weight", "share"),
    )
    last = run.positions.filter(
        (pl.col("session") == run.nav["session"][-1]) & (pl.col("quantity") != 0)
    ).sort("weight", descending=True)
    frame = last.with_columns(
        (pl.col("cost") / pl.col("quantity")).alias("cost_price"),
        (pl.col("market_value") / pl.col("cost") - 1.0).alias("unrealised"),
    )
    return Table("positions", columns, _rows(frame, columns, lang), len(frame))


def names(run: RunFolder, lang: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Best and worst names by profit; ``bar`` is the profit over the largest of all, in magnitude."""
    ordered = run.names.sort(["pnl", "code"], descending=[True, False])
    best = ordered.filter(pl.col("pnl") > 0).head(BEST_NAMES)
    worst = ordered.filter(pl.col("pnl") < 0).reverse().head(BEST_NAMES)
    largest = max((abs(v) for v in [*best["pnl"], *worst["pnl"]]), default=1.0)
    return _profits(best, largest, lang), _profits(worst, largest, lang)


def _profits(frame: pl.DataFrame, largest: float, lang: str) -> list[dict[str, Any]]:
    return [
        {
            "code": row["code"],
            "name": row["name"],
            "pnl": show(row["pnl"], "money", lang),
            "days": show(row["holding_days"], "count", lang),
            "bar": round(abs(row["pnl"]) / largest * 100, 1),
            "sign": "gain" if row["pnl"] > 0 else "loss",
        }
        for row in frame.iter_rows(named=True)
    ]


def _words(column: str, lang: str, prefix: str = "") -> pl.Expr:
    return pl.col(column).map_elements(lambda key: word(f"{prefix}{key}", lang), return_dtype=pl.String)


def _rows(frame: pl.DataFrame, columns: Sequence[Column], lang: str) -> list[list[str]]:
    shown = frame.select([column.key for column in columns])
    kinds = [column.kind for column in columns]
    return [
        [show(value, kind, lang) for value, kind in zip(row, kinds, strict=True)] for row in shown.iter_rows()
    ]
