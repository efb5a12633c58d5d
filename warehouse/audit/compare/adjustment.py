"""Naming an adjustment: which side is adjusted, how, and whether it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.causes import Kind
from quant.warehouse.audit.compare.pieces import Fit
from quant.warehouse.audit.compare.relation import Adjustment, Bools, Floats

Series = Mapping[str, Floats]
_CLEAR: Final = 0.03
_EQUAL: Final = 2e-5
_BESIDE: Final = 20
_TILTED: Final = 1e-4
_CENT: Final = 0.005
_FALL: Final = 0.02
DECLARED: Final = ("pre", "post")
ADDITIVE: Final = ("additive_adjustment", "unmarked_additive_adjustment")


@dataclass(frozen=True, slots=True)
class Named:
    """A cause with its evidence. ``suspect`` is a or b, "" where neither is wrong; ``adjusted`` is the side
    that is adjusted, "" where that is unknown or both are.
    """

    cause: str
    suspect: str
    detail: str
    adjusted: str = ""
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the law changes: ``on`` of ``total`` steps on ex-dates of the raw side; ``late`` and ``early``
    are (ex-date row, step row); ``missed`` are ex-dates without a step.
    """

    total: int
    on: int
    late: tuple[tuple[int, int], ...] = ()
    early: tuple[tuple[int, int], ...] = ()
    missed: tuple[int, ...] = ()
    known: bool = True


def traded_inside(side: Series, rows: Bools) -> float:
    """The share of rows whose average price (amount by volume) lies within the day's range; NaN where amounts
    or volumes are missing. Prices as traded always do, adjusted ones do not. Units may be any power of ten.
    """
    if not {"volume", "amount", "close"} <= set(side):
        return float("nan")
    low, high = side.get("low", side["close"] * 0.97), side.get("high", side["close"] * 1.03)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = side["amount"] / side["volume"]
        ok = rows & np.isfinite(average) & (average > 0) & np.isfinite(side["close"]) & (side["close"] > 0)
        if ok.sum() < 3:
            return float("nan")
        power = np.rint(np.median(np.log10(side["close"][ok] / average[ok])))
        average = average * 10.0**power
        inside = (average >= low * 0.998 - 0.006) & (average <= high * 1.002 + 0.006)
    return float(inside[ok].mean())


def reference_gaps(side: Series) -> Bools:
    """Rows whose reference price differs from the close before: ex-dates, as the exchange states them."""
    if "pre_close" not in side or "close" not in side:
        return np.zeros(len(next(iter(side.values()))), dtype=bool)
    before = closes(side)
    with np.errstate(invalid="ignore"):
        gap: Bools = np.abs(side["pre_close"] - before) > 0.006 + 1e-4 * np.abs(before)
    return gap & np.isfinite(before) & np.isfinite(side["pre_close"])


def closes(side: Series) -> Floats:
    """The close before each row: ``before`` where it is known from the whole series."""
    if "before" in side:
        return side["before"]
    close = side["close"]
    index = np.where(np.isfinite(close), np.arange(len(close)), -1)
    last = np.maximum.accumulate(index)
    last = np.r_[-1, last[:-1]]
    out: Floats = np.where(last >= 0, close[np.maximum(last, 0)], np.nan)
    return out


def adjusted_side(law: Fit, a: Series, b: Series) -> tuple[str, str]:
    """Which side is adjusted, and what shows it; "" where nothing does."""
    if (b["close"] <= 0).any() and not (a["close"] <= 0).any():
        return "b", "prices at or below zero"
    if (a["close"] <= 0).any() and not (b["close"] <= 0).any():
        return "a", "prices at or below zero"
    with np.errstate(invalid="ignore"):
        apart = np.abs(b["close"] - a["close"]) > 0.004 * np.abs(a["close"])
    inside_a, inside_b = traded_inside(a, apart), traded_inside(b, apart)
    if inside_a - inside_b > _CLEAR and inside_a > 0.9:
        return (
            "b",
            f"amount / volume lies within the day's range on {inside_a:.0%} against {inside_b:.0%} of days",
        )
    if inside_b - inside_a > _CLEAR and inside_b > 0.9:
        return (
            "a",
            f"amount / volume lies within the day's range on {inside_b:.0%} against {inside_a:.0%} of days",
        )
    gaps_a, gaps_b = int(reference_gaps(a).sum()), int(reference_gaps(b).sum())
    if gaps_a > gaps_b and "pre_close" in b:
        return "b", f"{gaps_a} against {gaps_b} gaps between reference price and close"
    if gaps_b > gaps_a and "pre_close" in a:
        return "a", f"{gaps_b} against {gaps_a} gaps between reference price and close"
    slope, offset, _ = law.levels()
    if len(slope) > 1:
        level = slope if law.model == "ratio" else offset + slope * float(np.nanmedian(a["close"]))
        up, down = int((np.diff(level) > 0).sum()), int((np.diff(level) < 0).sum())
        if up != down:
            return ("b" if up > down else "a"), f"the relation rises on {max(up, down)} of {up + down} steps"
    return "", ""


