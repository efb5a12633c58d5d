"""Real A-share files through contracts into the lake, checked by a second reading of the raw CSV."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from quant.warehouse.catalog import DeltaCatalog
from quant.warehouse.engines import query
from quant.warehouse.lake import Lake
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings, TableSettings
from quant.warehouse.sync import IngestReport, plan_sync, sync

START, END = date(2024, 1, 1), date(2024, 12, 31)
FILES = "by_stock/*.csv.gz"
KEY = (FieldSettings("股票代码", "code"), FieldSettings("交易日期", "session"))
BARS = (
    *KEY,
    FieldSettings("开盘价", "open"),
    FieldSettings("最高价", "high"),
    FieldSettings("最低价", "low"),
    FieldSettings("收盘价", "close"),
    FieldSettings("昨收价", "pre_close"),
    FieldSettings("成交量(手)", "volume", unit="lot100"),
    FieldSettings("成交额(千元)", "amount", unit="kCNY"),
)
MASTER = (
    FieldSettings("股票代码", "code"),
    FieldSettings("股票名称", "name"),
    FieldSettings("上市日期", "list_date", format="%Y-%m-%d %H:%M:%S"),
)
_F = pl.col("close", "pre_close")
ADJUSTED = tuple(
    FieldSettings(f"{word}后复权", name)
    for word, name in (("开盘价", "open"), ("最高价", "high"), ("最低价", "low"), ("收盘价", "close"))
)


def source(root: Path, **bars: object) -> SourceSettings:
    datasets = {
        "instruments": DatasetSettings("instruments", "stock_basic.csv.gz", MASTER),
        "bars_1d": DatasetSettings("bars_1d", FILES, **{"fields": BARS, **bars}),  # type: ignore[arg-type]
        "adjustment_factors": DatasetSettings(
            "adjustment_factors", FILES, (*KEY, FieldSettings("复权因子", "factor"))
        ),
    }
    return SourceSettings("tushare", "files", root=root, datasets=datasets, infer_events=True)


def load(lake: Lake, settings: SourceSettings, *names: str) -> list[IngestReport]:
    wanted = [TableSettings(name, name, ("tushare",)) for name in names]
    return list(sync(plan_sync(wanted, {"tushare": settings}, lake, START, END), lake, run="r"))


@pytest.fixture(scope="module")
def folder(shared: Callable[[str], Path]) -> Path:
    return shared("data/ashare_01*")


@pytest.fixture(scope="module")
def stored(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, list[IngestReport]]:
    lake = Lake(tmp_path_factory.mktemp("ashare") / "lake")
    names = ("instruments", "bars_1d", "adjustment_factors", "corporate_actions")
    return lake, load(lake, source(folder), *names)


def raw_rows(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted((folder / "by_stock").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)


def test_every_row_of_the_files_is_stored_exactly(
    folder: Path, stored: tuple[Lake, list[IngestReport]]
) -> None:
    lake, _ = stored
    codes = dict(lake.read("instruments").select("instrument_id", "code").iter_rows())
    bars = lake.read("bars_1d")
    found = {(codes[row["instrument_id"]], row["session"]): row for row in bars.iter_rows(named=True)}
    count = 0
    for raw in raw_rows(folder):
        row = found[raw["股票代码"], date.fromisoformat(raw["交易日期"])]
        prices = ("开盘价", "最高价", "最低价", "收盘价", "昨收价")
        assert [row[n] for n in ("open", "high", "low", "close", "pre_close")] == [
            Decimal(raw[p]) for p in prices
        ]
        assert row["volume"] == int(Decimal(raw["成交量(手)"]) * 100)
        assert row["amount"] == Decimal(raw["成交额(千元)"]) * 1000
        count += 1
    assert count == bars.height == 120_488
    assert lake.read("quarantine").height == 0


def test_what_the_files_cannot_tell_is_said(stored: tuple[Lake, list[IngestReport]]) -> None:
    lake, reports = stored
    facts = {report.table: dict(report.facts) for report in reports}
    assert facts["bars_1d"] == {"limits": "derived", "st_history": "absent", "suspensions": "absent"}
    assert facts["corporate_actions"] == {"events": "inferred"}
    assert facts["instruments"] == {"delistings": "absent"}
    state = DeltaCatalog(lake).table("bars_1d")
    assert state is not None
    assert (state.start, state.end, state.facts["benchmark"]) == (date(2024, 1, 2), END, "absent")
    bars = lake.read("bars_1d")
    assert bars["st"].null_count() == bars["suspended"].null_count() == bars.height


def test_no_real_price_lies_beyond_the_computed_limits(stored: tuple[Lake, list[IngestReport]]) -> None:
    lake, _ = stored
    bars = lake.read("bars_1d")
    unknown = bars.filter(pl.col("limit_up").is_null())
    assert unknown["no_limit"].to_list() == [True] * 12
    sealed = bars.filter(pl.col("close") == pl.col("limit_up")).height
    assert sealed > 1000


def test_inferred_events_explain_every_factor_jump(stored: tuple[Lake, list[IngestReport]]) -> None:
    """The vendor's factor steps by close before / reference price: to its three decimals ours must agree."""
    lake, _ = stored
    key = ["instrument_id", "session"]
    bars = (
        lake.read("bars_1d", columns=[*key, "close", "pre_close"]).sort(key).with_columns(_F.cast(pl.Float64))
    )
    bars = bars.with_columns(before=pl.col("close").shift(1).over("instrument_id"))
    factors = lake.read("adjustment_factors", columns=[*key, "factor"]).sort(key)
    factors = factors.with_columns(jump=pl.col("factor") / pl.col("factor").shift(1).over("instrument_id"))
    actions = lake.read("corporate_actions").select(
        "instrument_id", "ex_session", "cash_per_share", "bonus_ratio"
    )
    moves = bars.join(factors, on=key)
    jumps = moves.filter(pl.col("jump") > 1.0005)
    told = moves.join(actions, left_on=key, right_on=["instrument_id", "ex_session"])
    assert jumps.join(told, on=key, how="anti").height == 0
    assert jumps.height > 300
    step = pl.col("before") / pl.col("pre_close")
    cash, bonus = pl.col("cash_per_share").cast(pl.Float64), pl.col("bonus_ratio").cast(pl.Float64)
    assert told.select(((step - pl.col("jump")).abs() / step).max()).item() < 0.002
    reference = (pl.col("before") - cash) / (1 + bonus)
    assert told.select((reference - pl.col("pre_close")).abs().max()).item() < 0.0051


