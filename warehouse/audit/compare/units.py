"""Units and digits of two relations, learnt from a sample of the rows that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.align import Matched
from quant.warehouse.audit.compare.causes import Kind, unit_cause
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.precision import Allowance, Precision, allowances, precision
from quant.warehouse.audit.compare.relation import (
    ADJUSTED,
    FLAGS,
    OHLC,
    PRICES,
    Floats,
    Ints,
    Relation,
    Tolerance,
)
from quant.warehouse.audit.compare.scales import (
    PLAIN,
    lots_by_price,
    priced_wrong,
    printed_scale,
    scale_of,
)

_SAMPLE: Final = 50_000
_LOT: Final = 100.0


@dataclass(slots=True)
class Units:
    """``scales`` undo other units, ``undone`` are their fields and what kind of finding that is;
    ``allowances`` follow from the digits, ``quanta`` are the digits of both sides after scaling.
    """

    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    quanta: dict[str, tuple[float, float]] = field(default_factory=dict)
    scales: dict[str, tuple[float, float]] = field(default_factory=dict)
    undone: dict[str, Kind] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)


def learn_units(
    matched: Matched,
    fields: Sequence[str],
    relations: tuple[Relation, Relation],
    tolerances: Mapping[str, Tolerance],
) -> Units:
    """Recognise the unit of each field, then what its digits allow."""
    return _Learning(matched, [n for n in fields if n not in FLAGS], relations).run(tolerances)


class _Learning:
    def __init__(
        self, matched: Matched, fields: Sequence[str], relations: tuple[Relation, Relation]
    ) -> None:
        self.matched, self.fields = matched, fields
        self.a, self.b = relations
        self.units = Units()
        self.picked: Ints = np.arange(0, len(matched.day), max(1, len(matched.day) // _SAMPLE))

    def run(self, tolerances: Mapping[str, Tolerance]) -> Units:
        sampled = {name: self._sampled(name) for name in self.fields}
        prices = [sampled[n] for n in OHLC if n in sampled]
        both = [np.concatenate(side) for side in zip(*prices, strict=True)]
        shown = printed_scale(*both) if prices else 1.0
        for name, (a, b) in sampled.items():
            scale, count, total = scale_of(name, a, b)
            text = f"gives the other on {count} of {total} rows looked at"
            if scale == 1.0 and name in OHLC:
                scale, text = shown, "by the digits of both: whole numbers against decimals"
            if scale != 1.0:
                self._scaled(name, scale, text)
        if "volume" in sampled and "volume" not in self.units.scales:
            side = lots_by_price(self.matched, self.picked, self.units.scales)
            if side:
                self._scaled("volume", _LOT if side == "b" else 1 / _LOT, "by its amounts and prices")
        self._prices_once()
        sides = {name: self._precision(name, a, b) for name, (a, b) in sampled.items()}
        _as_fine_as_each_other(sides)
        self.units.quanta = {name: (a.quantum, b.quantum) for name, (a, b) in sides.items()}
        self.units.allowances = allowances(sides, tolerances)
        return self.units

    def _sampled(self, name: str) -> tuple[Floats, Floats]:
        one, two = self.matched.a, self.matched.b
        return (
            one.values(name, self.matched.rows_a(self.picked)),
            two.values(name, self.matched.rows_b(self.picked)),
        )

    def _precision(self, name: str, a: Floats, b: Floats) -> tuple[Precision, Precision]:
        times = self.units.scales.get(name, PLAIN)
        return precision(a * times[0]), precision(b * times[1])

    def _scaled(self, name: str, scale: float, text: str) -> None:
        """Remember a unit; the coarser side is scaled up."""
        if name in PRICES or name in ADJUSTED:
            self.units.scales[name] = (1 / scale, 1.0) if scale > 1 else (1.0, scale)
        else:
            self.units.scales[name] = (1.0, scale) if scale > 1 else (1 / scale, 1.0)
        power = round(float(np.log10(scale)))
        declared = self.a.claims.units and self.b.claims.units
        kind: Kind = "defect" if declared else "convention"
        self.units.undone[name] = kind
        small, large = ("b", "a") if power > 0 else ("a", "b")
        whole = name in PRICES or name in ADJUSTED  # the larger prices are the ones in cents
        suspect = priced_wrong(name, self.matched) or (large if whole else small)
        who, times = ("{b}", power) if suspect == "b" else ("{a}", -power)
        detail = f"{name} of {who} x 1e{times} {text}"
        self.units.notes.append(detail.replace("{a}", self.a.name).replace("{b}", self.b.name))
        self.units.found.append(Found(
            unit_cause(name, power, declared=declared), name, -1, int(self.matched.day.min()),
            int(self.matched.day.max()), len(self.matched.day), detail, suspect, kind,
        ))  # fmt: skip

    def _prices_once(self) -> None:
        """Prices in one other unit are one finding."""
        own = [f for f in self.units.found if f.cause == "price_scale" and f.field in OHLC]
        if len({self.units.scales[f.field] for f in own}) == 1 and len(own) > 1:
            self.units.found = [f for f in self.units.found if f not in own[1:]]
            at = self.units.found.index(own[0])
            cells = sum(f.cells for f in own)
            self.units.found[at] = replace(own[0], field="prices", cells=cells)


def _as_fine_as_each_other(sides: dict[str, tuple[Precision, Precision]]) -> None:
    """Give open, high, low and close of a side the finest digits of the four: one sample may lack them."""
    own = [name for name in OHLC if name in sides]
    for side in (0, 1):
        known = [sides[name][side].quantum for name in own if sides[name][side].quantum]
        for name in own:
            if known and sides[name][side].quantum:
                pair = list(sides[name])
                pair[side] = replace(pair[side], quantum=min(known))
                sides[name] = (pair[0], pair[1])