def match_steps(law: Fit, raw: Series, adjusted_is_b: bool, level: Floats | None = None) -> Steps:
    """The steps of the law against the ex-dates of the raw side.

    On an ex-date the adjusted close before must equal the adjusted reference price. ``level``, the adjusted
    by the raw close row by row, shows whether a step that is small against the printed digits is there.
    """
    _, _, first = law.levels()
    total = len(first) - 1
    if "pre_close" not in raw:
        return Steps(total, 0, known=False)
    gaps = np.flatnonzero(reference_gaps(raw)).tolist()
    before = closes(raw)
    blur = _blur(raw["close"], law, adjusted_is_b)
    on, late, early, taken = 0, [], [], set()
    for number in range(1, len(first)):
        step = int(first[number])
        near = [g for g in gaps if abs(g - step) <= 5 and g not in taken]
        fits = [g for g in near if _meets(law, number, g, before, raw["pre_close"], blur, adjusted_is_b)]
        exact = step in near
        best = step if exact else (min(fits, key=lambda g: abs(g - step)) if fits else None)
        if best is None:
            continue
        taken.add(best)
        if best == step:
            on += 1
        elif best < step:
            late.append((best, step))
        else:
            early.append((best, step))
    missed = tuple(
        g
        for g in gaps
        if g not in taken
        and first[0] < g
        and level is not None
        and abs(before[g] - raw["pre_close"][g]) > 3 * blur
        and _flat(level, g, before[g] / raw["pre_close"][g] - 1)
    )
    return Steps(total, on, tuple(late), tuple(early), missed)


def _flat(level: Floats, row: int, expected: float) -> bool:
    """Whether the level does not rise by what a distribution asks for, clearly against its own noise."""
    old, new = level[max(row - _BESIDE, 0) : row], level[row : row + _BESIDE]
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    if len(old) < 3 or len(new) < 3:
        return False
    seen = float(np.median(new) / np.median(old) - 1)
    noise = float(np.median(np.abs(np.r_[old / np.median(old), new / np.median(new)] - 1)))
    return abs(seen) < 0.4 * abs(expected) and abs(expected) > 3 * noise


def _blur(close: Floats, law: Fit, adjusted_is_b: bool) -> float:
    slope = float(np.nanmedian(np.abs(law.slope)))
    level = slope if adjusted_is_b else 1 / max(slope, 1e-9)
    return 0.02 + 0.011 / max(level, 0.05) + 2e-4 * float(np.nanmedian(np.abs(close)))


def _meets(
    law: Fit, number: int, gap: int, before: Floats, reference: Floats, blur: float, adjusted_is_b: bool
) -> bool:
    slope, offset, _ = law.levels()
    old, new = (slope[number - 1], offset[number - 1]), (slope[number], offset[number])
    if not adjusted_is_b:
        old, new = (1 / old[0], -old[1] / old[0]), (1 / new[0], -new[1] / new[0])
    left, right = old[0] * before[gap] + old[1], new[0] * reference[gap] + new[1]
    return bool(abs(left - right) <= blur * max(abs(new[0]), abs(old[0]), 0.05))


def shape(law: Fit) -> str:
    """The law in words and numbers."""
    slope, offset, first = law.levels()
    pieces = "constant" if len(first) == 1 else f"in {len(first)} pieces"
    if law.model == "ratio":
        levels = f"{slope.min():.6g}" if len(first) == 1 else f"{slope.min():.6g} to {slope.max():.6g}"
        return f"ratio {levels}, {pieces}"
    if law.model == "additive":
        levels = f"{offset.min():.6g}" if len(first) == 1 else f"{offset.min():.6g} to {offset.max():.6g}"
        return f"difference {levels}, {pieces}"
    return (
        f"{slope[0]:.6g} x {'+' if offset[0] >= 0 else '-'} {abs(offset[0]):.6g} to "
        f"{slope[-1]:.6g} x {'+' if offset[-1] >= 0 else '-'} {abs(offset[-1]):.6g}, {pieces}"
    )


def direction(law: Fit, side: str) -> str:
    """pre when the adjusted prices meet the raw ones at the end, post when they exceed them."""
    slope, offset, _ = law.levels()
    if side == "a":
        slope, offset = 1 / slope, -offset / slope
    if law.model == "ratio":
        if slope[-1] > 1.0005:
            return "post"
        return "pre"
    return "post" if offset[-1] > 0.005 else "pre"


def is_additive(law: Fit) -> bool:
    """Whether cash was subtracted instead of scaled."""
    return law.model in ("additive", "affine")


def differences_side(law: Fit) -> str:
    """Which of two adjusted sides subtracted cash where the other scaled; "" where the law does not tell.

    Raw prices never relate to adjusted ones by a line that is steeper than 1 and lowered, or flatter and
    raised. Read the other way round when the two meet at their beginning: then both are adjusted backwards.
    """
    slope, offset, _ = law.levels()
    crossed = (np.abs(slope - 1) > _TILTED) & (np.abs(offset) > _CENT)
    if not crossed.any() or ((slope > 1) != (offset < 0))[crossed].mean() > 0.2:
        return ""
    steep = bool((slope[crossed] > 1).mean() > 0.5)
    plain = ~crossed
    backwards = bool(plain[0] and not plain[-1])
    return "b" if steep != backwards else "a"


