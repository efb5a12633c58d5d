"""Ticks and bars into bars: equal to a slow twin in Python's own integers, nothing traded is lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.core.errors import QuantError
from quant.core.ids import parse_code
from quant.core.market.sessions import Segment, trading_hours
from quant.native.bars import Fault, resample, tick_faults

EXAMPLES = 3000 if os.environ.get("QUANT_SOAK") else 150
SECOND = 1_000_000_000
FINE = pl.Decimal(28, 8)
MARKETS = {
    "600000.SH": [date(2024, 1, 2), date(2024, 1, 3)],
    "rb2110.SHFE": [date(2021, 4, 29), date(2021, 4, 30), date(2021, 5, 6)],
    "cu2202.SHFE": [date(2022, 1, 7), date(2022, 1, 10)],
    "BTCUSDT.BINANCE": [date(2024, 8, 8), date(2024, 8, 9)],
}
HALF_DAY = (
    Segment(
        14 * 3600 * SECOND, 15 * 3600 * SECOND, 14 * 3600 * SECOND, 15 * 3600 * SECOND, 0, date(1970, 1, 1)
    ),
)


@dataclass(frozen=True)
class Case:
    rows: pl.DataFrame
    hours: tuple[Segment, ...]
    length: int
    from_bars: bool
    empty: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from([*MARKETS, "half day"]))
    hours = HALF_DAY if name == "half day" else trading_hours(parse_code(name), MARKETS[name])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    from_bars = draw(st.booleans())
    count = draw(st.integers(0, 60))
    instants = sorted(_instants(rng, hours, count, from_bars))
    ids = sorted(rng.choice([1, 2, 7], count).tolist())
    by_id = [t for i in (1, 2, 7) for t in sorted(instants[k] for k in range(count) if ids[k] == i)]
    return Case(
        _rows(rng, by_id, ids, from_bars),
        hours,
        draw(st.sampled_from([0, 60, 300, 3600, 7, 86400])),
        from_bars,
        draw(st.booleans()),
    )


def _instants(rng: Any, hours: tuple[Segment, ...], count: int, from_bars: bool) -> list[int]:
    """Inside, on the edges, in auctions, in breaks, after the close."""
    out = []
    for _ in range(count):
        segment = hours[rng.integers(len(hours))]
        edge = rng.choice([segment.start, segment.end, segment.since, segment.until])
        inside = segment.start + int(rng.integers(0, (segment.end - segment.start) // SECOND)) * SECOND
        near = int(edge) + int(rng.integers(-90, 90)) * SECOND
        at = [inside, int(edge), near][rng.choice(3, p=[0.6, 0.2, 0.2])]
        out.append(-(-at // (60 * SECOND)) * 60 * SECOND if from_bars else at)
    return out


def _rows(rng: Any, instants: list[int], ids: list[int], from_bars: bool) -> pl.DataFrame:
    count = len(ids)
    unknown = rng.random(count) < rng.choice([0.0, 0.3])

    def column(low: int, high: int, hole: Any = None) -> list[Decimal | None]:
        values = rng.integers(low, high, count)
        return [
            None if hole is not None and hole[k] else Decimal(int(values[k])).scaleb(-8) for k in range(count)
        ]

    prices = {"price": column(0, 10**12)}
    if from_bars:
        low = rng.integers(1, 10**11, count)
        ranges = rng.integers(0, 10**10, (3, count))
        prices = {
            name: [Decimal(int(v)).scaleb(-8) for v in values]
            for name, values in {
                "low": low,
                "high": low + ranges.max(axis=0),
                "open": low + ranges[0],
                "close": low + ranges[1],
            }.items()
        }
    volume = [Decimal(int(v)).scaleb(-8) for v in rng.integers(0, 2**62, count) * rng.integers(0, 2, count)]
    return pl.DataFrame(
        {
            "instrument_id": ids,
            "ts": [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t // 1000) for t in instants],
            **prices,
            "volume": volume,
            "amount": column(0, 2**62, unknown),
            "open_interest": column(0, 10**14, unknown),
        },
        schema={
            "instrument_id": pl.Int64,
            "ts": pl.Datetime("us", "UTC"),
            **dict.fromkeys(prices, FINE),
            **dict.fromkeys(("volume", "amount", "open_interest"), FINE),
        },
    )


def twin(case: Case) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Every bar of every part listed, every row put where it belongs by looking at all of them."""
    groups: dict[Any, list[Segment]] = {}
    for segment in case.hours:
        groups.setdefault(segment.session if case.length == 0 else segment.part, []).append(segment)
    slots = []  # (session, start of the slot in traded ns, its end, segments of the part, instant of its end)
    for segments in groups.values():
        total = sum(s.end - s.start for s in segments)
        length = case.length * SECOND or total
        for begin in range(0, total, length):
            end = min(begin + length, total)
            slots.append((segments[0].session, begin, end, segments, _instant(segments, end)))
    filled: dict[tuple[int, int], list[dict[str, Any]]] = {}
    outside = []
    for number, row in enumerate(case.rows.iter_rows(named=True)):
        slot = _slot(_ns(row["ts"]), slots, case)
        if slot is None:
            outside.append(number)
        else:
            filled.setdefault((row["instrument_id"], slot), []).append(row)
    return _bars(case, slots, filled), outside


