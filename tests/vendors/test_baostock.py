"""Baostock: recorded traffic through the real SDK, and what its client would get wrong on its own."""

from __future__ import annotations

import socketserver
import threading
import zlib
from ast import literal_eval
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from baostock_server import BaostockServer, Behaviour, message
from truth import END, START, truth

from quant.warehouse.sources.baostock import MINUTE_FIELDS, BaostockAdapter, open_baostock
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import Answer, Call, VendorFault, VendorWorld
from quant.warehouse.sources.workers.baostock import trouble_of

RECORDED = "data/api_60_recorded_responses/baostock_tcp"


def adapter(port: int, secret: str = "", **options: object) -> BaostockAdapter:
    settings = SourceSettings("bao", "baostock", options={"host": "127.0.0.1", "port": port, **options})
    return open_baostock(settings, VendorWorld(lambda _a, _b: truth().codes(), lambda: secret))


@pytest.fixture(scope="module")
def running() -> Iterator[BaostockServer]:
    started = BaostockServer()
    yield started
    started.stop()


@pytest.fixture
def server(running: BaostockServer) -> BaostockServer:
    running.behaviour = Behaviour()
    return running


@pytest.fixture(scope="module")
def logged_in(running: BaostockServer) -> Iterator[BaostockAdapter]:
    made = adapter(running.port)
    yield made
    made.close()


@pytest.fixture
def bao(logged_in: BaostockAdapter, server: BaostockServer) -> BaostockAdapter:
    """An adapter whose worker is connected to a server that behaves."""
    logged_in.ask(Call("query_trade_dates", {"start_date": "2021-01-04", "end_date": "2021-01-04"}), 5.0)
    server.behaviour.asked.clear()
    return logged_in


def one_call(bao: BaostockAdapter, dataset: str = "bars_1d") -> Call:
    return next(iter(bao.calls(dataset, START, END)))


def read(bao: BaostockAdapter, dataset: str, call: Call, answer: Answer) -> object:
    request = {"endpoint": call.endpoint, **call.params}
    return bao.parse(Payload(dataset, answer.content, answer.media_type, request))


