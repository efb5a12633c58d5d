"""The XSHG calendar: its own table, cross-checked against two outside lists."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import RuleMissing
from quant.core.market.calendar import calendar
from quant.core.market.tables import load_sources, load_toml
from quant.core.time import session_instant, show_instant

XSHG = calendar("XSHG")
DAYS = st.dates(XSHG.first, XSHG.last)


def test_it_equals_exchange_calendars_on_every_day():
    library = pytest.importorskip("exchange_calendars", reason="exchange_calendars is a dev dependency")
    outside = library.get_calendar("XSHG", start=XSHG.first.isoformat(), end=XSHG.last.isoformat())
    assert XSHG.sessions(XSHG.first, XSHG.last) == [stamp.date() for stamp in outside.sessions]


def test_it_equals_the_shared_session_list(shared):
    lines = shared("data/cal_50*/sse_sessions_1990_2026.txt").read_text().split()
    listed = [date.fromisoformat(line) for line in lines]
    assert XSHG.sessions(XSHG.first, XSHG.last) == [day for day in listed if day >= XSHG.first]


def test_opening_instants_equal_the_shared_utc_times(shared):
    import csv
    import gzip

    with gzip.open(shared("data/cal_50*/exchange_calendars_xshg.csv.gz"), "rt") as file:
        rows = [row for row in csv.DictReader(file) if row[""][:10] >= XSHG.first.isoformat()]
    for row in rows:
        instants = XSHG.instants(date.fromisoformat(row[""][:10]))
        assert show_instant(instants.open) == row["open"]
        assert show_instant(instants.close) == row["close"]


def test_closures_are_ordered_disjoint_sourced_and_close_at_least_one_weekday():
    rows = load_toml("calendar_xshg")["closed"]
    assert all(left["to"] < right["from"] for left, right in pairwise(rows))
    for row in rows:
        days = [row["from"] + timedelta(n) for n in range((row["to"] - row["from"]).days + 1)]
        assert any(day.weekday() < 5 for day in days), row
        assert row["name"]
        assert row["confidence"] == "sure"
        assert row["source"]
        assert set(row["source"]) <= set(load_sources())


@given(DAYS)
def test_weekends_are_never_sessions(day):
    assert not (XSHG.is_session(day) and day.weekday() >= 5)


@given(DAYS.filter(lambda day: date(1990, 12, 20) < day < date(2026, 12, 30)))
def test_next_and_previous_are_the_neighbouring_sessions(day):
    after, before = XSHG.next(day), XSHG.previous(day)
    assert before < day < after
    assert XSHG.sessions(before, after) == [before, *([day] if XSHG.is_session(day) else []), after]


@given(st.integers(0, 8796), st.integers(-9000, 9000))
def test_offset_moves_by_sessions_and_raises_past_the_ends(place, steps):
    days = XSHG.sessions(XSHG.first, XSHG.last)
    if 0 <= place + steps < len(days):
        assert XSHG.offset(days[place], steps) == days[place + steps]
        assert XSHG.index(days[place]) == place
    else:
        with pytest.raises(RuleMissing):
            XSHG.offset(days[place], steps)


@given(DAYS, DAYS)
def test_count_agrees_with_sessions(start, end):
    assert XSHG.count(start, end) == len(XSHG.sessions(start, end))


@pytest.mark.parametrize("day", [date(1990, 12, 18), date(2027, 1, 1), date(2027, 1, 4)])
def test_days_outside_the_table_are_never_guessed(day):
    for ask in (XSHG.is_session, XSHG.next, XSHG.previous, XSHG.instants, XSHG.index):
        with pytest.raises(RuleMissing) as missing:
            ask(day)
        assert missing.value.fault.code == "calendar.range"
    with pytest.raises(RuleMissing):
        XSHG.sessions(date(2026, 1, 1), date(2027, 1, 1))
    with pytest.raises(RuleMissing):
        XSHG.next(date(2026, 12, 31))


def test_a_closed_day_has_no_instants():
    with pytest.raises(RuleMissing) as closed:
        XSHG.instants(date(2024, 6, 2))
    assert closed.value.fault.code == "calendar.closed"
    assert "2024-05-31" in str(closed.value.fault.expected)
    with pytest.raises(RuleMissing):
        XSHG.offset(date(2024, 6, 2), 0)


def test_instants_are_the_four_moments_of_the_local_day():
    instants = XSHG.instants(date(2024, 6, 3))
    shown = [
        show_instant(at)[11:16] for at in (instants.preopen, instants.open, instants.decide, instants.close)
    ]
    assert shown == ["01:15", "01:30", "06:57", "07:00"]
    assert XSHG.instant_rows([date(2024, 6, 3)]) == [
        (instants.preopen, instants.open, instants.decide, instants.close)
    ]


def test_shenzhen_and_beijing_keep_the_same_days_and_other_exchanges_are_unknown():
    assert calendar("XSHE").fingerprint == calendar("BJSE").fingerprint == XSHG.fingerprint
    with pytest.raises(RuleMissing):
        calendar("XLON")


def test_a_market_that_never_closes_has_days_of_utc() -> None:
    always = calendar("24x7")
    days = always.sessions(date(2024, 2, 28), date(2024, 3, 1))
    assert [day.isoformat() for day in days] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    first, second = (always.instants(day) for day in days[:2])
    assert first.close == second.open == second.preopen
    assert first.open == session_instant("XSHG", date(2024, 2, 28), "08:00")
    assert first.open < first.decide < first.close
