"""Single rows and cells that differ: which mistake turns one source's row into the other's.

Every test asks whether a named mistake reproduces the number that is shown, to the printed digits. What none
reproduces stays ``wrong_<field>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.causes import unit_cause
from quant.warehouse.audit.compare.cells import Cells
from quant.warehouse.audit.compare.evidence import Evidence
from quant.warehouse.audit.compare.precision import Allowance
from quant.warehouse.audit.compare.relation import FLAGS, Bools, Floats, Ints

_LATE_BOARDS: Final = ("688", "689", "300", "301", "302")
_SMALL: Final = 0.25
_SEVEN_DIGITS: Final = 1.2e-7
_STEP: Final = 5e-4
"""What the smallest distribution moves a factor by, relative."""
_POWERS: Final = {
    "volume": (2, 3, 4),
    "amount": (3, 4, 1, 2, 6, 8),
    "pct_chg": (2,),
    "turnover": (2,),
    "price": (1, 2, 3, 4),
}
_ROUND: Final = {"volume": (100.0, 1000.0, 10_000.0), "amount": (1000.0, 10_000.0, 1e6)}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """``cause[F, N]`` and ``suspect[F, N]`` (0 = neither, 1 = a, 2 = b) of the cells; a cause number points
    into ``names``, -1 = not different. ``whole`` marks rows that are one finding about the bar.
    """

    names: tuple[str, ...]
    cause: Ints
    suspect: Ints
    whole: Bools


class RowClassifier(Evidence):
    """Names the differing cells of many rows at once."""

    def __init__(
        self, cells: Cells, allowances: Mapping[str, Allowance], codes: Sequence[str], *, declared: bool,
        adjusted: bool = False,
    ) -> None:  # fmt: skip
        """``declared``: both state their units; ``adjusted``: the prices of both are adjusted."""
        super().__init__(cells, allowances)
        self.declared, self.adjusted = declared, adjusted
        self.codes = codes
        self.names: list[str] = []
        self.cause = np.full(cells.bad.shape, -1, dtype=np.int64)
        self.suspect = np.zeros(cells.bad.shape, dtype=np.int64)
        self.whole = np.zeros(len(cells), dtype=bool)

    def run(self, *, versions: bool = False) -> Verdicts:
        """Every test in turn; the first that explains a cell names it."""
        if len(self.cells) and not versions:
            self._units()
            self._digits()
            self._neighbours()
            self._swaps()
            self._stale()
            self._scope()
            self._rounded()
            self._reference()
            self._factors()
            self._restated()
            self._one_ratio()
        self._rest("restated" if versions else "")
        return Verdicts(tuple(self.names), self.cause, self.suspect, self.whole)

    # -- tests

    def _neighbours(self) -> None:
        """The whole bar of the session before or after, volume or amount included."""
        full = [*self.prices, *(n for n in ("volume", "amount") if n in self.cells.fields)]
        if len(full) < 3 or len(full) == len(self.prices):
            return
        for one, other, suspect in (("b", "a", 2), ("a", "b", 1)):
            for step in ("prev", "next"):
                hit = self.equal(one, f"{other}_{step}", full) & self.any(full)
                again = self.equal(one, f"{one}_next", self.prices) & self.equal(
                    one, f"{one}_prev", self.prices
                )
                self._take(hit & ~again, "shifted_day", suspect, whole=True)

    def _stale(self) -> None:
        """Prices repeated from the bar before of the same source while the other source moves."""
        if not self.prices:
            return
        for one, other, suspect in (("b", "a", 2), ("a", "b", 1)):
            repeat = self.equal(one, f"{one}_prev", self.prices) & self.several(self.prices)
            moves = ~self.equal(other, f"{other}_prev", self.prices)
            self._take(repeat & moves & self.any(self.prices), "stale_bar", suspect, whole=True)

    def _swaps(self) -> None:
        """Values in each other's column."""
        pairs: list[tuple[str, str]] = [
            (x, y) for i, x in enumerate(self.prices) for y in self.prices[i + 1 :]
        ]
        pairs += [("volume", "amount")] if {"volume", "amount"} <= set(self.cells.fields) else []
        for x, y in pairs:
            i, j = self.cells.at(x), self.cells.at(y)
            crossed = self.near(x, self.cells.b[j], self.cells.a[i]) & self.near(
                y, self.cells.b[i], self.cells.a[j]
            )
            hit = crossed & self.open[i] & self.open[j]
            others = [n for n in self.prices if n not in (x, y)]
            self._assign(hit & ~self.any(others), [i, j], "swapped_columns", self.disordered())
        if len(self.prices) == 4:
            at = [self.cells.at(n) for n in self.prices]
            ordered = np.abs(np.sort(self.cells.a[at], axis=0) - np.sort(self.cells.b[at], axis=0)) < 1e-9
            self._assign(
                ordered.all(axis=0) & self.any(self.prices), at, "swapped_columns", self.disordered()
            )

    def _units(self) -> None:
        for i, name in enumerate(self.cells.fields):
            if not self.open[i].any() or name in FLAGS:
                continue
            kind = name if name in ("volume", "amount", "pct_chg", "turnover") else "price"
            if name == "factor":
                continue
            for power in _POWERS[kind]:
                unit = 10.0**power
                room = {"volume": unit * 1.001, "amount": unit * 1.001, "price": unit * 0.0051 + 0.01}.get(
                    kind, 1e-9
                )
                for small, large, suspect in (
                    (self.cells.b[i], self.cells.a[i], 2),
                    (self.cells.a[i], self.cells.b[i], 1),
                ):
                    with np.errstate(invalid="ignore"):
                        near = np.abs(small * unit - large) <= np.maximum(room, self.room(name, large, large))
                        near &= (large != 0) & (small != 0)
                        near &= (kind == "price") | (np.abs(large) > 3 * unit)
                    side = suspect if kind != "price" else self.outside(i, suspect)
                    self._assign(
                        near & self.open[i], [i], unit_cause(name, power, declared=self.declared), side
                    )

    def _rounded(self) -> None:
        """One cell rounded to fewer digits than its source prints elsewhere."""
        for name, steps in _ROUND.items():
            i = self.cells.at(name)
            if i < 0:
                continue
            for step in steps:
                for one, other, suspect in (
                    (self.cells.b[i], self.cells.a[i], 2),
                    (self.cells.a[i], self.cells.b[i], 1),
                ):
                    with np.errstate(invalid="ignore"):
                        hit = (np.abs(one - np.rint(one / step) * step) < 1e-6) & (one != 0)
                        hit &= np.abs(one - other) <= step * (1.0 if name == "volume" else 0.5)
                        hit &= np.abs(other - np.rint(other / step) * step) > 1e-6
                    self._assign(hit & self.open[i], [i], f"rounded_{name}", suspect)
        for name in self.prices:
            i = self.cells.at(name)
            for step in (0.1, 1.0):
                for one, other, suspect in (
                    (self.cells.b[i], self.cells.a[i], 2),
                    (self.cells.a[i], self.cells.b[i], 1),
                ):
                    with np.errstate(invalid="ignore"):
                        hit = np.abs(one - np.rint(other / step) * step) < 1e-9
                        hit &= np.abs(other - one) < 0.005 * np.abs(other)
                    self._assign(
                        hit & self.open[i] & self._every_price_round(one, step), [i], "rounded_price", suspect
                    )

    def _every_price_round(self, _one: Floats, step: float) -> Bools:
        """Whether all differing prices of the row are rounded: one price may fall on a round number."""
        at = [self.cells.at(n) for n in self.prices]
        with np.errstate(invalid="ignore"):
            rounded = np.abs(self.cells.b[at] - np.rint(self.cells.a[at] / step) * step) < 1e-9
            back = np.abs(self.cells.a[at] - np.rint(self.cells.b[at] / step) * step) < 1e-9
        several = self.open[at].sum(axis=0) >= 2
        every: Bools = (rounded.all(axis=0) | back.all(axis=0)) & several
        return every

    def _reference(self) -> None:
        """The reference price of an ex-date is the plain close before."""
        i, c = self.cells.at("pre_close"), self.cells.at("close")
        if i < 0 or c < 0:
            return
        for one, other, suspect in (("b", "a", 2), ("a", "b", 1)):
            shown, before = self.cells.values[one][i], self.cells.values[f"{one}_prev"][c]
            truth, close = self.cells.values[other][i], self.cells.values[f"{other}_prev"][c]
            with np.errstate(invalid="ignore"):
                hit = (np.abs(shown - before) < 1e-6) & (np.abs(truth - close) > 0.004)
            self._assign(hit & self.open[i] & ~self.by_one_ratio()[0], [i], "pre_close_unadjusted", suspect)

    def _factors(self) -> None:
        """A factor that is still the one before, or already the one after."""
        i = self.cells.at("factor")
        if i < 0:
            return
        for one, other, suspect in (("b", "a", 2), ("a", "b", 1)):
            shown, truth = self.cells.values[one][i], self.cells.values[other][i]
            for step, name in (("prev", "late_factor"), ("next", "early_factor")):
                beside = self.cells.values[f"{one}_{step}"][i], self.cells.values[f"{other}_{step}"][i]
                with np.errstate(invalid="ignore"):
                    hit = self.near("factor", shown, beside[0]) & ~self.near("factor", truth, beside[1])
                self._assign(hit & self.open[i], [i], name, suspect)

    def _scope(self) -> None:
        """Equal prices, and a little less traded: the difference was traded at the close or at the open."""
        v, m, c, o = (self.cells.at(n) for n in ("volume", "amount", "close", "open"))
        if min(v, m, c) < 0:
            return
        with np.errstate(invalid="ignore", divide="ignore"):
            more, money = self.cells.b[v] - self.cells.a[v], self.cells.b[m] - self.cells.a[m]
            price = money / more
            small = np.abs(more) <= _SMALL * np.maximum(self.cells.a[v], self.cells.b[v])
            blur = 12.0 / np.abs(more) + 2e-3 * np.abs(self.cells.a[c]) * 0.25 + 0.006
            quiet = ~self.any(self.prices) & self.open[v] & self.open[m] & small & (more * money > 0)
            at_close = np.abs(price - self.cells.a[c]) <= blur
            at_open = (
                np.abs(price - self.cells.a[o]) <= blur if o >= 0 else np.zeros(len(self.cells), dtype=bool)
            )
        late = np.array(
            [self.codes[n].startswith(_LATE_BOARDS) for n in self.cells.instrument.tolist()], dtype=bool
        )
        at_close, at_open = quiet & at_close, quiet & at_open
        closes = np.bincount(self.cells.instrument[at_close & ~at_open], minlength=len(self.codes))
        opens = np.bincount(self.cells.instrument[at_open & ~at_close], minlength=len(self.codes))
        more_closes = (closes > opens)[self.cells.instrument] | (
            (closes == opens)[self.cells.instrument] & late
        )
        after = at_close & (~at_open | more_closes)
        self._assign(after, [v, m], "after_hours_volume", 0)
        self._assign(at_open & ~after, [v, m], "auction_volume", np.where(more < 0, 2, 1))

    def _restated(self) -> None:
        """Several cells differ and both rows are consistent in themselves."""
        v, m = self.cells.at("volume"), self.cells.at("amount")
        if len(self.prices) < 4:
            return
        several = self.open[[self.cells.at(n) for n in self.prices]].sum(axis=0) >= 1
        if min(v, m) >= 0:
            several &= self.open[v] & self.open[m]
            sound = self.sound("a", v, m) & self.sound("b", v, m)
            hit = several & sound
            at = [
                self.cells.at(n)
                for n in (*self.prices, "volume", "amount", "pct_chg", "change", "turnover")
                if self.cells.at(n) >= 0
            ]
            self._assign(hit, at, "restated_bar", 0)
            self.whole |= hit

    def _digits(self) -> None:
        """Volumes and amounts that agree to seven digits."""
        for name in ("volume", "amount"):
            i = self.cells.at(name)
            if i >= 0:
                with np.errstate(invalid="ignore"):
                    size = np.maximum(np.abs(self.cells.a[i]), np.abs(self.cells.b[i]))
                    hit = np.abs(self.cells.b[i] - self.cells.a[i]) <= _SEVEN_DIGITS * size
                round_a, round_b = (np.mod(x[i], 1000) == 0 for x in (self.cells.a, self.cells.b))
                hit &= _is_single(self.cells.a[i]) | _is_single(self.cells.b[i]) | (round_a == round_b)
                self._assign(hit & self.open[i], [i], "float32", 0)

    def _one_ratio(self) -> None:
        """All prices of a row off by one ratio: another factor on this day. Between adjusted prices, the one
        that is too low has not stepped yet, the one that is too high has stepped before its time.
        """
        hit, ratio = self.by_one_ratio()
        if not hit.any():
            return
        rough = self.rougher(ratio)
        if self.adjusted:
            step = hit & (np.abs(ratio - 1) > _STEP)
            for low, own in ((2, step & (ratio < 1)), (1, step & (ratio > 1))):
                late = float((rough[own] if low == 2 else -rough[own]).sum()) > -0.5 * own.sum()
                self._take(
                    own, "late_factor" if late else "early_factor", low if late else 3 - low, whole=True
                )
        self._take(hit, "other_factor", np.where(rough > 1, 2, np.where(rough < -1, 1, 0)), whole=True)

    def _rest(self, name: str) -> None:
        for i, field in enumerate(self.cells.fields):
            lone = np.isnan(self.cells.a[i]) ^ np.isnan(self.cells.b[i])
            self._assign(self.open[i] & lone, [i], "missing_value", np.where(np.isnan(self.cells.a[i]), 1, 2))
            plain = "flag_differs" if field in FLAGS else name or f"wrong_{field}"
            self._assign(self.open[i].copy(), [i], plain, self.outside(i, 0))

    # -- marking

    def _take(self, hit: Bools, name: str, suspect: int | Ints, *, whole: bool) -> None:
        rows = hit & self.open.any(axis=0)
        if whole:
            self.whole |= rows
        for i in range(len(self.cells.fields)):
            self._assign(rows & self.open[i], [i], name, suspect)

    def _assign(self, hit: Bools, at: Sequence[int], name: str, suspect: int | Ints) -> None:
        if not hit.any():
            return
        if name not in self.names:
            self.names.append(name)
        number = self.names.index(name)
        who = np.broadcast_to(np.asarray(suspect), hit.shape)
        for i in at:
            cells = hit & self.open[i]
            self.cause[i, cells] = number
            self.suspect[i, cells] = who[cells]
            self.open[i, cells] = False


def _is_single(values: Floats) -> Bools:
    """Numbers beyond seven digits that float32 holds exactly."""
    single: Bools = (values == values.astype(np.float32)) & (np.abs(values) > 2**24)
    return single
