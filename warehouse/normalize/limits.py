"""Price limits by the rulebook, for sources that have none."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.errors import QuantError
from quant.core.market.calendar import Calendar
from quant.core.market.instrument import Board, Status
from quant.core.market.rules import Rulebook, RuleMissing
from quant.core.money import PRICE_SCALE, RATE_SCALE, scaled
from quant.warehouse.normalize.fields import from_units

Int = npt.NDArray[np.int64]


def with_computed_limits(
    bars: pl.DataFrame, master: pl.DataFrame, rules: Rulebook, calendar: Calendar
) -> pl.DataFrame:
    """``bars`` with limit_up, limit_down and no_limit from the rulebook.

    A row whose ``st`` is unknown gets the limits of a normal stock; if it traded beyond them its status was
    another, and its limits are null. ``master`` has instrument_id, board and list_date. Days without limit
    after listing are counted in sessions of the exchange; where no rule is kept the limits are null.
    """
    rows = bars.join(
        master.select("instrument_id", "board", "list_date"),
        on="instrument_id",
        how="left",
        maintain_order="left",
    )
    rates = _rate_table(rows, rules)
    rows = rows.with_columns(
        status=pl.when(pl.col("st").fill_null(value=False)).then(pl.lit("st")).otherwise(pl.lit("normal"))
    )
    rows = rows.join(rates, on=["board", "status", "session"], how="left", maintain_order="left")
    rows = rows.join(
        _free_spells(master, rules, calendar), on="instrument_id", how="left", maintain_order="left"
    )
    free = pl.col("session").is_between(pl.col("list_date"), pl.col("free_until")).fill_null(value=False)
    rows = rows.with_columns(free=free, pre=_units("pre_close"))
    limited = ~pl.col("free") & pl.col("pre").is_not_null() & pl.col("rate").is_not_null()
    up, down = _limit_prices(rows)
    rows = rows.with_columns(up=up, down=down).with_columns(
        limit_up=pl.when(limited).then(_price("up")),
        limit_down=pl.when(limited).then(_price("down")),
        no_limit=pl.when(free | pl.col("unlimited").fill_null(value=False))
        .then(statement=True)
        .when(limited)
        .then(statement=False),
    )
    beyond = ((pl.col("high") > pl.col("limit_up")) | (pl.col("low") < pl.col("limit_down"))).fill_null(
        value=False
    )
    return rows.with_columns(
        limit_up=pl.when(~beyond).then(pl.col("limit_up")),
        limit_down=pl.when(~beyond).then(pl.col("limit_down")),
        no_limit=pl.when(~beyond).then(pl.col("no_limit")),
    ).select(bars.columns)


def _units(column: str) -> pl.Expr:
    return (pl.col(column).cast(pl.Float64) * PRICE_SCALE).round(0).cast(pl.Int64)


def _price(column: str) -> pl.Expr:
    return from_units(pl.col(column), PRICE_SCALE)


def _limit_prices(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """``core.market.rules.limit_price`` on arrays."""
    pre, rate, tick = (
        rows[name].fill_null(1).to_numpy().astype(np.int64) for name in ("pre", "rate", "tick")
    )
    up = np.maximum(_nearest(pre, RATE_SCALE + rate, tick), pre + tick)
    down = np.maximum(np.minimum(_nearest(pre, RATE_SCALE - rate, tick), pre - tick), tick)
    return pl.Series("up", up), pl.Series("down", down)


def _nearest(reference: Int, factor: Int, tick: Int) -> Int:
    nearest: Int = (2 * reference * factor + RATE_SCALE * tick) // (2 * RATE_SCALE * tick) * tick
    return nearest


def _rate_table(rows: pl.DataFrame, rules: Rulebook) -> pl.DataFrame:
    """board, status, session -> rate at RATE_SCALE (null: no rule), tick at PRICE_SCALE, unlimited."""
    sessions = rows["session"].drop_nulls().unique().sort().to_list()
    found: list[tuple[str, str, date, int | None, int, bool]] = []
    for name in rows["board"].drop_nulls().unique().sort().to_list():
        for status in (Status.NORMAL, Status.ST):
            found += _board_rates(rules, Board[name], status, sessions)
    return pl.DataFrame(
        found,
        orient="row",
        schema={
            "board": pl.String,
            "status": pl.String,
            "session": pl.Date,
            "rate": pl.Int64,
            "tick": pl.Int64,
            "unlimited": pl.Boolean,
        },
    )


def _board_rates(
    rules: Rulebook, board: Board, status: Status, sessions: list[date]
) -> list[tuple[str, str, date, int | None, int, bool]]:
    found: list[tuple[str, str, date, int | None, int, bool]] = []
    try:
        rates = rules.limit_rates(board, status, sessions)
        ticks = {day: scaled(rules.tick(board, day), PRICE_SCALE) for day in {sessions[0], sessions[-1]}}
        one_tick = next(iter(ticks.values())) if len(set(ticks.values())) == 1 else None
    except RuleMissing:
        return [row for day in sessions if (row := _one_rate(rules, board, status, day))]
    for day, rate in zip(sessions, rates, strict=True):
        tick = one_tick or scaled(rules.tick(board, day), PRICE_SCALE)
        found.append((board.name, status.value, day, rate, tick, rate is None))
    return found


def _one_rate(
    rules: Rulebook, board: Board, status: Status, day: date
) -> tuple[str, str, date, int | None, int, bool] | None:
    try:
        rate = rules.limit_rate(board, status, day)
        tick = scaled(rules.tick(board, day), PRICE_SCALE)
    except RuleMissing:
        return None
    return (
        board.name,
        status.value,
        day,
        None if rate is None else scaled(rate, RATE_SCALE),
        tick,
        rate is None,
    )


def _free_spells(master: pl.DataFrame, rules: Rulebook, calendar: Calendar) -> pl.DataFrame:
    """instrument_id -> last session without limits after listing, null where there is none.

    Under the older rules the listing day's limits refer to an issue price that we do not have: it counts as
    free.
    """
    spells = []
    for row in master.select("instrument_id", "board", "list_date").iter_rows():
        instrument, board, listed = row
        if board is not None and listed is not None and calendar.first <= listed <= calendar.last:
            spells.append((instrument, _free_until(rules, calendar, Board[board], listed)))
    return pl.DataFrame(spells, schema={"instrument_id": pl.Int64, "free_until": pl.Date}, orient="row")


def _free_until(rules: Rulebook, calendar: Calendar, board: Board, listed: date) -> date | None:
    try:
        first = listed if calendar.is_session(listed) else calendar.next(listed)
        free = rules.ipo_free_sessions(board, first) or int(rules.first_day_bounds(board, first) is not None)
        return calendar.offset(first, free - 1) if free else None
    except QuantError:
        return None
