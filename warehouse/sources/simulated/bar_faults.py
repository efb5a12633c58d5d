"""Faults of single bars of the third vendor, and the market as it shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np

from quant.warehouse.sources.simulated.disagreements import Planted, ShownMarket
from quant.warehouse.sources.simulated.draws import Purpose, SessionUniforms, generator
from quant.warehouse.sources.simulated.events import Distribution
from quant.warehouse.sources.simulated.market import SimulatedMarket

BARS: Final = (
    *("wrong_open", "wrong_high", "wrong_low", "wrong_close", "wrong_volume", "wrong_amount", "lots"),
    *("thousand_yuan", "price_scale", "rounded_amount", "missing_row", "shifted_day", "stale_bar"),
    *("swapped_columns", "restated_bar"),
)
"""Faults of single bars, each at the same share."""
_BAR: Final = ("open", "high", "low", "close", "volume", "amount")
_PRICES: Final = ("open", "high", "low", "close")


class BarFaults:
    """The market as shown so far, and the faults planted in it. Each fault of a bar returns the field, the
    truth and what is shown, or None where the bar does not lend itself to it.
    """

    def __init__(self, market: SimulatedMarket) -> None:
        self.market = market
        self.bar = {name: getattr(market, name).copy() for name in (*_BAR, "pre_close")}
        self.factor = market.factor.copy()
        self.distributions: list[Distribution | None] = list(market.distributions)
        self.hidden = np.zeros(market.close.shape, dtype=bool)
        self.taken = np.zeros(market.close.shape, dtype=bool)
        self.faults: list[Planted] = []
        self.draw = generator(market.params.seed, Purpose.THIRD_VENDOR)
        self.intensity = market.params.disagreements
        uniforms = SessionUniforms(
            market.params.seed, Purpose.THIRD_VENDOR_BARS, (2, market.params.instruments)
        )
        self.uniform = np.stack([uniforms.take() for _ in market.sessions])

    def shown(self) -> ShownMarket:
        known = tuple(d for d in self.distributions if d is not None)
        market = replace(self.market, **self.bar, factor=self.factor, distributions=known)
        faults = tuple(sorted(self.faults, key=lambda f: (f.session, f.instrument, f.kind, f.field)))
        return ShownMarket(market, self.hidden, faults)

    def _cell(self, field: str, t: int, s: int, value: int) -> tuple[str, float, float] | None:
        truth = int(self.bar[field][t, s])
        if value == truth or value <= 0:
            return None
        self.bar[field][t, s] = value
        return field, float(truth), float(value)

    def wrong_price(self, field: str, t: int, s: int) -> tuple[str, float, float] | None:
        """Another price within the day, so that the bar stays in order."""
        o, h, low, c = (int(self.market.__getattribute__(n)[t, s]) for n in _PRICES)
        value = {
            "open": low if o - low >= h - o else h,
            "close": low if c - low >= h - c else h,
            "high": max(o, c),
            "low": min(o, c),
        }[field]
        if value == {"open": c, "close": o, "high": low, "low": h}[field]:
            return None
        return self._cell(field, t, s, value)

    def wrong_volume(self, t: int, s: int) -> tuple[str, float, float] | None:
        return self._cell("volume", t, s, int(self.market.volume[t, s]) * 137 // 100 + 31)

    def wrong_amount(self, t: int, s: int) -> tuple[str, float, float] | None:
        return self._cell("amount", t, s, int(self.market.amount[t, s]) * 137 // 100 + 31)

    def lots(self, t: int, s: int) -> tuple[str, float, float] | None:
        value = int(self.market.volume[t, s]) // 100
        return self._cell("volume", t, s, value) if value > 50 else None

    def thousand_yuan(self, t: int, s: int) -> tuple[str, float, float] | None:
        value = int(self.market.amount[t, s]) // 1000
        return self._cell("amount", t, s, value) if value > 50 else None

    def price_scale(self, t: int, s: int) -> tuple[str, float, float] | None:
        return self._cell("close", t, s, int(self.market.close[t, s]) * 100)

    def rounded_amount(self, t: int, s: int) -> tuple[str, float, float] | None:
        truth = int(self.market.amount[t, s])
        value = (truth + 500) // 1000 * 1000
        return self._cell("amount", t, s, value) if abs(value - truth) > 6 else None

    def missing_row(self, t: int, s: int) -> tuple[str, float, None] | None:
        self.hidden[t, s] = True
        return "bar", float(self.market.close[t, s]), None

    def shifted_day(self, t: int, s: int) -> tuple[str, float, float] | None:
        if self.market.close[t, s] == self.market.close[t - 1, s]:
            return None
        for name in _BAR:
            self.bar[name][t, s] = getattr(self.market, name)[t - 1, s]
        return "bar", float(self.market.close[t, s]), float(self.market.close[t - 1, s])

    def stale_bar(self, t: int, s: int) -> tuple[str, float, float] | None:
        if self.market.close[t, s] == self.market.close[t - 1, s]:
            return None
        for name in _PRICES:
            self.bar[name][t, s] = getattr(self.market, name)[t - 1, s]
        return "bar", float(self.market.close[t, s]), float(self.market.close[t - 1, s])

    def swapped_columns(self, t: int, s: int) -> tuple[str, float, float] | None:
        o, c = int(self.market.open[t, s]), int(self.market.close[t, s])
        if o == c:
            return None
        self.bar["open"][t, s], self.bar["close"][t, s] = c, o
        return "open/close", float(c), float(o)

    def restated_bar(self, t: int, s: int) -> tuple[str, float, float] | None:
        """Another close within the day, and a tenth more volume and amount: a bar as good as the other."""
        c, low, high = (int(getattr(self.market, n)[t, s]) for n in ("close", "low", "high"))
        value = c - 1 if c > low else c + 1
        if value > high or int(self.market.volume[t, s]) < 2000:
            return None
        self.bar["volume"][t, s] = int(self.market.volume[t, s]) * 11 // 10
        self.bar["amount"][t, s] = int(self.market.amount[t, s]) * 11 // 10
        self.bar["close"][t, s] = value
        return "bar", float(c), float(value)

    # -- bookkeeping

    def _near(self, t: int, s: int) -> bool:
        return bool(self.taken[t, s])

    @staticmethod
    def _kind(u: float, share: float, kinds: Sequence[str]) -> str | None:
        number = int(u / share) if share else len(kinds)
        return kinds[number] if number < len(kinds) else None

    def _code(self, s: int, t: int) -> str:
        return self.market.code(s, self.market.sessions[t])

    def _note(
        self,
        kind: str,
        dataset: str,
        t: int,
        s: int,
        field: str,
        truth: float,
        shown: float | None,
        *,
        code: str = "",
    ) -> None:
        day: date = self.market.sessions[t]
        self.faults.append(Planted(kind, dataset, s, code or self._code(s, t), day, field, truth, shown))


_Plant = Callable[[BarFaults, int, int], "tuple[str, float, float | None] | None"]


def _price(field: str) -> _Plant:
    return lambda planter, t, s: planter.wrong_price(field, t, s)


BAR_FAULTS: Final[dict[str, _Plant]] = {
    **{f"wrong_{name}": _price(name) for name in _PRICES},
    "wrong_volume": BarFaults.wrong_volume,
    "wrong_amount": BarFaults.wrong_amount,
    "lots": BarFaults.lots,
    "thousand_yuan": BarFaults.thousand_yuan,
    "price_scale": BarFaults.price_scale,
    "rounded_amount": BarFaults.rounded_amount,
    "missing_row": BarFaults.missing_row,
    "shifted_day": BarFaults.shifted_day,
    "stale_bar": BarFaults.stale_bar,
    "swapped_columns": BarFaults.swapped_columns,
    "restated_bar": BarFaults.restated_bar,
}
