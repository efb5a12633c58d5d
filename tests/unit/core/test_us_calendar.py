"""The calendar of the New York exchanges against a golden table of another project."""

from __future__ import annotations

import csv
import gzip
from datetime import date

from quant.core.market.calendar import calendar
from quant.core.time import session_instant, show_instant


def test_all_venues_of_us_equities_keep_the_days_of_new_york():
    assert calendar("XNAS").fingerprint == calendar("US").fingerprint == calendar("XNYS").fingerprint
    assert calendar("XNYS").next(date(2001, 9, 10)) == date(2001, 9, 17)
    assert not calendar("XNYS").is_session(date(2025, 1, 9))


def test_a_short_session_of_new_york_closes_early_and_summer_time_is_kept():
    whole, short = date(2024, 7, 2), date(2024, 7, 3)
    assert calendar("XNYS").early_close(whole) is None
    assert calendar("XNYS").early_close(short) == "13:00"
    assert calendar("XNYS").instants(short).close == session_instant("XNYS", short, "13:00")
    assert show_instant(calendar("XNYS").instants(whole).close) == "2024-07-02T20:00:00Z"
    assert show_instant(calendar("XNYS").instants(date(2024, 1, 2)).open) == "2024-01-02T14:30:00Z"


def test_sessions_of_new_york_are_those_of_the_golden_table(shared):
    table = shared("data/cal_50_trading_calendars/exchange_calendars_xnys.csv.gz")
    with gzip.open(table, "rt") as file:
        golden = {row[""][:10]: (row["open"], row["close"]) for row in csv.DictReader(file)}
    days = calendar("XNYS").sessions(date(1990, 1, 1), date(2023, 1, 13))
    instants = {str(day): calendar("XNYS").instants(day) for day in days}
    assert {day: (show_instant(at.open), show_instant(at.close)) for day, at in instants.items()} == golden
