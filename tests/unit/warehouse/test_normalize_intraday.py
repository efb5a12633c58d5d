"""What vendors give within the day, as stored: UTC instants, sessions of nights, trades of ticks, faults."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quant.warehouse.lake import Lake
from quant.warehouse.normalize import Context, Identities
from quant.warehouse.normalize.intraday import _clock
from quant.warehouse.normalize.rows import Normalized, normalize, stack
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings

STAMP = datetime(2026, 1, 2, tzinfo=UTC)


def normalized(
    table: str, rows: list[dict[str, Any]], tmp_path: Path, *, zone: str = "Asia/Shanghai", **params: object
) -> Normalized:
    fields = tuple(FieldSettings(name, name) for name in rows[0])
    wanted = DatasetSettings(table, fields=fields, params=params)
    source = SourceSettings("s", "files", timezone=zone, datasets={table: wanted})
    lake = Lake(tmp_path / "lake")
    identities = Identities(lake)
    for code in {row["code"] for row in rows}:
        identities.mint(code, date(2000, 1, 1))
    context = Context(source, identities, lake.read("instruments"), STAMP, date(2025, 1, 1))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))
    return normalize(table, stack([("p", frame)], wanted), context)


def bar(time: str, day: str = "2024-01-02", code: str = "600000.SH", **more: str) -> dict[str, str]:
    prices = dict.fromkeys(("open", "high", "low", "close"), "10.00")
    return {"code": code, "date": day, "time": time, **prices, "volume": "100", "amount": "1000", **more}


def tick(time: str, price: str, total: str, **more: str) -> dict[str, str]:
    return {
        "code": "IC2105.CFFEX",
        "ts": f"2021-04-27 {time}",
        "price": price,
        "cumulative_volume": total,
        **more,
    }


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_local_times_become_utc_and_starts_become_ends(tmp_path: Path) -> None:
    made = normalized("bars_5m", [bar("09:30"), bar("11:25"), bar("14:55")], tmp_path, stamp="start")
    assert made.rows["ts"].to_list() == [
        utc(2024, 1, 2, 1, 35),
        utc(2024, 1, 2, 3, 30),
        utc(2024, 1, 2, 7, 0),
    ]
    assert made.rows["known_at"].to_list() == made.rows["ts"].to_list()
    assert made.facts == {"incomplete_sessions": "1 of 1"}


def test_bars_in_the_lunch_break_and_after_the_close_are_set_aside(tmp_path: Path) -> None:
    made = normalized(
        "bars_1m", [bar("11:30"), bar("12:01"), bar("13:01"), bar("15:00"), bar("15:05")], tmp_path
    )
    assert made.rows["ts"].dt.time().to_list() == [
        utc(2024, 1, 2, h, m).time() for h, m in ((3, 30), (5, 1), (7, 0))
    ]
    assert made.rejected["rule"].to_list() == ["ts.outside"] * 2


def test_a_session_of_240_minutes_is_whole(tmp_path: Path) -> None:
    minutes = [*range(9 * 60 + 31, 11 * 60 + 31), *range(13 * 60 + 1, 15 * 60 + 1)]
    made = normalized("bars_1m", [bar(f"{m // 60:02d}:{m % 60:02d}") for m in minutes], tmp_path)
    assert made.rows.height == 240 and made.facts == {} and made.rejected.height == 0


@pytest.mark.parametrize("date_is", ["calendar", "session"])
def test_nights_belong_to_the_next_session_whatever_their_date_means(tmp_path: Path, date_is: str) -> None:
    friday, saturday, monday = "2021-04-23", "2021-04-24", "2021-04-26"
    evening, morning = (friday, saturday) if date_is == "calendar" else (monday, monday)
    rows = [
        bar("21:05", evening, "ag2106.SHFE"),
        bar("02:30", morning, "ag2106.SHFE"),
        bar("09:05", monday, "ag2106.SHFE"),
    ]
    made = normalized("bars_5m", rows, tmp_path, date_is=date_is)
    assert made.rows["session"].to_list() == [date(2021, 4, 26)] * 3
    assert made.rows["ts"].to_list() == [
        utc(2021, 4, 23, 13, 5),
        utc(2021, 4, 23, 18, 30),
        utc(2021, 4, 26, 1, 5),
    ]


def test_running_totals_become_what_each_tick_traded(tmp_path: Path) -> None:
    rows = [
        tick("09:29:00.100", "6436.2", "129"),
        tick("09:30:00.1", "6428", "140"),
        tick("09:30:00.6", "6425", "140"),
    ]
    made = normalized("ticks", rows, tmp_path)
    assert made.rows["volume"].to_list() == [Decimal(129), Decimal(11), Decimal(0)]
    assert made.rows["seq"].to_list() == [0, 1, 2]
    assert made.rows["session"].unique().to_list() == [date(2021, 4, 27)]


def test_each_planted_fault_of_a_tick_is_set_aside_by_its_name(tmp_path: Path) -> None:
    rows = [
        tick("09:30:00", "100", "10"),
        tick("09:30:01", "0", "11"),
        tick("09:30:02", "900", "12"),
        tick("09:30:03", "101", "13"),
        tick("09:30:03", "101", "13"),
        tick("09:30:01", "101", "14"),
        tick("09:30:04", "101", "5"),
        tick("09:30:05", "102", "20"),
        tick("12:00:00", "102", "21"),
    ]
    made = normalized("ticks", rows, tmp_path)
    assert made.rejected["rule"].to_list() == [
        "tick.price", "tick.spike", "tick.duplicate", "tick.backwards", "tick.reset", "ts.outside",
    ]  # fmt: skip
    assert made.rows["price"].to_list() == [Decimal(100), Decimal(101), Decimal(102)]
    assert made.rows["volume"].sum() == 20, "what the faulty ticks traded is in the next good one"


def test_a_true_jump_is_kept(tmp_path: Path) -> None:
    rows = [tick("09:30:00", "100", "1"), tick("09:30:01", "150", "2"), tick("09:30:02", "151", "3")]
    assert normalized("ticks", rows, tmp_path).rejected.height == 0


def test_trades_of_crypto_need_no_hours_and_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    trade = {"code": "BTCUSDT.BINANCE", "price": "61837.63", "volume": "0.02", "side": "buy"}
    at = "1723161255342"
    rows = [
        {**trade, "ts": at, "trade_id": "1"},
        {**trade, "ts": at, "trade_id": "2"},
        {**trade, "ts": at, "trade_id": "2"},
    ]
    made = normalized("ticks", rows, tmp_path, zone="UTC")
    assert made.rows["ts"].to_list() == [utc(2024, 8, 8, 23, 54, 15, 342000)] * 2
    assert made.rejected["rule"].to_list() == ["tick.duplicate"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("9:31", 34260), ("09:31:00.500", 34260.5), ("0931", 34260), ("093100", 34260), ("093100500", 34260.5),
     ("256000", None), ("25:00", None), ("nonsense", None)],
)  # fmt: skip
def test_times_of_day_in_the_forms_of_vendors(text: str, seconds: float | None) -> None:
    found = pl.DataFrame({"t": [text]}).select(_clock(pl.col("t")))["t"][0]
    assert (None if found is None else found.total_seconds()) == seconds


def test_milliseconds_since_midnight_are_so_only_where_the_spec_says_it() -> None:
    frame = pl.DataFrame({"t": ["34260000", "14400464", "86400000"]})
    found = frame.select(_clock(pl.col("t"), counted=True))["t"].dt.total_milliseconds().to_list()
    assert found == [34260000, 14400464, None]
