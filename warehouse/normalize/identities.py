"""Instrument ids: minted once at the first sight of a code, stored, never computed again.

A code is held by an instrument for a spell of dates. It may be reused: who held it on a row's date decides
whose row it is. An instrument may change its code: all of its codes lead to one id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from quant.core.ids import mint_instrument_id, parse_code
from quant.core.market.rules import rulebook
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, table_ref

UNKNOWN_LISTING: Final = date(1900, 1, 1)
"""The first session of an instrument whose listing date nobody says."""


@dataclass(frozen=True, slots=True)
class FormerCode:
    """An earlier code of an instrument and the first date it was no longer used, where that is known."""

    code: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class _Spell:
    """``code`` means ``instrument_id`` from ``first`` to the day before ``until`` (None = still)."""

    code: str
    first: date
    until: date | None
    instrument_id: int

    def meets(self, first: date, until: date | None) -> bool:
        """Whether two spells can be one: they share a day, as far as is known."""
        return (self.until is None or first < self.until) and (until is None or until > self.first)


class Identities:
    """The ids of a lake by code and date. New ones are kept in memory until ``save``."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._spells: dict[str, list[_Spell]] = {}
        self._new: dict[tuple[str, date], _Spell] = {}
        rows = lake.read("identities").sort("first_session", "code")
        for row in rows.select("code", "first_session", "until", "instrument_id").iter_rows():
            spell = _Spell(*row)
            self._spells.setdefault(spell.code, []).append(spell)

    def __len__(self) -> int:
        return len(self._spells)

    def mint(
        self,
        code: str,
        first_session: date,
        former: Sequence[str | FormerCode] = (),
        until: date | None = None,
    ) -> int:
        """The id of a code that was listed on ``first_session``, or of one of its ``former`` codes, oldest
        first; minted when all are new, with the oldest code, so that it does not matter when a change of
        code was first heard of.

        A code whose holder was delisted (``until``: first date no longer listed) by ``first_session`` is
        another instrument's now.
        """
        earlier = [each if isinstance(each, FormerCode) else FormerCode(each) for each in former]
        spelled = [*earlier, FormerCode(code, until)]
        found = [spell for each in spelled if (spell := self._holder(each, first_session))]
        known = found[0].instrument_id if found else self._renumbered(code, first_session)
        if known is None:
            known = mint_instrument_id(parse_code(spelled[0].code), first_session)
        for each in spelled:
            self._remember(each, first_session, known)
        return known

    def lookup(self, codes: pl.Series, sessions: pl.Series | None = None) -> pl.Series:
        """Ids by code and date, null where a code is unknown, or where several instruments used it and none
        did on the date. A code that only ever meant one instrument means it on every date: vendors print
        today's code over all of its history. Without ``sessions`` a reused code means its last holder.
        """
        last = {code: spells[-1].instrument_id for code, spells in self._spells.items()}
        plain = codes.replace_strict(last, default=None, return_dtype=pl.Int64).alias("instrument_id")
        reused = [c for c, spells in self._spells.items() if len({s.instrument_id for s in spells}) > 1]
        if sessions is None or not reused:
            return plain
        rows = pl.DataFrame({"code": codes.cast(pl.String), "session": sessions, "plain": plain})
        doubtful = rows.with_row_index("at").filter(pl.col("code").is_in(reused))
        if not doubtful.height:
            return plain
        held = self._frame([spell for code in reused for spell in self._spells[code]])
        dated = (
            doubtful.join(held, on="code")
            .filter(
                (pl.col("first_session") <= pl.col("session"))
                & (pl.col("until").is_null() | (pl.col("session") < pl.col("until")))
            )
            .group_by("at")
            .agg(pl.col("instrument_id").last())
        )
        answer = doubtful.select("at").join(dated, on="at", how="left")
        return plain.scatter(answer["at"], answer["instrument_id"])

    def codes(self, instruments: pl.Series) -> pl.Series:
        """The last code of each id, null where an id is unknown."""
        spells = sorted(self._every(), key=lambda s: (s.until or date.max, s.first))
        back = {spell.instrument_id: spell.code for spell in spells}
        return instruments.replace_strict(back, default=None, return_dtype=pl.String).alias("code")

    def reused(self) -> pl.DataFrame:
        """The codes that meant several instruments: code, first_session, until, instrument_id."""
        many = [s for s in self._spells.values() if len({spell.instrument_id for spell in s}) > 1]
        return self._frame(spell for spells in many for spell in spells)

    def save(self, recorded_at: datetime) -> None:
        """Store what was minted; ids of the same code and session are equal, so a repeat does no harm."""
        if not self._new:
            return
        rows = self._frame(self._new.values()).with_columns(
            pl.lit(recorded_at).cast(pl.Datetime("us", "UTC")).alias("recorded_at")
        )
        self._lake.merge(table_ref("identities"), rows.select(contract("identities").names))
        self._new.clear()

    def _holder(self, each: FormerCode, first: date) -> _Spell | None:
        """The last spell of a code that can be the one asked for."""
        spells = self._spells.get(each.code, ())
        return next((spell for spell in reversed(spells) if spell.meets(first, each.until)), None)

    def _renumbered(self, code: str, first: date) -> int | None:
        """The id of the other number of a Beijing stock that was renumbered (2024-04-22 to 2025-10-09): the
        same three last digits and the same listing date, one with a number of the old kind.
        """
        parsed = parse_code(code)
        if parsed.mic != "BJSE" or first == UNKNOWN_LISTING or first >= _new_numbers_since():
            return None
        tail = parsed.symbol[3:]
        new = parsed.symbol.startswith("920")
        same = {
            spell.instrument_id
            for spell in self._every()
            if spell.first == first
            and spell.code.endswith(f"{tail}.BJ")
            and spell.code.startswith("920") != new
        }
        return same.pop() if len(same) == 1 else None

    def _remember(self, each: FormerCode, first: date, known: int) -> None:
        spells = self._spells.setdefault(each.code, [])
        own = next((spell for spell in spells if spell.instrument_id == known), None)
        if own is not None and (each.until is None or each.until == own.until):
            return
        spell = _Spell(each.code, own.first if own else first, each.until, known)
        self._spells[each.code] = sorted(
            [*(s for s in spells if s is not own), spell], key=lambda s: (s.first, s.instrument_id)
        )
        self._new[spell.code, spell.first] = spell

    def _every(self) -> Iterable[_Spell]:
        return (spell for spells in self._spells.values() for spell in spells)

    @staticmethod
    def _frame(spells: Iterable[_Spell]) -> pl.DataFrame:
        return pl.DataFrame(
            [(s.code, s.first, s.until, s.instrument_id) for s in spells],
            schema={
                "code": pl.String,
                "first_session": pl.Date,
                "until": pl.Date,
                "instrument_id": pl.Int64,
            },
            orient="row",
        )


def _new_numbers_since() -> date:
    """From when Beijing's new listings get the numbers that all of its stocks have now."""
    return min(row.start for row in rulebook().boards.rows["BJSE", "920"])
