"""One agreed table out of several sources' tables, by the declared rule of each column.

Cells that are the same everywhere cost one comparison of columns; only the others are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from quant.core.errors import UsageError
from quant.warehouse.arbitrate.ballot import Ballot, align
from quant.warehouse.arbitrate.decisions import DECISIONS, ROW_KEPT, Contested, as_rows, key_text
from quant.warehouse.arbitrate.settings import AGREED_BY, ArbitrationSettings, ColumnRule, ordered
from quant.warehouse.arbitrate.settle import NOBODY, Cells, Settled, settle
from quant.warehouse.contracts.tables import TableContract, contract

OWN: Final = ("known_at", "recorded_at", "source", "payload")
"""Columns that follow from which rows were taken; nobody votes on them."""
MAX_SOURCES: Final = 16
SET_ASIDE: Final = pl.Schema({"row": pl.String(), "field": pl.String(), "line": pl.UInt32()})


@dataclass(frozen=True, slots=True)
class Agreed:
    """``rows`` have the table's columns. ``decisions`` have those of ``arbitrations`` but recorded_at; code
    is left null. ``set_aside`` holds, as they would stand under ``otherwise: prefer``, rows on which nobody
    could agree, with the ``field``. ``contested`` counts disagreeing cells by column, ``lost`` by source and
    column those in which a source was not followed; ``delivered`` rows by source.
    """

    rows: pl.DataFrame
    decisions: pl.DataFrame
    set_aside: pl.DataFrame
    contested: Mapping[str, int]
    lost: Mapping[str, Mapping[str, int]]
    delivered: Mapping[str, int]


def arbitrate(dataset: str, votes: Mapping[str, pl.DataFrame], settings: ArbitrationSettings) -> Agreed:
    """Agree the rows of ``votes``: frames of a dataset by source, the preferred source first.

    A key is agreed when any source has it. A null is no vote. Raises UsageError for no or too many sources.
    """
    if not 1 <= len(votes) <= MAX_SOURCES:
        raise UsageError("arbitrate.sources", "cannot agree so many sources", expected=f"1 to {MAX_SOURCES}",
                         found=str(len(votes)))  # fmt: skip
    table = contract(dataset)
    state = _State(table, align(table, votes), settings)
    for name in voted_columns(table):
        state.agree(name)
    state.keep_rows_whole()
    return state.result()


def voted_columns(table: TableContract) -> list[str]:
    """The columns that sources vote on: all but the key and what follows from the rows taken."""
    return [name for name in table.names if name not in (*table.key, *OWN)]


class _State:
    """The agreed columns so far, which sources each row took something from (a bit each), and which rows are
    ``mixed`` in columns that a row rule reads.
    """

    def __init__(self, table: TableContract, ballot: Ballot, settings: ArbitrationSettings) -> None:
        self.table, self.ballot, self.settings = table, ballot, settings
        self.order = ordered(ballot.sources, settings.prefer)
        self.ranks = tuple(ballot.sources.index(name) for name in self.order)
        self.columns: dict[str, pl.Series] = {}
        self.cells: list[Contested] = []
        self.refused: list[pl.DataFrame] = []
        self.base = self._base()
        self.taken = (np.uint32(1) << self.base.astype(np.uint32)).astype(np.uint32)
        self.mixed = np.zeros(ballot.height, dtype=bool)
        self.ruled = {name for rule in table.rules for name in rule.expression.meta.root_names()}
        self.overruled = pl.repeat(None, ballot.height, dtype=pl.String, eager=True)
        self.words = self.overruled

    def _base(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The most preferred source that has the row."""
        base = np.full(self.ballot.height, NOBODY, dtype=np.int64)
        for i in self.ranks:
            there = self.ballot.present[i]
            free = base == NOBODY
            base[free if there is None else free & there.to_numpy()] = i
            if there is None:
                break
        return base

    def agree(self, name: str) -> None:
        rule = self._rule(name)
        order = tuple(self.ballot.sources.index(n) for n in ordered(self.order, rule.prefer))
        values = self.ballot.column(name, order)
        merged = values[0]
        for other in values[1:]:
            if merged.null_count():
                merged = merged.zip_with(merged.is_not_null(), other)
        lines = _differing(merged, values)
        if any(merged.null_count() != v.null_count() for v in values):
            self._credit(name, values, order, lines)
        if lines is not None:
            merged = self._settle(name, rule, merged, lines, order)
        self.columns[name] = merged

    def _rule(self, name: str) -> ColumnRule:
        """The rule of a column; what must be given cannot become null."""
        rule = self.settings.column(name)
        if rule.otherwise == "null" and not self.table.column(name).nullable:
            return replace(rule, otherwise="quarantine")
        return rule

    def _credit(
        self, name: str, values: Sequence[pl.Series], order: Sequence[int], differing: pl.Series | None
    ) -> None:
        """Where the row's own source is silent and the others agree, the first that speaks gave the value."""
        silent = np.ones(self.ballot.height, dtype=bool)
        by_source = dict(zip(order, values, strict=True))
        for i in set(order):
            mine = self.base == i
            if mine.any():
                silent[mine] = by_source[i].is_null().to_numpy()[mine]
        if differing is not None:
            silent[differing.to_numpy()] = False
        for i in order:
            if not silent.any():
                return
            gives = silent & by_source[i].is_not_null().to_numpy()
            self.taken[gives] |= np.uint32(1 << i)
            silent &= ~gives
            if name in self.ruled:
                self.mixed |= gives

    def _settle(
        self, name: str, rule: ColumnRule, merged: pl.Series, lines: pl.Series, order: tuple[int, ...]
    ) -> pl.Series:
        rows = self.ballot.rows
        values = [rows[i][name].gather(lines) for i in order]
        recency = [(rows[i]["known_at"].gather(lines), rows[i]["recorded_at"].gather(lines)) for i in order]
        names = [self.ballot.sources[i] for i in order]
        settled = settle(rule, Cells(values, recency, names))
        self.cells.append(Contested(name, lines, settled, order))
        self._refuse(name, rule, settled, lines)
        at = lines.to_numpy()
        won = np.asarray(order)[np.maximum(settled.winner, 0)]
        foreign = (settled.winner >= 0) & ~self._own_won(settled, order, at)
        self.taken[at[foreign]] |= (np.uint32(1) << won[foreign].astype(np.uint32)).astype(np.uint32)
        if name in self.ruled:
            self.mixed[at[foreign]] = True
        chosen = _picked(values, settled.winner)
        return merged.clone().scatter(lines, chosen)  # scatter changes the series it is called on

    def _own_won(
        self, settled: Settled, order: tuple[int, ...], at: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        place = np.argsort(np.asarray(order))[self.base[at]]
        same: np.ndarray[tuple[int], np.dtype[np.bool_]] = settled.winner == place
        return same

    def _refuse(self, name: str, rule: ColumnRule, settled: Settled, lines: pl.Series) -> None:
        if rule.otherwise != "quarantine":
            return
        undecided = pl.Series(settled.contested & (settled.winner == NOBODY))
        self.refused.append(
            pl.DataFrame({"line": lines.filter(undecided)}).with_columns(pl.lit(name).alias("field"))
        )

    def keep_rows_whole(self) -> None:
        """A row mixed from several sources may break a rule that each source's own row keeps, as an open of
        one above the high of another. Such a row is taken as a whole from the source most cells agree with.
        """
        mixed = np.flatnonzero(self.mixed)
        if not len(mixed):
            return
        lines = pl.Series(mixed, dtype=pl.UInt32)
        rows = self._rows(lines)
        broken = pl.lit(None, pl.String)
        for rule in reversed(self.table.rules):
            keeps = rule.expression.fill_null(value=True)
            broken = pl.when(keeps).then(broken).otherwise(pl.lit(rule.name))
        named = rows.select(broken.alias("rule")).to_series()
        if named.null_count() == len(named):
            return
        lines, named = lines.filter(named.is_not_null()), named.drop_nulls()
        best = self._most_followed(lines.to_numpy())
        keys = (self.ballot.keys[name].gather(lines) for name in self.table.key)
        offers = ([rows[name].gather(lines) for rows in self.ballot.rows] for name in self.columns)
        whole = pl.DataFrame([*keys, *(_picked(values, best) for values in offers)])
        sound = whole.select(broken.is_null()).to_series()
        lines, whole, named = lines.filter(sound), whole.filter(sound), named.filter(sound)
        self._take_whole(lines, whole, best[sound.to_numpy()], named)

    def _take_whole(
        self,
        lines: pl.Series,
        whole: pl.DataFrame,
        best: np.ndarray[tuple[int], np.dtype[np.int64]],
        rules: pl.Series,
    ) -> None:
        if not len(lines):
            return
        for name, column in self.columns.items():
            self.columns[name] = column.clone().scatter(lines, whole[name])
        self.taken[lines.to_numpy()] = (np.uint32(1) << best.astype(np.uint32)).astype(np.uint32)
        source = pl.Series(self.ballot.sources, dtype=pl.String).gather(best)
        self.overruled = self.overruled.clone().scatter(lines, source)
        head, middle, _ = ROW_KEPT.split("{}")
        self.words = self.words.clone().scatter(lines, head + source + middle + rules)

    def _most_followed(
        self, at: np.ndarray[tuple[int], np.dtype[np.int64]]
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The source that has the row and states most of the values that were taken; the preferred of
        equals.
        """
        followed = np.zeros((len(at), len(self.ballot.sources)), dtype=np.int64)
        for cells in self.cells:
            found = np.searchsorted(at, cells.lines.to_numpy())
            inside = (found < len(at)) & (at[np.minimum(found, len(at) - 1)] == cells.lines.to_numpy())
            for place, i in enumerate(cells.order):
                followed[found[inside], i] += cells.settled.agree[inside, place]
        for rank, i in enumerate(self.ranks):
            there = self.ballot.present[i]
            followed[:, i] = followed[:, i] * 2 * MAX_SOURCES + (MAX_SOURCES - rank)
            if there is not None:
                followed[~there.to_numpy()[at], i] = -1
        best: np.ndarray[tuple[int], np.dtype[np.int64]] = followed.argmax(axis=1).astype(np.int64)
        return best

    def _rows(self, lines: pl.Series | None = None) -> pl.DataFrame:
        taken = [*(self.ballot.keys[name] for name in self.table.key), *self.columns.values()]
        if lines is None:
            return pl.DataFrame(taken)
        return pl.DataFrame([column.gather(lines) for column in taken])

    def result(self) -> Agreed:
        decisions = [
            as_rows(self.table, self.ballot, cells, self.overruled, self.words) for cells in self.cells
        ]
        rows = self._rows().with_columns(self._own()).select(self.table.names)
        refused = pl.concat([pl.DataFrame(schema={"line": pl.UInt32(), "field": pl.String()}), *self.refused])
        set_aside = rows.clear().with_columns(pl.lit(None, pl.String).alias("field"))
        if refused.height:
            first = refused.unique("line", keep="first", maintain_order=True).sort("line")
            set_aside = rows.select(pl.all().gather(first["line"])).with_columns(first["field"])
            keep = np.ones(rows.height, dtype=bool)
            keep[first["line"].to_numpy()] = False
            rows = rows.filter(pl.Series(keep))
        return Agreed(
            rows,
            pl.concat(decisions) if decisions else pl.DataFrame(schema=_without_instant()),
            set_aside,
            {c.column: int(c.settled.contested.sum()) for c in self.cells if c.settled.contested.any()},
            self._lost(),
            {
                name: self.ballot.height if there is None else int(there.sum())
                for name, there in zip(self.ballot.sources, self.ballot.present, strict=True)
            },
        )

    def _lost(self) -> dict[str, dict[str, int]]:
        lost: dict[str, dict[str, int]] = {name: {} for name in self.ballot.sources}
        for cells in self.cells:
            for place, i in enumerate(cells.order):
                values = self.ballot.rows[i][cells.column].gather(cells.lines)
                against = cells.settled.contested & ~cells.settled.agree[:, place]
                count = int((against & values.is_not_null().to_numpy()).sum())
                if count:
                    lost[self.ballot.sources[i]][cells.column] = count
        return lost

    def _own(self) -> list[pl.Series]:
        """Provenance: a row could be known when all it was taken from could."""
        base = self.base
        own = [_picked([rows[name] for rows in self.ballot.rows], base, name)
               for name in OWN if name in self.table.names and name != "source"]  # fmt: skip
        found = {series.name: series for series in own}
        mixed = np.flatnonzero(self.taken != (np.uint32(1) << base.astype(np.uint32)))
        if len(mixed):
            lines = pl.Series(mixed, dtype=pl.UInt32)
            for name in ("known_at", "recorded_at"):
                if name in found:
                    found[name] = found[name].clone().scatter(lines, self._latest(name, lines))
            first = self._first_taken(mixed)
            payload = _picked([rows["payload"].gather(lines) for rows in self.ballot.rows], first)
            found["payload"] = found["payload"].clone().scatter(lines, payload)
        return [*found.values(), self._source()]

    def _latest(self, name: str, lines: pl.Series) -> pl.Series:
        bits = self.taken[lines.to_numpy()]
        said = [
            rows[name].gather(lines).zip_with(pl.Series((bits >> i) & 1 == 1), _nothing(rows[name], lines))
            for i, rows in enumerate(self.ballot.rows)
        ]
        return pl.select(pl.max_horizontal(said)).to_series()

    def _first_taken(self, at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[
        tuple[int], np.dtype[np.int64]
    ]:  # fmt: skip
        first = np.full(len(at), NOBODY, dtype=np.int64)
        for i in reversed(self.ranks):
            first[(self.taken[at] >> np.uint32(i)) & 1 == 1] = i
        return first

    def _source(self) -> pl.Series:
        """The names of the sources that a row was taken from, in the order of preference."""
        bits = np.unique(self.taken)
        texts = [
            AGREED_BY.join(self.ballot.sources[i] for i in self.ranks if (int(b) >> i) & 1) for b in bits
        ]
        place = np.searchsorted(bits, self.taken)
        return pl.Series("source", texts, dtype=pl.String).gather(place)


def _differing(merged: pl.Series, values: Sequence[pl.Series]) -> pl.Series | None:
    """Lines on which some source states something else than ``merged``; None when there are none."""
    apart: pl.Series | None = None
    for other in values:
        if merged.equals(other):
            continue
        mask = (merged != other).fill_null(value=False)
        if mask.any():
            apart = mask if apart is None else apart | mask
    return None if apart is None else apart.arg_true()


def _picked(
    values: Sequence[pl.Series], which: np.ndarray[tuple[int], np.dtype[np.int64]], name: str = ""
) -> pl.Series:
    """For each line the value of source ``which``; null for NOBODY."""
    if len(which) and (which == which[0]).all() and which[0] != NOBODY:
        return values[int(which[0])].alias(name or values[0].name)
    picked: pl.Series = _nothing(values[0], values[0])
    for i, each in enumerate(values):
        mask = which == i
        if mask.any():
            picked = each.zip_with(pl.Series(mask), picked)
    return picked.alias(name or values[0].name)


def _nothing(like: pl.Series, lines: pl.Series) -> pl.Series:
    return pl.repeat(None, len(lines), dtype=like.dtype, eager=True)


def _without_instant() -> dict[str, pl.DataType]:
    return {name: dtype for name, dtype in DECISIONS.items() if name != "recorded_at"}


__all__ = ["Agreed", "arbitrate", "key_text", "voted_columns"]
