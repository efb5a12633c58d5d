"""The panel against rows written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from quant.core.market.calendar import calendar
from quant.core.market.instrument import BOARD_SHIFT, ST, STATUS_UNKNOWN, SUSPENDED, TRADING, Board
from quant.research.columns import PanelColumns
from quant.research.panel import Panel, load_panel

A, B = 11, 22
DAYS = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]


def bar(
    instrument: int,
    session: date,
    close: str,
    volume: int,
    *,
    st: bool | None = False,
    suspended: bool | None = False,
) -> dict[str, object]:
    price = Decimal(close)
    return {
        "instrument_id": instrument,
        "session": session,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "pre_close": price,
        "limit_up": None,
        "limit_down": None,
        "volume": volume,
        "amount": price * volume,
        "suspended": suspended,
        "st": st,
        "delisting": False,
        "no_limit": None,
    }


class Tables:
    """A reader over frames in memory."""

    def __init__(self) -> None:
        prices = {
            n: pl.Decimal(18, 4)
            for n in ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down")
        }
        self.frames = {
            "bars_1d": pl.DataFrame(
                [
                    bar(A, DAYS[0], "10.01", 300),
                    bar(A, DAYS[1], "10.50", 0, suspended=True),
                    bar(A, DAYS[2], "11.00", 100),
                    bar(B, DAYS[1], "5.00", 200, st=None),
                ],
                schema_overrides={**prices, "amount": pl.Decimal(20, 4), "no_limit": pl.Boolean},
            ),
            "instruments": pl.DataFrame(
                {
                    "instrument_id": [B, A],
                    "code": ["688001.SH", "600001.SH"],
                    "name": ["b", "a"],
                    "board": ["STAR", "SSE_MAIN"],
                    "list_date": [date(2024, 1, 3), date(2020, 1, 2)],
                }
            ),
            "instrument_attributes": pl.DataFrame(
                {
                    "instrument_id": [A],
                    "attribute": ["board"],
                    "value": ["SME"],
                    "from_session": [DAYS[0]],
                    "to_session": [DAYS[1]],
                }
            ),
            "adjustment_factors": pl.DataFrame(
                {"instrument_id": [A, A], "session": [DAYS[0], DAYS[2]], "factor": [1.0, 2.0]}
            ),
            "corporate_actions": pl.DataFrame(
                {
                    "instrument_id": [A],
                    "ex_session": [DAYS[2]],
                    "pay_session": [date(2024, 1, 8)],
                    "cash_per_share": [Decimal("0.123456")],
                    "bonus_ratio": [Decimal("0.5")],
                    "inferred": [True],
                }
            ),
        }

    def read(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        frame = self.frames[table]
        if "session" in frame.columns:
            frame = frame.filter(pl.col("session").is_between(start or date.min, end or date.max))
        return frame


@pytest.fixture
def panel() -> Panel:
    return load_panel(Tables(), calendar("XSHG"), DAYS[0], DAYS[2])


def test_prices_are_exact_integers_on_sorted_axes(panel: Panel) -> None:
    assert panel.codes == ("600001.SH", "688001.SH")
    assert panel.close.tolist() == [[100100, 0], [105000, 50000], [110000, 0]]
    assert panel.vwap[0, 0] == 100100


def test_flags_tell_trading_suspension_and_what_is_unknown(panel: Panel) -> None:
    assert panel.has(TRADING).tolist() == [[True, False], [False, True], [True, False]]
    assert panel.has(SUSPENDED)[1, 0]
    assert panel.has(STATUS_UNKNOWN)[1, 1] and not panel.has(ST).any()
    assert panel.flags[0, 1] >> BOARD_SHIFT == Board.STAR


def test_boards_are_dated(panel: Panel) -> None:
    assert [Board(b >> BOARD_SHIFT) for b in panel.flags[:, 0]] == [Board.SME, Board.SME, Board.SSE_MAIN]


def test_factor_is_carried_and_one_before_the_first(panel: Panel) -> None:
    assert panel.factor.tolist() == [[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]]


def test_a_factor_that_only_changes_on_ex_dates_is_known_from_before_the_panel() -> None:
    late = load_panel(Tables(), calendar("XSHG"), DAYS[1], DAYS[2])
    assert late.factor[:, 0].tolist() == [1.0, 2.0]
    tables = Tables()
    days = [DAYS[0], date(2023, 1, 3), date(2023, 1, 3)]
    older = pl.DataFrame({"instrument_id": [A, A, B], "session": days, "factor": [4.0, 3.0, 7.0]})
    tables.frames["adjustment_factors"] = older
    assert load_panel(tables, calendar("XSHG"), DAYS[1], DAYS[2]).factor.tolist() == [[4.0, 7.0], [4.0, 7.0]]


def test_an_opening_price_that_is_missing_does_not_know_the_close() -> None:
    tables = Tables()
    bars = tables.frames["bars_1d"]
    late = (pl.col("instrument_id") == A) & (pl.col("session") == DAYS[2])
    tables.frames["bars_1d"] = bars.with_columns(
        open=pl.when(late).then(None).otherwise(pl.col("open")).cast(pl.Decimal(18, 4))
    )
    columns = PanelColumns(load_panel(tables, calendar("XSHG"), DAYS[0], DAYS[2]))
    assert columns["open"][:, 0].tolist() == [10.01, 10.5, 10.5]
    assert columns["close"][2, 0] == 11.0


def test_actions_land_on_the_axes_and_late_payment_is_past_the_panel(panel: Panel) -> None:
    actions = panel.actions
    assert (actions.ex_index.tolist(), actions.instrument.tolist()) == ([2], [0])
    assert actions.cash_per_share.tolist() == [123456] and actions.bonus_ratio.tolist() == [50_000_000]
    assert actions.pay_index.tolist() == [3] and actions.inferred.tolist() == [1]


def test_columns_carry_the_close_and_are_unknown_before_the_first_bar(panel: Panel) -> None:
    columns = PanelColumns(panel)
    assert columns["close"][:, 0].tolist() == [10.01, 10.5, 11.0]
    assert np.isnan(columns["close"][0, 1]) and columns["close"][2, 1] == 5.0
    assert columns["volume"][1, 0] == 0.0
    assert columns["is_st"][1, 1] == 0.0 and np.isnan(columns["is_st"][0, 1])


def test_list_days_count_sessions_from_one(panel: Panel) -> None:
    ages = PanelColumns(panel)["list_days"]
    assert ages[1, 1] == 1.0 and ages[2, 1] == 2.0 and np.isnan(ages[0, 1])


def test_factors_are_derived_from_reference_prices_where_there_are_none() -> None:
    tables = Tables()
    tables.frames["adjustment_factors"] = tables.frames["adjustment_factors"].clear()
    bars = tables.frames["bars_1d"]
    ex = pl.when((pl.col("instrument_id") == A) & (pl.col("session") == DAYS[2]))
    tables.frames["bars_1d"] = bars.with_columns(
        ex.then(pl.lit(Decimal("5.25")))
        .otherwise(pl.col("pre_close"))
        .cast(pl.Decimal(18, 4))
        .alias("pre_close")
    )
    factor = load_panel(tables, calendar("XSHG"), DAYS[0], DAYS[2]).factor
    assert factor[2, 0] / factor[1, 0] == 2.0 and factor[2, 1] == 1.0


def test_an_unknown_listing_date_counts_from_the_first_bar() -> None:
    tables = Tables()
    tables.frames["instruments"] = tables.frames["instruments"].with_columns(
        pl.lit(None, pl.Date).alias("list_date")
    )
    ages = PanelColumns(load_panel(tables, calendar("XSHG"), DAYS[0], DAYS[2]))["list_days"]
    assert ages[2, 0] == 3.0 and ages[1, 1] == 1.0 and np.isnan(ages[0, 1])
