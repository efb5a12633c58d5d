"""What the third vendor gets wrong: every class of disagreement, and the exact list of them.

Single bars and events are hit at random; whole instruments, whole days of a market and whole columns of an
instrument are drawn once for each seed among the names listed from the start. Two faults never stand within a
few sessions of one instrument, so that each can be told from the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quant.warehouse.sources.simulated.bar_faults import BAR_FAULTS, BARS, BarFaults
from quant.warehouse.sources.simulated.disagreements import ShownMarket
from quant.warehouse.sources.simulated.events import Distribution
from quant.warehouse.sources.simulated.market import SimulatedMarket

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SERIES: Final = (
    *("lots", "thousand_yuan", "price_scale", "unmarked_adjustment", "unmarked_additive_adjustment"),
    *("shifted_day", "truncated_history", "after_hours_volume", "auction_volume"),
)
"""Faults of a whole instrument, one each."""
DAYS: Final = ("missing_day", "lots")
"""Faults of a whole day of a market, one each."""
EVENTS: Final = (
    *("late_factor", "early_factor", "missing_factor_step", "pre_close_unadjusted", "after_tax_cash"),
    *("per_ten_shares", "shifted_ex_date", "missing_row"),
)
"""Faults around a distribution."""
BAR_SHARE: Final = 0.8e-4
EVENT_SHARE: Final = 0.05
APART: Final = 4
_BAR: Final = ("open", "high", "low", "close", "volume", "amount")
_PRICES: Final = ("open", "high", "low", "close")
_LATE: Final = ("688", "689", "300", "301", "302")
_BASE: Final = 1.25


def third_view(market: SimulatedMarket) -> ShownMarket:
    """View c: the truth with every kind of planted fault."""
    planter = _Planter(market)
    planter.whole_series()
    planter.whole_days()
    planter.events()
    planter.bars()
    return planter.shown()


class _Planter(BarFaults):
    # -- whole instruments and days

    def whole_series(self) -> None:
        """One instrument for each kind, among those listed on the first session; a base for one more."""
        if not self.intensity:
            return
        order = self.draw.permutation(np.flatnonzero(self.market.listed[0])).tolist()
        for kind in SERIES:
            late = kind == "after_hours_volume"
            wanted = [s for s in order if self._code(s, 0).startswith(_LATE) == late or kind not in (
                "after_hours_volume", "auction_volume")]  # fmt: skip
            if kind.startswith("unmarked"):
                wanted = [s for s in wanted if self._pays(s)]
            if not wanted:
                continue
            chosen = wanted[0]
            order.remove(chosen)
            self._whole(kind, chosen)
        payers = [s for s in order if self._pays(s)]
        if payers:
            self.factor[:, payers[0]] *= _BASE
            self._note("base", "adjustment_factors", 0, payers[0], "factor", 1.0, _BASE)
            self.taken[:, payers[0]] = True

    def _pays(self, s: int) -> bool:
        """Whether the instrument distributes something in the first year; a later end does not matter."""
        return any(d.instrument == s and 20 < d.ex < 240 for d in self.market.distributions)

    def _whole(self, kind: str, s: int) -> None:
        rows = self.market.trading[:, s]
        bar, field = self.bar, "bar"
        match kind:
            case "lots":
                bar["volume"][:, s] //= 100
                field = "volume"
            case "thousand_yuan":
                bar["amount"][:, s] //= 1000
                field = "amount"
            case "price_scale":
                for name in (*_PRICES, "pre_close"):
                    bar[name][:, s] *= 100
                field = "prices"
            case "unmarked_adjustment":
                factor = np.nan_to_num(self.market.factor[:, s], nan=1.0)
                for name in _PRICES:
                    bar[name][:, s] = np.rint(getattr(self.market, name)[:, s] * factor)
                field = "prices"
            case "unmarked_additive_adjustment":
                for name in _PRICES:
                    bar[name][rows, s] += self._paid(s)[rows]
                field = "prices"
            case "shifted_day":
                for name in (*_BAR, "pre_close"):
                    bar[name][1:, s] = getattr(self.market, name)[:-1, s]
                self.hidden[0, s] = True
                field = "session"
            case "truncated_history":
                self.hidden[: min(60, len(rows) // 2), s] = True
            case _:
                self._scope(kind, s, rows)
                field = "volume"
        first = int(np.flatnonzero(rows)[0]) if rows.any() else 0
        self._note(kind, "bars_1d", first, s, field, 0.0, None)
        self.taken[:, s] = True

    def _paid(self, s: int) -> Ints:
        """Cents by which the reference prices of an instrument have been lowered so far."""
        close, reference = self.market.close[:, s], self.market.pre_close[:, s]
        paid = np.zeros(len(close), dtype=np.int64)
        last = 0
        for t in range(len(close)):
            if last and reference[t] > 0:
                paid[t] = last - reference[t] if self._ex(t, s) else 0
            last = int(close[t]) if close[t] > 0 else int(reference[t]) or last
        total: Ints = np.cumsum(paid)
        return total

    def _ex(self, t: int, s: int) -> bool:
        return any(d.ex == t and d.instrument == s for d in self.market.distributions)

    def _scope(self, kind: str, s: int, rows: Bools) -> None:
        """A little volume more at the close, or less at the open; amounts follow to the yuan."""
        extra = np.where(rows, np.maximum(self.market.volume[:, s] // 20_000, 1) * 100, 0)
        at = self.market.close if kind == "after_hours_volume" else self.market.open
        sign = 1 if kind == "after_hours_volume" else -1
        self.bar["volume"][:, s] += sign * extra
        self.bar["amount"][:, s] += sign * (extra * at[:, s] + 50) // 100

    def whole_days(self) -> None:
        """One day of a market for each kind, in the first year."""
        if not self.intensity or len(self.market.sessions) < 60:
            return
        days = self.draw.choice(
            np.arange(20, min(220, len(self.market.sessions) - 10)), len(DAYS), replace=False
        )
        for kind, t in zip(DAYS, sorted(days.tolist()), strict=True):
            market = ".SH" if kind == "missing_day" else ".SZ"
            here = [
                s
                for s in np.flatnonzero(self.market.trading[t]).tolist()
                if self._code(s, t).endswith(market)
            ]
            here = [s for s in here if not self.taken[:, s].all()]
            if len(here) < 8:
                continue
            if kind == "missing_day":
                listed = [
                    s
                    for s in np.flatnonzero(self.market.listed[t]).tolist()
                    if self._code(s, t).endswith(market)
                ]
                self.hidden[t, listed] = True
            else:
                self.bar["volume"][t, here] //= 100
            field = "bar" if kind == "missing_day" else "volume"
            self._note(
                kind, "bars_1d", t, here[0], field, float(len(here)), None, code=market.removeprefix(".")
            )
            self.taken[max(t - APART, 0) : t + APART + 1] = True

    # -- events

    def events(self) -> None:
        """Faults around distributions, each kind at the same share."""
        share = min(EVENT_SHARE * self.intensity, 1 / len(EVENTS))
        for n, event in enumerate(self.market.distributions):
            t, s = event.ex, event.instrument
            kind = self._kind(self.uniform[t, 1, s], share, EVENTS) if t < len(self.market.sessions) else None
            if kind is None or t < 2 or self._near(t, s):
                continue
            if self._event(kind, n, event):
                self.taken[max(t - APART, 0) : t + APART + 1, s] = True

    def _event(self, kind: str, n: int, event: Distribution) -> bool:
        t, s = event.ex, event.instrument
        before, now = float(self.factor[t - 1, s]), float(self.factor[t, s])
        if kind.endswith(("factor", "step")) and not now / before > 1.0008:
            return False
        cash = kind in ("after_tax_cash", "per_ten_shares")
        if (cash and event.cash_milli <= 0) or (
            t + 3 >= len(self.market.sessions) and kind != "after_tax_cash"
        ):
            return False
        milli = float(event.cash_milli)
        match kind:
            case "late_factor":
                self.factor[t, s] = before
                self._note(kind, "adjustment_factors", t, s, "factor", now, before)
            case "early_factor":
                self.factor[t - 1, s] = now
                self._note(kind, "adjustment_factors", t - 1, s, "factor", before, now)
            case "missing_factor_step":
                self.factor[t:, s] *= before / now
                self._note(kind, "adjustment_factors", t, s, "factor", now, before)
                self.taken[:, s] = True
            case "pre_close_unadjusted":
                close = int(self.market.close[t - 1, s])
                if close == 0 or close == self.market.pre_close[t, s] or not self.market.trading[t, s]:
                    return False
                truth, self.bar["pre_close"][t, s] = int(self.market.pre_close[t, s]), close
                self._note(kind, "bars_1d", t, s, "pre_close", truth, close)
            case "after_tax_cash":
                self.distributions[n] = replace(event, cash_milli=event.cash_milli * 9 // 10)
                self._note(kind, "corporate_actions", t, s, "cash_per_share", milli, milli * 9 // 10)
            case "per_ten_shares":
                self.distributions[n] = replace(event, cash_milli=event.cash_milli * 10)
                self._note(kind, "corporate_actions", t, s, "cash_per_share", milli, milli * 10)
            case "shifted_ex_date":
                self.distributions[n] = replace(event, ex=t + 1)
                self._note(kind, "corporate_actions", t, s, "ex_session", milli, milli)
            case _:
                self.distributions[n] = None
                self._note("missing_row", "corporate_actions", t, s, "row", milli, None)
        return True

    # -- single bars

    def bars(self) -> None:
        """Faults of single bars, each kind at the same share."""
        share = BAR_SHARE * self.intensity
        u = self.uniform[:, 0]
        for t, s in np.argwhere(self.market.trading & (u < share * len(BARS))).tolist():
            kind = self._kind(u[t, s], share, BARS)
            if kind is None or self._near(t, s) or not 0 < t < len(self.market.sessions) - 1:
                continue
            if not (self.market.trading[t - 1, s] and self.market.trading[t + 1, s]) or self._ex(t, s):
                continue
            found = BAR_FAULTS[kind](self, t, s)
            if found is not None:
                field, truth, shown = found
                self._note(kind, "bars_1d", t, s, field, truth, shown)
                self.taken[max(t - APART, 0) : t + APART + 1, s] = True
