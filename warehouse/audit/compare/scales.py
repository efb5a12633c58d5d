"""Units from the data: the power of ten between two columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.align import Matched
from quant.warehouse.audit.compare.relation import ADJUSTED, PRICES, Bools, Floats, Ints

_MOST: Final = 0.9
_FEWEST: Final = 5
_CLOSE: Final = 0.005
_LOOKED_AT: Final = 2_000
_PRICED: Final = 0.05
_EXACT: Final = 1e-5
_FAR: Final = 1.3
"""How far from 1, as a power of ten, prices must be for their digits to say more than an adjustment does."""
_CENTS: Final = 2
_ZEROS: Final = (4, 3, 2, 1, 0)
_NEARLY: Final = 0.95
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
    if near.mean() < _MOST and (name in PRICES or name in ADJUSTED):
        exact = abs(float(np.median(large / (small * unit))) - 1) <= _EXACT
        about = np.abs(large / (small * unit) - 1) <= 2 * _CLOSE
        near = about if exact and about.mean() >= _MOST else near  # vendors who disagree on many prices
    if near.mean() < _MOST:
        return 1.0, int(near.sum()), total
    return scale, int(near.sum()), total


def printed_scale(a: Floats, b: Floats) -> float:
    """The power of ten by which b must be multiplied to stand in a's unit, by the digits of both; 1.0 where
    they do not show it: whole cents, mills or parts of them against prices with decimals, far apart. The
    series may be adjusted differently as well, so that no ratio between them is a power of ten.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = float(np.nanmedian(np.log10(a / b)))
    if not np.isfinite(ratio) or abs(ratio) < _FAR:
        return 1.0
    large, small = (a, b) if ratio > 0 else (b, a)
    zeros = next((n for n in _ZEROS if _whole(large, 10.0**n)), None)
    if zeros is None or _whole(small, 1.0):
        return 1.0
    power = zeros + _CENTS
    if not abs(abs(ratio) - power) < _FAR:
        return 1.0
    return float(10.0 ** (power if ratio > 0 else -power))


def _whole(values: Floats, step: float) -> bool:
    """Whether nearly all values are multiples of a step."""
    known = values[np.isfinite(values) & (values != 0)] / step
    return bool(known.size) and float((np.abs(known - np.rint(known)) < 1e-6).mean()) >= _NEARLY


def lots_by_price(matched: Matched, picked: Ints, scales: Scales) -> str:
    """The side whose volumes are a hundredth of what its amounts and prices ask for while the other's are
    not, where the two volumes are far apart; "" where neither shows. Adjusted volumes hide the unit from
    their ratio.
    """
    off, volumes = [], []
    for number, (side, rows) in enumerate(((matched.a, matched.rows_a), (matched.b, matched.rows_b))):
        if not {"close", "volume", "amount"} <= set(side.frame.columns):
            return ""
        close, volume, amount = (
            side.values(n, rows(picked)) * scales.get(n, PLAIN)[number] for n in ("close", "volume", "amount")
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            power = np.log10(amount / volume / close)
        power = power[np.isfinite(power)]
        off.append(float(np.median(power)) if power.size else np.nan)
        volumes.append(volume)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.nanmedian(np.log10(volumes[1] / volumes[0]))
    lots = [abs(x - 2) < _PRICED for x in off]
    plain = [abs(x) < _PRICED for x in off]
    if not abs(apart) > _FAR or lots[0] == lots[1] or not (plain[0] or plain[1]):
        return ""
    return "a" if lots[0] else "b"


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
