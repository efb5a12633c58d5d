"""Tables into matrices: the C++ placement equals a row-by-row one, however rows are sorted and cut."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.core.errors import QuantError
from quant.native.panel import Kind, Target, carry, distinct, scatter

EPOCH = date(1970, 1, 1)
FIRST = date(2024, 1, 1)
PRICE = pl.Decimal(18, 4)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """A table on a grid with holes, its rows in one of three orders, cut into pieces, partly off the axes."""
    sessions, instruments = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    keep = rng.random((instruments, sessions)) < draw(st.sampled_from([0.3, 0.95, 1.0]))
    rows = [(s, t) for s in range(instruments) for t in range(sessions) if keep[s, t]]
    order = draw(st.sampled_from(["instrument", "session", "random"]))
    if order == "session":
        rows.sort(key=lambda row: (row[1], row[0]))
    elif order == "random":
        rng.shuffle(rows)
    off = draw(st.integers(0, 2))
    return {
        "rows": rows,
        "rng": rng,
        "shape": (sessions, instruments),
        "off": off,
        "nulls": draw(st.booleans()),
        "cuts": draw(st.integers(1, 4)),
    }


def _frame(case: dict[str, Any]) -> pl.DataFrame:
    rng, rows = case["rng"], case["rows"]
    count = len(rows)
    hole = rng.random(count) < (0.2 if case["nulls"] else 0.0)
    price = [
        None if h else Decimal(int(p)).scaleb(-4)
        for p, h in zip(rng.integers(-(10**9), 10**12, count), hole, strict=True)
    ]
    amount = [
        None if h else Decimal(int(p)).scaleb(-4)
        for p, h in zip(rng.integers(0, 10**16, count), hole, strict=True)
    ]
    return pl.DataFrame(
        {
            "instrument_id": [7 + 3 * s for s, _ in rows],
            "session": [FIRST + timedelta(days=2 * t) for _, t in rows],
            "price": price,
            "volume": rng.integers(0, 5, count) * rng.integers(0, 10**9, count),
            "amount": amount,
            "factor": rng.random(count),
            "flag": [None if h else bool(x) for x, h in zip(rng.integers(0, 2, count), hole, strict=True)],
        },
        schema={
            "instrument_id": pl.Int64,
            "session": pl.Date,
            "price": PRICE,
            "volume": pl.Int64,
            "amount": pl.Decimal(20, 4),
            "factor": pl.Float64,
            "flag": pl.Boolean,
        },
    )


def _expected(frame: pl.DataFrame, days: Any, ids: Any) -> dict[str, Any]:
    """Row by row, in Python's own arithmetic."""
    shape = (len(days), len(ids))
    out: dict[str, Any] = {name: np.zeros(shape, "i8") for name in ("price", "volume", "vwap")}
    out |= {"factor": np.zeros(shape), "flags": np.zeros(shape, "u4"), "off": 0}
    at_day, at_id = {int(d): t for t, d in enumerate(days)}, {int(i): s for s, i in enumerate(ids)}
    for row in frame.iter_rows(named=True):
        t, s = at_day.get((row["session"] - EPOCH).days), at_id.get(row["instrument_id"])
        if t is None or s is None:
            out["off"] += 1
            continue
        cents = lambda value: 0 if value is None else int(value.scaleb(4))  # noqa: E731
        out["price"][t, s], out["volume"][t, s] = cents(row["price"]), row["volume"]
        money, shares = cents(row["amount"]), row["volume"]
        known = shares > 0 and row["amount"] is not None
        out["vwap"][t, s] = (money + shares // 2) // shares if known else 0
        out["factor"][t, s] = row["factor"]
        bits = 1 | (2 if shares > 0 else 0)
        out["flags"][t, s] = bits | (16 if row["flag"] is None else 8 if row["flag"] else 0)
    return out


@settings(max_examples=120, deadline=None)
@given(tables())
def test_cells_equal_a_placement_row_by_row(case: dict[str, Any]) -> None:
    frame = _frame(case)
    sessions, instruments = case["shape"]
    days = np.array([(FIRST - EPOCH).days + 2 * t for t in range(sessions)], "i4")[case["off"] :]
    ids = np.array([7 + 3 * s for s in range(instruments)], "i8")[: instruments - case["off"] or None]
    wanted = _expected(frame, days, ids)
    shape = (len(days), len(ids))
    out = {n: np.zeros(shape, "i8") for n in ("price", "volume", "vwap")}
    factor, flags = np.zeros(shape), np.zeros(shape, "u4")
    targets = [
        Target(Kind.INTEGER, out["price"], "price"),
        Target(Kind.INTEGER, out["volume"], "volume"),
        Target(Kind.QUOTIENT, out["vwap"], "amount", "volume"),
        Target(Kind.REAL, factor, "factor"),
        Target(Kind.PRESENT, flags, "volume", bit=1, other_bit=2),
        Target(Kind.BITS, flags, "flag", bit=8, other_bit=16),
    ]
    step = max(1, -(-frame.height // case["cuts"]))
    pieces = [frame[i : i + step] for i in range(0, frame.height, step)]
    off = sum(scatter(piece, days, ids, targets).off for piece in pieces)
    assert off == wanted["off"]
    for name, matrix in {**out, "factor": factor, "flags": flags}.items():
        np.testing.assert_array_equal(matrix, wanted[name], err_msg=name)
    again = [Target(t.kind, np.zeros_like(t.matrix), t.column, t.other, t.bit, t.other_bit) for t in targets]
    joined = pl.concat(pieces, rechunk=False) if pieces else frame  # chunks of one frame, as many files give
    assert joined.n_chunks() == max(len(pieces), 1)
    assert scatter(joined, days, ids, again).off == off
    for one, other in zip(targets[:4], again[:4], strict=True):
        np.testing.assert_array_equal(one.matrix, other.matrix)
    if frame.height:
        first, last = (int(days[0]), int(days[-1])) if len(days) else (1, 0)
        inside = frame.filter(pl.col("session").cast(pl.Int32).is_between(first, last))
        found = distinct(joined, first, last)
        assert found.tolist() == inside["instrument_id"].unique().sort().to_list()


def test_numbers_beyond_64_bits_and_wrong_types_are_refused() -> None:
    day = pl.Series("session", [FIRST])
    days, ids, out = np.array([(FIRST - EPOCH).days], "i4"), np.array([1], "i8"), np.zeros((1, 1), "i8")
    wide = pl.DataFrame(
        {"instrument_id": [1], "session": day, "x": pl.Series([Decimal(10**20)], dtype=pl.Decimal(38, 4))}
    )
    with pytest.raises(QuantError, match="64 bits"):
        scatter(wide, days, ids, [Target(Kind.INTEGER, out, "x")])
    text = pl.DataFrame({"instrument_id": [1], "session": day, "x": ["a"]})
    with pytest.raises(QuantError, match="type"):
        scatter(text, days, ids, [Target(Kind.INTEGER, out, "x")])
    with pytest.raises(ValueError, match="shape"):
        scatter(wide, days, ids, [Target(Kind.INTEGER, np.zeros((2, 1), "i8"), "x")])


def test_zeros_are_filled_from_above() -> None:
    values = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    carry(values)
    assert values.tolist() == [[0.0, 1.0], [2.0, 1.0], [2.0, 3.0]]
