"""What rows that differ show by themselves: order, averages, repeats, and who stands against the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.cells import Cells
from quant.warehouse.audit.compare.precision import Allowance
from quant.warehouse.audit.compare.relation import ADJUSTED, OHLC, Bools, Floats, Ints

_CENTS: Final = 0.0251
"""Prices off by a cent or two are off by any ratio near 1."""


class Evidence:
    """Tests of rows; ``open`` marks the cells that nothing explains yet."""

    def __init__(self, cells: Cells, allowances: Mapping[str, Allowance]) -> None:
        self.cells, self.allowances = cells, allowances
        self.prices = [n for n in OHLC if n in cells.fields]
        self.open = cells.bad.copy()

    def outside(self, i: int, otherwise: int) -> Ints:
        """Whose close is not the next reference price, or who breaks low <= price <= high."""
        field = self.cells.fields[i]
        who = np.full(len(self.cells), otherwise, dtype=np.int64)
        if field in OHLC and {"low", "high"} <= set(self.cells.fields):
            breaks = [~self.ordered(side) for side in "ab"]
            who = np.where(breaks[0] & ~breaks[1], 1, np.where(breaks[1] & ~breaks[0], 2, who))
        p = self.cells.at("pre_close")
        if field == "close" and p >= 0:
            after_a, after_b = self.cells.values["a_next"][p], self.cells.values["b_next"][p]
            with np.errstate(invalid="ignore"):
                right_a = (np.abs(after_a - self.cells.a[i]) < 1e-6) & (
                    np.abs(after_b - self.cells.a[i]) < 1e-6
                )
                right_b = (np.abs(after_a - self.cells.b[i]) < 1e-6) & (
                    np.abs(after_b - self.cells.b[i]) < 1e-6
                )
            who = np.where(right_a & ~right_b, 2, np.where(right_b & ~right_a, 1, who))
        v, m = self.cells.at("volume"), self.cells.at("amount")
        if field in ("volume", "amount") and min(v, m) >= 0 and len(self.prices) == 4:
            sound = [self.sound(side, v, m) for side in "ab"]
            who = np.where(sound[0] & ~sound[1], 2, np.where(sound[1] & ~sound[0], 1, who))
        return who

    def ordered(self, side: str) -> Bools:
        value = {n: self.cells.values[side][self.cells.at(n)] for n in self.prices}
        ok = value["low"] <= value["high"] + 1e-9
        for name in ("open", "close"):
            if name in value:
                ok = ok & (value["low"] <= value[name] + 1e-9) & (value[name] <= value["high"] + 1e-9)
        known: Bools = ok
        return known

    def disordered(self) -> Ints:
        if not {"low", "high"} <= set(self.prices):
            return np.zeros(len(self.cells), dtype=np.int64)
        a, b = self.ordered("a"), self.ordered("b")
        return np.where(a & ~b, 2, np.where(b & ~a, 1, 0))

    def sound(self, side: str, v: int, m: int) -> Bools:
        """Ordered prices, and an average price within the day's range."""
        values = self.cells.values[side]
        with np.errstate(invalid="ignore", divide="ignore"):
            average = values[m] / values[v]
            low, high = values[self.cells.at("low")], values[self.cells.at("high")]
            sound: Bools = (
                self.ordered(side) & (average >= low * 0.999 - 0.006) & (average <= high * 1.001 + 0.006)
            )
        return sound

    def any(self, names: Sequence[str]) -> Bools:
        at = [self.cells.at(n) for n in names]
        if not at:
            return np.zeros(len(self.cells), dtype=bool)
        some: Bools = np.any(self.open[at], axis=0)
        return some

    def equal(self, one: str, other: str, names: Sequence[str]) -> Bools:
        equal = np.ones(len(self.cells), dtype=bool)
        for name in names:
            i = self.cells.at(name)
            equal &= self.near(name, self.cells.values[one][i], self.cells.values[other][i])
        return equal

    def near(self, name: str, x: Floats, y: Floats) -> Bools:
        with np.errstate(invalid="ignore"):
            near: Bools = np.abs(x - y) <= self.room(name, x, y)
        return near

    def room(self, name: str, x: Floats, y: Floats) -> Floats:
        allowance = self.allowances.get(name)
        room = allowance.covers(x, y) if allowance else np.zeros(len(x))
        return room + (1e-9 if name not in ADJUSTED else 1e-6)

    def several(self, names: Sequence[str]) -> Bools:
        """Rows in which more than one of the fields differs: a single price may repeat by chance."""
        at = [self.cells.at(n) for n in names]
        several: Bools = self.open[at].sum(axis=0) >= min(2, len(at))
        return several

    def by_one_ratio(self) -> tuple[Bools, Floats]:
        """Rows whose prices are all off by one ratio of b to a, by more than cents are, and the ratio."""
        at = [self.cells.at(n) for n in self.prices]
        if len(at) < 3:
            return np.zeros(len(self.cells), dtype=bool), np.ones(len(self.cells))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = self.cells.b[at] / self.cells.a[at]
            middle = np.median(ratio, axis=0)
            off = np.abs(self.cells.b[at] - middle * self.cells.a[at])
            near = (off <= 0.0151 * np.maximum(middle, 1.0)) & self.open[at]
            apart = np.median(np.abs(self.cells.b[at] - self.cells.a[at]), axis=0) > _CENTS
        every: Bools = np.all(near, axis=0) & apart
        return every, middle

    def rougher(self, ratio: Floats) -> Floats:
        """By how many times the ratio b leaves its neighbouring closes and comes back more than a does; below
        0 where a does, between -2 and 2.
        """
        c = self.cells.at("close")
        if c < 0:
            return np.zeros(len(self.cells))
        values = self.cells.values
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b = (
                np.abs(np.log(values[side][c] / values[f"{side}_prev"][c]))
                + np.abs(np.log(values[f"{side}_next"][c] / values[side][c]))
                for side in "ab"
            )
            more = (b - a) / np.maximum(np.abs(np.log(ratio)), 1e-9)
        return np.where(np.isfinite(more), np.clip(more, -2.0, 2.0), 0.0)
