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
from quant.research.panel import load_panel
from quant.research.panel_bars import each
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


@pytest.mark.parametrize("late", [None, 3, 11, len(DAYS) - 1])
def test_an_instrument_of_one_day_is_found_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: int | None
) -> None:
    monkeypatch.setattr(delta, "SEGMENT_ROWS", 1)
    monkeypatch.setattr(delta, "PART_ROWS", 1)
    lake = Lake(tmp_path / "lake")
    rows = pl.concat([bars(day, (11, 22, 33) if n == late else (11, 22)) for n, day in enumerate(DAYS)])
    lake.write_interval(table_ref("bars_1d"), rows, DAYS[0], DAYS[-1])
    assert len(lake.parts("bars_1d", columns=["session"])) == len(DAYS)
    there = load_panel(lake, calendar("XSHG"), DAYS[0], DAYS[-1])
    once = load_panel(AtOnce(lake), calendar("XSHG"), DAYS[0], DAYS[-1])
    assert there.instruments.tolist() == [11, 22, *([33] if late is not None else [])]
    for each_field in fields(there):
        mine, plain = getattr(there, each_field.name), getattr(once, each_field.name)
        if isinstance(mine, np.ndarray):
            assert np.array_equal(mine, plain), each_field.name
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
