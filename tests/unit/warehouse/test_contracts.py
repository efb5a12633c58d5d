from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from tiny_market import bar_rows

from quant.core.errors import CheckFailed, UsageError
from quant.warehouse.contracts import CONTRACTS, contract, contract_docs
from quant.warehouse.contracts.check import check, pandera_schema

BARS = contract("bars_1d")
DAYS = [date(2024, 1, 2), date(2024, 1, 3)]


def money(text: str) -> Decimal:
    return Decimal(text)


BROKEN = [
    ({"instrument_id": None}, "instrument_id.null"),
    ({"open": money("-1")}, "open.low"),
    ({"high": money("10.30"), "close": money("10.40")}, "ohlc.order"),
    ({"low": None}, "ohlc.missing"),
    ({"volume": -5, "amount": money("0")}, "volume.low"),
    ({"amount": money("0")}, "amount.sign"),
    ({"amount": money("99999999")}, "amount.range"),
    ({"limit_up": money("8.00")}, "limit.order"),
    ({"limit_up": money("10.90")}, "limit.exceeded"),
    ({"suspended": True}, "suspended.traded"),
]


@pytest.mark.parametrize(("change", "rule"), BROKEN, ids=[rule for _, rule in BROKEN])
def test_a_broken_row_is_set_aside_with_its_rule(change: dict[str, object], rule: str) -> None:
    rows = bar_rows(DAYS)
    replaced = [pl.when(pl.int_range(pl.len()) == 2).then(pl.lit(v, BARS.schema[k])).otherwise(k).alias(k)
                for k, v in change.items()]  # fmt: skip
    verdict = check(BARS, rows.with_columns(replaced))
    assert verdict.bad["rule"].to_list() == [rule]
    assert verdict.bad["reason"].null_count() == 0
    assert verdict.good.equals(rows[[0, 1, 3]])
    assert verdict.share == 0.25


def test_good_rows_pass_whole_and_unknown_is_allowed_where_declared() -> None:
    rows = bar_rows(DAYS).with_columns(
        limit_up=pl.lit(None, BARS.schema["limit_up"]), suspended=pl.lit(None, pl.Boolean)
    )
    verdict = check(BARS, rows)
    assert verdict.good.equals(rows)
    assert (verdict.bad.height, verdict.share) == (0, 0)


def test_limits_do_not_bind_on_a_session_without_limits() -> None:
    rows = bar_rows(DAYS).with_columns(
        no_limit=pl.lit(value=True), high=pl.lit(money("14"), BARS.schema["high"])
    )
    assert check(BARS, rows).bad.height == 0


def test_repeated_rows_count_once_and_contradicting_ones_are_set_aside() -> None:
    rows = bar_rows(DAYS)
    assert check(BARS, pl.concat([rows, rows])).good.height == rows.height
    other = rows[:1].with_columns(close=pl.lit(money("10.60"), BARS.schema["close"]))
    verdict = check(BARS, pl.concat([rows, other]))
    assert verdict.bad["rule"].to_list() == ["key.unique"]
    assert verdict.good.height == rows.height


def test_a_wrong_type_is_nobodys_row() -> None:
    with pytest.raises(CheckFailed, match="types differ: close") as caught:
        check(BARS, bar_rows(DAYS).with_columns(pl.col("close").cast(pl.Float64)))
    assert caught.value.exit_code == 3


def test_no_rows_keep_every_contract() -> None:
    for table in CONTRACTS.values():
        verdict = check(table, pl.DataFrame(schema=table.schema))
        assert verdict.good.height == verdict.bad.height == 0


def test_pandera_knows_every_rule() -> None:
    schema = pandera_schema("bars_1d")
    assert {c.name for c in schema.checks} == {rule.name for rule in BARS.rules}
    assert list(schema.columns) == list(BARS.names)
    assert schema.unique == list(BARS.key)


def test_docs_name_every_table_column_and_rule() -> None:
    page = contract_docs()
    for table in CONTRACTS.values():
        assert f"## {table.name}\n" in page
        for column in table.columns:
            assert f"| `{column.name}` |" in page
        for rule in table.rules:
            assert f"`{rule.name}`" in page


def test_unknown_tables_are_named_with_what_there_is() -> None:
    with pytest.raises(UsageError) as caught:
        contract("bars")
    assert "bars_1d" in (caught.value.fault.expected or "")
