"""Dates, instants and their text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import UsageError
from quant.core.time import (
    epoch_days,
    from_datetime,
    from_epoch_days,
    parse_clock,
    parse_date,
    session_instant,
    show_instant,
    to_datetime,
    utc_now,
)


def test_a_shanghai_morning_is_half_past_one_in_utc():
    assert show_instant(session_instant("XSHG", date(2024, 6, 3), "09:30")) == "2024-06-03T01:30:00Z"


def test_shanghai_kept_summer_time_in_1991():
    assert show_instant(session_instant("XSHG", date(1991, 4, 12), "09:30")) == "1991-04-12T01:30:00Z"
    assert show_instant(session_instant("XSHG", date(1991, 4, 15), "09:30")) == "1991-04-15T00:30:00Z"


@given(st.dates(date(1970, 1, 2), date(2200, 1, 1)), st.times())
def test_session_instants_agree_with_zone_arithmetic(session, clock):
    text = clock.strftime("%H:%M:%S")
    local = datetime.combine(session, clock.replace(microsecond=0), ZoneInfo("Asia/Shanghai"))
    assert session_instant("XSHE", session, text) == int(local.timestamp()) * 10**9


def test_an_exchange_without_a_zone_is_refused():
    with pytest.raises(UsageError):
        session_instant("XMOON", date(2024, 6, 3), "09:30")


@given(st.dates())
def test_dates_read_back_from_both_spellings_and_from_days(day):
    assert parse_date(day.isoformat()) == parse_date(day.strftime("%Y%m%d").rjust(8, "0")) == parse_date(day)
    assert from_epoch_days(epoch_days(day)) == day


NOT_DATES = ["", "2024-6-3", "2024-02-30", "20240230", "2024-W23-1", "2024W231", "2024-0603", "202406-03",
             "24-06-03", "２０２４0603", datetime(2024, 6, 3), 20240603]  # fmt: skip


@pytest.mark.parametrize("text", NOT_DATES)
def test_other_dates_are_refused(text):
    with pytest.raises(UsageError) as refused:
        parse_date(text)
    assert refused.value.fault.code == "date.invalid"


@pytest.mark.parametrize("text", ["9:30", "24:00", "09:60", "09:30:60", "", "0930", "09:30:00:00"])
def test_other_clocks_are_refused(text):
    with pytest.raises(UsageError):
        parse_clock(text)


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1), timezones=st.timezones(), allow_imaginary=False)
)
def test_datetimes_read_back(moment):
    assert to_datetime(from_datetime(moment)) == moment.astimezone(UTC)


def test_naive_datetimes_are_refused():
    with pytest.raises(UsageError):
        from_datetime(datetime(2024, 6, 3))


def test_instants_show_nine_digits_only_when_there_are_any():
    assert show_instant(0) == "1970-01-01T00:00:00Z"
    assert show_instant(1) == "1970-01-01T00:00:00.000000001Z"
    assert show_instant(-1) == "1969-12-31T23:59:59.999999999Z"


def test_now_is_a_plausible_instant_in_nanoseconds():
    assert abs(to_datetime(utc_now()) - datetime.now(UTC)).total_seconds() < 60
