"""akshare: the real client against pages that are well, broken, forbidden and hostile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from truth import END, START, factor_events, truth
from web_server import WebServer

from quant.warehouse.sources.akshare import AkshareAdapter, open_akshare
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings
from quant.warehouse.sources.vendor import Call, VendorFault, VendorWorld

SINA = {
    "instruments": DatasetSettings("instruments"),
    "bars_1d": DatasetSettings("bars_1d", endpoint="stock_zh_a_daily"),
    "adjustment_factors": DatasetSettings("adjustment_factors"),
}


def adapter(url: str, datasets: dict[str, DatasetSettings] | None = None) -> AkshareAdapter:
    settings = SourceSettings("ak", "akshare", options={"url": url}, datasets=datasets or {})
    return open_akshare(settings, VendorWorld(lambda _a, _b: truth().codes(), lambda: ""))


@pytest.fixture(scope="module")
def running() -> Iterator[WebServer]:
    started = WebServer()
    yield started
    started.stop()


@pytest.fixture
def web(running: WebServer) -> WebServer:
    running.faults.clear()
    running.asked.clear()
    return running


@pytest.fixture(scope="module")
def opened(running: WebServer) -> Iterator[AkshareAdapter]:
    made = adapter(running.url)
    yield made
    made.close()


@pytest.fixture
def ak(opened: AkshareAdapter, web: WebServer) -> AkshareAdapter:
    return opened


def read(ak: AkshareAdapter, dataset: str, start: date = START, end: date = END) -> pl.DataFrame:
    frames = []
    for call in ak.calls(dataset, start, end):
        answer = ak.ask(call, 5.0)
        request = {"endpoint": call.endpoint, **call.params}
        frames.append(ak.parse(Payload(dataset, answer.content, answer.media_type, request)))
    return pl.concat([frame for frame in frames if frame.height], how="diagonal_relaxed")


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("429", "quota"), ("403", "quota"), ("456", "quota"), ("500", "transient"), ("404", "transient"),
        ("cut", "transient"), ("html", "transient"), ("drop", "transient"), ("hang", "transient"),
        ("null", "transient"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dataset", ["bars_1d", "adjustment_factors"])
def test_each_fault_asks_for_something_and_is_never_empty(
    dataset: str, fault: str, trouble: str, ak: AkshareAdapter, web: WebServer
) -> None:
    call = next(iter(ak.calls(dataset, START, END)))
    web.faults.append(fault)
    with pytest.raises(VendorFault) as raised:
        ak.ask(call, 0.4)
    assert raised.value.trouble == trouble
    assert ak.ask(call, 5.0).rows > 0


def test_what_a_page_sends_is_data_and_never_run(ak: AkshareAdapter, web: WebServer) -> None:
    web.faults.append("evil")
    with pytest.raises(VendorFault) as raised:
        ak.ask(Call("stock_zh_a_daily", {"symbol": "sh605992", "adjust": "hfq-factor"}), 5.0)
    assert raised.value.trouble == "transient"
    assert not Path("/never-made").exists()


def test_nothing_but_the_given_url_is_asked(ak: AkshareAdapter, web: WebServer) -> None:
    for dataset in ("instruments", "bars_1d", "adjustment_factors"):
        read(ak, dataset, date(2021, 3, 1), date(2021, 3, 5))
    assert {host for host, _ in web.asked} == {
        "push2his.eastmoney.com", "finance.sina.com.cn", "query.sse.com.cn", "www.szse.cn", "www.bse.cn",
    }  # fmt: skip


def test_lists_hold_the_delisted_too(ak: AkshareAdapter) -> None:
    found = read(ak, "instruments").select("code", "delist_date").sort("code")
    wanted = truth().instruments.select(
        pl.col("code").str.slice(0, 6), pl.col("delist_date").cast(pl.String)
    ).sort("code")  # fmt: skip
    assert found.rows() == wanted.rows()


def test_a_halted_interval_has_no_rows_and_all_columns(ak: AkshareAdapter) -> None:
    halted = truth().bars.filter(pl.col("suspended")).row(0, named=True)
    day, symbol = halted["session"], halted["code"][:6]
    (call,) = (c for c in ak.calls("bars_1d", day, day) if c.params["symbol"] == symbol)
    answer = ak.ask(call, 5.0)
    request = {"endpoint": call.endpoint, **call.params}
    frame = ak.parse(Payload("bars_1d", answer.content, answer.media_type, request))
    assert (answer.rows, answer.empty_is_known, frame.height, call.rows) == (0, True, 0, 0)
    assert frame.columns == read(ak, "bars_1d").columns


def test_factors_come_as_events_without_the_one_of_1900(ak: AkshareAdapter) -> None:
    found = read(ak, "adjustment_factors").sort("code", "date")
    events = factor_events(truth().factors)
    assert found["date"].to_list() == events["session"].cast(pl.String).to_list()
    assert found["hfq_factor"].cast(pl.Float64).to_list() == events["factor"].to_list()
    assert found["code"].to_list() == events["code"].to_list()


def test_both_sites_show_the_same_candles_and_no_invented_ones(web: WebServer) -> None:
    """akshare gives a halted session on which the number of shares changed the candle before it."""
    eastmoney, sina = adapter(web.url), adapter(web.url, SINA)
    halted = truth().bars.filter(pl.col("suspended")).sort("session")
    assert halted.height
    for row in halted.unique("code", keep="first").iter_rows(named=True):
        day = row["session"]
        ours = [c for c in sina.calls("bars_1d", day, END) if c.params["symbol"][2:] == row["code"][:6]]  # type: ignore[index]
        answer = sina.ask(ours[0], 5.0)
        request = {"endpoint": ours[0].endpoint, **ours[0].params}
        frame = sina.parse(Payload("bars_1d", answer.content, answer.media_type, request))
        traded = truth().bars.filter(
            (pl.col("code") == row["code"]) & ~pl.col("suspended") & (pl.col("session") >= day)
        )
        assert frame["date"].to_list() == traded.sort("session")["session"].cast(pl.String).to_list()
        assert frame["volume"].to_list() == traded.sort("session")["volume"].to_list()
    one = read(eastmoney, "bars_1d").select("股票代码", "日期", "开盘", "最高", "最低", "收盘", "成交额")
    two = read(sina, "bars_1d").select(
        pl.col("code").str.slice(0, 6), "date", "open", "high", "low", "close", "amount"
    )
    assert sorted(one.rows()) == sorted(two.rows())
    eastmoney.close()
    sina.close()
