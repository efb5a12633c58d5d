"""How one price series follows from another: by nothing, a ratio, a difference or a line, in pieces.

Adjusted prices are ``slope * price + offset`` with a slope and an offset that change on ex-dates only. Ratio
adjustment has no offset, additive adjustment has slope 1, vendors that subtract cash and divide by bonus
shares have both. Prices are printed with few digits, so that every level is known within bounds only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from quant.warehouse.audit.compare.relation import Bools, Floats, Ints

Model = Literal["same", "ratio", "additive", "affine", "none"]
_ROW_COST: Final = 3.0
_PIECE_COST: Final = {"ratio": 4.0, "additive": 4.5, "affine": 9.0}
_MOST_PIECES: Final = 1 / 12
_MOST_ODD: Final = 0.12
_SPLITS: Final = 12
_BESIDE: Final = 40
_MOST_WILD: Final = 0.1
_AFFINE_ROWS: Final = 6
_LOOSE: Final = 5e-3
_APART: Final = 0.05
_ROWS: Final = 120
_NEAT: Final = 0.003
_TIDY: Final = 0.015


@dataclass(frozen=True, slots=True)
class Noise:
    """What a fitting price may be off by: ``digits`` times half its last digit, and a ``share`` of itself."""

    digits: float
    share: float


@dataclass(frozen=True, slots=True)
class Edge:
    """The same in prices of either side."""

    a: float
    b: float
    share: float


@dataclass(frozen=True, slots=True)
class Fit:
    """``b = slope * a + offset`` row by row. ``piece`` numbers the pieces; ``odd`` rows do not fit."""

    model: Model
    piece: Ints
    slope: Floats
    offset: Floats
    odd: Bools
    noise: Noise = Noise(1.0, 3e-7)

    @property
    def pieces(self) -> int:
        return int(self.piece.max()) + 1 if self.piece.size else 0

    def levels(self) -> tuple[Floats, Floats, Ints]:
        """Slope, offset and first row of each piece."""
        first = np.flatnonzero(np.r_[True, np.diff(self.piece) > 0])
        return self.slope[first], self.offset[first], first


_TRIES: Final = (Noise(1.0, 3e-7), Noise(3.0, 3e-7), Noise(8.0, 3e-7), Noise(1.0, 6e-4))
"""Digits as printed; prices rounded again after each adjustment; prices of four significant digits."""


def fit(a: Floats, b: Floats, quantum_a: float, quantum_b: float, prefer: Sequence[Model] = ()) -> Fit:
    """The simplest law that leads from ``a`` to ``b``, both ``[P, T]`` of one instrument in time order.

    Candidates are weighed by what they leave unexplained and by how many pieces they need. Vendors that
    adjust what they have rounded before are off by more than the last digit: a second try allows for that.
    ``prefer`` names models that are taken when they explain about as much as the best.
    """
    best = _fit(a, b, quantum_a, quantum_b, _TRIES[0], prefer)
    for noise in _TRIES[1:]:
        if best.model == "same" or best.odd.mean() <= _NEAT or max(quantum_a, quantum_b) <= 0:
            break
        wider = _fit(a, b, quantum_a, quantum_b, noise, prefer)
        if best.model == "none" or (wider.model != "same" and wider.odd.sum() * 4 <= best.odd.sum()):
            best = wider
    return loose(a, b, quantum_a, quantum_b) or best if best.model == "none" else best


def loose(a: Floats, b: Floats, quantum_a: float, quantum_b: float) -> Fit | None:
    """A ratio far from 1 between vendors who disagree on many prices by a little, as a split that one of them
    has undone. The levels are medians; prices that miss them are left to be told one by one.
    """
    rows = a.shape[1]
    edge = Edge(quantum_a / 2 * 1.02, quantum_b / 2 * 1.02, _LOOSE)
    found = _ratio(a, b, edge)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.nanmedian(np.where(a != 0, b / a, np.nan), axis=0)
    slope = _per_piece(level, found.piece, found.odd | np.isnan(level))
    far = np.abs(slope - 1) > _APART
    if _poor(found) or found.pieces > 2 + rows / _ROWS or far.sum() < _AFFINE_ROWS:
        return None
    slope = np.where(far, slope, 1.0)
    return replace(found, slope=slope, noise=_TRIES[0])


def _fit(
    a: Floats, b: Floats, quantum_a: float, quantum_b: float, noise: Noise, prefer: Sequence[Model]
) -> Fit:
    edge = Edge(quantum_a / 2 * 1.02 * noise.digits, quantum_b / 2 * 1.02 * noise.digits, noise.share)
    rows = a.shape[1]
    zero, one, none = np.zeros(rows, dtype=np.int64), np.ones(rows), np.zeros(rows)
    plain = Edge(quantum_a / 2 * 1.02, quantum_b / 2 * 1.02, _TRIES[0].share)
    same = Fit("same", zero, one, none, _odd(a, b, one, none, plain))
    if not same.odd.any():
        return same
    found = [same, _ratio(a, b, edge), _additive(a, b, edge)]
    best = min(found, key=_cost)
    if best.odd.mean() > _TIDY or "affine" in prefer:
        found.append(_affine(a, b, edge))
        best = min(best, found[-1], key=_cost)
    most = best.odd.sum() + max(2.0, 0.01 * rows)
    liked = [each for each in found if each.model in prefer and each.odd.sum() <= most]
    best = min(liked, key=_cost) if liked else best
    if _poor(best):
        return Fit("none", zero, one, none, same.odd)
    return replace(best, noise=noise)


def _cost(found: Fit) -> float:
    if found.model in ("same", "none"):
        return _ROW_COST * float(found.odd.sum())
    return _ROW_COST * float(found.odd.sum()) + _PIECE_COST[found.model] * found.pieces


def _poor(found: Fit) -> bool:
    rows = len(found.piece)
    few = max(3.0, rows * (_MOST_ODD if found.model != "same" else 0.3))
    return bool(found.odd.sum() > few) or found.pieces > max(2.0, rows * _MOST_PIECES)


def _odd(a: Floats, b: Floats, slope: Floats, offset: Floats, edge: Edge) -> Bools:
    """Rows in which a price is further from the law than the printed digits allow."""
    said = slope * a + offset
    bound = (edge.b + np.abs(slope) * edge.a) * 1.2 + edge.share * np.abs(b) + 1e-9
    with np.errstate(invalid="ignore"):
        far = np.abs(b - said) > bound
    odd: Bools = np.asarray(far.any(axis=0))
    return odd


def _ratio(a: Floats, b: Floats, edge: Edge) -> Fit:
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.nanmedian(np.where(a != 0, b / a, np.nan), axis=0)
        smallest = np.maximum(np.nanmin(np.abs(a), axis=0), 1e-9)
    blur = (edge.b + np.abs(level) * edge.a) / smallest + 1.4 * edge.share * np.abs(level)
    piece, spike = _split(level, blur)
    spike |= _wild(a, b, level, edge)
    for _ in range(_SPLITS):
        slope = _slopes(a, b, piece, spike)
        odd = _odd(a, b, slope, np.zeros(len(slope)), edge)
        finer = _finer(level - slope, piece, odd & ~spike, spike)
        if finer is None:
            break
        piece = finer
    slope, offset = _slopes(a, b, piece, spike), np.zeros(len(level))
    for first in np.flatnonzero(np.diff(piece) > 0) + 1:
        _cut(a, b, piece, slope, offset, int(first), np.flatnonzero(~spike), edge, still=True)
    slope = _slopes(a, b, piece, spike)
    return Fit("ratio", piece, slope, offset, _odd(a, b, slope, offset, edge))


def _wild(a: Floats, b: Floats, level: Floats, edge: Edge) -> Bools:
    """Rows in which single prices are far off the ratio of the others, as long as they are few: a wrong cell
    must not bend the law of its piece.
    """
    bound = 2 * (edge.b + np.abs(level) * edge.a) + 3 * edge.share * np.abs(b)
    with np.errstate(invalid="ignore"):
        wild: Bools = np.asarray((np.abs(b - level * a) > bound).any(axis=0))
    return wild if wild.mean() <= _MOST_WILD else np.zeros(len(level), dtype=bool)


def _additive(a: Floats, b: Floats, edge: Edge) -> Fit:
    level = np.nanmedian(b - a, axis=0)
    blur = np.full(len(level), edge.a + edge.b) + 1.4 * edge.share * np.abs(np.nanmedian(b, axis=0))
    piece, spike = _split(level, blur)
    offset = _per_piece(level, piece, spike)
    slope = np.ones(len(level))
    return Fit("additive", piece, slope, offset, _odd(a, b, slope, offset, edge))


def _split(level: Floats, blur: Floats) -> tuple[Ints, Bools]:
    """Pieces of equal level, and the rows that leave it for a row or two and come back."""
    spike = np.isnan(level)
    for width in (1, 2):
        for _ in range(4):
            kept = np.flatnonzero(~spike)
            x, u = level[kept], blur[kept]
            if len(x) < width + 2:
                break
            jump = np.abs(np.diff(x)) > u[1:] + u[:-1]
            back = np.abs(x[width + 1 :] - x[: -width - 1]) <= u[width + 1 :] + u[: -width - 1]
            out = np.flatnonzero(jump[: len(back)] & back & jump[width : width + len(back)])
            out = out[np.r_[True, np.diff(out) > width]] if out.size else out
            if not out.size:
                break
            for k in range(width):
                spike[kept[out + 1 + k]] = True
    kept = np.flatnonzero(~spike)
    piece = np.zeros(len(level), dtype=np.int64)
    if kept.size:
        steps = np.abs(np.diff(level[kept])) > blur[kept][1:] + blur[kept][:-1]
        change = np.zeros(len(level), dtype=np.int64)
        change[kept[1:]] = steps
        piece = np.cumsum(change)
    return piece, spike


def _per_piece(level: Floats, piece: Ints, spike: Bools) -> Floats:
    """The median level of each piece, row by row."""
    out = np.empty(len(level))
    first = np.flatnonzero(np.r_[True, np.diff(piece) > 0])
    for start, stop in zip(first, np.r_[first[1:], len(level)], strict=True):
        inside = level[start:stop][~spike[start:stop]]
        out[start:stop] = np.median(inside) if inside.size else 0.0
    return out


def _slopes(a: Floats, b: Floats, piece: Ints, spike: Bools) -> Floats:
    """The least-squares ratio of each piece, row by row."""
    good = ~spike & np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    count = int(piece.max()) + 1
    top = np.bincount(piece[good], (a * b).sum(axis=0)[good], count)
    low = np.bincount(piece[good], (a * a).sum(axis=0)[good], count)
    each = np.where(low > 0, top / np.maximum(low, 1e-300), 1.0)
    slope: Floats = each[piece]
    return slope


def _finer(rest: Floats, piece: Ints, odd: Bools, spike: Bools) -> Ints | None:
    """Split the pieces whose rows do not fit where their level drifts most; None when there is none."""
    split = np.zeros(len(piece), dtype=np.int64)
    for number in np.unique(piece[odd]).tolist():
        inside = np.flatnonzero((piece == number) & ~spike)
        x = rest[inside]
        if len(x) < 4 or odd[inside].mean() < 0.02:
            continue
        x = x - np.median(x)
        spread = float(np.median(np.abs(np.diff(x)))) + 1e-15
        drift = np.cumsum(x - x.mean())
        at = int(np.abs(drift[:-1]).argmax())
        if abs(drift[at]) > 4 * spread * np.sqrt(len(x)):
            split[inside[at + 1]] = 1
    if not split.any():
        return None
    change = np.r_[0, (np.diff(piece) > 0).astype(np.int64)]
    finer: Ints = np.cumsum(np.maximum(change, split))
    return finer


def _affine(a: Floats, b: Floats, edge: Edge) -> Fit:
    """Greedy pieces, each as long as one line fits; rows without prices are left out."""
    rows = a.shape[1]
    good = np.flatnonzero(np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0))
    piece, slope, offset = np.zeros(rows, dtype=np.int64), np.ones(rows), np.zeros(rows)
    at, number = 0, 0
    while at < len(good):
        stop, line = _longest(a[:, good], b[:, good], at, edge)
        rows_of = slice(good[at], good[stop] if stop < len(good) else rows)
        piece[rows_of], slope[rows_of], offset[rows_of] = number, line[0], line[1]
        at, number = stop, number + 1
        if number > rows * _MOST_PIECES + 2:
            return Fit("affine", piece, slope, offset, np.ones(rows, dtype=bool))
    for _ in range(2):
        _settle(a, b, piece, slope, offset, good, edge)
    return Fit("affine", piece, slope, offset, _odd(a, b, slope, offset, edge))


def _settle(a: Floats, b: Floats, piece: Ints, slope: Floats, offset: Floats, good: Ints, edge: Edge) -> None:
    """Move every boundary to where it belongs and draw the lines anew: a line that runs on over a small step
    has bent to it.
    """
    for first in np.flatnonzero(np.diff(piece) > 0) + 1:
        before, after = piece[first - 1], piece[first]
        _cut(a, b, piece, slope, offset, int(first), good, edge, still=False)
        for number in (before, after):
            rows = good[piece[good] == number]
            line = _line(a[:, rows], b[:, rows], edge) if len(rows) >= _AFFINE_ROWS else None
            if line is not None:
                slope[piece == number], offset[piece == number] = line


def _cut(
    a: Floats, b: Floats, piece: Ints, slope: Floats, offset: Floats, first: int, good: Ints, edge: Edge,
    *, still: bool,
) -> None:  # fmt: skip
    """Move the boundary at ``first`` to where the lines on both sides leave the least unexplained; to the
    first such row unless ``still`` leaves it where it is as good.
    """
    before, after = piece[first - 1], piece[first]
    near = good[(good >= first - _BESIDE) & (good < first + _BESIDE)]
    near = near[(piece[near] == before) | (piece[near] == after)]
    if not len(near):
        return
    at = a[:, near], b[:, near]
    left, right = (_off(*at, slope[row], offset[row], edge).sum(axis=0) for row in (first - 1, first))
    total = np.r_[0, np.cumsum(left)] + np.r_[right.sum(), right.sum() - np.cumsum(right)]
    now, cut = int((near < first).sum()), int(total.argmin())
    if still and total[now] <= total[cut]:
        return
    inside = slice(int(near[0]), int(near[-1]) + 1)
    edge_row = int(near[cut]) if cut < len(near) else int(near[-1]) + 1
    piece[inside] = np.where(np.arange(inside.start, inside.stop) < edge_row, before, after)


def _off(a: Floats, b: Floats, slope: float, offset: float, edge: Edge) -> Floats:
    """By how much of what the digits allow prices miss a line, 0 where they do not."""
    bound = (edge.b + abs(slope) * edge.a) * 1.2 + edge.share * np.abs(b) + 1e-9
    off: Floats = np.maximum(np.abs(b - slope * a - offset) / bound - 1, 0.0)
    return off


def _longest(a: Floats, b: Floats, start: int, edge: Edge) -> tuple[int, tuple[float, float]]:
    """Where the longest piece from ``start`` ends, and its line. Two odd rows in a row end it."""
    rows = a.shape[1]
    good, bad = start, rows + 1
    best = (1.0, 0.0)
    length = _AFFINE_ROWS
    while good < rows:
        stop = min(start + length, rows) if bad > rows else (good + bad) // 2
        if stop <= good:
            break
        line = _line(a[:, start:stop], b[:, start:stop], edge)
        if line is not None:
            good, best = stop, line
            length *= 2
        else:
            bad = stop
        if bad - good <= 1:
            break
    return max(good, min(start + 1, rows)), best


def _line(a: Floats, b: Floats, edge: Edge) -> tuple[float, float] | None:
    """The least-squares line through all points, None when more than a few rows lie off it."""
    keep = np.ones(a.shape[1], dtype=bool)
    line = (1.0, 0.0)
    for _ in range(3):
        x, y = a[:, keep].ravel(), b[:, keep].ravel()
        spread = float(((x - x.mean()) ** 2).sum())
        slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 1e-12 else 1.0
        line = (slope, float(y.mean() - slope * x.mean()))
        count = a.shape[1]
        odd = _odd(a, b, np.full(count, line[0]), np.full(count, line[1]), edge)
        if not odd.any():
            return line
        if odd.sum() > max(1, 0.02 * count) or odd[-3:].any():
            return None
        if (odd == ~keep).all():
            return line
        keep = ~odd
    return line
