"""The rules, over cells that are not the same everywhere: which source's value is taken, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant.warehouse.arbitrate.settings import FLOAT_NOISE, MAX_DECIMALS, ColumnRule, Margin

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Settled:
    """For each cell ``winner``, the index of the source whose value is taken (NOBODY = none), whether the
    sources are ``contested``, that is further apart than their margin, and the rule in words.
    ``agree[:, i]``: source i states the value that was taken.
    """

    winner: Ints
    contested: Bools
    words: pl.Series
    agree: Bools


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one column: ``values[i]`` and ``recency[i]`` (known_at, recorded_at) of each source, in the
    order of preference.
    """

    values: Sequence[pl.Series]
    recency: Sequence[tuple[pl.Series, pl.Series]]
    names: Sequence[str]


def settle(rule: ColumnRule, cells: Cells) -> Settled:
    """Apply a rule to cells that do not all say exactly the same."""
    stated = np.stack([v.is_not_null().to_numpy() for v in cells.values], axis=1)
    same = _agreement(cells.values, rule.margin, stated)
    first = stated.argmax(axis=1).astype(np.int64)
    voters = stated.sum(axis=1)
    both = stated[:, :, None] & stated[:, None, :]
    contested = (both & ~same).any(axis=(1, 2))
    match rule.rule:
        case "vote":
            taken, words = _vote(rule, same, stated, voters)
        case "tolerance":
            taken, words = _within(rule, same, stated, first, cells.names)
        case "freshest":
            taken, words = _freshest(cells, stated)
        case "priority":
            taken = first
            words = _worded(first, cells.names, "priority: {} stands first")
    decided = np.where(contested, taken, first)
    nobody = decided == NOBODY
    if rule.otherwise == "prefer":
        decided = np.where(nobody, first, decided)
    words = _otherwise(words, nobody, rule.otherwise)
    agree = np.take_along_axis(same, np.maximum(decided, 0)[:, None, None], axis=1)[:, 0, :]
    return Settled(decided.astype(np.int64), contested, words, agree & (decided >= 0)[:, None])


def within(x: pl.Series, y: pl.Series, margin: Margin) -> pl.Series:
    """Whether two values agree; exact for integers and decimals. Null where one is null."""
    dtype = x.dtype
    if dtype.is_float():
        return _floats_within(x, y, margin)
    if not (margin.abs or margin.rel) or not (dtype.is_integer() or dtype.is_decimal()):
        return x == y
    scale = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    pairs = pl.DataFrame({"a": x.to_physical().cast(pl.Int128), "b": y.to_physical().cast(pl.Int128)})
    a, b = pl.col("a"), pl.col("b")
    apart, larger = (a - b).abs(), pl.max_horizontal(a.abs(), b.abs())
    close = apart <= _whole(margin.abs, scale or 0)
    if margin.rel:
        close |= apart * _whole(Decimal(1), MAX_DECIMALS) <= larger * _whole(margin.rel, MAX_DECIMALS)
    return pairs.select(close.alias("close")).to_series()


def _whole(value: Decimal, digits: int) -> pl.Expr:
    """A number in units of its last digit, rounded down."""
    return pl.lit(int(value.scaleb(digits)), dtype=pl.Int128)


def _floats_within(x: pl.Series, y: pl.Series, margin: Margin) -> pl.Series:
    rel = float(max(margin.rel, FLOAT_NOISE if not margin.abs else Decimal(0)))
    larger = pl.select(pl.max_horizontal(x.abs(), y.abs())).to_series()
    apart = (x - y).abs()
    return (x == y) | (apart <= float(margin.abs)) | (apart <= larger * rel)


def _agreement(values: Sequence[pl.Series], margin: Margin, stated: Bools) -> Bools:
    """``[K, n, n]``: whether two sources state values that agree."""
    count = len(values)
    same = np.zeros((len(values[0]), count, count), dtype=bool)
    for i in range(count):
        same[:, i, i] = stated[:, i]
        for j in range(i + 1, count):
            pair = within(values[i], values[j], margin).fill_null(value=False).to_numpy()
            same[:, i, j] = same[:, j, i] = pair
    return same


def _vote(rule: ColumnRule, same: Bools, stated: Bools, voters: Any) -> tuple[Ints, pl.Series]:
    """The value that most sources agree with; nobody when a different one has as many, or too few do."""
    support = same.sum(axis=2)
    best = support.argmax(axis=1)
    votes = np.take_along_axis(support, best[:, None], axis=1)[:, 0]
    of_best = np.take_along_axis(same, best[:, None, None], axis=1)[:, 0, :]
    tied = ((support == votes[:, None]) & stated & ~of_best).any(axis=1)
    quorum = np.full(len(votes), rule.quorum) if rule.quorum else voters // 2 + 1
    taken = np.where(tied | (votes < quorum), NOBODY, best)
    frame = pl.DataFrame({"votes": votes, "voters": voters, "quorum": quorum, "tied": tied})
    words = frame.select(
        pl.format("vote: {} of {} agree, quorum {}{}", "votes", "voters", "quorum",
                  pl.when("tied").then(pl.lit(", tied")).otherwise(pl.lit("")))
    ).to_series()  # fmt: skip
    return taken.astype(np.int64), words


def _within(
    rule: ColumnRule, same: Bools, stated: Bools, first: Ints, names: Sequence[str]
) -> tuple[Ints, pl.Series]:
    """The preferred value, as long as all others agree with it."""
    of_first = np.take_along_axis(same, first[:, None, None], axis=1)[:, 0, :]
    alone = (stated & ~of_first).any(axis=1)
    text = f"tolerance: all within {rule.margin} of {{}}", f"tolerance: not all within {rule.margin} of {{}}"
    kept, broken = (_worded(first, names, each) for each in text)
    words = broken.zip_with(pl.Series(alone), kept)
    return np.where(alone, NOBODY, first).astype(np.int64), words


def _freshest(cells: Cells, stated: Bools) -> tuple[Ints, pl.Series]:
    """The value that was known last, of equals the one recorded last, of equals the preferred one."""
    known, recorded = (
        np.stack([_instants(pair[which]) for pair in cells.recency], axis=1) for which in (0, 1)
    )
    lowest = np.iinfo(np.int64).min
    known = np.where(stated, known, lowest)
    latest = known == known.max(axis=1, keepdims=True)
    taken = np.where(latest & stated, recorded, lowest).argmax(axis=1).astype(np.int64)
    return taken, _worded(taken, cells.names, "freshest: {} was known or recorded last")


def _instants(values: pl.Series) -> Ints:
    lowest = np.iinfo(np.int64).min + 1
    return values.to_physical().fill_null(lowest).to_numpy().astype(np.int64)


def _worded(which: Ints, names: Sequence[str], text: str) -> pl.Series:
    said = pl.Series([text.format(name) for name in names], dtype=pl.String)
    return said.gather(np.maximum(which, 0))


def _otherwise(words: pl.Series, nobody: Bools, otherwise: str) -> pl.Series:
    return (words + f"; otherwise {otherwise}").zip_with(pl.Series(nobody), words)
