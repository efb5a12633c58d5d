from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from quant.core.market.calendar import calendar
from quant.core.market.instrument import Board, Status
from quant.core.market.rules import RuleMissing, rulebook
from quant.warehouse.contracts.tables import contract
from quant.warehouse.normalize.limits import with_computed_limits

CALENDAR = calendar("XSHG")
MASTER = pl.DataFrame(
    {
        "instrument_id": [1, 2, 3, 4, 5],
        "board": ["SSE_MAIN", "CHINEXT", "STAR", "BSE", "SZSE_MAIN"],
        "list_date": [
            date(2000, 1, 4),
            date(2011, 1, 4),
            date(2020, 1, 6),
            date(2022, 1, 4),
            date(2024, 4, 2),
        ],
    }
)


def bars(instrument: int, days: list[date], references: list[str], st: bool | None = None) -> pl.DataFrame:
    schema = contract("bars_1d").schema
    rows = [
        {"instrument_id": instrument, "session": day, "ts": datetime(2024, 1, 1, tzinfo=UTC), "st": st,
         "pre_close": Decimal(text), "high": Decimal(text), "low": Decimal(text)}
        for day, text in zip(days, references, strict=True)
    ]  # fmt: skip
    return pl.DataFrame(
        rows, schema={n: schema[n] for n in schema if n not in ("source", "payload", "recorded_at")}
    )


def computed(rows: pl.DataFrame) -> pl.DataFrame:
    return with_computed_limits(rows, MASTER, rulebook(), CALENDAR)


@pytest.mark.parametrize("status", [Status.NORMAL, Status.ST])
@pytest.mark.parametrize(("instrument", "board"), list(enumerate(MASTER["board"].to_list()[:4], start=1)))
def test_limits_equal_the_rulebook_on_every_board_and_status(
    instrument: int, board: str, status: Status
) -> None:
    days = CALENDAR.sessions(date(2020, 8, 3), date(2020, 9, 4))
    days += CALENDAR.sessions(date(2024, 3, 1), date(2024, 3, 8))
    days = [day for day in days if day > MASTER["list_date"][instrument - 1]]
    references = [f"{3.05 + 0.37 * i:.2f}" for i in range(len(days))]
    rows = computed(bars(instrument, days, references, st=status is Status.ST))
    found = list(zip(rows["limit_up"], rows["limit_down"], strict=True))
    assert found == [by_rule(Board[board], status, *each) for each in zip(days, references, strict=True)]
    assert any(up is not None for up, _ in found)


def by_rule(board: Board, status: Status, day: date, price: str) -> tuple[Decimal | None, Decimal | None]:
    try:
        return rulebook().price_limit(board, status, day, Decimal(price))
    except RuleMissing:
        return None, None


def test_first_sessions_have_no_limits_and_say_so() -> None:
    days = CALENDAR.sessions(date(2024, 4, 2), date(2024, 4, 15))
    rows = computed(bars(5, days, ["10.00"] * len(days)))
    free = rulebook().ipo_free_sessions(Board.SZSE_MAIN, date(2024, 4, 2))
    assert rows["no_limit"].to_list() == [True] * free + [False] * (len(days) - free)
    assert rows["limit_up"].null_count() == free


def test_a_session_beyond_the_limits_of_a_normal_stock_has_unknown_limits() -> None:
    rows = bars(1, [date(2024, 3, 1)], ["10.00"]).with_columns(
        high=pl.lit(Decimal("11.50"), pl.Decimal(18, 4))
    )
    row = computed(rows).row(0, named=True)
    assert (row["limit_up"], row["limit_down"], row["no_limit"]) == (None, None, None)


def test_without_a_reference_price_or_a_rule_limits_are_unknown() -> None:
    rows = bars(1, [date(2024, 3, 1)], ["10.00"]).with_columns(
        pl.lit(None, pl.Decimal(18, 4)).alias("pre_close")
    )
    assert computed(rows)["limit_up"].to_list() == [None]
    assert computed(bars(1, [date(1995, 3, 1)], ["10.00"]))["limit_up"].to_list() == [None]
