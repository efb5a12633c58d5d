"""JoinQuant: the real SDK against a host that answers well, badly, and with malice."""

from __future__ import annotations

import io
import os
import pickle
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jq_server import PASSWORD, USER, JoinQuantServer, ours
from truth import truth

from quant.warehouse.sources.joinquant import JoinQuantAdapter, open_joinquant
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import LimitSettings, SourceSettings
from quant.warehouse.sources.vendor import Call, VendorFault, VendorWorld
from quant.warehouse.sources.workers.joinquant import load_plain

FIRST, LAST = date(2021, 3, 1), date(2021, 3, 31)


def adapter(port: int, secret: str = f"{USER}:{PASSWORD}", **limits: int) -> JoinQuantAdapter:
    settings = SourceSettings(
        "jq", "jqdatasdk", options={"host": "127.0.0.1", "port": port}, limits=LimitSettings(**limits)
    )
    return open_joinquant(settings, VendorWorld(lambda _a, _b: truth().codes(), lambda: secret))


@pytest.fixture(scope="module")
def running() -> Iterator[JoinQuantServer]:
    started = JoinQuantServer()
    yield started
    started.stop()


@pytest.fixture
def server(running: JoinQuantServer) -> JoinQuantServer:
    running.faults.clear()
    running.asked.clear()
    return running


@pytest.fixture(scope="module")
def connected(running: JoinQuantServer) -> Iterator[JoinQuantAdapter]:
    made = adapter(running.port)
    yield made
    made.close()


@pytest.fixture
def jq(connected: JoinQuantAdapter, server: JoinQuantServer) -> JoinQuantAdapter:
    return connected


def bars(jq: JoinQuantAdapter) -> Call:
    return next(iter(jq.calls("bars_1d", FIRST, LAST)))


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("drop", "transient"),
        ("hang", "transient"),
        ("garbage", "transient"),
        ("查询超时，请稍后再试", "transient"),
        ("您当日的查询条数超过了每日最大查询限制：1000000条", "quota"),
        ("请求频率过高，请稍后再试", "quota"),
        ("您的账号已过期", "refused"),
        ("找不到标的 000000.XSHE", "invalid"),
    ],
)
def test_each_fault_asks_for_something_and_is_never_empty(
    fault: str, trouble: str, server: JoinQuantServer, jq: JoinQuantAdapter
) -> None:
    server.faults.append(fault)
    with pytest.raises(VendorFault) as raised:
        jq.ask(bars(jq), 0.4)
    assert raised.value.trouble == trouble
    server.faults.clear()
    assert jq.ask(bars(jq), 5.0).rows > 200


def test_an_object_that_would_run_a_command_is_not_made(
    server: JoinQuantServer, jq: JoinQuantAdapter, tmp_path: Path
) -> None:
    target = tmp_path / "made by the host"
    server.faults.append(f"bomb:{target}")
    with pytest.raises(VendorFault, match="it was not made") as raised:
        jq.ask(bars(jq), 5.0)
    assert raised.value.trouble == "refused"
    assert not target.exists()


def test_what_a_host_honestly_sends_is_read() -> None:
    honest = OrderedDict(
        a=[1, 2.5, None, "文", b"x", date(2024, 1, 2), datetime(2024, 1, 2, 9, 31), Decimal("1.5")],
        b=np.array([1.0, np.nan]),
        c=np.array([date(2024, 1, 2)], dtype=object),
        d=np.float64(2.5),
        e=pd.Timestamp("2024-01-02"),
        f=pd.DataFrame({"x": [1.0], "y": [b"a"]}, dtype=object, columns=pd.Index(["x", "y"], dtype=object)),
    )
    for protocol in (2, 4):
        found = load_plain(io.BytesIO(pickle.dumps(honest, protocol)))
        assert found["a"] == honest["a"] and found["e"] == honest["e"] and found["d"] == 2.5
        assert found["f"].equals(honest["f"])