def lacking_side(law: Fit, a: Series, b: Series) -> str:
    """Which of two adjusted sides lacks the distributions on which they part: on each its price falls by what
    was distributed, the other's goes on. "" where the steps are small or both sides move.
    """
    slope, _, first = law.levels()
    if law.model != "ratio" or len(first) < 2:
        return ""
    jump = np.diff(np.log(slope))
    with np.errstate(invalid="ignore", divide="ignore"):
        move_a, move_b = (np.log(side["close"][first[1:]] / closes(side)[first[1:]]) for side in (a, b))
    who = np.where(jump < 0, "b", "a")
    own, other = np.where(jump < 0, move_b, move_a), np.where(jump < 0, move_a, move_b)
    clear = (np.abs(jump) > _FALL) & (np.abs(own) > np.abs(other))
    return str(who[0]) if clear.all() and (who == who[0]).all() else ""


def lean_to(named: Named, law: Fit, lean: Named | None) -> Named:
    """What most other instruments of the two sources show, where this one's law does not speak against it."""
    if lean is None or (named.cause, named.suspect) == (lean.cause, lean.suspect):
        return named
    if named.cause in ("rounding", "price_scale"):
        return named
    if lean.cause in ADDITIVE:
        fits = is_additive(law)
    elif lean.cause == "base":
        fits = law.pieces == 1
    else:
        fits = law.model == "ratio"
    if not fits:
        return named
    return replace(lean, detail=f"{shape(law)}: as for most other instruments")


def name_adjustment(law: Fit, a: Series, b: Series, said_a: Adjustment, said_b: Adjustment) -> Named:
    """The cause behind a law between two price series, given what the sources say."""
    slope, offset, _ = law.levels()
    price = float(np.nanmedian(np.abs(b["close"])))
    if law.pieces == 1 and abs(slope[0] - 1) < _EQUAL and abs(offset[0]) < _EQUAL * price:
        return Named("rounding", "", f"{shape(law)}: equal but for rounding")
    said = {"a": said_a, "b": said_b}
    both = said_a in DECLARED and said_b in DECLARED
    lone = differences_side(law)
    if lone:
        how = "differences against ratios: steeper than 1 and lowered, or flatter and raised"
        why = "additive_adjustment" if said[lone] in DECLARED else "unmarked_additive_adjustment"
        return Named(why, lone, f"{shape(law)}; {how}", lone)
    side, shown = adjusted_side(law, a, b)
    one_piece = law.pieces == 1
    text = shape(law) + (f"; {shown}" if shown else "")
    if both:
        if one_piece:
            return Named("base", "", f"{text}: the same adjustment on another base")
        raw = _raw_of(law, a, b)
        if raw:
            other = "b" if raw == "a" else "a"
            return Named("false_adjusted", raw, f"{text}: declared {said[raw]}, but as traded", other)
        if is_additive(law):
            return Named("additive_adjustment", side, text, side)
        lacking = lacking_side(law, a, b)
        if lacking:
            return Named("missing_factor_step", lacking, f"{text}: it falls where the other does not", "")
        return Named("adjustment_differs", side, text, side)
    if one_piece and not side:
        side = next((s for s in "ab" if said[s] in DECLARED), "")
        if not side:
            return Named("base", "", f"{text}: the same prices on another base")
    declared = next((s for s in "ab" if said[s] in DECLARED), "")
    if declared and side and side != declared:
        return Named(
            "unmarked_additive_adjustment" if is_additive(law) else "unmarked_adjustment", side, text, side
        )
    side = side or declared
    if not declared:
        name = "unmarked_additive_adjustment" if is_additive(law) else "unmarked_adjustment"
        return Named(name, side, f"{text}; {_way(law, side)}", side)
    if is_additive(law):
        return Named("additive_adjustment", declared, f"{text}: differences instead of ratios", declared)
    way = direction(law, declared)
    if way != said[declared] and not one_piece:
        return Named("mislabelled_adjustment", declared, f"{text}: says {said[declared]}, is {way}", declared)
    return Named("adjusted", "", f"{text}: as declared ({said[declared]})", declared)


def _way(law: Fit, side: str) -> str:
    return f"{direction(law, side or 'b')}-adjusted"


def _raw_of(law: Fit, a: Series, b: Series) -> str:
    """The side whose prices are as traded although both claim to be adjusted; "" where none is."""
    every = np.ones(len(a["close"]), dtype=bool)
    for name, side in (("a", a), ("b", b)):
        steps = match_steps(law, side, name == "a")
        if (
            steps.known
            and steps.total
            and steps.on >= max(1, 0.7 * steps.total)
            and reference_gaps(side).any()
        ):
            return name
        inside = traded_inside(side, every)
        other = traded_inside(b if name == "a" else a, every)
        if inside > 0.97 and inside - other > _CLEAR:
            return name
    return ""
