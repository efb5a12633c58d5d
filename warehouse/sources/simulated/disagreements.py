"""What the second vendor gets wrong: seeded faults in view b, and the exact list of them.

| kind | what view b shows |
|---|---|
| wrong_close | a close elsewhere within the day's low and high |
| lots | the volume in lots of 100 instead of shares |
| missing_row | no bar at all |
| shifted_day | prices, volume and amount of the session before |
| rounded_amount | the amount rounded to whole thousands of yuan |
| late_factor | on an ex-date still the factor of the day before |
| after_tax_cash | a dividend after 10 % tax instead of before tax |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from quant.warehouse.sources.simulated.draws import Floats, Purpose, SessionUniforms
from quant.warehouse.sources.simulated.market import SimulatedMarket, simulate
from quant.warehouse.sources.simulated.params import SimulatedParams

Bools = NDArray[np.bool_]

BAR_SHARES = {
    "wrong_close": 1.0e-4,
    "lots": 1.0e-4,
    "missing_row": 1.0e-4,
    "shifted_day": 0.5e-4,
    "rounded_amount": 1.0e-4,
}
"""Share of traded bars that each fault hits at ``disagreements: 1``."""
EVENT_SHARES = {"late_factor": 0.06, "after_tax_cash": 0.06}
"""Share of distributions that each fault hits."""
_BAR = ("open", "high", "low", "close", "volume", "amount")


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted fault. ``truth`` and ``shown`` are in cents, shares, yuan, milli-yuan per share, or the
    factor itself; None where view b shows nothing. Of a shifted bar they are the close.
    """

    kind: str
    dataset: str
    instrument: int
    code: str
    session: date
    field: str
    truth: float
    shown: float | None


@dataclass(frozen=True, slots=True)
class ShownMarket:
    """A market as a vendor shows it: ``hidden`` bars are missing ``[T, S]``, ``faults`` is what differs."""

    market: SimulatedMarket
    hidden: Bools
    faults: tuple[Planted, ...]


def planted(params: SimulatedParams, end: date) -> tuple[Planted, ...]:
    """Every fault of the view (of b where it is a) up to ``end``, by session, instrument and kind."""
    market = simulate(replace(params, view="a", disagreements=1.0), end)
    market = replace(market, params=params)
    if params.view == "c":
        from quant.warehouse.sources.simulated.planting import third_view

        return third_view(market).faults
    return disagree(market).faults


def faithful(market: SimulatedMarket) -> ShownMarket:
    """View a: the truth."""
    return ShownMarket(market, np.zeros(market.close.shape, dtype=bool), ())


def disagree(market: SimulatedMarket) -> ShownMarket:
    """View b: the truth with its planted faults."""
    count = market.params.instruments
    draws = SessionUniforms(market.params.seed, Purpose.DISAGREEMENTS, (2, count))
    u = np.stack([draws.take() for _ in market.sessions])
    bars, hidden, faults = _bar_faults(market, u[:, 0])
    shown, more = _event_faults(market, bars, u[:, 1])
    faults = sorted([*faults, *more], key=lambda f: (f.session, f.instrument, f.kind))
    return ShownMarket(shown, hidden, tuple(faults))


def _bar_faults(market: SimulatedMarket, u: Floats) -> tuple[SimulatedMarket, Bools, list[Planted]]:
    shown = {name: getattr(market, name).copy() for name in _BAR}
    hidden = np.zeros(market.close.shape, dtype=bool)
    faults: list[Planted] = []
    low = 0.0
    for kind, share in BAR_SHARES.items():
        high = low + share * market.params.disagreements
        for t, s in np.argwhere(market.trading & (u >= low) & (u < high)).tolist():
            fault = _plant(kind, market, shown, t, s)
            if fault is not None:
                faults.append(fault)
                hidden[t, s] |= kind == "missing_row"
        low = high
    return replace(market, **shown), hidden, faults


def _plant(
    kind: str, market: SimulatedMarket, shown: dict[str, NDArray[np.int64]], t: int, s: int
) -> Planted | None:
    """Change one bar in ``shown``; None where the fault would not be visible."""
    field = {"wrong_close": "close", "lots": "volume", "rounded_amount": "amount"}.get(kind, "close")
    truth = int(getattr(market, field)[t, s])
    value: int | None
    match kind:
        case "wrong_close":
            low, high = int(market.low[t, s]), int(market.high[t, s])
            value = low if truth - low >= high - truth else high
        case "lots":
            value = truth // 100
        case "rounded_amount":
            value = (truth + 500) // 1_000 * 1_000
        case "shifted_day":
            value = int(market.close[t - 1, s]) if t > 0 and market.trading[t - 1, s] else truth
        case _:
            value = None
    if value == truth or (kind == "rounded_amount" and value == 0):
        return None
    if kind == "shifted_day":
        for name in _BAR:
            shown[name][t, s] = getattr(market, name)[t - 1, s]
    elif value is not None:
        shown[field][t, s] = value
    name = "bar" if kind in ("shifted_day", "missing_row") else field
    day = market.sessions[t]
    return Planted(kind, "bars_1d", s, market.code(s, day), day, name, truth, value)


def _event_faults(
    market: SimulatedMarket, bars: SimulatedMarket, u: Floats
) -> tuple[SimulatedMarket, list[Planted]]:
    factor = market.factor.copy()
    events = list(market.distributions)
    faults: list[Planted] = []
    late = EVENT_SHARES["late_factor"] * market.params.disagreements
    taxed = late + EVENT_SHARES["after_tax_cash"] * market.params.disagreements
    for n, event in enumerate(events):
        t, s = event.ex, event.instrument
        day, draw = market.sessions[t], u[t, s]
        if draw < late and t > 0:
            truth, before = float(market.factor[t, s]), float(market.factor[t - 1, s])
            factor[t, s] = before
            faults.append(Planted("late_factor", "adjustment_factors", s, market.code(s, day), day, "factor",
                                  truth, before))
        elif late <= draw < taxed and event.cash_milli > 0:
            net = event.cash_milli * 9 // 10
            events[n] = replace(event, cash_milli=net)
            faults.append(Planted("after_tax_cash", "corporate_actions", s, market.code(s, day), day,
                                  "cash_per_share", event.cash_milli, net))
    return replace(bars, factor=factor, distributions=tuple(events)), faults
