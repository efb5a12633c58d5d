"""One instrument's series while it is judged: what differs, what has been told, what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from quant.warehouse.audit.compare.adjustment import Named
from quant.warehouse.audit.compare.causes import Kind
from quant.warehouse.audit.compare.cells import BESIDE, Cells
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.pairs import Pair, nearest
from quant.warehouse.audit.compare.precision import Allowance
from quant.warehouse.audit.compare.relation import FLAGS, PRICES, Bools, Claims, Floats, Ints


@dataclass(frozen=True, slots=True)
class Settings:
    """What judging a series needs beside its numbers."""

    fields: tuple[str, ...]
    allowances: Mapping[str, Allowance]
    quanta: Mapping[str, tuple[float, float]]
    claims_a: Claims
    claims_b: Claims
    silent: frozenset[str] = frozenset()
    """Fields of which one side never says anything."""
    lean: Mapping[str, Named] = field(default_factory=dict)
    """What most instruments show, by family of prices."""


@dataclass(slots=True)
class Judged:
    """What was found for whole series, and the cells that they leave unexplained."""

    found: list[Found] = field(default_factory=list)
    cells: list[Cells] = field(default_factory=list)
    told: list[tuple[str, Kind, Ints]] = field(default_factory=list)
    """Cells that a law over the whole series explains: field, kind of the cause, days."""
    named: dict[str, Named] = field(default_factory=dict)
    """The adjustment behind the law of each family of prices."""

    def add(self, other: Judged) -> None:
        self.found += other.found
        self.cells += other.cells
        self.told += other.told


class Telling:
    """What every judge of a series needs; ``bad`` marks the cells that nothing explains yet."""

    def __init__(self, pair: Pair, settings: Settings, into: Judged, untrue: Sequence[str]) -> None:
        self.pair, self.settings, self.into, self.untrue = pair, settings, into, untrue
        self.own, self.scaled = dict(pair.a), dict(pair.b)
        self.bad: dict[str, Bools] = {name: self.differs(name) for name in settings.fields}
        self.scale: Floats | None = None
        """By what the prices of a are multiplied to give those of b, row by row."""

    def differs(self, name: str, widen: float = 0.0) -> Bools:
        """Where a field of both rows is further apart than is allowed, and than ``widen``."""
        if name in self.settings.silent:
            return np.zeros(len(self.pair.day), dtype=bool)
        a, b = self.own[name], self.scaled[name]
        allowance = self.settings.allowances.get(name)
        with np.errstate(invalid="ignore"):
            far = allowance.covers(a, b) if allowance else np.zeros(len(a))
            off: Bools = (np.abs(b - a) > np.maximum(far, widen)) & ~(a == b)
        lone = np.isnan(a) ^ np.isnan(b)
        asleep = self.asleep()
        if name in FLAGS:
            lone[:] = False
        return self.pair.both & (off | (lone & ~asleep)) & ~(asleep & (name in PRICES))

    def asleep(self) -> Bools:
        asleep = np.zeros(len(self.pair.day), dtype=bool)
        for side in (self.pair.a, self.pair.b):
            if "volume" in side:
                asleep |= side["volume"] == 0
            if "suspended" in side:
                asleep |= side["suspended"] == 1
        return asleep

    def settle(self, name: str, rows: Ints, kind: Kind) -> None:
        settled = rows[self.bad[name][rows]]
        self.into.told.append((name, kind, self.pair.day[settled]))
        self.bad[name][settled] = False

    def leave(self) -> None:
        names = self.settings.fields
        bad = np.stack([self.bad[name] for name in names])
        rows = np.flatnonzero(bad.any(axis=0))
        if not rows.size:
            return
        own_a, own_b = np.stack([self.own[n] for n in names]), np.stack([self.scaled[n] for n in names])
        known_a, known_b = self.pair.has_a & ~self.asleep(), self.pair.has_b & ~self.asleep()
        beside = {
            "a_prev": nearest(own_a, known_a, rows, -1),
            "a_next": nearest(own_a, known_a, rows, 1),
            "b_prev": nearest(own_b, known_b, rows, -1),
            "b_next": nearest(own_b, known_b, rows, 1),
        }
        values = {"a": own_a[:, rows], "b": own_b[:, rows], **{name: beside[name] for name in BESIDE}}
        number = np.full(len(rows), self.pair.instrument, dtype=np.int64)
        self.into.cells.append(Cells(names, number, self.pair.day[rows], values, bad[:, rows]))

    def add(
        self,
        why: str,
        names: Sequence[str],
        rows: Ints,
        detail: str,
        *,
        suspect: str = "",
        kind: Kind | None = None,
        field: str = "",
    ) -> None:
        differs = np.zeros(len(self.pair.day), dtype=bool)
        for name in names:
            differs |= self.bad[name]
        shown = rows[differs[rows]]
        if not shown.size:
            return
        close = next((n for n in names if n.endswith("close")), names[0])
        a, b = self.pair.a[close][shown], self.pair.b[close][shown]
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.abs(b - a)
            relative = off / np.maximum(np.abs(a), np.abs(b))
        worst = int(np.nanargmax(off))
        label = field or ("prices" if len(names) > 1 else names[0])
        self.into.found.append(Found(
            why, label, self.pair.instrument, int(self.pair.day[shown[0]]), int(self.pair.day[shown[-1]]),
            len(shown) * len(names), detail, suspect, kind,
            float(a[worst]), float(b[worst]), float(off[worst]), float(np.nanmax(relative)), len(rows),
        ))  # fmt: skip

    def one(
        self, why: str, names: Sequence[str], first: int, last: int, rows: int, detail: str, suspect: str
    ) -> None:
        close = next((n for n in names if n.endswith("close")), names[0])
        self.into.found.append(Found(
            why, close, self.pair.instrument, int(self.pair.day[first]), int(self.pair.day[last]), rows,
            detail, suspect, None, float(self.pair.a[close][first]), float(self.pair.b[close][first]),
        ))  # fmt: skip
