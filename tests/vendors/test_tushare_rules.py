"""What Tushare's answers mean, and which questions are put to it."""

from __future__ import annotations

import json
import logging
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from desks import sync_desk
from test_tushare import account, golden, ts_desk  # noqa: F401  a fixture
from truth import truth
from tushare_server import TOKEN, TushareServer, attributes, reports

from quant.core.errors import SpecError
from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.warehouse.lake import Lake
from quant.warehouse.sources import tushare_wire
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import (
    DatasetSettings,
    FieldSettings,
    LimitSettings,
    PartSettings,
    SourceSettings,
)
from quant.warehouse.sources.tushare import TushareAdapter
from quant.warehouse.sources.vendor import Call, VendorFault, VendorWorld
from quant.warehouse.sync import ingest

KEYS = (FieldSettings("ts_code", "code"), FieldSettings("trade_date", "session"))
CODES = [f"60{n:04d}.SH" for n in range(300)]


def adapter(endpoint: str, dataset: str = "bars_1d", **more: object) -> TushareAdapter:
    params = more.pop("params", {})
    parts = more.pop("parts", ())
    wanted = DatasetSettings(dataset, endpoint, KEYS, params, parts=parts)  # type: ignore[arg-type]
    limits = LimitSettings(max_rows=5000)
    settings = SourceSettings("ts", "tushare", datasets={dataset: wanted}, limits=limits, **more)  # type: ignore[arg-type]
    known = [code for code in CODES if not settings.codes or code in settings.codes]
    return TushareAdapter(settings, VendorWorld(lambda _a, _b: known, lambda: TOKEN))


def asked(made: TushareAdapter, start: date, end: date, dataset: str = "bars_1d") -> list[Call]:
    return list(made.calls(dataset, start, end))


@pytest.mark.parametrize(
    ("code", "message", "trouble", "wait"),
    [
        (40203, "抱歉，您每分钟最多访问该接口200次，权限的具体详情访问：…", "quota", 61.0),
        (40203, "抱歉，您每小时最多访问该接口10次", "quota", 3601.0),
        (40203, "抱歉，您每天最多访问该接口100000次", "quota", 86400.0),
        (2002, "抱歉，您没有访问该接口的权限", "refused", None),
        (40101, "抱歉，您的token不对，请确认。", "refused", None),
        (50101, "系统繁忙，请稍后再试", "transient", None),
        (-2001, "请指定正确的接口名", "invalid", None),
    ],
)
def test_error_codes_mean_what_their_words_say(
    code: int, message: str, trouble: str, wait: float | None
) -> None:
    assert tushare_wire.trouble_of(code, message) == (trouble, wait)


@pytest.mark.parametrize(
    ("status", "after", "trouble"),
    [
        (429, "7", "quota"),
        (503, None, "transient"),
        (408, None, "transient"),
        (403, None, "refused"),
        (404, None, "invalid"),
    ],
)
def test_an_http_error_is_never_an_empty_table(status: int, after: str | None, trouble: str) -> None:
    with pytest.raises(VendorFault) as caught:
        tushare_wire.raise_for_status(status, after)
    assert (caught.value.trouble, caught.value.retry_after) == (trouble, float(after) if after else None)


@pytest.mark.parametrize(
    "text",
    [
        '{"code": 0, "data": {"fields": ["a"], "ite',
        '{"code": 0, "data": null}',
        '{"code": 0, "data": {"fields": ["a", "b"], "items": [[1]]}}',
        "<html></html>",
    ],
)
def test_half_an_answer_may_be_asked_for_again(text: str) -> None:
    with pytest.raises(VendorFault) as caught:
        tushare_wire.data_of(text)
    assert caught.value.trouble == "transient"


def test_an_address_that_is_not_encrypted_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    tushare_wire._told.clear()
    with caplog.at_level(logging.WARNING, "quant.vendors"):
        for url in (
            "http://api.example/dataapi",
            "http://api.example/dataapi",
            "https://b/x",
            "http://127.0.0.1:1/x",
        ):
            tushare_wire._warn_in_clear(url)
    assert [r.getMessage().split(" is not")[0] for r in caplog.records] == [
        "tushare: http://api.example/dataapi"
    ]


def test_nothing_is_written_to_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with TushareServer() as vendor:
        data = tushare_wire.query(TOKEN, vendor.url, "trade_cal", {"exchange": "SSE"}, "", 5.0)
    assert data["items"]
    assert list(tmp_path.iterdir()) == []


# --- which questions --------------------------------------------------------------------------------------


