"""Binance, OKX and Bybit on loopback, one server each: the same trades in the JSON of each of them."""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

FIRST = datetime(2024, 8, 8, tzinfo=UTC)
DAYS = 2
NOW = FIRST + timedelta(days=DAYS)
PAIRS = ("BTCUSDT", "ETHUSDT", "BTCUSDT-PERP")
LENGTHS = {"1m": 60, "5m": 300, "1h": 3600, "1H": 3600, "1": 60, "5": 300, "60": 3600}


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


@dataclass(frozen=True)
class Trade:
    number: int
    ts: int
    price: float
    size: float
    buy: bool


@lru_cache(maxsize=8)
def trades(pair: str) -> tuple[Trade, ...]:
    """About two trades a minute for two days, the same ones on every exchange."""
    rng = random.Random(pair)
    at, price, made = ms(FIRST), 60_000.0 if pair.startswith("BTC") else 2_500.0, []
    while True:
        at += rng.randrange(1, 60_000)
        if at >= ms(NOW):
            return tuple(made)
        price = round(price * (1 + rng.gauss(0, 2e-4)), 2)
        made.append(Trade(len(made) + 1, at, price, round(rng.random(), 5), rng.random() < 0.5))


@lru_cache(maxsize=32)
def candles(pair: str, seconds: int) -> dict[int, list[float]]:
    """open time -> open, high, low, close, volume, amount; a candle without trades repeats the last price."""
    step, made, last = seconds * 1000, {}, 0.0
    by_open: dict[int, list[Trade]] = {}
    for trade in trades(pair):
        by_open.setdefault(trade.ts // step * step, []).append(trade)
    for begins in range(ms(FIRST), ms(NOW), step):
        inside = by_open.get(begins, [])
        prices = [t.price for t in inside] or [last or trades(pair)[0].price]
        last = prices[-1]
        volume = round(sum(t.size for t in inside), 5)
        amount = round(sum(t.size * t.price for t in inside), 7)
        made[begins] = [prices[0], max(prices), min(prices), last, volume, amount]
    return made


def funding(pair: str) -> dict[int, float]:
    return {ms(FIRST + timedelta(hours=8 * i)): round(1e-4 * (i - 2), 6) for i in range(3 * DAYS)}


@dataclass
class CryptoServer:
    """``faults`` are used up one an answer: 429, 500, 403, 451, cut, html, drop, empty, refused, hang."""

    exchange: str
    now: datetime = NOW + timedelta(seconds=1)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    free: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = _Quiet(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def stop(self) -> None:
        self.free.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path: str, q: dict[str, str]) -> Any:
        routes: dict[str, Callable[[dict[str, str]], Any]] = {
            "/api/v3/exchangeInfo": lambda q: binance_info(swap=False),
            "/fapi/v1/exchangeInfo": lambda q: binance_info(swap=True),
            "/api/v3/klines": lambda q: self.binance_klines(q, ""),
            "/fapi/v1/klines": lambda q: self.binance_klines(q, "-PERP"),
            "/api/v3/aggTrades": lambda q: binance_trades(q, ""),
            "/fapi/v1/aggTrades": lambda q: binance_trades(q, "-PERP"),
            "/fapi/v1/fundingRate": binance_funding,
            "/api/v5/public/instruments": okx_instruments,
            "/api/v5/market/candles": self.okx_candles,
            "/api/v5/market/history-candles": self.okx_candles,
            "/api/v5/market/history-trades": okx_trades,
            "/api/v5/public/funding-rate-history": okx_funding,
            "/v5/market/instruments-info": bybit_info,
            "/v5/market/kline": self.bybit_klines,
            "/v5/market/funding/history": self.bybit_funding,
        }
        return routes[path](q)

    def shown(self, pair: str, seconds: int, low: int, high: int) -> list[tuple[int, list[float]]]:
        """Candles that have begun, oldest first; the last may be open."""
        every = candles(pair, seconds).items()
        return [(t, c) for t, c in every if low <= t <= high and t <= ms(self.now)]

    def binance_klines(self, q: dict[str, str], term: str) -> Any:
        step = LENGTHS[q["interval"]] * 1000
        rows = self.shown(
            q["symbol"] + term, step // 1000, int(q["startTime"]), int(q.get("endTime", 1 << 60))
        )
        return [
            [t, *map(text, c[:4]), text(c[4]), t + step - 1, text(c[5]), 7, "0.1", "6000.1", "0"]
            for t, c in rows[: int(q["limit"])]
        ]

    def okx_candles(self, q: dict[str, str]) -> Any:
        swap = q["instId"].endswith("-SWAP")
        step = LENGTHS[q["bar"]] * 1000
        rows = self.shown(okx_pair(q["instId"]), step // 1000, int(q["before"]) + 1, int(q["after"]) - 1)
        shown = [
            [str(t), *map(text, c[:4]), *([text(c[4] * 100)] if swap else []), text(c[4]), text(c[5]),
             *([] if swap else [text(c[5])]), "1" if t + step <= ms(self.now) else "0"]
            for t, c in reversed(rows)
        ]  # fmt: skip
        return okx(shown[: int(q["limit"])])

    def bybit_klines(self, q: dict[str, str]) -> Any:
        term = "-PERP" if q["category"] == "linear" else ""
        seconds = LENGTHS[q["interval"]]
        rows = self.shown(q["symbol"] + term, seconds, int(q["start"]), int(q["end"]))
        shown = [[str(t), *map(text, c[:4]), text(c[4]), text(c[5])] for t, c in reversed(rows)]
        return self.bybit({"category": q["category"], "list": shown[: int(q["limit"])]})

    def bybit_funding(self, q: dict[str, str]) -> Any:
        rows = [
            {"symbol": q["symbol"], "fundingRate": f"{rate:.6f}", "fundingRateTimestamp": str(t)}
            for t, rate in reversed(funding(q["symbol"] + "-PERP").items())
            if int(q["startTime"]) <= t <= int(q["endTime"])
        ]
        return self.bybit({"category": "linear", "list": rows[: int(q["limit"])]})

    def bybit(self, result: dict[str, Any]) -> Any:
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": ms(self.now)}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients hang up on what they do not like."""


class _Handler(BaseHTTPRequestHandler):
    owner: CryptoServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        return

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.owner.now, usegmt=True)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        self.owner.asked.append((url.path, query))
        fault = self.owner.faults.popleft() if self.owner.faults else ""
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
            return
        if fault == "hang":
            self.owner.free.wait(3)
            self.close_connection = True
            return
        if fault.isdigit():
            self._send(int(fault), refusal(self.owner.exchange, fault), {"Retry-After": "7"})
            return
        if fault in ("html", "refused", "bad_symbol"):
            self._send(200 if fault == "html" else 400, refusal(self.owner.exchange, fault), {})
            return
        body = json.dumps(self.owner.answer(url.path, query))
        if fault == "empty":
            body = json.dumps(
                {"binance": [], "okx": okx([])}.get(self.owner.exchange, self.owner.bybit({"list": []}))
            )
        self._send(200, body[: len(body) // 2] if fault == "cut" else body, {})

    def _send(self, status: int, body: str, headers: dict[str, str]) -> None:
        sent = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


def refusal(exchange: str, fault: str) -> str:
    """What an exchange says when it says no."""
    if fault in ("html", "500"):
        return "<html><body>Please wait</body></html>"
    code = {"429": 50011, "bad_symbol": 51001}.get(fault, 50113)
    match exchange:
        case "binance":
            code = {"429": -1003, "bad_symbol": -1121, "451": 0}.get(fault, -2015)
            said = "Service unavailable from a restricted location" if fault == "451" else "no"
            return json.dumps({"code": code, "msg": said})
        case "okx":
            return json.dumps({"code": str(code), "msg": "no", "data": []})
        case _:
            code = {"429": 10006, "bad_symbol": 10001}.get(fault, 10003)
            return json.dumps({"retCode": code, "retMsg": "no", "result": {}, "time": 1})


def text(value: float) -> str:
    return f"{value:.8f}"


def okx(rows: list[Any]) -> Any:
    return {"code": "0", "msg": "", "data": rows}


def okx_pair(name: str) -> str:
    base, quote, *swap = name.split("-")
    return base + quote + ("-PERP" if swap else "")


def binance_info(*, swap: bool) -> Any:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
               {"filterType": "LOT_SIZE", "stepSize": "0.00001000"}]  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"symbol": pair.removesuffix("-PERP"), "status": "TRADING", "baseAsset": pair[:3],
         "quoteAsset": "USDT", "filters": filters}
        for pair in PAIRS if pair.endswith("-PERP") is swap
    ]  # fmt: skip
    if swap:
        rows = [{**row, "contractType": "PERPETUAL", "marginAsset": "USDT", "onboardDate": 1569398400000}
                for row in rows]  # fmt: skip
        rows.append({**rows[0], "symbol": "BTCUSDT_240927", "contractType": "CURRENT_QUARTER"})
    return {"timezone": "UTC", "serverTime": ms(NOW), "symbols": rows}