def test_post_adjusted_columns_give_the_traded_prices(
    folder: Path, stored: tuple[Lake, list[IngestReport]], tmp_path: Path
) -> None:
    lake, _ = stored
    fields = (*KEY, *ADJUSTED, FieldSettings("复权因子", "factor"), *BARS[6:])
    other = Lake(tmp_path / "lake")
    # The reference price is given as traded: it must not be divided.
    settings = source(folder, adjustment="post", fields=tuple(f for f in fields if f.name != "pre_close"))
    load(other, settings, "instruments", "bars_1d")
    names = ["instrument_id", "session", "open", "high", "low", "close", "volume", "amount"]
    mine, theirs = (each.read("bars_1d", columns=names).sort(names[:2]) for each in (other, lake))
    assert mine.equals(theirs)


def test_sql_counts_what_the_frame_counts(stored: tuple[Lake, list[IngestReport]]) -> None:
    lake, _ = stored
    sql = (
        "select count(*) as n, sum(volume) as v, sum(amount) as a from bars_1d where session >= '2024-07-01'"
    )
    half = lake.read("bars_1d", start=date(2024, 7, 1))
    expected = {"n": half.height, "v": half["volume"].sum(), "a": half["amount"].sum()}
    for engine in ("clickhouse", "duckdb"):
        if engine == "clickhouse":
            pytest.importorskip("chdb", reason="chdb has no wheel for this system")
        (row,) = query(sql, lake, engine=engine).table.to_pylist()
        assert {name: int(value) for name, value in row.items()} == {k: int(v) for k, v in expected.items()}


def test_syncing_again_does_nothing(folder: Path, stored: tuple[Lake, list[IngestReport]]) -> None:
    lake, _ = stored
    assert (
        load(lake, source(folder), "instruments", "bars_1d", "adjustment_factors", "corporate_actions") == []
    )
    raw = [
        path for path in (lake.root / "raw" / "tushare").rglob("*") if re.fullmatch("[0-9a-f]{64}", path.name)
    ]
    assert len(raw) == 501