def test_few_sessions_are_asked_by_day_or_by_lists_of_codes_whatever_is_fewer() -> None:
    by_list = asked(adapter("daily"), date(2024, 3, 4), date(2024, 3, 29))
    assert len(by_list) == 2
    assert all("ts_code" in call.params for call in by_list)
    by_day = asked(adapter("adj_factor"), date(2024, 3, 4), date(2024, 3, 8))
    assert [call.params for call in by_day] == [{"trade_date": f"2024030{n}"} for n in range(4, 9)]
    assert by_day[0].rows == len(CODES)
    three = asked(adapter("adj_factor", codes=tuple(CODES[:3])), date(2024, 3, 4), date(2024, 3, 8))
    assert [call.params["ts_code"] for call in three] == CODES[:3]


def test_all_listing_statuses_are_asked_for() -> None:
    calls = asked(adapter("stock_basic", "instruments"), date(2024, 3, 4), date(2024, 3, 8), "instruments")
    assert [call.params["list_status"] for call in calls] == ["L", "D", "P"]


def test_reports_are_asked_by_code_or_for_all_by_period() -> None:
    start, end = date(2024, 4, 1), date(2024, 4, 30)
    by_code = asked(adapter("income", "fundamentals"), start, end, "fundamentals")
    assert len(by_code) == len(CODES)
    periods = [
        c.params["period"] for c in asked(adapter("income_vip", "fundamentals"), start, end, "fundamentals")
    ]
    assert (periods[0], periods[-1], len(periods)) == ("20220331", "20240331", 9)


def test_weights_are_asked_by_index_and_month() -> None:
    made = adapter("index_weight", "index_weights", params={"index_code": "000300.SH,000905.SH"})
    calls = asked(made, date(2024, 1, 15), date(2024, 2, 10), "index_weights")
    assert [(c.params["index_code"], c.params["start_date"], c.params["end_date"]) for c in calls] == [
        ("000300.SH", "20240115", "20240131"),
        ("000300.SH", "20240201", "20240210"),
        ("000905.SH", "20240115", "20240131"),
        ("000905.SH", "20240201", "20240210"),
    ]
    with pytest.raises(SpecError, match="which indices"):
        asked(adapter("index_weight", "index_weights"), date(2024, 1, 15), date(2024, 2, 10), "index_weights")


def test_parts_are_asked_too_and_an_unknown_endpoint_is_a_fault_of_the_spec() -> None:
    part = PartSettings("suspend_d", KEYS, params={"suspend_type": "S"})
    calls = asked(adapter("daily", parts=(part,)), date(2024, 3, 4), date(2024, 3, 8))
    assert calls[-1].endpoint == "suspend_d"
    assert calls[-1].params["suspend_type"] == "S"
    with pytest.raises(SpecError) as caught:
        asked(adapter("dayly"), date(2024, 3, 4), date(2024, 3, 8))
    assert "daily" in str(caught.value.fault.expected)


def test_a_full_page_is_split_by_days_codes_exchanges_and_pages() -> None:
    made = adapter("daily")
    spans = made.split(Call("suspend_d", {"start_date": "20240101", "end_date": "20240104"}))
    assert [c.params["start_date"] for c in spans] == ["20240101", "20240103"]
    day = {"start_date": "20240102", "end_date": "20240102"}
    codes = made.split(Call("daily", {"ts_code": "1,2,3"}, 9))
    assert [c.params["ts_code"] for c in codes] == ["1", "2,3"]
    assert [c.params["exchange"] for c in made.split(Call("stock_basic", {"list_status": "L"}))] == [
        "SSE",
        "SZSE",
        "BSE",
    ]
    for call in (Call("adj_factor", {"trade_date": "20240102"}), Call("suspend_d", day)):
        first, second = made.split(call)
        assert first == call
        assert (second.params["offset"], second.params["limit"]) == ("5000", "5000")


# --- what answers mean ------------------------------------------------------------------------------------


def parsed(endpoint: str, fields: list[str], *rows: list[object], dataset: str = "bars_1d") -> pl.DataFrame:
    content = json.dumps({"fields": fields, "items": rows}).encode()
    return adapter("daily").parse(Payload(dataset, content, "application/json", {"endpoint": endpoint}))


def test_numbers_keep_their_digits() -> None:
    frame = parsed(
        "daily", ["ts_code", "vol", "amount"], ["600000.SH", 1234567.89, 1e-7], ["600001.SH", None, 3]
    )
    assert frame.rows() == [("600000.SH", "1234567.89", "0.0000001"), ("600001.SH", None, "3")]


