"""Every print of the simulated market is one that the rulebook allows on that date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from quant.core.market.instrument import Board, Status
from quant.core.market.rules import rulebook
from quant.warehouse.sources.simulated import SimulatedMarket, SimulatedParams, simulate
from quant.warehouse.sources.simulated.prices import PriceProcess


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate(SimulatedParams(seed=5, st=2.0, delistings=3.0), date(2026, 11, 20))


def status(market: SimulatedMarket, t: int, s: int) -> Status:
    if market.delisting[t, s]:
        return Status.DELISTING
    return Status.ST if market.st[t, s] else Status.NORMAL


def allowed(market: SimulatedMarket, t: int, s: int) -> tuple[int, int]:
    """(down, up) in cents from the rulebook's own Decimal arithmetic, (0, 0) for no limit."""
    age, since = int(market.listing_day[t, s]), int(market.delisting_day[t, s])
    up, down = rulebook().price_limit(
        Board(int(market.board[t, s])),
        status(market, t, s),
        market.sessions[t],
        Decimal(int(market.pre_close[t, s])) / 100,
        age if age <= 10 else None,
        delisting_day=since or None,
    )
    return (0, 0) if up is None or down is None else (int(down * 100), int(up * 100))


def cells(mask: np.ndarray, most: int) -> list[list[int]]:
    found = np.argwhere(mask)
    return found[:: max(1, len(found) // most)].tolist()


@pytest.mark.parametrize("name", ["normal", "st", "delisting", "listing", "at_limit", "star", "beijing"])
def test_limits_are_those_of_the_rulebook(market: SimulatedMarket, name: str) -> None:
    masks = {
        "normal": market.listed & ~market.st & ~market.delisting,
        "st": market.st,
        "delisting": market.delisting,
        "listing": market.listed & (market.listing_day <= 10),
        "at_limit": market.trading & ((market.high == market.limit_up) | (market.low == market.limit_down)),
        "star": market.listed & (market.board == Board.STAR),
        "beijing": market.listed & (market.board == Board.BSE),
    }
    chosen = cells(masks[name], 1_200)
    assert len(chosen) > 300
    for t, s in chosen:
        found = (int(market.limit_down[t, s]), int(market.limit_up[t, s]))
        assert found == allowed(market, t, s), (market.sessions[t], market.code(s, market.sessions[t]))


def test_no_print_is_outside_the_limits(market: SimulatedMarket) -> None:
    limited = market.trading & ~market.no_limit
    assert (market.high <= market.limit_up)[limited].all()
    assert (market.low >= market.limit_down)[limited].all()
    assert (market.limit_down < market.limit_up)[limited].all()


def test_days_without_limit_begin_a_listing_or_a_delisting_period(market: SimulatedMarket) -> None:
    free = market.no_limit
    assert free.any()
    assert ((market.listing_day <= 5) | (market.delisting_day == 1))[free].all()
    assert not market.limit_up[free].any()
    assert not market.limit_down[free].any()
    late = market.delisting_day == 1
    after = np.array([day >= date(2020, 12, 31) for day in market.sessions])[:, None]
    assert (free == after)[late & (market.listing_day > 10)].all()


def test_the_st_limit_changes_with_the_rule(market: SimulatedMarket) -> None:
    before, after = market.sessions.index(date(2026, 7, 3)), market.sessions.index(date(2026, 7, 6))
    main = np.isin(market.board, (Board.SSE_MAIN, Board.SZSE_MAIN)) & market.st
    for t, rate in ((before, 0.05), (after, 0.10)):
        names = main[t]
        assert names.any()
        width = market.limit_up[t, names] / market.pre_close[t, names] - 1
        assert (np.abs(width - rate) < 0.03).all()
        assert np.median(np.abs(width - rate)) < 0.004


def test_chinext_has_no_st_before_its_reform(market: SimulatedMarket) -> None:
    days = np.array([day < date(2020, 8, 24) for day in market.sessions])[:, None]
    assert not (market.st & (market.board == Board.CHINEXT) & days).any()


def test_listing_days_of_the_old_rule_open_within_the_auction_range(market: SimulatedMarket) -> None:
    rules, checked = rulebook(), 0
    for t, s in np.argwhere(market.listing_day == 1).tolist():
        board, day = Board(int(market.board[t, s])), market.sessions[t]
        if rules.first_day_bounds(board, day) is None:
            continue
        up, down = rules.opening_range(board, day, Decimal(int(market.pre_close[t, s])) / 100)
        assert down <= Decimal(int(market.open[t, s])) / 100 <= up
        checked += 1
    assert checked > 5


def test_nothing_is_listed_before_its_board_exists(market: SimulatedMarket) -> None:
    rules = rulebook()
    for s in np.flatnonzero(market.listed.any(axis=0)).tolist():
        rows = np.flatnonzero(market.listed[:, s])
        for t in (int(rows[0]), int(rows[-1])):
            day = market.sessions[t]
            assert rules.board(market.code(s, day), day) == market.board[t, s]


def test_lots_are_whole(market: SimulatedMarket) -> None:
    for board in np.unique(market.board[market.listed]).tolist():
        step = rulebook().lot(Board(board), market.sessions[-1] if board != Board.SME else date(2020, 1, 2))
        volume = market.volume[market.trading & (market.board == board)]
        assert (volume % step.buy_step == 0).all()
        assert (volume % 100 == 0).all()
        assert (volume > 0).all()


def test_prices_are_whole_ticks_and_amounts_exact_when_one_price_traded(market: SimulatedMarket) -> None:
    assert {rulebook().tick(Board(b), market.sessions[-1]) for b in (1, 2, 4, 5, 6)} == {Decimal("0.01")}
    one = market.trading & (market.high == market.low)
    assert one.sum() > 500
    assert (market.amount[one] * 100 == market.close[one] * market.volume[one]).all()


def test_what_holds_on_a_session_is_known_before_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbled prices from session 300 on change no status, reference, limit or factor up to session 300."""
    params, end = SimulatedParams(seed=5, instruments=80), date(2020, 12, 31)
    truth = simulate(params, end)
    shown, count = PriceProcess.show, [0]

    def garbled(self, path, *rest):
        count[0] += 1
        return shown(self, path * 1.07 if count[0] > 300 else path, *rest)

    monkeypatch.setattr(PriceProcess, "show", garbled)
    poisoned = simulate(params, end)
    assert (poisoned.close[300] != truth.close[300]).any()
    for name in (
        "pre_close",
        "limit_up",
        "limit_down",
        "no_limit",
        "st",
        "delisting_day",
        "suspended",
        "board",
        "listed",
        "factor",
    ):
        assert getattr(poisoned, name)[:301].tobytes() == getattr(truth, name)[:301].tobytes(), name
    for name in ("open", "high", "low", "close", "volume", "amount"):
        assert getattr(poisoned, name)[:300].tobytes() == getattr(truth, name)[:300].tobytes(), name
