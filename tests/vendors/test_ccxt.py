"""Crypto exchanges through the real ccxt: the same trades in three wire formats, and what can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from crypto_server import FIRST, NOW, PAIRS, CryptoServer, candles, funding, ms, trades

from quant.core.errors import QuantError, SpecError, UsageError
from quant.warehouse.sources.ccxt import CcxtAdapter, open_ccxt
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import DatasetSettings, LimitSettings, SourceSettings
from quant.warehouse.sources.vendor import Answer, Call, VendorFault, VendorWorld

EXCHANGES = ("binance", "okx", "bybit")
START, END = date(2024, 8, 8), date(2024, 8, 9)
PAGES = {"binance": {"ticks": 1000}, "okx": {"ticks": 100}, "bybit": {"ticks": 1000}}


def adapter(
    exchange: str, url: str, pairs: Sequence[str] = PAIRS, max_rows: int | None = None, **options: object
) -> CcxtAdapter:
    datasets = {
        name: DatasetSettings(name, endpoint="trades", max_rows=rows)
        for name, rows in PAGES.get(exchange, {}).items()
    }
    datasets |= {name: DatasetSettings(name) for name in ("instruments", "bars_1m", "bars_5m", "bars_1h")}
    datasets |= {"funding_rates": DatasetSettings("funding_rates", endpoint="funding", max_rows=100)}
    settings = SourceSettings(
        exchange,
        "ccxt",
        timezone="UTC",
        datasets=datasets,
        options={"exchange": exchange, "url": url, **options},
        limits=LimitSettings(max_rows=max_rows),
    )
    codes = [f"{pair}.{exchange.upper()}" for pair in pairs]
    return open_ccxt(settings, VendorWorld(lambda _a, _b: codes, lambda: ""))


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, CryptoServer]]:
    started = {name: CryptoServer(name) for name in EXCHANGES}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture
def crypto(servers: dict[str, CryptoServer]) -> Iterator[Callable[..., CcxtAdapter]]:
    made: list[CcxtAdapter] = []

    def make(exchange: str, **more: object) -> CcxtAdapter:
        made.append(adapter(exchange, servers[exchange].url, **more))  # type: ignore[arg-type]
        return made[-1]

    for server in servers.values():
        server.faults.clear()
        server.asked.clear()
        server.now = NOW + timedelta(seconds=1)
    yield make
    for each in made:
        each.close()


def read(client: CcxtAdapter, dataset: str, calls: Sequence[Call]) -> pl.DataFrame:
    return pl.concat(
        [shown(client, dataset, call, client.ask(call, 5.0)) for call in calls], how="diagonal_relaxed"
    )


def shown(client: CcxtAdapter, dataset: str, call: Call, answer: Answer) -> pl.DataFrame:
    request = {"endpoint": call.endpoint, **call.params}
    return client.parse(Payload(dataset, answer.content, answer.media_type, request))


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize(("dataset", "seconds"), [("bars_1m", 60), ("bars_5m", 300), ("bars_1h", 3600)])
def test_every_exchange_gives_the_candles_of_the_same_trades(
    exchange: str, dataset: str, seconds: int, crypto: Callable[..., CcxtAdapter]
) -> None:
    client = crypto(exchange)
    found = read(client, dataset, list(client.calls(dataset, START, END)))
    for pair in PAIRS:
        rows = found.filter(pl.col("code") == f"{pair}.{exchange.upper()}").sort("ts")
        truth = candles(pair, seconds)
        assert rows["ts"].to_list() == [begins + seconds * 1000 for begins in truth]
        prices = rows.select(
            pl.col("open", "high", "low", "close", "volume", "amount").cast(pl.Float64)
        ).rows()
        assert [list(row) for row in prices] == [pytest.approx(row) for row in truth.values()]


@pytest.mark.parametrize("exchange", ["binance", "okx"])
def test_full_pages_of_trades_are_halved_until_nothing_is_missing(
    exchange: str, crypto: Callable[..., CcxtAdapter], servers: dict[str, CryptoServer]
) -> None:
    client = crypto(exchange, pairs=("BTCUSDT",), window_s=86_400)
    cap = PAGES[exchange]["ticks"]

    def whole(call: Call) -> Iterator[pl.DataFrame]:
        answer = client.ask(call, 5.0)
        if answer.rows >= cap:
            for part in client.split(call):
                yield from whole(part)
        else:
            yield shown(client, "ticks", call, answer)

    calls = list(client.calls("ticks", START, END))
    assert len(calls) == 2
    found = pl.concat([f for call in calls for f in whole(call) if f.height])
    truth = trades("BTCUSDT")
    assert found["trade_id"].to_list() == [str(t.number) for t in truth]
    assert found["ts"].to_list() == [t.ts for t in truth]
    assert found["side"].to_list() == ["buy" if t.buy else "sell" for t in truth]
    assert len(servers[exchange].asked) > 2 * len(truth) / cap


def test_a_full_page_that_nobody_would_split_is_refused(crypto: Callable[..., CcxtAdapter]) -> None:
    client = crypto("binance", pairs=("BTCUSDT",), window_s=86_400)
    client._settings.datasets["ticks"] = DatasetSettings("ticks")  # type: ignore[index]
    with pytest.raises(VendorFault, match="max_rows: 1000") as raised:
        client.ask(next(iter(client.calls("ticks", START, END))), 5.0)
    assert raised.value.trouble == "invalid"


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_funding_is_asked_of_perpetuals_only(exchange: str, crypto: Callable[..., CcxtAdapter]) -> None:
    client = crypto(exchange)
    found = read(client, "funding_rates", list(client.calls("funding_rates", START, END)))
    assert dict(found.select("ts", pl.col("rate").cast(pl.Float64)).iter_rows()) == funding("BTCUSDT-PERP")
    assert set(found["code"]) == {f"BTCUSDT-PERP.{exchange.upper()}"}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_candle_that_is_still_open_is_never_read(
    exchange: str, crypto: Callable[..., CcxtAdapter], servers: dict[str, CryptoServer]
) -> None:
    servers[exchange].now = FIRST + timedelta(hours=1, minutes=7, seconds=30)
    client = crypto(exchange, pairs=("BTCUSDT",))
    found = read(client, "bars_5m", list(client.calls("bars_5m", START, START)))
    assert found["ts"].max() == ms(FIRST + timedelta(hours=1, minutes=5))
    servers[exchange].now = FIRST + timedelta(hours=1, minutes=10)
    found = read(client, "bars_5m", list(client.calls("bars_5m", START, START)))
    assert found["ts"].max() == ms(FIRST + timedelta(hours=1, minutes=10))


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_same_question_about_the_past_gives_the_same_bytes(
    exchange: str, crypto: Callable[..., CcxtAdapter], servers: dict[str, CryptoServer]
) -> None:
    client = crypto(exchange, pairs=("BTCUSDT",))
    call = next(iter(client.calls("bars_1h", START, START)))
    first = client.ask(call, 5.0)
    if exchange != "bybit":  # whose answers hold their time
        servers[exchange].now += timedelta(hours=5)
    assert client.ask(call, 5.0) == first


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_instruments_have_a_code_a_tick_a_lot_and_a_currency(
    exchange: str, crypto: Callable[..., CcxtAdapter]
) -> None:
    client = crypto(exchange)
    found = read(client, "instruments", list(client.calls("instruments", START, END)))
    assert sorted(found["code"]) == sorted(f"{pair}.{exchange.upper()}" for pair in PAIRS)
    assert set(found["currency"]) == {"USDT"} and found["tick"].null_count() == found["lot"].null_count() == 0


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("429", "quota"),
        ("500", "transient"),
        ("cut", "transient"),
        ("html", "transient"),
        ("drop", "transient"),
        ("hang", "transient"),
        ("refused", "refused"),
        ("451", "refused"),
        ("bad_symbol", "invalid"),
    ],
)
def test_each_fault_asks_for_something_and_is_never_empty(
    exchange: str,
    fault: str,
    trouble: str,
    crypto: Callable[..., CcxtAdapter],
    servers: dict[str, CryptoServer],
) -> None:
    client = crypto(exchange, pairs=("BTCUSDT",))
    call = next(iter(client.calls("bars_1h", START, START)))
    servers[exchange].faults.append(fault)
    with pytest.raises(VendorFault) as raised:
        client.ask(call, 0.3)
    assert raised.value.trouble == trouble
    assert raised.value.retry_after == (7.0 if fault == "429" else None)
    assert client.ask(call, 5.0).rows == 24


def test_one_dead_exchange_does_not_hold_up_the_others(
    crypto: Callable[..., CcxtAdapter], servers: dict[str, CryptoServer]
) -> None:
    clients = {name: crypto(name) for name in EXCHANGES}
    servers["okx"].faults.extend(["hang"] * 9)

    def bars(name: str) -> int | str:
        client = clients[name]
        try:
            calls = list(client.calls("bars_1h", START, END))
            return sum(client.ask(call, 0.3).rows for call in calls)
        except VendorFault as fault:
            return fault.trouble

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(bars, EXCHANGES)) == [144, "transient", 144]


def test_one_exchange_is_asked_by_several_threads(crypto: Callable[..., CcxtAdapter]) -> None:
    client = crypto("binance")
    calls = list(client.calls("bars_1m", START, END))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda call: client.ask(call, 5.0), calls))
    assert answers == [client.ask(call, 5.0) for call in calls]


def test_pages_that_the_spec_makes_smaller_cover_the_same_candles(crypto: Callable[..., CcxtAdapter]) -> None:
    whole = crypto("bybit", pairs=("BTCUSDT",))
    small = crypto("bybit", pairs=("BTCUSDT",), max_rows=50)
    calls = list(small.calls("bars_5m", START, END))
    assert len(calls) == 12 and max(call.rows for call in calls) == 49
    first = read(whole, "bars_5m", list(whole.calls("bars_5m", START, END)))
    assert read(small, "bars_5m", calls).equals(first)


def test_what_an_exchange_has_no_history_of_is_said_before_anything_is_asked(
    crypto: Callable[..., CcxtAdapter], servers: dict[str, CryptoServer]
) -> None:
    with pytest.raises(UsageError, match="bybit has no history of ticks"):
        list(crypto("bybit").calls("ticks", START, END))
    with pytest.raises(SpecError, match="no exchange that is known"):
        adapter("kraken", "http://127.0.0.1:1")
    assert not servers["bybit"].asked


def test_recorded_answers_of_binance_are_read(shared: Callable[[str], Path]) -> None:
    folder = shared("data/api_60_recorded_responses/binance/spot/http_json")
    client = adapter("binance", "http://127.0.0.1:1")
    klines = (folder / "klines_response.json").read_text()
    request = {
        "endpoint": "klines",
        "code": "BTCUSDT.BINANCE",
        "timeframe": "1m",
        "since": "2017-07-03T00:00:00+00:00",
        "until": "2017-07-04T00:00:00+00:00",
    }
    content = f'{{"server_ms":null,"bodies":[{klines}]}}'.encode()
    (row,) = client.parse(Payload("bars_1m", content, "application/json", request)).to_dicts()
    recorded = json.loads(klines)[0]
    assert (row["open"], row["close"], row["volume"], row["amount"]) == (
        recorded[1], recorded[4], recorded[5], recorded[7])  # fmt: skip
    info = (folder / "exchange_info_response.json").read_text()
    content = f'{{"server_ms":null,"bodies":[{info}]}}'.encode()
    listed = client.parse(Payload("instruments", content, "application/json", {"endpoint": "instruments"}))
    assert listed["code"].str.ends_with(".BINANCE").all() and listed.height > 0


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_nothing_but_the_given_url_is_asked(exchange: str) -> None:
    client = adapter(exchange, "http://127.0.0.1:9/")
    with client._client(1.0) as made:
        hosts = {address.split("/")[2] for address in made.urls["api"].values()}
    assert hosts == {"127.0.0.1:9"}
    client.close()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_nothing_has_the_columns_of_something(
    exchange: str, crypto: Callable[..., CcxtAdapter], servers: dict[str, CryptoServer]
) -> None:
    client = crypto(exchange, pairs=("BTCUSDT-PERP",))
    for dataset in ("bars_1h", "funding_rates"):
        call = next(iter(client.calls(dataset, START, START)))
        full = shown(client, dataset, call, client.ask(call, 5.0))
        servers[exchange].faults.append("empty")
        empty = shown(client, dataset, call, client.ask(call, 5.0))
        assert (empty.height, empty.schema) == (0, full.schema) and full.height


def test_a_payload_that_is_no_answer_is_an_error_not_an_empty_frame() -> None:
    client = adapter("okx", "http://127.0.0.1:9")
    request = {
        "endpoint": "klines",
        "code": "BTCUSDT.OKX",
        "timeframe": "1m",
        "since": "2024-08-08",
        "until": "2024-08-09",
    }
    for content in (b"", b"[]", b'{"server_ms":null,"bodies":[{"code":"1"}]}'):
        with pytest.raises(QuantError, match="something else than rows"):
            client.parse(Payload("bars_1m", content, "application/json", request))
