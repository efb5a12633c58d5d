"""Units from the data: the power of ten between two columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.align import Matched
from quant.warehouse.audit.compare.relation import ADJUSTED, PRICES, Bools, Floats

_MOST: Final = 0.9
_FEWEST: Final = 5
_CLOSE: Final = 0.005
_LOOKED_AT: Final = 2_000
_PRICED: Final = 0.05
_NEVER: Final = ("factor",)


Scales = Mapping[str, tuple[float, float]]
"""By field: what a and b are multiplied by. One of the two is 1; the coarser unit is scaled up."""
PLAIN: Final = (1.0, 1.0)


def scaled_by(name: str, large: Floats, small: Floats, unit: float) -> Bools:
    """Where ``small`` times ``unit`` is ``large``: prices to their last digit, amounts and volumes to whole
    units or to half a percent, since what is left is a matter of its own.
    """
    off = np.abs(small * unit - large)
    if name in PRICES or name in ADJUSTED:
        near: Bools = off <= np.maximum(0.0051 * unit, 1e-6 * np.abs(large))
        return near & (np.abs(small) > 0.02)
    loose: Bools = (off <= unit * 1.001) & (np.abs(large) > 3 * unit)
    return loose | (off <= _CLOSE * np.abs(large))


def scale_of(name: str, a: Floats, b: Floats) -> tuple[float, int, int]:
    """The power of ten by which b must be multiplied to give a, on how many of how many cells it does.

    1.0 unless nine of ten cells say the same. Whole units may be cut off, as shares that do not fill a lot.
    """
    with np.errstate(invalid="ignore"):
        ok = np.isfinite(a) & np.isfinite(b) & (a != 0) & (b != 0) & (a * b > 0)
    total = int(ok.sum())
    if total < _FEWEST or name in _NEVER:
        return 1.0, 0, total
    ratio = a[ok] / b[ok]
    power = int(np.rint(np.median(np.log10(ratio))))
    if power == 0:
        return 1.0, 0, total
    scale = 10.0**power
    large, small = (a[ok], b[ok]) if power > 0 else (b[ok], a[ok])
    unit = 10.0 ** abs(power)
    near = scaled_by(name, large, small, unit)
    if near.mean() < _MOST:
        return 1.0, int(near.sum()), total
    return scale, int(near.sum()), total


def priced_wrong(name: str, matched: Matched) -> str:
    """The side whose amount by volume is a power of ten off its prices while the other's is not; "" where
    neither or both are, or one of the three columns is missing.
    """
    if name not in ("volume", "amount"):
        return ""
    off = []
    for side, rows in ((matched.a, matched.rows_a), (matched.b, matched.rows_b)):
        if not {"close", "volume", "amount"} <= set(side.frame.columns):
            return ""
        at = rows(np.arange(0, len(matched.day), max(1, len(matched.day) // _LOOKED_AT)))
        close, volume, amount = (side.values(n, at) for n in ("close", "volume", "amount"))
        with np.errstate(invalid="ignore", divide="ignore"):
            power = np.log10(amount / volume / close)
        power = power[np.isfinite(power)]
        off.append(float(np.median(power)) if power.size else np.nan)
    right = [abs(x) < _PRICED for x in off]
    if right[0] == right[1]:
        return ""
    return "b" if right[0] else "a"
