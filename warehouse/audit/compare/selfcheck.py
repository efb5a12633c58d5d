"""Whether a source's own columns tell one story: raw, adjusted, factor, reference price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.adjustment import DECLARED, is_additive, match_steps, reference_gaps, shape
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.pairs import Pair, Values, closes_before
from quant.warehouse.audit.compare.pieces import Fit, fit
from quant.warehouse.audit.compare.relation import OHLC, Bools, Claims, Floats, Ints
from quant.warehouse.audit.compare.telling import Settings

_FAMILIES: Final = ("adj_", "qfq_", "hfq_")
_FEWEST: Final = 3
_SMALLEST: Final = 5e-4
"""What the smallest distribution moves a factor by, relative; less is a vendor's rounding."""


def check_sides(pair: Pair, settings: Settings) -> list[Found]:
    """What either side's own columns, and what it says of them, contradict."""
    found = []
    steps = _distributions(pair)
    for name, values, quantum, claims in (
        ("a", pair.a, 0, settings.claims_a),
        ("b", pair.b, 1, settings.claims_b),
    ):
        found += _Side(pair, settings, name, values, quantum, claims, steps).check()
    return found


def _distributions(pair: Pair) -> Bools:
    """Rows on which any column of either side shows a distribution."""
    steps = np.zeros(len(pair.day), dtype=bool)
    for side, values in (("a", pair.a), ("b", pair.b)):
        if "close" in values and "pre_close" in values:
            steps |= _gaps({**values, "before": closes_before(pair, side)})
        if "factor" in values:
            steps |= _factor_steps(values["factor"])
        for family in _FAMILIES:
            if family + "close" in values and "close" in values:
                with np.errstate(invalid="ignore", divide="ignore"):
                    ratio = values[family + "close"] / values["close"]
                    ratio = np.where(values["close"] > 0, ratio, np.nan)
                    change = np.r_[0.0, np.abs(np.diff(ratio)) / np.abs(ratio[1:])]
                    blur = 0.02 / np.maximum(np.abs(values[family + "close"]), 0.01) + 0.02 / values["close"]
                    steps |= change > np.maximum(blur, 0.004)
    return steps