def binance_trades(q: dict[str, str], term: str) -> Any:
    inside = [t for t in trades(q["symbol"] + term) if int(q["startTime"]) <= t.ts <= int(q["endTime"])]
    return [
        {"a": t.number, "p": text(t.price), "q": text(t.size), "f": t.number, "l": t.number, "T": t.ts,
         "m": not t.buy, "M": True}
        for t in inside[: int(q["limit"])]
    ]  # fmt: skip


def binance_funding(q: dict[str, str]) -> Any:
    return [
        {"symbol": q["symbol"], "fundingTime": t, "fundingRate": f"{rate:.8f}", "markPrice": "60000.0"}
        for t, rate in funding(q["symbol"] + "-PERP").items()
        if int(q["startTime"]) <= t <= int(q["endTime"])
    ][: int(q["limit"])]


def okx_instruments(q: dict[str, str]) -> Any:
    swap = q["instType"] == "SWAP"
    return okx([
        {"instType": q["instType"], "instId": f"{pair[:3]}-USDT" + ("-SWAP" if swap else ""), "tickSz": "0.1",
         "lotSz": "0.00001", "listTime": "1548133413000", "state": "live",
         "baseCcy": "" if swap else pair[:3], "quoteCcy": "" if swap else "USDT",
         "settleCcy": "USDT" if swap else "", "ctVal": "0.01"}
        for pair in PAIRS if pair.endswith("-PERP") is swap
    ])  # fmt: skip


