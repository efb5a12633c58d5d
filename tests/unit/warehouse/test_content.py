from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tiny_market import bar_rows

from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake.content import partition_hash, table_hash

FACTORS = contract("adjustment_factors")


def factors(values: list[float | None]) -> pl.DataFrame:
    stamp = datetime(2026, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "instrument_id": list(range(1, len(values) + 1)),
            "session": [date(2024, 1, 2)] * len(values),
            "factor": values,
            "inferred": [False] * len(values),
            "known_at": [stamp] * len(values),
        },
        schema={name: FACTORS.schema[name] for name in FACTORS.content},
    )


@given(st.permutations(range(6)))
def test_row_order_does_not_count(order: list[int]) -> None:
    rows = bar_rows([date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)])
    table = contract("bars_1d")
    assert partition_hash(table, rows[order]) == partition_hash(table, rows)


def test_zeros_and_nans_have_one_form_and_null_is_neither() -> None:
    plain = partition_hash(FACTORS, factors([0.0, float("nan")]))
    assert partition_hash(FACTORS, factors([-0.0, float("-nan")])) == plain
    assert partition_hash(FACTORS, factors([None, float("nan")])) != plain
    assert partition_hash(FACTORS, factors([0.0, None])) != plain


def test_amounts_beyond_64_bits_are_hashed() -> None:
    table = contract("bars_1d")
    rows = bar_rows([date(2024, 1, 2)])
    huge = rows.with_columns(amount=pl.lit(Decimal("1234567890123456.0001"), table.schema["amount"]))
    more = rows.with_columns(amount=pl.lit(Decimal("1234567890123456.0002"), table.schema["amount"]))
    assert len({partition_hash(table, each) for each in (rows, huge, more)}) == 3


def test_the_hash_of_known_rows_never_changes() -> None:
    """A change here is a new CONTENT_FORMAT: plans of earlier versions would no longer match."""
    table = contract("bars_1d")
    known = partition_hash(table, bar_rows([date(2024, 1, 2)]))
    assert known == "87615b8af15535c25620f53be0447b856a0403c929fca43ae8eeda8c594e3e56"
    whole = table_hash(table, {"2024": known})
    assert whole == "d62c4935e57bf433fb0557c31d259751867b7026bfb71ce2f6d4dedc41f50e45"