@pytest.mark.parametrize("evil", [os.system, eval, io.open, pd.read_pickle, pd.eval, np.load, zlib.compress])
def test_functions_are_refused(evil: object) -> None:
    with pytest.raises(VendorFault):
        load_plain(io.BytesIO(pickle.dumps(evil)))


def test_code_that_a_host_sends_for_its_tables_is_not_run(
    server: JoinQuantServer, jq: JoinQuantAdapter
) -> None:
    call = next(iter(jq.calls("corporate_actions", date(2021, 1, 1), date(2021, 12, 31))))
    assert jq.ask(call, 5.0).rows > 5
    assert not Path("/never-id").exists()


def test_reports_come_by_the_date_of_their_announcement(jq: JoinQuantAdapter) -> None:
    (call,) = jq.calls("fundamentals", date(2021, 4, 1), date(2021, 8, 30))
    answer = jq.ask(call, 5.0)
    frame = jq.parse(Payload("fundamentals", answer.content, answer.media_type, {"endpoint": call.endpoint}))
    assert set(frame["pub_date"]) == {"2021-04-28", "2021-08-30"}
    assert set(frame["report_type"]) == {0}


def test_rows_before_a_listing_are_no_rows(jq: JoinQuantAdapter) -> None:
    answer = jq.ask(next(iter(jq.calls("bars_1d", date(2021, 1, 4), date(2021, 12, 31)))), 5.0)
    frame = jq.parse(Payload("bars_1d", answer.content, answer.media_type, {"endpoint": "get_price"}))
    listed = truth().bars.filter(truth().bars["session"] <= date(2021, 12, 31))
    assert frame.height == listed.height < answer.rows


def test_answers_stay_below_a_page(server: JoinQuantServer) -> None:
    jq = adapter(server.port, max_rows=100)
    calls = list(jq.calls("bars_1d", FIRST, LAST))
    assert len(calls) > 3 and all(call.rows <= 100 for call in calls)
    asked = [code for call in calls for code in call.params["security"]]  # type: ignore[attr-defined]
    assert sorted(map(ours, asked)) == truth().codes()
    jq.close()


def test_a_cut_table_that_nobody_would_split_is_refused(
    jq: JoinQuantAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = next(iter(jq.calls("corporate_actions", date(2021, 1, 1), date(2021, 12, 31))))
    monkeypatch.setattr("quant.warehouse.sources.joinquant._TABLE_ROWS", 5)
    with pytest.raises(VendorFault, match="max_rows: 5") as raised:
        jq.ask(call, 5.0)
    assert raised.value.trouble == "invalid"


def test_a_wrong_password_is_refused_and_nowhere_to_be_seen(server: JoinQuantServer) -> None:
    jq = adapter(server.port, secret=f"{USER}:wrong horse battery")
    with pytest.raises(VendorFault) as raised:
        jq.ask(bars(jq), 5.0)
    assert raised.value.trouble == "refused" and "horse" not in str(raised.value)
    jq.close()


def test_a_secret_without_a_user_is_refused_before_anything_is_asked(server: JoinQuantServer) -> None:
    logins = server.logins
    jq = adapter(server.port, secret="only-a-token")
    with pytest.raises(VendorFault, match="USER:PASSWORD"):
        jq.ask(bars(jq), 5.0)
    assert server.logins == logins
    jq.close()


def test_a_dropped_line_is_opened_again(server: JoinQuantServer, jq: JoinQuantAdapter) -> None:
    jq.ask(bars(jq), 5.0)
    server.drop_lines()
    try:
        answer = jq.ask(bars(jq), 5.0)
    except VendorFault as fault:
        assert fault.trouble == "transient"
        answer = jq.ask(bars(jq), 5.0)
    assert answer.rows > 200


def test_the_host_tells_what_is_left_of_the_day(jq: JoinQuantAdapter) -> None:
    answer = jq.ask(Call("get_query_count"), 5.0)
    frame = jq.parse(Payload("quota", answer.content, answer.media_type, {"endpoint": "get_query_count"}))
    assert frame.columns == ["total", "spare"] and frame["total"][0] == 1_000_000
