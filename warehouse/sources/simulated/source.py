"""The simulated market behind the Source port."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from threading import Lock

import polars as pl

from quant.core.market.rules import rulebook
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.simulated.disagreements import ShownMarket, disagree, faithful
from quant.warehouse.sources.simulated.market import SimulatedMarket, Simulation
from quant.warehouse.sources.simulated.params import SimulatedParams
from quant.warehouse.sources.simulated.planting import third_view
from quant.warehouse.sources.simulated.reading import canonical, read
from quant.warehouse.sources.simulated.views import frame

GENERATOR = 1
"""Raised when the same parameters no longer give the same market."""
CSV = "text/csv"
_BY_YEAR = ("bars_1d", "adjustment_factors")


def open_simulated(settings: SourceSettings) -> SimulatedSource:
    """The simulated source of a source spec."""
    return SimulatedSource(SimulatedParams.parse(settings.params), vendor=bool(settings.datasets))


def revision(_settings: SourceSettings, _dataset: str) -> str:
    """What the market depends on beside its parameters: this generator and the rules it follows."""
    return f"{GENERATOR}-{rulebook().fingerprint}"


class SimulatedSource:
    """One vendor's view of one simulated market; payloads are CSV files, the same bytes for the same request.

    ``vendor``: ``parse`` keeps the vendor's columns and units, for a source spec that declares its fields;
    otherwise it returns our own.
    """

    def __init__(self, params: SimulatedParams, *, vendor: bool = False) -> None:
        self._params = params
        self._vendor = vendor

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]:
        """One payload a year for bars and factors, one for the rest; nothing that became known after ``end``.

        A request is exactly the slice of any longer one. Instruments and their attributes are a snapshot as
        known at ``end``: attributes are those that held at some time in the interval.
        """
        market = _market(_market_params(self._params), end)
        if market is None:
            return
        market = replace(market, params=self._params)
        shown = _VIEWS[self._params.view](market)
        for first, last in _spans(market, dataset, start, end):
            content = frame(dataset, self._params.view, shown, first, last).write_csv().encode()
            request = {"seed": self._params.seed, "view": self._params.view,
                       "start": market.sessions[first].isoformat(), "end": market.sessions[last].isoformat()}
            yield Payload(dataset, content, CSV, request)

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The rows of a payload."""
        if self._vendor:
            return read(payload.content)
        return canonical(payload.dataset, payload.content)


def _spans(market: SimulatedMarket, dataset: str, start: date, end: date) -> Iterator[tuple[int, int]]:
    """First and last session index of each payload."""
    first, last = bisect_left(market.sessions, start), bisect_right(market.sessions, end) - 1
    if first > last:
        return
    if dataset not in _BY_YEAR:
        yield first, last
        return
    for year in range(market.sessions[first].year, market.sessions[last].year + 1):
        begin = bisect_left(market.sessions, date(year, 1, 1), first, last + 1)
        stop = bisect_right(market.sessions, date(year, 12, 31), first, last + 1) - 1
        if begin <= stop:
            yield begin, stop


_VIEWS: Mapping[str, Callable[[SimulatedMarket], ShownMarket]] = {
    "a": faithful,
    "b": disagree,
    "c": third_view,
}
_LOCK = Lock()


def _market_params(params: SimulatedParams) -> SimulatedParams:
    """What the market itself depends on; both vendors share it."""
    return replace(params, view="a", disagreements=1.0)


def _market(params: SimulatedParams, end: date) -> SimulatedMarket | None:
    """The market as known at ``end``, going on from what is simulated already; None before it starts."""
    if end < params.start:
        return None
    with _LOCK:
        return _simulation(params).until(end)


@lru_cache(maxsize=2)
def _simulation(params: SimulatedParams) -> Simulation:
    return Simulation.begin(params)