def okx_trades(q: dict[str, str]) -> Any:
    older = [t for t in trades(okx_pair(q["instId"])) if t.ts < int(q["after"])]
    return okx([
        {"instId": q["instId"], "side": "buy" if t.buy else "sell", "sz": text(t.size), "px": text(t.price),
         "tradeId": str(t.number), "ts": str(t.ts)}
        for t in reversed(older[-int(q["limit"]) :])
    ])  # fmt: skip


def okx_funding(q: dict[str, str]) -> Any:
    rows = [
        {"instType": "SWAP", "instId": q["instId"], "fundingRate": f"{rate:.8f}",
         "realizedRate": f"{rate:.8f}", "fundingTime": str(t)}
        for t, rate in reversed(funding(okx_pair(q["instId"])).items())
        if int(q["before"]) < t < int(q["after"])
    ]  # fmt: skip
    return okx(rows[: int(q["limit"])])


def bybit_info(q: dict[str, str]) -> Any:
    """Two markets a page, so that there are pages."""
    swap = q["category"] == "linear"
    names = [pair for pair in PAIRS if pair.endswith("-PERP") is swap]
    rows = [
        {"symbol": pair.removesuffix("-PERP"), "baseCoin": pair[:3], "quoteCoin": "USDT", "status": "Trading",
         "priceFilter": {"tickSize": "0.01"}, "lotSizeFilter": {"basePrecision": "0.000001"},
         **({"contractType": "LinearPerpetual", "settleCoin": "USDT", "launchTime": "1585526400000"}
            if swap else {})}
        for pair in names
    ]  # fmt: skip
    at = int(q.get("cursor", "0"))
    more = str(at + 1) if at + 1 < len(rows) else ""
    result = {"category": q["category"], "list": rows[at : at + 1], "nextPageCursor": more}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": ms(NOW)}
