"""Instruments of two sources share their habits: what most show decides where one alone is unclear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from quant.warehouse.audit.compare.adjustment import Named
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.pairs import Pair
from quant.warehouse.audit.compare.selfcheck import check_sides
from quant.warehouse.audit.compare.series import judge
from quant.warehouse.audit.compare.telling import Judged, Settings

_FEWEST: Final = 3
_MOST: Final = 0.5


def judge_together(again: Callable[[], Iterator[Pair]], settings: Settings) -> tuple[Judged, list[Found]]:
    """Judge every instrument; those that differ from the majority once more in its light.

    ``again`` gives the instruments, each time anew: keeping the series of a whole market would be too much.
    """
    parts: dict[int, Judged] = {}
    sides: dict[int, list[Found]] = {}
    for pair in again():
        sides[pair.instrument] = check_sides(pair, settings)
        parts[pair.instrument] = _judged(pair, settings, sides[pair.instrument])
    lean, untrue = _majority(parts), _untrue(sides)
    doubtful = {number for number, own in sides.items() if untrue - set(_false(own))}
    doubtful |= {
        number for number, part in parts.items() for family, named in part.named.items()
        if family in lean and (named.cause, named.suspect) != (lean[family].cause, lean[family].suspect)
    }  # fmt: skip
    if doubtful:
        leaning = replace(settings, lean=lean)
        for pair in again():
            if pair.instrument in doubtful:
                parts[pair.instrument] = _judged(pair, leaning, sides[pair.instrument], untrue)
    whole = Judged()
    for part in parts.values():
        whole.add(part)
    return whole, [one for own in sides.values() for one in own]


def _judged(
    pair: Pair, settings: Settings, sides: list[Found], untrue: frozenset[str] = frozenset()
) -> Judged:
    part = Judged()
    judge(pair, settings, part, [*_false(sides), *untrue])
    return part


def _false(sides: list[Found]) -> list[str]:
    """The columns that are adjusted by name only."""
    return [one.field for one in sides if one.cause == "false_adjusted" and one.field != "prices"]


def _untrue(sides: Mapping[int, list[Found]]) -> frozenset[str]:
    """The columns that are adjusted by name only in most instruments: elsewhere little was distributed."""
    counts = Counter(name for own in sides.values() for name in _false(own))
    return frozenset(n for n, count in counts.items() if count >= _FEWEST and count > _MOST * len(sides))


def _majority(parts: Mapping[int, Judged]) -> dict[str, Named]:
    """What more than half of the instruments with a law show, by family of prices."""
    lean = {}
    for family in {family for part in parts.values() for family in part.named}:
        named = [part.named[family] for part in parts.values() if family in part.named]
        counts = Counter((one.cause, one.suspect) for one in named)
        (most, count), *_ = counts.most_common(1)
        if count >= _FEWEST and count > _MOST * len(named):
            lean[family] = next(one for one in named if (one.cause, one.suspect) == most)
    return lean