def test_only_whole_days_without_trading_are_suspensions() -> None:
    fields = ["ts_code", "suspend_timing", "suspend_type"]
    frame = parsed(
        "suspend_d", fields, ["a", None, "S"], ["b", "09:30-10:00", "S"], ["c", None, "R"], ["d", "", "S"]
    )
    assert frame.select("ts_code", "suspended").rows() == [("a", "true"), ("d", "true")]


@pytest.mark.parametrize(
    ("name", "st", "leaving"),
    [
        ("浦发银行", False, False),
        ("ST浦发", True, False),
        ("*ST浦发", True, False),
        ("S*ST浦发", True, False),
        ("SST浦发", True, False),
        ("浦发退", False, True),
        ("退市浦发", False, True),
        ("* ST 浦发", True, False),
    ],
)
def test_names_tell_special_treatment_and_the_way_out(name: str, st: bool, leaving: bool) -> None:
    frame = parsed("namechange", ["ts_code", "name"], ["600000.SH", name], dataset="instrument_attributes")
    found = set(frame["attribute"].to_list())
    assert found == {"name", *(["st"] if st else []), *(["delisting"] if leaving else [])}


def test_a_planned_dividend_is_none(tmp_path: Path) -> None:
    frame = parsed("dividend", ["ts_code", "div_proc"], ["a", "预案"], ["b", "实施"], ["c", "股东大会通过"])
    assert frame["ts_code"].to_list() == ["b"]


def test_distributions_names_and_reports_of_a_longer_interval(tmp_path: Path) -> None:
    """A quarter through the real client, restatements included."""
    start, end = date(2021, 5, 6), date(2021, 7, 30)
    with TushareServer() as vendor:
        desk = ts_desk(tmp_path, vendor, start, end)
        tables = (
            "instruments",
            "instrument_attributes",
            "corporate_actions",
            "fundamentals",
            "index_weights",
        )
        _, failures = sync_desk(desk, *tables)
    assert failures == []
    actions = golden(desk, "corporate_actions")
    expected = truth().actions.filter(pl.col("ex_session").is_between(start, end)).sort("code", "ex_session")
    assert actions.height == expected.height > 0
    same = ["code", "ex_session", "cash_per_share", "bonus_ratio"]
    assert actions.select(same).equals(expected.select(same))
    lake = Lake(desk.lake)
    told = lake.read("instrument_attributes")
    spells = attributes().filter(pl.col("attribute").is_in(["name", "st", "delisting"]))
    assert (
        told.filter(pl.col("attribute") == "st").height == spells.filter(pl.col("attribute") == "st").height
    )
    there = (pl.col("list_date").fill_null(start) <= end) & (pl.col("delist_date").fill_null(end) > start)
    listed = truth().instruments.filter(there)
    said = [r for r in reports(truth().instruments) if start <= r[3] <= end and r[0] in set(listed["code"])]
    profits = lake.read("fundamentals").filter(pl.col("item") == "net_profit")
    assert profits.height == len(said)
    assert sorted(profits["value"].to_list()) == sorted(r[5] for r in said)
    assert lake.read("fundamentals").filter(pl.col("item") == "roe")["value"].unique().to_list() == [0.125]
    weights = lake.read("index_weights").group_by("session").agg(pl.col("weight").sum())
    assert weights["weight"].to_list() == pytest.approx([1.0] * weights.height, abs=1e-3)


def test_reports_of_the_evening_of_a_sync_are_fetched_with_the_next(tmp_path: Path) -> None:
    """Announcements come until midnight: the day of the last sync is asked for once more, prices are not."""
    friday, monday = date(2021, 6, 4), date(2021, 6, 7)
    evening = int(datetime(2021, 6, 4, 18, 30, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 10**9)
    tables = ("instruments", "bars_1d", "fundamentals")
    with TushareServer() as vendor:
        desk = ts_desk(tmp_path, vendor, friday, monday)
        lake, specs = Lake(desk.lake), data_specs(desk)
        for item in plan_sync(desk, SyncRequest(tables, end=friday), specs, lake=lake).items:
            ingest(item, lake, run="r", now=lambda: evening)
        same = plan_sync(desk, SyncRequest(tables, end=friday), specs, lake=lake).items
        later = plan_sync(desk, SyncRequest(tables, end=monday), specs, lake=lake).items
    assert same == ()
    starts = {item.table.name: item.start for item in later}
    assert (starts["fundamentals"], starts["bars_1d"]) == (friday, date(2021, 6, 5))
