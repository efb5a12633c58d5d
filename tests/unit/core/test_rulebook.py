"""Boards, limits, ticks, lots and settlement by date; the validity of the tables themselves."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import RuleMissing, UsageError
from quant.core.market.calendar import calendar
from quant.core.market.instrument import Asset, Board, Status, asset_of, board_of_flags, mic_of
from quant.core.market.order_tables import order_tables
from quant.core.market.registry import all_tables, china_tables
from quant.core.market.rules import LotRule, Rulebook, limit_price, rulebook
from quant.core.market.tables import NO_RULE, load_sources, load_toml
from quant.core.money import PRICE_SCALE, RATE_SCALE, scaled

BOOK = rulebook()
STOCKS = [board for board in Board if board is not Board.UNKNOWN and asset_of(board) is Asset.STOCK]
PRICES = st.decimals(min_value="0.01", max_value="3000", places=2)
SESSIONS = calendar("XSHG").sessions(date(1996, 12, 16), date(2026, 12, 31))


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_no_two_rows_of_a_table_hold_on_one_day_and_every_row_is_sourced(table):
    assert table.overlaps() == []
    assert table.rows
    for row in table.each():
        assert row.source
        assert set(row.source) <= set(load_sources()), row
        assert row.end is None or row.start <= row.end


def test_only_the_free_days_have_holes_where_the_listing_day_was_bounded_instead():
    holes = {table.name for table in china_tables() if table.gaps()}
    assert holes == {"no_limit_days", "market_halts"}


@pytest.mark.parametrize("board", STOCKS, ids=lambda board: board.name)
def test_every_listing_day_since_1996_has_a_rule(board):
    for listed in SESSIONS:
        if not BOOK.board_exists(board, listed):
            continue
        free, bounds = BOOK.ipo_free_sessions(board, listed), BOOK.first_day_bounds(board, listed)
        assert (free > 0) != (bounds is not None), listed


@pytest.mark.parametrize("board", STOCKS, ids=lambda board: board.name)
def test_every_session_since_2005_has_every_rule_of_a_stock(board):
    for on in SESSIONS:
        if on >= date(2005, 1, 1) and BOOK.board_exists(board, on):
            rows = BOOK.explain(board, Status.NORMAL, on)
            assert all(row.covers(on) for row in rows)


def test_every_source_is_cited():
    calendars = [
        row
        for name in ("calendar_xshg", "calendar_xnys")
        for rows in load_toml(name).values()
        if isinstance(rows, list)
        for row in rows
    ]
    cited = {key for table in all_tables() for row in table.each() for key in row.source}
    assert cited | {key for row in calendars for key in row["source"]} == set(load_sources())


@pytest.mark.parametrize(
    ("code", "on", "board"),
    [
        ("002594.SZ", date(2021, 4, 5), Board.SME),
        ("002594.SZ", date(2021, 4, 6), Board.SZSE_MAIN),
        ("689009.SH", date(2024, 6, 3), Board.STAR),
        ("603986.SH", date(2024, 6, 3), Board.SSE_MAIN),
        ("430489.BJ", date(2025, 10, 8), Board.BSE),
        ("920489.BJ", date(2025, 10, 9), Board.BSE),
        ("510300.SH", date(2024, 6, 3), Board.SSE_FUND),
        ("163402.SZ", date(2024, 6, 3), Board.SZSE_FUND),
        ("113050.SH", date(2024, 6, 3), Board.SSE_CB),
    ],
)
def test_boards_follow_code_and_date(code, on, board):
    assert BOOK.board(code, on) is board


@pytest.mark.parametrize(
    ("code", "on"),
    [
        ("430489.BJ", date(2025, 10, 9)),
        ("688981.SH", date(2019, 7, 19)),
        ("300750.SZ", date(2009, 10, 29)),
        ("900901.SH", date(2024, 6, 3)),
        ("200012.SZ", date(2024, 6, 3)),
        ("000001.SH", date(2024, 6, 3)),
    ],
)
def test_codes_without_a_board_raise(code, on):
    with pytest.raises(RuleMissing):
        BOOK.board(code, on)


def test_a_missing_row_says_what_is_known():
    with pytest.raises(RuleMissing) as missing:
        BOOK.price_limit(Board.SSE_MAIN, Status.NORMAL, date(1996, 12, 13), Decimal(10))
    fault = missing.value.fault
    assert fault.code == "rule.missing"
    assert fault.expected == "1996-12-16 to today"
    assert fault.found == "1996-12-13"
    assert "price_limits rule for board SSE_MAIN, status normal" in fault.message
    assert str(fault.where).endswith("price_limits.toml")


def test_an_unknown_status_is_looked_up_as_normal():
    on = date(2024, 6, 3)
    known = BOOK.price_limit(Board.SSE_MAIN, Status.NORMAL, on, Decimal("10.05"))
    assert BOOK.price_limit(Board.SSE_MAIN, Status.UNKNOWN, on, Decimal("10.05")) == known


def exact_limits(reference: Decimal, rate: Decimal, tick: Decimal) -> tuple[Fraction, Fraction]:
    ref, step = Fraction(reference), Fraction(tick)
    up = floor(ref * (1 + Fraction(rate)) / step + Fraction(1, 2)) * step
    down = floor(ref * (1 - Fraction(rate)) / step + Fraction(1, 2)) * step
    return max(up, ref + step), max(min(down, ref - step), step)


@given(PRICES, st.sampled_from(STOCKS), st.sampled_from(list(Status)), st.sampled_from(SESSIONS))
def test_limits_are_half_up_at_least_a_tick_away_and_equal_their_integer_twin(reference, board, status, on):
    try:
        rate = BOOK.limit_rate(board, status, on)
    except RuleMissing:
        with pytest.raises(RuleMissing):
            BOOK.price_limit(board, status, on, reference)
        return
    up, down = BOOK.price_limit(board, status, on, reference)
    tick = BOOK.tick(board, on)
    assert rate is not None
    assert (Fraction(up), Fraction(down)) == exact_limits(reference, rate, tick)
    assert tick <= down
    assert down < up
    assert up - reference >= tick
    units = [scaled(number, PRICE_SCALE, exact=True) for number in (reference, tick, up, down)]
    at = scaled(rate, RATE_SCALE, exact=True)
    assert limit_price(units[0], at, units[1], up=True) == units[2]
    assert limit_price(units[0], at, units[1], up=False) == units[3]


def test_the_integer_formula_holds_on_int64_arrays():
    numpy = pytest.importorskip("numpy")
    reference = numpy.arange(1, 2_000_000_000, 97_003, dtype=numpy.int64) // 100 * 100 + 100
    rate, tick = 300_000_000, 100
    for up in (True, False):
        factor = RATE_SCALE + rate if up else RATE_SCALE - rate
        price = (2 * reference * factor + RATE_SCALE * tick) // (2 * RATE_SCALE * tick) * tick
        price = (
            numpy.maximum(price, reference + tick)
            if up
            else numpy.maximum(numpy.minimum(price, reference - tick), tick)
        )
        assert price.tolist() == [limit_price(each, rate, tick, up=up) for each in reference.tolist()]


def test_limit_rates_change_on_the_day_of_the_reform():
    days = calendar("XSHG").sessions(date(2020, 8, 20), date(2020, 8, 26))
    assert BOOK.limit_rates(Board.CHINEXT, Status.NORMAL, days) == [100_000_000] * 2 + [200_000_000] * 3
    assert BOOK.limit_rates(Board.SSE_CB, Status.NORMAL, [date(2022, 7, 29), date(2022, 8, 1)]) == [
        None,
        200_000_000,
    ]
    assert BOOK.limit_rates(Board.STAR, Status.NORMAL, []) == []
    with pytest.raises(RuleMissing) as missing:
        BOOK.limit_rates(Board.STAR, Status.NORMAL, [date(2019, 7, 19), date(2019, 7, 22)])
    assert missing.value.fault.found == "2019-07-19"
    with pytest.raises(RuleMissing) as ended:
        BOOK.limit_rates(Board.SME, Status.ST, [date(2026, 7, 3), date(2026, 7, 6)])
    assert ended.value.fault.found == "2026-07-06"


@given(st.sampled_from(STOCKS), st.sampled_from(list(Status)), st.data())
def test_limit_rates_agree_with_single_lookups(board, status, data):
    low = data.draw(st.integers(0, len(SESSIONS) - 1))
    days = SESSIONS[low : low + 300]
    try:
        singles = [BOOK.limit_rate(board, status, on) for on in days]
    except RuleMissing:
        with pytest.raises(RuleMissing):
            BOOK.limit_rates(board, status, days)
        return
    assert BOOK.limit_rates(board, status, days) == [
        scaled(rate, RATE_SCALE) for rate in singles if rate is not None
    ]


@pytest.mark.parametrize(
    ("board", "listed", "free"),
    [
        (Board.STAR, date(2019, 7, 22), 5),
        (Board.CHINEXT, date(2020, 8, 21), 0),
        (Board.CHINEXT, date(2020, 8, 24), 5),
        (Board.SSE_MAIN, date(2023, 4, 7), 0),
        (Board.SSE_MAIN, date(2023, 4, 10), 5),
        (Board.BSE, date(2021, 11, 15), 1),
        (Board.SZSE_MAIN, date(2010, 1, 4), 1),
    ],
)
def test_the_free_days_of_a_listing_are_those_of_its_first_day(board, listed, free):
    days = calendar("XSHG").sessions(listed, listed + timedelta(days=30))
    found = [
        BOOK.price_limit(board, Status.NORMAL, on, Decimal(10), n + 1)[0] is None for n, on in enumerate(days)
    ]
    assert found == [n < free for n in range(len(days))]


def test_old_listing_days_are_bounded_by_the_issue_price():
    up, down = BOOK.price_limit(Board.SSE_MAIN, Status.NORMAL, date(2018, 6, 8), Decimal("13.77"), 1)
    assert (up, down) == (Decimal("19.83"), Decimal("8.81"))


def test_the_delisting_period_starts_free_since_2020_and_only_then():
    def first(on: date) -> Decimal | None:
        return BOOK.price_limit(Board.SSE_MAIN, Status.DELISTING, on, Decimal(1), delisting_day=1)[0]

    assert first(date(2020, 12, 30)) == Decimal("1.10")
    assert first(date(2020, 12, 31)) is None


def test_a_limit_needs_a_reference_and_days_count_from_one():
    for reference in (None, Decimal(0)):
        with pytest.raises(UsageError):
            BOOK.price_limit(Board.STAR, Status.NORMAL, date(2024, 6, 3), reference)
    with pytest.raises(UsageError):
        BOOK.price_limit(Board.STAR, Status.NORMAL, date(2024, 6, 3), Decimal(1), 0)


LOTS = st.builds(
    LotRule,
    buy_min=st.sampled_from([100, 200]), buy_step=st.sampled_from([1, 100]),
    sell_step=st.sampled_from([1, 100]), odd_lot_sell=st.sampled_from([100, 200]),
    max_order=st.just(100_000), max_market_order=st.just(50_000),
)  # fmt: skip


@given(LOTS, st.integers(0, 150_000))
def test_every_position_can_be_sold_completely_in_valid_orders(lot, position):
    left = position
    while left > 0:
        size = left if left <= lot.max_order else min(lot.max_order, left - lot.odd_lot_sell) // 100 * 100
        assert lot.allows("sell", size, left)
        left -= size


@given(LOTS, st.integers(-10, 200_000), st.integers(0, 200_000), st.sampled_from(["limit", "market"]))
def test_orders_never_exceed_position_or_maximum(lot, quantity, position, kind):
    largest = lot.max_order if kind == "limit" else lot.max_market_order
    if lot.allows("sell", quantity, position, kind):
        assert 0 < quantity <= min(position, largest)
    if lot.allows("buy", quantity, position, kind):
        assert lot.buy_min <= quantity <= largest
        assert (quantity - lot.buy_min) % lot.buy_step == 0


def test_order_tables_equal_single_lookups_and_mark_boards_that_do_not_exist():
    days = calendar("XSHG").sessions(date(2019, 7, 1), date(2021, 12, 31))
    tables = order_tables(days, list(Board))
    for t, on in list(enumerate(days))[::37]:
        for b, board in enumerate(Board):
            if BOOK.board_exists(board, on):
                lot = BOOK.lot(board, on)
                cells = (tables.buy_min[t][b], tables.buy_step[t][b], tables.sell_step[t][b])
                assert cells == (lot.buy_min, lot.buy_step, lot.sell_step)
                assert tables.odd_lot_sell[t][b] == lot.odd_lot_sell
                assert tables.max_order[t][b] == lot.max_order
                assert tables.settlement_days[t][b] == BOOK.settlement_days(board, on)
                assert tables.bonus_days[t][b] == BOOK.bonus_lag(board, on)
            else:
                assert tables.buy_min[t][b] == tables.settlement_days[t][b] == NO_RULE
    assert order_tables([], [Board.STAR]).buy_min == []


def test_the_order_tables_raise_where_a_board_existed_without_a_rule():
    with pytest.raises(RuleMissing):
        order_tables([date(1997, 12, 31), date(1998, 1, 5)], [Board.SSE_MAIN])


def test_stocks_settle_the_next_session_and_convertible_bonds_at_once():
    on = date(2024, 6, 3)
    assert BOOK.settlement_days(Board.SSE_MAIN, on) == 1
    assert BOOK.settlement_days(Board.SZSE_CB, on) == 0
    assert BOOK.settlement_days(Board.SSE_FUND, on) == 1
    assert BOOK.settlement_days(Board.SSE_FUND, on, "etf_gold") == 0
    with pytest.raises(RuleMissing):
        BOOK.settlement_days(Board.SSE_FUND, date(2014, 12, 31), "etf_gold")


def test_the_fingerprint_covers_meaning_and_is_the_same_for_every_book():
    assert Rulebook().fingerprint == BOOK.fingerprint
    assert len(BOOK.fingerprint) == 64


def test_boards_know_their_exchange_and_fit_the_flag_word():
    for board in Board:
        assert board_of_flags(int(board) << 8 | 0x7F) is board
        assert (mic_of(board) is None) == (board is Board.UNKNOWN)
