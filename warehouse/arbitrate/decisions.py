"""Contested cells as rows: what each source said, what was taken, and by which rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from quant.warehouse.arbitrate.ballot import Ballot
from quant.warehouse.arbitrate.settle import Settled
from quant.warehouse.contracts.tables import TableContract, contract

DECISIONS: Final = contract("arbitrations").schema
ROW_KEPT: Final = "; the row is {}'s as a whole: agreed cells break {}"


@dataclass(frozen=True, slots=True)
class Contested:
    """The cells of one column that are not the same everywhere: ``lines`` of the ballot, the settlement, and
    the ``order`` of sources in which it counts.
    """

    column: str
    lines: pl.Series
    settled: Settled
    order: tuple[int, ...]


def as_rows(
    table: TableContract, ballot: Ballot, cells: Contested, overruled: pl.Series, words: pl.Series
) -> pl.DataFrame:
    """Decisions on the contested ones of ``cells``. ``overruled[line]`` is the source that a whole row was
    taken from after all, null elsewhere; ``words`` is what is added to the rule then.
    """
    settled, names = cells.settled, [ballot.sources[i] for i in cells.order]
    disputed = pl.Series(settled.contested)
    lines = cells.lines.filter(disputed)
    winner = _sources(settled.winner, names).filter(disputed)
    instead = overruled.gather(lines)
    winner = instead.zip_with(instead.is_not_null(), winner)
    stated = {name: ballot.rows[i][cells.column].gather(lines) for name, i in zip(names, cells.order,
              strict=True)}  # fmt: skip
    texts = {name: as_text(values) for name, values in stated.items()}
    votes = pl.DataFrame([
        _vote(name, text, ballot.rows[i], lines) for (name, text), i in zip(texts.items(), cells.order,
        strict=True)
    ])  # fmt: skip
    keys = ballot.keys.select(pl.all().gather(lines))
    agree = settled.agree[settled.contested]
    decided = pl.DataFrame([winner.alias("winner"), *(text.alias(name) for name, text in texts.items())])
    return pl.DataFrame([
        pl.repeat(table.name, len(lines), eager=True).alias("table"),
        _column_or_null(keys, "instrument_id", pl.Int64()),
        pl.repeat(None, len(lines), dtype=pl.String, eager=True).alias("code"),
        _column_or_null(keys, table.time, pl.Date()).alias("session"),
        key_text(keys).alias("row"),
        pl.repeat(cells.column, len(lines), eager=True).alias("field"),
        decided.select(_chosen(names).alias("chosen")).to_series(),
        winner.alias("winner"),
        _losers(agree, stated, names).alias("losers"),
        (settled.words.filter(disputed) + words.gather(lines).fill_null("")).alias("rule"),
        votes.select(pl.struct(pl.all()).struct.json_encode()).to_series().alias("votes"),
    ])  # fmt: skip


def key_text(keys: pl.DataFrame) -> pl.Series:
    """The key of each row as JSON."""
    texts = keys.select(pl.col(pl.Decimal, pl.Date, pl.Datetime).cast(pl.String), pl.exclude(pl.Decimal,
                        pl.Date, pl.Datetime)).select(keys.columns)  # fmt: skip
    return texts.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def as_text(values: pl.Series) -> pl.Series:
    """Values as they are shown: decimals without trailing zeros."""
    text = values.cast(pl.String)
    if values.dtype.is_decimal():
        return text.str.strip_chars_end("0").str.strip_chars_end(".")
    return text


def _vote(name: str, text: pl.Series, rows: pl.DataFrame, lines: pl.Series) -> pl.Series:
    said = rows.select(pl.col("payload", "known_at", "recorded_at").gather(lines)).with_columns(
        pl.col("known_at", "recorded_at").dt.to_string("iso:strict")
    )
    vote = said.select(text.alias("value"), "payload", "recorded_at", "known_at")
    return vote.select(pl.struct(pl.all()).alias(name)).to_series()


def _sources(winner: np.ndarray[tuple[int], np.dtype[np.int64]], names: Sequence[str]) -> pl.Series:
    known = pl.Series([*names, None], dtype=pl.String)
    return known.gather(np.where(winner < 0, len(names), winner))


def _chosen(names: Sequence[str]) -> pl.Expr:
    chosen: pl.Expr = pl.lit(None, pl.String)
    for name in names:
        chosen = pl.when(pl.col("winner") == name).then(pl.col(name)).otherwise(chosen)
    return chosen


def _losers(
    agree: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    stated: dict[str, pl.Series],
    names: Sequence[str],
) -> pl.Series:
    frame = pl.DataFrame([
        pl.Series(name, ~agree[:, i] & stated[name].is_not_null().to_numpy()) for i, name in enumerate(names)
    ])  # fmt: skip
    said = [pl.when(pl.col(name)).then(pl.lit(name)) for name in names]
    return frame.select(pl.concat_str(said, separator=", ", ignore_nulls=True)).to_series()


def _column_or_null(keys: pl.DataFrame, name: str | None, dtype: pl.DataType) -> pl.Series:
    if name is not None and name in keys.columns:
        return keys[name]
    return pl.repeat(None, keys.height, dtype=dtype, eager=True).alias(name or "session")