class Replay(socketserver.ThreadingTCPServer):
    """Answers each kind of message with the bytes that the vendor once sent."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Replayed)
        self.answers = {
            (each / "request.bin").read_bytes()[7:10]: (each / "response.bin").read_bytes()
            for each in sorted(folder.iterdir())
            if (each / "request.bin").is_file() and not each.name.endswith("min")
        }
        self.heard: list[bytes] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Replayed(socketserver.StreamRequestHandler):
    server: Replay

    def handle(self) -> None:
        for line in self.rfile:
            self.server.heard.append(line)
            self.wfile.write(self.server.answers[line[7:10]])
            self.wfile.flush()


CALLS = {
    "query_stock_basic": {"code": "sh.600000"},
    "query_trade_dates": {"start_date": "2024-01-01", "end_date": "2024-01-10"},
    "query_all_stock": {"day": "2024-01-02"},
    "query_hs300_stocks": {"date": ""},
    "query_sz50_stocks": {"date": ""},
    "query_zz500_stocks": {"date": ""},
    "query_adjust_factor": {
        "code": "sh.600000", "start_date": "2023-01-01", "end_date": "2023-12-31"},
    "query_dividend_data": {"code": "sh.600000", "year": "2023", "yearType": "report"},
    "query_profit_data": {"code": "sh.600000", "year": "2023", "quarter": "2"},
    "query_history_k_data_plus": {
        "code": "sh.600000",
        "fields": "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg,"
                  "isST",
        "start_date": "2024-01-01", "end_date": "2024-01-31", "frequency": "d", "adjustflag": "2"},
}  # fmt: skip


def test_recorded_answers_give_the_rows_that_were_recorded(shared: Callable[[str], Path]) -> None:
    folder = shared(RECORDED)
    replay = Replay(folder)
    bao = adapter(replay.server_address[1])
    # Pages of 10,000 were asked for when these were recorded; today's client asks for 2,000.
    long = {"query_all_stock"}
    try:
        for endpoint, params in CALLS.items():
            if endpoint in long:
                continue
            call = Call(endpoint, params)
            answer = bao.ask(call, 5.0)
            said = dict(
                line.split("=", 1) for line in (folder / endpoint / "meta.txt").read_text().splitlines()
            )
            assert answer.rows == int(said["rows"]), endpoint
            request = {"endpoint": endpoint, **params}
            frame = bao.parse(Payload("any", answer.content, answer.media_type, request))
            fields = literal_eval(said["fields"])
            assert frame.columns[: len(fields)] == fields
    finally:
        bao.close()
        replay.shutdown()
        replay.server_close()


def test_the_sdk_asks_today_as_it_asked_when_traffic_was_recorded(shared: Callable[[str], Path]) -> None:
    folder = shared(RECORDED)
    replay = Replay(folder)
    bao = adapter(replay.server_address[1])
    try:
        for endpoint in ("query_trade_dates", "query_adjust_factor", "query_history_k_data_plus"):
            bao.ask(Call(endpoint, CALLS[endpoint]), 5.0)
            now, then = replay.heard[-1], (folder / endpoint / "request.bin").read_bytes()
            split = [line.rpartition(b"\1")[0][21:].split(b"\1") for line in (now, then)]
            for line in split:
                line[3] = b"page size"
            assert split[0] == split[1]
    finally:
        bao.close()
        replay.shutdown()
        replay.server_close()


@pytest.mark.parametrize(
    "name", ["query_trade_dates", "query_stock_basic", "query_adjust_factor", "query_hs300_stocks", "login"]
)
def test_the_stand_in_frames_answers_as_the_vendor_does(name: str, shared: Callable[[str], Path]) -> None:
    recorded = (shared(RECORDED) / name / "response.bin").read_bytes()
    core = recorded.removesuffix(b"<![CDATA[]]>\n")
    parts = core[21:].decode().split("\1")[:-1]
    assert message(core[:10].split(b"\1")[1].decode(), parts) == recorded


def test_compressed_answers_are_framed_as_the_vendor_does(shared: Callable[[str], Path]) -> None:
    recorded = (shared(RECORDED) / "query_history_k_data_plus" / "response.bin").read_bytes()
    size = int(recorded[11:21])
    parts = zlib.decompress(recorded[21 : 21 + size]).decode().split("\1")
    ours = message("96", parts)
    assert ours[:11] == recorded[:11]
    assert zlib.decompress(ours[21 : 21 + int(ours[11:21])]) == zlib.decompress(recorded[21 : 21 + size])
    assert ours[21 + int(ours[11:21])] == recorded[21 + size]
    assert ours[-14:] == recorded[-14:]


@pytest.mark.parametrize("fault", ["drop", "cut", "damage", "json", "10001001", "10002007"])
def test_a_line_that_breaks_is_opened_again(fault: str, server: BaostockServer, bao: BaostockAdapter) -> None:
    whole, logins = bao.ask(one_call(bao), 5.0), server.behaviour.logins
    server.behaviour.faults.append(fault)
    assert bao.ask(one_call(bao), 5.0) == whole
    assert server.behaviour.logins == logins + 1


@pytest.mark.parametrize("fault", ["drop", "cut", "damage", "json", "10001001"])
def test_a_line_that_keeps_breaking_is_transient_and_never_empty(
    fault: str, server: BaostockServer, bao: BaostockAdapter
) -> None:
    server.behaviour.faults.extend([fault, fault])
    with pytest.raises(VendorFault) as raised:
        bao.ask(one_call(bao), 5.0)
    assert raised.value.trouble == "transient"


def test_a_line_that_breaks_between_two_pages_is_not_the_end_of_the_list(
    server: BaostockServer, bao: BaostockAdapter
) -> None:
    """The SDK itself would return the first page as if it were all."""
    params = {"code": "sh.605992", "fields": MINUTE_FIELDS, "frequency": "5", "adjustflag": "3"}
    dates = {"start_date": START.isoformat(), "end_date": END.isoformat()}
    call = Call("query_history_k_data_plus", {**params, **dates})
    whole = bao.ask(call, 10.0)
    assert whole.rows > 2 * 2000 and len(server.behaviour.asked) == whole.rows // 2000 + 1
    for fault in ("drop", "10002007"):
        server.behaviour.faults.extend(["", fault, "", fault])
        with pytest.raises(VendorFault) as raised:
            bao.ask(call, 10.0)
        assert raised.value.trouble == "transient"
    assert bao.ask(call, 10.0) == whole


def test_pages_cut_elsewhere_than_asked_are_refused(server: BaostockServer, bao: BaostockAdapter) -> None:
    server.behaviour.faults.append("page")
    with pytest.raises(VendorFault, match="cuts pages at 100 rows") as raised:
        bao.ask(one_call(bao), 5.0)
    assert raised.value.trouble == "invalid"


def test_a_server_that_says_nothing_is_given_up_in_time(server: BaostockServer, bao: BaostockAdapter) -> None:
    server.behaviour.faults.append("hang")
    with pytest.raises(VendorFault) as raised:
        bao.ask(one_call(bao), 0.3)
    assert raised.value.trouble == "transient"
    assert bao.ask(one_call(bao), 5.0).rows > 0


def test_a_server_that_is_not_there_is_transient() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as gone:
        port = gone.server_address[1]
    bao = adapter(port)
    with pytest.raises(VendorFault) as raised:
        bao.ask(one_call(bao), 2.0)
    assert raised.value.trouble == "transient"
    bao.close()


@pytest.mark.parametrize(
    ("code", "trouble"),
    [("10001011", "refused"), ("10001004", "refused"), ("10001005", "quota"), ("10004011", "invalid"),
     ("10002003", "transient"), ("10005001", "transient"), ("99999999", "invalid")],
)  # fmt: skip
def test_each_error_code_asks_for_something(code: str, trouble: str) -> None:
    assert trouble_of(code) == trouble


def test_a_refused_login_is_no_network_trouble(server: BaostockServer) -> None:
    server.behaviour.refusal = "10001002"
    bao = adapter(server.port)
    with pytest.raises(VendorFault, match="10001002") as raised:
        bao.ask(one_call(bao), 5.0)
    bao.close()
    assert raised.value.trouble == "refused"


def test_nothing_on_a_session_is_not_yet_there_but_nothing_of_a_code_is_known(
    server: BaostockServer, bao: BaostockAdapter
) -> None:
    future = bao.ask(Call("query_history_k_data_plus", {"date": "2030-01-02"}), 5.0)
    assert (future.rows, future.empty_is_known) == (0, False)
    calls = list(bao.calls("bars_1d", date(2005, 1, 4), date(2005, 1, 31)))
    empty = bao.ask(next(c for c in calls if "code" in c.params), 5.0)
    assert (empty.rows, empty.empty_is_known) == (0, True)
    assert bao.ask(Call("query_adjust_factor", {"date": "2030-01-02"}), 5.0).empty_is_known


def test_few_sessions_are_asked_day_by_day_and_few_codes_code_by_code(bao: BaostockAdapter) -> None:
    day = list(bao.calls("bars_1d", date(2021, 3, 1), date(2021, 3, 1)))
    assert [dict(c.params) for c in day] == [{"date": "2021-03-01"}]
    many = list(bao.calls("adjustment_factors", date(2021, 3, 1), date(2021, 3, 2)))
    assert [dict(c.params) for c in many] == [{"date": "2021-03-01"}, {"date": "2021-03-02"}]
    year = list(bao.calls("bars_1d", date(2021, 1, 4), date(2021, 12, 31)))
    assert {c.params["code"] for c in year} == {
        f"{code[-2:].lower()}.{code[:6]}" for code in truth().codes("SH", "SZ")
    }


def test_both_ways_give_the_same_rows(server: BaostockServer) -> None:
    first, last = date(2021, 3, 1), date(2021, 3, 12)
    found = []
    for by in ("code", "day"):
        bao = adapter(server.port, by=by)
        rows = set()
        for call in bao.calls("bars_1d", first, last):
            frame = read(bao, "bars_1d", call, bao.ask(call, 5.0))
            rows |= set(frame.select("code", "date", "close", "volume").iter_rows())
        found.append(rows)
        bao.close()
    assert found[0] == found[1] and len(found[0]) > 100


def test_a_key_is_used_for_the_login_and_seen_nowhere_else(server: BaostockServer) -> None:
    key = "bs-AB" + "7" * 27
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    key += alphabet[sum(map(alphabet.index, key[3:])) % 62]
    bao = adapter(server.port, secret=key)
    call = one_call(bao)
    answer = bao.ask(call, 5.0)
    assert server.behaviour.key == key
    assert key not in answer.content.decode() and key not in str(call)
    bao.close()