def _ns(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _instant(segments: list[Segment], traded: int) -> int:
    for segment in segments:
        if traded <= segment.end - segment.start:
            return segment.start + traded
        traded -= segment.end - segment.start
    raise AssertionError


def _slot(ts: int, slots: list[Any], case: Case) -> int | None:
    owners = [
        s
        for s in case.hours
        if s.since <= ts <= s.until and not (case.from_bars and ts == s.start == s.since)
    ]
    if not owners:
        return None
    owner = owners[0] if case.from_bars else owners[-1]
    at_end = case.from_bars or ts >= owner.end
    for k, (_, begin, end, segments, _) in enumerate(slots):
        if owner not in segments:
            continue
        before = sum(s.end - s.start for s in segments[: segments.index(owner)])
        traded = before + min(max(ts - owner.start, 0), owner.end - owner.start)
        if (begin < traded <= end) if at_end else (begin <= traded < end):
            return k
        if traded == begin == 0 or (traded == end == sum(s.end - s.start for s in segments)):
            return k
    raise AssertionError


def _bars(case: Case, slots: list[Any], filled: dict[tuple[int, int], Any]) -> list[tuple[Any, ...]]:
    out = []
    for instrument in sorted({i for i, _ in filled}):
        sessions = {slots[k][0] for i, k in filled if i == instrument}
        carried = None
        for k, (session, _, _, _, end) in enumerate(slots):
            rows = filled.get((instrument, k), [])
            if not rows and not (case.empty and case.length and session in sessions):
                continue
            bar = _bar(rows, case, carried)
            carried = bar[3] if bar[3] is not None else carried
            out.append((instrument, session, end // 1000, *bar))
    return out


def _bar(rows: list[dict[str, Any]], case: Case, carried: Any) -> tuple[Any, ...]:
    names = ("open", "high", "low", "close") if case.from_bars else ("price",) * 4
    priced = [[r[n] for n in names] for r in rows if r["volume"] > 0 and r[names[3]] > 0]
    prices: tuple[Any, ...] = (carried,) * 4 if not rows else (None,) * 4
    if priced:
        prices = (priced[0][0], max(p[1] for p in priced), min(p[2] for p in priced), priced[-1][3])
    amounts = [r["amount"] for r in rows]
    known = [r["open_interest"] for r in rows if r["open_interest"] is not None]
    absent = bool(case.rows.height) and case.rows["amount"].null_count() == case.rows.height
    amount = None if None in amounts or (absent and not rows) else sum(amounts, Decimal(0))
    return (*prices, sum((r["volume"] for r in rows), Decimal(0)), amount, known[-1] if known else None)


@settings(max_examples=EXAMPLES, deadline=None)
@given(cases())
def test_bars_equal_the_slow_twin(case: Case) -> None:
    made = resample(case.rows, case.hours, case.length, from_bars=case.from_bars, empty=case.empty)
    bars, outside = twin(case)
    assert made.outside.tolist() == outside
    assert made.bars.with_columns(pl.col("ts").dt.timestamp("us")).rows() == bars


@settings(max_examples=EXAMPLES, deadline=None)
@given(cases())
def test_what_is_traded_is_conserved(case: Case) -> None:
    made = resample(case.rows, case.hours, case.length, from_bars=case.from_bars, empty=case.empty)
    inside = case.rows.with_row_index().filter(~pl.col("index").is_in(made.outside.tolist()))
    assert made.bars["volume"].sum() == inside["volume"].sum()
    if not case.rows["amount"].null_count():
        assert (made.bars["amount"].sum() or 0) == (inside["amount"].sum() or 0)
    assert made.bars.select("instrument_id", "ts").is_duplicated().sum() == 0


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(cases())
def test_five_minutes_by_way_of_one_minute_are_the_same(case: Case) -> None:
    if case.from_bars or case.length != 300:
        return
    straight = resample(case.rows, case.hours, 300, from_bars=False).bars
    minutes = resample(case.rows, case.hours, 60, from_bars=False).bars
    # Open interest and unknown amounts are as fine as the ticks were, prices and sums are the same.
    again = resample(minutes.sort("instrument_id", "ts"), case.hours, 300, from_bars=True).bars
    names = ["instrument_id", "session", "ts", "open", "high", "low", "close", "volume", "amount"]
    assert again.select(names).rows() == straight.select(names).rows()


def test_rows_that_go_back_in_time_are_refused() -> None:
    hours = trading_hours(parse_code("600000.SH"), MARKETS["600000.SH"])
    base = datetime(2024, 1, 2, 2, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "instrument_id": [1, 1],
            "ts": [base, base - timedelta(seconds=1)],
            "price": [1, 1],
            "volume": [1, 1],
            "amount": [1, 1],
            "open_interest": [None, None],
        },
        schema={
            "instrument_id": pl.Int64,
            "ts": pl.Datetime("us", "UTC"),
            **dict.fromkeys(("price", "volume", "amount", "open_interest"), FINE),
        },
    )
    with pytest.raises(QuantError, match="back in time"):
        resample(rows, hours, 60, from_bars=False)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.booleans(), st.booleans())
def test_faults_of_ticks_equal_the_slow_twin(seed: int, count: int, totals: bool, limits: bool) -> None:
    rng = np.random.default_rng(seed)
    wild = rng.choice([0, -100, 5, 99999, 1300], count)
    prices = np.where(rng.random(count) < 0.2, wild, rng.integers(980, 1020, count))
    sums = np.cumsum(rng.integers(0, 5, count)) - (rng.random(count) < 0.1) * 9
    columns = dict.fromkeys(("price", "total", "low", "high"), FINE)
    ticks = pl.DataFrame(
        {
            "ts": [
                datetime(2024, 1, 2, tzinfo=UTC) + timedelta(seconds=int(s))
                for s in np.arange(count) + rng.integers(-3, 4, count) * (rng.random(count) < 0.2)
            ],
            "session": [date(2024, 1, 2) + timedelta(days=int(k)) for k in np.arange(count) // 25],
            "price": [Decimal(int(p)).scaleb(-2) for p in prices],
            "total": [Decimal(int(v)) for v in sums],
            "low": [Decimal(9)] * count,
            "high": [Decimal(11)] * count,
        },
        schema={"ts": pl.Datetime("us", "UTC"), "session": pl.Date, **columns},
    )
    found = tick_faults(
        ticks, max_jump=0.1, limits=("low", "high") if limits else None, total="total" if totals else None
    )
    assert found.tolist() == _faults(ticks.rows(named=True), totals, limits)


def _faults(ticks: list[dict[str, Any]], totals: bool, limits: bool) -> list[int]:
    def beyond(tick: dict[str, Any]) -> bool:
        return limits and not tick["low"] <= tick["price"] <= tick["high"]

    def far(a: Decimal, b: Decimal) -> bool:
        return abs(a - b) > b * Decimal("0.1")

    out = []
    for k, tick in enumerate(ticks):
        earlier = ticks[:k]
        same_session = [i for i in range(k) if ticks[i]["session"] == tick["session"]]
        fault = 0
        if any(other["ts"] > tick["ts"] for other in earlier):
            fault |= Fault.BACKWARDS
        keys = ("ts", "price", "session", "total")
        if k and totals and all(ticks[k - 1][key] == tick[key] for key in keys):
            fault |= Fault.DUPLICATE
        standing = [ticks[i]["total"] for i in same_session if not out[i] & Fault.RESET]
        if totals and max([Decimal(0), *standing]) > tick["total"]:
            fault |= Fault.RESET
        bad = Fault.PRICE | Fault.SPIKE | Fault.BACKWARDS
        good = next((ticks[i]["price"] for i in reversed(same_session) if not out[i] & bad), None)
        later = (
            t for t in ticks[k + 1 :] if t["session"] == tick["session"] and t["price"] > 0 and not beyond(t)
        )
        if tick["price"] <= 0:
            fault |= Fault.PRICE
        elif beyond(tick):
            fault |= Fault.SPIKE
        elif good is not None and far(tick["price"], good):
            confirming = next(later, None)
            if confirming is None or far(confirming["price"], tick["price"]):
                fault |= Fault.SPIKE
        out.append(int(fault))
    return out
