"""Two vendors print one market; the second one's faults are exactly the planted ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from quant.core.errors import UsageError
from quant.core.market.calendar import calendar
from quant.warehouse.contracts.tables import contract
from quant.warehouse.sources import DatasetSettings, SourceSettings, open_source
from quant.warehouse.sources.simulated import Planted, SimulatedParams, SimulatedSource, planted, simulate
from quant.warehouse.sources.simulated.disagreements import BAR_SHARES, EVENT_SHARES
from quant.warehouse.sources.simulated.views import DATASETS

PARAMS = SimulatedParams(seed=7, instruments=80, disagreements=4.0)
START, END = date(2019, 1, 1), date(2023, 12, 31)
BAR = ["open", "high", "low", "close", "volume", "amount"]


@lru_cache(maxsize=24)
def table(view: str, dataset: str, start: date = START, end: date = END) -> pl.DataFrame:
    source = SimulatedSource(SimulatedParams(seed=7, instruments=80, disagreements=4.0, view=view))
    return pl.concat([source.parse(payload) for payload in source.fetch(dataset, start, end)])


@pytest.fixture(scope="module")
def faults() -> tuple[Planted, ...]:
    return planted(PARAMS, END)


def test_view_a_is_the_market_in_yuan_and_shares() -> None:
    bars, market = table("a", "bars_1d"), simulate(PARAMS, END)
    assert bars.height == market.listed.sum()
    traded = bars.filter(pl.col("volume") > 0)
    assert traded["volume"].sum() == market.volume.sum()
    assert traded["amount"].sum() == Decimal(int(market.amount.sum()))
    assert traded["close"].sum() * 100 == int(market.close.sum())
    assert bars.filter(suspended=True)["close"].is_null().all()
    assert bars["limit_up"].is_null().sum() == market.no_limit.sum()


@pytest.mark.parametrize("dataset", DATASETS)
def test_view_a_keeps_the_contract_with_its_types(dataset: str) -> None:
    rows, target = table("a", dataset), contract(dataset)
    assert {name: dtype for name, dtype in rows.schema.items() if name in target.schema} == {
        name: dtype for name, dtype in target.schema.items() if name in rows.columns
    }
    required = {c.name for c in target.columns if not c.nullable}
    assert required - set(rows.columns) <= {"instrument_id", "recorded_at", "source", "payload", "mic", "ts"}
    silent = {c.name: pl.lit(None, c.dtype) for c in target.columns if c.name not in rows.columns}
    rows = rows.with_columns(**silent)
    for rule in target.rules:
        assert rows.filter(~rule.expression).height == 0, rule.name
    key = ["code" if name == "instrument_id" else name for name in target.key]
    assert not rows.select(key).is_duplicated().any()


@pytest.mark.parametrize("dataset", ["instruments", "instrument_attributes"])
def test_both_views_agree_on_what_instruments_are(dataset: str) -> None:
    assert_frame_equal(table("a", dataset), table("b", dataset), check_row_order=False)


def test_every_kind_of_fault_is_planted(faults: tuple[Planted, ...]) -> None:
    counts = Counter(fault.kind for fault in faults)
    assert set(counts) == {*BAR_SHARES, *EVENT_SHARES}
    assert min(counts.values()) >= 3


def test_bars_of_the_views_differ_exactly_where_planted(faults: tuple[Planted, ...]) -> None:
    a, b = table("a", "bars_1d"), table("b", "bars_1d")
    missing = a.join(b, on=["code", "session"], how="anti")
    assert keys(missing) == {(f.code, f.session) for f in faults if f.kind == "missing_row"}
    assert b.join(a, on=["code", "session"], how="anti").height == 0
    both = a.join(b, on=["code", "session"], suffix="_b")
    differs = {
        name: keys(both.filter(pl.col(name).ne_missing(pl.col(f"{name}_b"))))
        for name in a.columns
        if name not in ("code", "session")
    }
    of = {kind: {(f.code, f.session) for f in faults if f.kind == kind} for kind in {f.kind for f in faults}}
    assert differs.pop("volume") >= of["lots"]
    assert differs.pop("amount") >= of["rounded_amount"]
    close = differs.pop("close")
    assert close == of["wrong_close"] | of["shifted_day"]
    assert set().union(*(differs.pop(n) for n in ("open", "high", "low"))) <= of["shifted_day"]
    assert not any(differs.values())


def test_planted_bars_show_what_the_list_says(faults: tuple[Planted, ...]) -> None:
    units = {"close": 100, "volume": 1, "amount": 1}
    codes = {fault.code for fault in faults if fault.dataset == "bars_1d"}
    shown, truth = by_key(table("b", "bars_1d"), codes), by_key(table("a", "bars_1d"), codes)
    for fault in faults:
        if fault.dataset != "bars_1d" or fault.shown is None:
            continue
        column = "close" if fault.field == "bar" else fault.field
        where = (fault.code, fault.session)
        assert int(shown[where][column] * units[column]) == fault.shown
        assert int(truth[where][column] * units[column]) == fault.truth
        if fault.kind == "shifted_day":
            before = calendar("XSHG").previous(fault.session)
            assert [shown[where][c] for c in BAR] == [truth[fault.code, before][c] for c in BAR]


def test_factors_and_dividends_differ_exactly_where_planted(faults: tuple[Planted, ...]) -> None:
    a, b = table("a", "adjustment_factors"), table("b", "adjustment_factors")
    both = a.join(b, on=["code", "session"], suffix="_b", validate="1:1").filter(
        pl.col("factor") != pl.col("factor_b")
    )
    assert keys(both) == {(f.code, f.session) for f in faults if f.kind == "late_factor"}
    a, b = table("a", "corporate_actions"), table("b", "corporate_actions")
    both = a.join(b, on=["code", "ex_session"], suffix="_b", validate="1:1").rename({"ex_session": "session"})
    taxed = {(f.code, f.session): (f.truth, f.shown) for f in faults if f.kind == "after_tax_cash"}
    changed = both.filter(pl.col("cash_per_share") != pl.col("cash_per_share_b"))
    assert keys(changed) == set(taxed)
    for row in changed.iter_rows(named=True):
        found = (row["cash_per_share"] * 1000, row["cash_per_share_b"] * 1000)
        assert found == taxed[row["code"], row["session"]]


def test_the_contract_alone_catches_lots_shown_as_shares(faults: tuple[Planted, ...]) -> None:
    rows = table("b", "bars_1d")
    broken = pl.concat([rows.filter(~rule.expression) for rule in contract("bars_1d").rules])
    assert keys(broken) >= {(f.code, f.session) for f in faults if f.kind == "lots"}
    planted_bars = {(f.code, f.session) for f in faults if f.dataset == "bars_1d"}
    assert keys(broken) <= planted_bars


def test_planted_faults_do_not_depend_on_the_end(faults: tuple[Planted, ...]) -> None:
    shorter = planted(PARAMS, date(2020, 6, 30))
    assert shorter == tuple(f for f in faults if f.session <= date(2020, 6, 30))


def test_no_disagreements_means_the_same_tables() -> None:
    params = SimulatedParams(seed=7, instruments=60, disagreements=0.0, view="b")
    assert planted(params, END) == ()


def test_vendor_columns_and_units_are_kept_when_the_spec_declares_fields() -> None:
    declared = {name: DatasetSettings(name) for name in DATASETS}
    headers = {}
    for view in "ab":
        settings = SourceSettings(
            "sim", "simulated", params={"seed": 7, "instruments": 20, "view": view}, datasets=declared
        )
        source = open_source(settings)
        (payload,) = source.fetch("bars_1d", date(2019, 1, 2), date(2019, 1, 10))
        assert payload.media_type == "text/csv"
        headers[view] = source.parse(payload)
    a, b = headers["a"], headers["b"]
    assert a.columns[:7] == ["ts_code", "trade_date", "open", "high", "low", "close", "pre_close"]
    assert a["trade_date"][0] == "20190102"
    assert b["date"][0] == "2019-01-02"
    assert a["ts_code"].str.contains(r"^\d{6}\.(SH|SZ|BJ)$").all()
    assert b["code"].str.contains(r"^\d{6}\.(XSHG|XSHE|BJSE)$").all()
    assert (a["vol"] * 100).to_list() == b["volume"].to_list()
    assert (a["amount"] * 1000).round().to_list() == b["money"].to_list()


@pytest.mark.parametrize(
    ("view", "digest"),
    [
        ("a", "3fcaf96da40121dbd0de2c2ba569ebfd25a18aa7e235c99a55d48a42daee697c"),
        ("b", "fa84c6e5519767782b9845be7ac878a8ba47b259a670176d79d74b3f6dd62095"),
    ],
)
def test_a_seed_is_the_same_bytes_on_every_machine(view: str, digest: str) -> None:
    """Changes with the generator (raise ``GENERATOR``) and with rules in force from 2019 to 2021, only."""
    source, found = SimulatedSource(SimulatedParams(seed=7, instruments=60, view=view)), hashlib.sha256()
    for dataset in DATASETS:
        for payload in source.fetch(dataset, date(2019, 1, 2), date(2021, 12, 31)):
            found.update(payload.content)
    assert found.hexdigest() == digest


def test_prices_are_printed_with_two_decimals_at_most() -> None:
    source = SimulatedSource(SimulatedParams(seed=7, instruments=40))
    (payload,) = source.fetch("bars_1d", date(2019, 1, 1), date(2019, 3, 31))
    cells = [line.split(",")[2:7] for line in payload.content.decode().splitlines()[1:]]
    assert max(len(cell.partition(".")[2]) for row in cells for cell in row) == 2


def by_key(frame: pl.DataFrame, codes: set[str]) -> dict[tuple[str, date], dict[str, Any]]:
    rows = frame.filter(pl.col("code").is_in(codes)).select("code", "session", *BAR).iter_rows(named=True)
    return {(row["code"], row["session"]): row for row in rows}


def keys(frame: pl.DataFrame) -> set[tuple[str, date]]:
    return set(frame.select("code", "session").rows())


@pytest.mark.parametrize("view", ["a", "b"])
@pytest.mark.parametrize("dataset", ["bars_1d", "adjustment_factors", "corporate_actions"])
def test_an_interval_is_the_slice_of_the_whole(view: str, dataset: str) -> None:
    whole, time = table(view, dataset), contract(dataset).time
    start, end = date(2020, 5, 7), date(2021, 8, 3)
    part = table(view, dataset, start, end)
    assert part.height > 0
    assert_frame_equal(part, whole.filter(pl.col(time).is_between(start, end)))


def test_yearly_payloads_are_the_same_bytes_in_any_order_of_requests() -> None:
    params = SimulatedParams(seed=41, instruments=50)
    forward = [
        p.digest
        for y in (2019, 2020, 2021)
        for p in SimulatedSource(params).fetch("bars_1d", date(y, 1, 1), date(y, 12, 31))
    ]
    at_once = [p.digest for p in SimulatedSource(params).fetch("bars_1d", START, date(2021, 12, 31))]
    assert forward == at_once
    assert len(set(at_once)) == 3


def test_instruments_are_a_snapshot_of_what_is_known_at_the_end() -> None:
    early, late = table("a", "instruments", START, date(2020, 1, 2)), table("a", "instruments")
    assert early["list_date"].max() <= date(2020, 1, 2)
    assert early["delist_date"].drop_nulls().is_between(START, date(2020, 1, 2)).all()
    assert late.height > early.height
    later = late.join(early, on="code", how="semi")
    unchanged = later.with_columns(
        delist_date=pl.when(pl.col("delist_date") <= date(2020, 1, 2)).then("delist_date")
    )
    assert_frame_equal(unchanged.select(early.columns), early)


def test_attributes_match_the_status_of_the_bars() -> None:
    bars, dated = table("a", "bars_1d"), table("a", "instrument_attributes")
    for attribute in ("st", "delisting"):
        spells = dated.filter(attribute=attribute)
        inside = bars.join(spells, on="code").filter(
            pl.col("session") >= pl.col("from_session"),
            pl.col("to_session").is_null() | (pl.col("session") <= pl.col("to_session")),
        )
        assert keys(inside) == keys(bars.filter(pl.col(attribute)))
        mark = "^ST" if attribute == "st" else "退$"
        names = dated.filter(attribute="name").filter(pl.col("value").str.contains(mark))
        assert_frame_equal(
            names.select("code", "from_session", "to_session"),
            spells.select("code", "from_session", "to_session"),
            check_row_order=False,
        )


def test_before_the_market_starts_there_is_nothing() -> None:
    source = SimulatedSource(SimulatedParams(seed=7, instruments=20))
    assert list(source.fetch("bars_1d", date(2018, 1, 1), date(2018, 12, 31))) == []


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(UsageError, match="fundamentals"):
        list(SimulatedSource(SimulatedParams(seed=7, instruments=20)).fetch("fundamentals", START, END))
