from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.market.calendar import calendar
from quant.warehouse.coverage import Interval, by_year, merged, missing, settled

CALENDAR = calendar("XSHG")
FIRST = date(2023, 1, 1)
DAYS = st.integers(min_value=0, max_value=700).map(lambda n: FIRST + timedelta(days=n))
INTERVALS = st.tuples(DAYS, DAYS).map(lambda pair: Interval(min(pair), max(pair)))


def sessions(intervals: list[Interval]) -> set[date]:
    return {day for each in intervals for day in CALENDAR.sessions(each.start, each.end)}


@given(INTERVALS, st.lists(INTERVALS, max_size=6))
def test_what_is_covered_and_what_is_missing_make_up_what_is_wanted(
    wanted: Interval, covered: list[Interval]
) -> None:
    gaps = missing(wanted, covered, CALENDAR)
    assert sessions(gaps) == sessions([wanted]) - sessions(covered)
    assert len(sessions(gaps)) == sum(len(sessions([gap])) for gap in gaps)
    assert sessions([part for gap in gaps for part in by_year(gap)]) == sessions(gaps)


@given(st.lists(INTERVALS, max_size=6))
def test_merged_intervals_hold_the_same_sessions_and_do_not_touch(intervals: list[Interval]) -> None:
    joined = merged(intervals, CALENDAR)
    assert sessions(joined) == sessions(intervals)
    for left, right in pairwise(joined):
        assert CALENDAR.sessions(left.end + timedelta(days=1), right.start - timedelta(days=1))


def days(intervals: list[Interval]) -> set[date]:
    return {
        each.start + timedelta(days=n) for each in intervals for n in range((each.end - each.start).days + 1)
    }


@given(INTERVALS, st.lists(INTERVALS, max_size=6))
def test_of_rows_dated_on_any_day_no_closed_day_is_left_out(
    wanted: Interval, covered: list[Interval]
) -> None:
    gaps = missing(wanted, covered, CALENDAR, every_day=True)
    assert days([wanted]) - days(covered) <= days(gaps)
    assert not days(gaps) & days(covered)
    for left, right in pairwise(merged([*covered, *gaps, wanted], CALENDAR, every_day=True)):
        assert right.start - left.end > timedelta(days=1)
    assert sessions(gaps) == sessions([wanted]) - sessions(covered)


def test_the_weekend_between_two_syncs_is_fetched_with_the_second() -> None:
    week = Interval(date(2024, 6, 3), date(2024, 6, 7))
    monday = Interval(date(2024, 6, 10), date(2024, 6, 11))  # the Dragon Boat Festival is on the Monday
    assert missing(monday, [week], CALENDAR) == [monday]
    assert missing(monday, [week], CALENDAR, every_day=True) == [Interval(date(2024, 6, 8), monday.end)]
    later = Interval(date(2024, 6, 11), date(2024, 6, 14))
    assert missing(week, [later], CALENDAR, every_day=True) == [Interval(week.start, date(2024, 6, 10))]
    sunday = Interval(week.start, date(2024, 6, 9))
    assert missing(sunday, [week], CALENDAR) == []
    assert missing(sunday, [week], CALENDAR, every_day=True) == [Interval(date(2024, 6, 8), sunday.end)]


def test_intervals_are_cut_at_the_ends_of_years() -> None:
    parts = by_year(Interval(date(2022, 11, 1), date(2024, 2, 1)))
    assert [(p.start.isoformat(), p.end.isoformat()) for p in parts] == [
        ("2022-11-01", "2022-12-31"),
        ("2023-01-01", "2023-12-31"),
        ("2024-01-01", "2024-02-01"),
    ]


@pytest.mark.parametrize(
    ("asked", "until", "expected"),
    [
        (datetime(2024, 6, 7, 10, 30, tzinfo=UTC), date(2024, 6, 7), date(2024, 6, 7)),  # the same evening
        (datetime(2024, 6, 7, 10, 30, tzinfo=UTC), date(2024, 6, 11), date(2024, 6, 6)),
        (datetime(2024, 6, 7, 15, 59, tzinfo=UTC), date(2024, 6, 11), date(2024, 6, 6)),
        (datetime(2024, 6, 7, 16, 1, tzinfo=UTC), date(2024, 6, 11), date(2024, 6, 7)),  # past midnight there
    ],
)
def test_a_day_that_was_asked_for_before_it_was_over_is_asked_for_again_with_the_next(
    asked: datetime, until: date, expected: date
) -> None:
    log = pl.DataFrame({"start": [date(2024, 6, 3)], "end": [date(2024, 6, 7)], "recorded_at": [asked]})
    wanted = Interval(date(2024, 6, 3), until)
    assert settled(log, wanted, "Asia/Shanghai") == [Interval(date(2024, 6, 3), expected)]


def test_a_single_day_that_was_not_over_is_no_interval() -> None:
    day = date(2024, 6, 7)
    asked = [datetime(2024, 6, 7, 11, tzinfo=UTC), datetime(2024, 6, 8, 11, tzinfo=UTC)]
    log = pl.DataFrame({"start": [day] * 2, "end": [day] * 2, "recorded_at": asked})
    assert settled(log.head(1), Interval(day, date(2024, 6, 11)), "Asia/Shanghai") == []
    assert settled(log, Interval(day, date(2024, 6, 11)), "Asia/Shanghai") == [Interval(day, day)]
