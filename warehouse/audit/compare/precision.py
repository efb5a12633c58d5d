"""How finely a relation prints its numbers, and what two relations may differ by because of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.relation import PRICES, Floats, Tolerance

SAMPLE: Final = 20_000
_DIGITS: Final = range(-4, 7)
_ALL_BUT: Final = 0.997
FLOAT32: Final = 6.1e-8
"""Half a step of float32, relative."""
NOISE: Final = 1e-11
"""What arithmetic in float64 adds, relative."""


@dataclass(frozen=True, slots=True)
class Precision:
    """``quantum``: every value is a multiple of it; 0 = finer than six decimals. ``single``: float32."""

    quantum: float
    single: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a field may differ by: ``abs`` plus ``rel`` of the value, because someone declared it or because a
    source prints no more digits. ``why`` names the class.
    """

    abs: float
    rel: float
    why: str
    detail: str
    coarse: bool = False
    """Whether it is more than what was declared, for amounts and volumes in large units."""

    def covers(self, a: Floats, b: Floats) -> Floats:
        """How far two values may lie apart."""
        size: Floats = np.maximum(np.abs(a), np.abs(b))
        return self.abs + self.rel * size + NOISE * size


def precision(values: Floats) -> Precision:
    """The precision of a sample of values; single values printed finer do not count."""
    known = values[np.isfinite(values) & (values != 0)]
    if not known.size:
        return Precision(0.0)
    known = _sample(known)
    for digits in _DIGITS:
        scaled = known * 10.0**digits
        off = np.abs(scaled - np.rint(scaled)) > 1e-6 + 1e-11 * np.abs(scaled)
        if off.mean() <= 1 - _ALL_BUT:
            return Precision(10.0**-digits, _is_single(known) and bool(np.abs(known).max() > 2**24))
    return Precision(0.0, _is_single(known))


def allowances(
    sides: Mapping[str, tuple[Precision, Precision]], declared: Mapping[str, Tolerance]
) -> dict[str, Allowance]:
    """What each field may differ by."""
    return {name: _allowance(name, a, b, declared.get(name)) for name, (a, b) in sides.items()}


def _allowance(name: str, a: Precision, b: Precision, declared: Tolerance | None) -> Allowance:
    said = declared or Tolerance()
    coarse, fine = max(a.quantum, b.quantum), min(a.quantum, b.quantum)
    single = (a.single or b.single) and not (a.single and b.single)
    rel = max(said.rel, FLOAT32 if single else 0.0)
    large = name in ("volume", "amount") and coarse >= 100  # cut off as often as rounded
    edge = 1 - 1e-6 if large or name == "volume" else 0.5 + 5e-7
    rounding = coarse * edge if coarse > fine and not single else 0.0
    if rounding > said.abs:
        digits = f"multiples of {coarse:g} against {fine:g}" if fine else f"multiples of {coarse:g}"
        return Allowance(rounding, rel, "rounding", digits, coarse=large and said != Tolerance())
    if single:
        digits = "seven digits, float32" + (f", or within {said.abs:g}" if said.abs else "")
        return Allowance(said.abs, rel, "float32", digits)
    why = "rounding" if name in ("amount", "volume") or name in PRICES else "tolerance"
    return Allowance(said.abs, rel, why, f"within {said.abs:g}" + (f" or {rel:.1e} of it" if rel else ""))


def _is_single(values: Floats) -> bool:
    same = values == values.astype(np.float32).astype(np.float64)
    return bool(same.mean() > _ALL_BUT)


def _sample(values: Floats) -> Floats:
    if values.size <= SAMPLE:
        return values
    step = values.size / SAMPLE
    picked: Floats = values[(np.arange(SAMPLE) * step).astype(np.int64)]
    return picked