class _Side:
    def __init__(
        self,
        pair: Pair,
        settings: Settings,
        name: str,
        values: Values,
        quantum: int,
        claims: Claims,
        steps: Bools,
    ) -> None:
        self.pair, self.settings, self.name, self.values = pair, settings, name, values
        self.claims, self.steps = claims, steps
        self.number = quantum

    def quantum(self, field: str) -> float:
        return self.settings.quanta.get(field, (0.0, 0.0))[self.number]

    def check(self) -> list[Found]:
        found = [*self._claim()]
        for family in _FAMILIES:
            if family + "close" in self.values:
                found += self._family(family)
        if "factor" in self.values and "pre_close" in self.values and "close" in self.values:
            found += self._factor_chain()
        return found

    def _claim(self) -> list[Found]:
        """Prices said to be adjusted, equal to those of a source that is not, across distributions."""
        other = self.settings.claims_b if self.name == "a" else self.settings.claims_a
        if self.claims.adjustment not in DECLARED or other.adjustment in DECLARED:
            return []
        both = self.pair.both & np.isfinite(self.pair.a["close"]) & np.isfinite(self.pair.b["close"])
        rows = np.flatnonzero(both & (self.pair.a["close"] != 0))
        count = int(self.steps[rows].sum())
        with np.errstate(invalid="ignore"):
            off = np.abs(self.pair.a["close"] - self.pair.b["close"])[rows] > 0.006
        if len(rows) < _FEWEST or not count or off.mean() > 0.01:
            return []
        detail = f"declared {self.claims.adjustment}, equal to the prices as traded on {len(rows)} rows"
        detail += f" with {count} distributions"
        return [self._found("false_adjusted", "prices", rows, detail)]

    def _family(self, family: str) -> list[Found]:
        names = [n for n in OHLC if n in self.values and family + n in self.values]
        rows = self._rows([*names, *(family + n for n in names)])
        if len(rows) < _FEWEST:
            return []
        raw = np.stack([self.values[n][rows] for n in names])
        own = np.stack([self.values[family + n][rows] for n in names])
        law = fit(raw, own, self.quantum("close"), self.quantum(family + "close"))
        count = int(self.steps[rows].sum())
        label = f"{family}close"
        if law.model == "same" or (law.model == "ratio" and law.pieces == 1):
            if not count:
                return []
            what = "equal to" if law.model == "same" else f"{shape(law)} of"
            detail = f"{what} the unadjusted column on {len(rows)} rows across {count} distributions"
            return [self._found("false_adjusted", label, rows, detail)]
        if is_additive(law):
            return [self._found("additive_adjustment", label, rows, shape(law))]
        return [*self._missing_steps(law, rows, label), *self._product(family, rows)]

    def _missing_steps(self, law: Fit, rows: Ints, label: str) -> list[Found]:
        if "pre_close" not in self.values or law.model != "ratio":
            return []
        raw = self._at(rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            level = raw[label] / raw["close"]
        steps = match_steps(law, raw, True, level)
        found = [
            self._found("missing_factor_step", label, rows[[gap]], "no step on an ex-date")
            for gap in steps.missed if steps.on
        ]  # fmt: skip
        for kind, moved in (("late_factor", steps.late), ("early_factor", steps.early)):
            found += [
                self._found(kind, label, rows[[gap]], f"the step is {abs(step - gap)} rows off")
                for gap, step in moved
            ]
        return found

    def _product(self, family: str, rows: Ints) -> list[Found]:
        """raw x factor against the adjusted column: a constant ratio when the factor belongs to it."""
        if "factor" not in self.values or np.isnan(self.values["factor"][rows]).all():
            return []
        factor = self.values["factor"][rows]
        close, own = self.values["close"][rows], self.values[family + "close"][rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = own / (close * factor)
            blur = 0.006 / np.abs(own) + 0.006 / np.abs(close) + 6e-4
            level = float(np.nanmedian(ratio))
            odd = np.abs(ratio / level - 1) > blur
        if odd.mean() < 0.02:
            return []
        detail = (
            f"{family}close / (close x factor) leaves {level:.6g} on {int(odd.sum())} of {len(rows)} rows"
        )
        return [self._found("factor_inconsistent", "factor", rows[odd], detail)]

    def _factor_chain(self) -> list[Found]:
        """Steps of the factor against the gaps between reference price and close."""
        rows = self._rows(["close", "factor"])
        if len(rows) < _FEWEST:
            return []
        values = self._at(rows)
        gaps, steps = _gaps(values), _factor_steps(values["factor"])
        before = values["before"]
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.abs(before - values["pre_close"]) / before
            coarse = _coarseness(values["factor"])
            clear = gaps & (size > 0.02 / before + 2 * coarse)
        found = []
        for row in np.flatnonzero(clear & ~steps).tolist():
            near = [s for s in range(row + 1, min(row + 4, len(rows))) if steps[s] and not gaps[s]]
            early = [s for s in range(max(row - 3, 1), row) if steps[s] and not gaps[s]]
            kind = "late_factor" if near else "early_factor" if early else "missing_factor_step"
            detail = f"reference price {values['pre_close'][row]:g} after a close of {before[row]:g}"
            found.append(self._found(kind, "factor", rows[[row]], detail))
        return found

    def _at(self, rows: Ints) -> Values:
        """This side's columns at some rows, and the close before each."""
        own = {n: v[rows] for n, v in self.values.items()}
        return {**own, "before": closes_before(self.pair, self.name)[rows]}

    def _rows(self, names: Sequence[str]) -> Ints:
        ok = self.pair.has_a if self.name == "a" else self.pair.has_b
        for name in names:
            ok = ok & np.isfinite(self.values[name])
        return np.flatnonzero(ok)

    def _found(self, cause: str, field: str, rows: Ints, detail: str) -> Found:
        day = self.pair.day[rows]
        return Found(
            cause, field, self.pair.instrument, int(day[0]), int(day[-1]), len(rows), detail, self.name,
            rows=len(self.pair.day),
        )  # fmt: skip


def _gaps(values: Values) -> Bools:
    gaps = reference_gaps(values)
    gaps[:1] = False
    return gaps


def _factor_steps(factor: Floats) -> Bools:
    known = np.flatnonzero(np.isfinite(factor))
    steps = np.zeros(len(factor), dtype=bool)
    if len(known) > 1:
        change = np.abs(np.diff(factor[known])) > _SMALLEST * np.abs(factor[known][1:])
        steps[known[1:]] = change
    return steps


def _coarseness(factor: Floats) -> float:
    """Half of the last printed digit, relative to the factor."""
    typical = float(np.nanmedian(np.abs(factor)))
    for digits in range(1, 9):
        if np.nanmax(np.abs(factor * 10**digits - np.rint(factor * 10**digits))) < 1e-6:
            return 0.5 * 10.0**-digits / max(typical, 1e-9)
    return 0.0
