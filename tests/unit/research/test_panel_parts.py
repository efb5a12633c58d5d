"""A panel read in parts, in threads, is the panel read at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.research.panel import Panel, load_panel
from quant.research.panel_bars import KEY, SAMPLED, each
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, delta, table_ref

DAYS = calendar("XSHG").sessions(date(2023, 12, 1), date(2024, 1, 19))


def bars(day: date, ids: Sequence[int]) -> pl.DataFrame:
    price = Decimal("10.20") + Decimal(day.day) / 100
    row = {
        **dict.fromkeys(("open", "high", "low", "close", "pre_close"), price),
        **dict.fromkeys(("suspended", "delisting", "no_limit"), False),
        "ts": datetime(day.year, day.month, day.day, 7, tzinfo=UTC), "session": day, "volume": 100 + day.day,
        "amount": price * 100, "recorded_at": datetime(2026, 1, 1, tzinfo=UTC), "source": "s", "payload": "p",
    }  # fmt: skip
    made = [{**row, "instrument_id": i, "volume": row["volume"] + i} for i in ids]
    names = contract("bars_1d").schema
    return pl.DataFrame([{n: each.get(n) for n in names} for each in made], schema=names)


class AtOnce:
    """The lake, but for its parts."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def read(self, table: str, **more: Any) -> pl.DataFrame:
        return self.lake.read(table, **more)


class Shuffled:
    """A reader of parts whose rows lie in any order, also those of one day in several of them."""

    def __init__(self, lake: Lake, seed: int) -> None:
        self.lake, self.seed = lake, seed

    def read(self, table: str, **more: Any) -> pl.DataFrame:
        return self.lake.read(table, **more)

    def parts(
        self,
        table: str,
        *,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str],
        every: int = 1,
    ) -> list[Callable[[], pl.DataFrame]]:
        rows = self.lake.read(table, columns=list(columns)).sample(fraction=1.0, shuffle=True, seed=self.seed)
        pieces = [rows[n::5] for n in range(5)]
        frames = [pl.concat(pieces[:2], rechunk=False), *pieces[2:]]
        return [lambda frame=frame: frame for frame in frames[::-every]]  # type: ignore[misc]


def assert_same(one: Panel, other: Panel) -> None:
    """Bit by bit."""
    compared = 0
    for each_field in fields(one):
        mine, plain = getattr(one, each_field.name), getattr(other, each_field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == plain.dtype and mine.tobytes() == plain.tobytes(), each_field.name
            compared += 1
    assert compared >= 14


@pytest.mark.parametrize("rows_of_a_file", [1, 7, 40, 16_384])
def test_parts_of_corrected_files_are_one_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_of_a_file: int
) -> None:
    monkeypatch.setattr(delta, "SEGMENT_ROWS", rows_of_a_file)
    monkeypatch.setattr(delta, "PART_CELLS", 300)
    lake, ref = Lake(tmp_path / "lake"), table_ref("bars_1d")
    rows = pl.concat([bars(day, range(11 + n % 3, 19)) for n, day in enumerate(DAYS)])
    lake.write_interval(ref, rows, DAYS[0], DAYS[-1])
    for n in (4, 17, 29):  # days inside of larger files say something else, with other instruments
        other = bars(DAYS[n], (12, 13, 40 + n)).with_columns(
            volume=pl.col("volume") * 3, limit_up=pl.lit(Decimal("1.5")), st=pl.lit(value=True)
        )
        other = other.with_columns(pl.when(pl.col("instrument_id") > 12).then("limit_up"))
        lake.write_interval(ref, other.cast(dict(rows.schema)), DAYS[n], DAYS[n])
    once = load_panel(AtOnce(lake), calendar("XSHG"), DAYS[0], DAYS[-1])
    assert once.instruments.tolist() == [*range(11, 19), 44, 57, 69]
    assert once.limit_up[4].tolist() == [0, 0, 15000, 0, 0, 0, 0, 0, 15000, 0, 0]
    assert_same(load_panel(lake, calendar("XSHG"), DAYS[0], DAYS[-1]), once)
    for seed in range(2):
        assert_same(load_panel(Shuffled(lake, seed), calendar("XSHG"), DAYS[0], DAYS[-1]), once)


@pytest.mark.parametrize("late", [None, 3, 11, len(DAYS) - 1])
def test_an_instrument_of_one_day_is_found_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: int | None
) -> None:
    monkeypatch.setattr(delta, "SEGMENT_ROWS", 1)
    monkeypatch.setattr(delta, "PART_CELLS", 1)
    lake = Lake(tmp_path / "lake")
    rows = pl.concat([bars(day, (11, 22, 33) if n == late else (11, 22)) for n, day in enumerate(DAYS)])
    lake.write_interval(table_ref("bars_1d"), rows, DAYS[0], DAYS[-1])
    assert len(lake.parts("bars_1d", columns=["session"])) == len(DAYS)
    samples: list[int] = []
    parts = lake.parts

    def counted(table: str, **more: Any) -> Any:
        if table == "bars_1d" and list(more["columns"]) == list(KEY):
            samples.append(more["every"])
        return parts(table, **more)

    monkeypatch.setattr(lake, "parts", counted)
    there = load_panel(lake, calendar("XSHG"), DAYS[0], DAYS[-1])
    once = load_panel(AtOnce(lake), calendar("XSHG"), DAYS[0], DAYS[-1])
    seen = late is None or (len(DAYS) - 1 - late) % SAMPLED == 0
    assert samples == ([SAMPLED] if seen else [SAMPLED, 1])
    assert there.instruments.tolist() == [11, 22, *([33] if late is not None else [])]
    assert_same(there, once)
    assert (there.close[:, 0] > 0).all()
    # beyond the sessions asked for, others do not count
    begin, end = DAYS[12], DAYS[20]
    assert load_panel(lake, calendar("XSHG"), begin, end).instruments.tolist() == [11, 22]


def test_a_part_that_fails_ends_the_reading() -> None:
    done: list[int] = []

    def part(n: int) -> Callable[[], pl.DataFrame]:
        def read() -> pl.DataFrame:
            if n == 1:
                raise UsageError("table.removed", "gone")
            done.append(n)
            return pl.DataFrame({"n": [n]})

        return read

    with pytest.raises(UsageError, match="gone"):
        each([part(n) for n in range(200)], lambda frame: frame["n"][0])
    assert each([part(n) for n in (5, 7, 6)], lambda frame: frame["n"][0]) == [5, 7, 6]
