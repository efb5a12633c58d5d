"""Instrument ids: minted once at the first sight of a code, stored, never computed again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from quant.core.ids import mint_instrument_id, parse_code
from quant.warehouse.lake import Lake, table_ref


class Identities:
    """The ids of a lake by code. New ones are kept in memory until ``save``."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._new: list[tuple[str, date, int]] = []
        rows = lake.read("identities").sort("first_session", "code")
        self._ids: dict[str, int] = dict(
            zip(rows["code"].to_list(), rows["instrument_id"].to_list(), strict=True)
        )

    def __len__(self) -> int:
        return len(self._ids)

    def mint(self, code: str, first_session: date, former: Sequence[str] = ()) -> int:
        """The id of a code, or of one of its ``former`` codes, oldest first; minted when all are new, with
        the oldest code, so that it does not matter when a change of code was first heard of.
        """
        spelled = [*former, code]
        known = next((self._ids[each] for each in spelled if each in self._ids), None)
        if known is None:
            known = mint_instrument_id(parse_code(spelled[0]), first_session)
        for each in spelled:
            if each not in self._ids:
                self._ids[each] = known
                self._new.append((each, first_session, known))
        return known

    def lookup(self, codes: pl.Series) -> pl.Series:
        """Ids by code, null where a code is unknown."""
        return codes.replace_strict(self._ids, default=None, return_dtype=pl.Int64).alias("instrument_id")

    def codes(self, instruments: pl.Series) -> pl.Series:
        """Codes by id, null where an id is unknown."""
        back = {known: code for code, known in self._ids.items()}
        return instruments.replace_strict(back, default=None, return_dtype=pl.String).alias("code")

    def save(self, recorded_at: datetime) -> None:
        """Store what was minted; ids of the same code and session are equal, so a repeat does no harm."""
        if not self._new:
            return
        rows = pl.DataFrame(
            [(*row, recorded_at) for row in self._new],
            schema={
                "code": pl.String,
                "first_session": pl.Date,
                "instrument_id": pl.Int64,
                "recorded_at": pl.Datetime("us", "UTC"),
            },
            orient="row",
        )
        self._lake.merge(table_ref("identities"), rows)
        self._new.clear()
