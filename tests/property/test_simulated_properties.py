"""Whatever the parameters: rows do not depend on the end, intervals are slices, bars keep their order."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from quant.warehouse.sources.simulated import SimulatedMarket, SimulatedParams, SimulatedSource, simulate

intensities = st.sampled_from([0.0, 0.5, 1.0, 5.0, 20.0])
parameters = st.builds(
    SimulatedParams,
    seed=st.integers(0, 2**63 - 1),
    instruments=st.integers(1, 40),
    start=st.dates(date(2015, 1, 5), date(2024, 6, 30)),
    listings=intensities,
    delistings=intensities,
    suspensions=intensities,
    st=intensities,
    dividends=intensities,
    jumps=intensities,
    view=st.sampled_from(["a", "b"]),
    disagreements=intensities,
)
days = st.integers(15, 400)


@settings(max_examples=25)
@given(parameters, days, days)
def test_rows_do_not_depend_on_the_end(params: SimulatedParams, first: int, more: int) -> None:
    short = simulate(params, params.start + timedelta(days=first))
    long = simulate(params, params.start + timedelta(days=first + more))
    for name in ("close", "volume", "amount", "pre_close", "limit_up", "st", "suspended", "listed"):
        value = getattr(short, name)
        assert value.tobytes() == getattr(long, name)[: len(value)].tobytes(), name


@settings(max_examples=25)
@given(parameters, days)
def test_bars_are_possible(params: SimulatedParams, length: int) -> None:
    market = simulate(params, params.start + timedelta(days=length))
    traded = market.trading
    low, high, close = market.low[traded], market.high[traded], market.close[traded]
    assert ((low > 0) & (low <= close) & (close <= high)).all()
    assert (low * market.volume[traded] <= 100 * market.amount[traded]).all()
    assert (high * market.volume[traded] >= 100 * market.amount[traded]).all()
    limited = traded & ~market.no_limit
    assert (market.low >= market.limit_down)[limited].all()
    assert (market.high <= market.limit_up)[limited].all()
    assert np.isfinite(market.factor[market.listed]).all()
    assert status_is_exclusive(market)


def status_is_exclusive(market: SimulatedMarket) -> bool:
    return not (market.st & market.delisting).any() and not (market.delisting & market.suspended).any()


@settings(max_examples=20)
@given(parameters, st.integers(0, 300), st.integers(0, 200))
def test_an_interval_is_the_slice_of_the_whole(params: SimulatedParams, offset: int, length: int) -> None:
    source = SimulatedSource(params)
    start = params.start + timedelta(days=offset)
    end = start + timedelta(days=length)
    whole = fetched(source, params.start, params.start + timedelta(days=520))
    part = fetched(source, start, end)
    if not whole.height:
        assert not part.height
        return
    expected = whole.filter(pl.col("session").is_between(start, end))
    assert part.height == expected.height
    if part.height:
        assert_frame_equal(part, expected)


def fetched(source: SimulatedSource, start: date, end: date) -> pl.DataFrame:
    frames = [source.parse(payload) for payload in source.fetch("bars_1d", start, end)]
    return pl.concat(frames) if frames else pl.DataFrame({"session": pl.Series([], dtype=pl.Date)})
