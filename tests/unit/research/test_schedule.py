"""Decision sessions of a range."""

from __future__ import annotations

from datetime import date

from quant.research.schedule import decision_rows

DAYS = [date(2024, 1, 30), date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2), date(2024, 2, 5)]


def test_last_session_of_a_month_needs_the_next_session() -> None:
    assert decision_rows(DAYS, "month", "last", date(2024, 2, 6)).tolist() == [1]
    assert decision_rows(DAYS, "month", "last", date(2024, 3, 1)).tolist() == [1, 4]


def test_first_session_counts_the_first_of_the_range() -> None:
    assert decision_rows(DAYS, "month", "first", None).tolist() == [0, 2]


def test_weeks_follow_iso_and_every_day_is_a_day() -> None:
    assert decision_rows(DAYS, "week", "last", date(2024, 2, 6)).tolist() == [3]
    assert decision_rows(DAYS, "day", "last", date(2024, 2, 6)).tolist() == [0, 1, 2, 3, 4]


def test_turn_of_the_year_is_one_iso_week() -> None:
    days = [date(2024, 12, 30), date(2024, 12, 31), date(2025, 1, 2), date(2025, 1, 3)]
    assert decision_rows(days, "week", "last", date(2025, 1, 6)).tolist() == [3]
