"""Units from the data: the power of ten between two columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.relation import OHLC, Floats

_MOST: Final = 0.9
_FEWEST: Final = 5
_NEVER: Final = ("factor",)


Scales = Mapping[str, tuple[float, float]]
"""By field: what a and b are multiplied by. One of the two is 1; the coarser unit is scaled up."""
PLAIN: Final = (1.0, 1.0)


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
    room = 1e-6 * large if name in OHLC else np.maximum(unit * 1.001, 1e-6 * large)
    near = np.abs(small * unit - large) <= room
    near &= np.abs(np.log10(ratio) - power) < 0.2
    if near.mean() < _MOST:
        return 1.0, int(near.sum()), total
    return scale, int(near.sum()), total
