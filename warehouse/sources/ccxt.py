"""Crypto exchanges through ccxt: candles, trades, funding rates and instruments of Binance, OKX or Bybit.

ccxt asks, signs and tells errors apart; what is stored is the exchange's own answer, digit by digit. One
source is one exchange (``options.exchange``); a candle that was still open is never read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import polars as pl

from quant.core.errors import CheckFailed, SpecError, UsageError
from quant.core.ids import Code, parse_code
from quant.core.time import utc_now
from quant.warehouse.sources.exchanges import (
    EXCHANGES,
    PERPETUAL,
    Exchange,
    instruments,
    market_of,
    read_body,
)
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import Answer, Call, VendorFault, VendorWorld

JSON: Final = "application/json"
KINDS: Final[Mapping[str, str]] = {
    "instruments": "instruments",
    "bars_1m": "klines",
    "bars_5m": "klines",
    "bars_1h": "klines",
    "bars_1d": "klines",
    "ticks": "trades",
    "funding_rates": "funding",
}
TIMEFRAMES: Final = {"bars_1m": "1m", "bars_5m": "5m", "bars_1h": "1h", "bars_1d": "1d"}
_LENGTHS: Final = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
_WINDOWS: Final = {"trades": timedelta(minutes=10), "funding": timedelta(days=12)}
"""How much is asked for at once where rows do not come at fixed times; a full page is halved. That of trades
can be set by ``options.window_s``.
"""
_MARKETS: Final = ("spot", "swap")


class CcxtAdapter:
    """One exchange. ``options``: exchange, url (instead of the exchange's hosts), https_proxy, window_s."""

    def __init__(self, settings: SourceSettings, world: VendorWorld) -> None:
        self._settings, self._world = settings, world
        name = str(settings.options.get("exchange", ""))
        if name not in EXCHANGES:
            raise SpecError(
                "source.options",
                f"source {settings.name} names no exchange that is known here",
                expected=f"options: {{exchange: {' | '.join(EXCHANGES)}}}",
                found=name or "no exchange",
            )
        self._exchange = EXCHANGES[name]
        self._idle: list[Any] = []
        self._lock = Lock()

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """Windows of whole candles that stay below a page; of trades and rates windows of time."""
        kind = self._kind(dataset)
        if kind == "instruments":
            for market in _MARKETS:
                yield Call(kind, {"exchange": self._exchange.name, "market": market}, 1)
            return
        first, last = self._instant(start), self._instant(end + timedelta(days=1))
        for code in self._codes(start, end):
            if kind == "funding" and not code.symbol.endswith(PERPETUAL):
                continue
            certain = kind == "klines" and self._certain(code, start, end)
            own: dict[str, object] = {"exchange": self._exchange.name, "code": str(code)}
            if kind == "klines":
                yield from self._candles(own, TIMEFRAMES[dataset], first, last, certain=certain)
                continue
            step = self._window(kind)
            for since in range(first, last, step):
                until = min(since + step, last) - 1
                yield Call(kind, {**own, "since": _text(since), "until": _text(until)})

    def ask(self, call: Call, timeout: float) -> Answer:
        """The exchange's own answer. ``server_ms`` stands beside it where the last candle may be open."""
        with self._client(timeout) as client:
            bodies = self._asked(client, call)
            headers = client.last_response_headers or {}
        rows = self._count(call, [read_body(body) for body in bodies])
        self._believed(call, rows)
        now = _server_time(headers)
        known = now if call.endpoint == "klines" and now < _ends(call) else None
        content = f'{{"server_ms":{json.dumps(known)},"bodies":[{",".join(bodies)}]}}'
        return Answer(content.encode(), JSON, rows)

    def split(self, call: Call) -> Sequence[Call]:
        """The halves of a window."""
        if "since" not in call.params:
            return ()
        length = _LENGTHS.get(str(call.params.get("timeframe")), 1)
        since, until = (_milliseconds(str(call.params[key])) for key in ("since", "until"))
        middle = since + (until - since) // length // 2 * length
        if middle + length > until:
            return ()
        spans = ((since, middle), (middle + length, until))
        return tuple(
            Call(call.endpoint, {**call.params, "since": _text(a), "until": _text(b)}, call.rows // 2)
            for a, b in spans
        )

    def parse(self, payload: Payload) -> pl.DataFrame:
        """Text as the exchange wrote it, ``code`` as here; ``ts`` is in milliseconds since 1970, of a candle
        its end. Rows outside of the asked window and open candles are left out.
        """
        try:
            told = json.loads(payload.content)
            rows = self._rows(payload.request, told["bodies"], told["server_ms"])
        except (ValueError, KeyError, TypeError, IndexError, VendorFault) as error:
            raise CheckFailed(
                "payload.unreadable",
                f"{payload.request.get('endpoint', payload.digest)} gave something else than rows",
                expected=f"rows of {self._exchange.name}",
                found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            ) from error
        return pl.DataFrame(rows, schema=_schema(self._exchange, str(payload.request["endpoint"])))

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.session.close()

    # --- planning -----------------------------------------------------------------------------------------

    def _kind(self, dataset: str) -> str:
        kind = self._settings.dataset(dataset).endpoint or KINDS.get(dataset, "")
        if kind != KINDS.get(dataset) or (kind not in self._exchange.pages and kind != "instruments"):
            offered = [name for name, k in KINDS.items() if k == "instruments" or k in self._exchange.pages]
            raise UsageError(
                "source.dataset",
                f"{self._exchange.name} has no history of {dataset} through ccxt",
                expected=", ".join(offered),
                found=kind or dataset,
            )
        return kind

    def _candles(
        self, own: Mapping[str, object], timeframe: str, first: int, last: int, *, certain: bool
    ) -> Iterator[Call]:
        length = _LENGTHS[timeframe]
        page = self._settings.limits.max_rows or self._exchange.pages["klines"]
        for since in range(first, last, (page - 1) * length):
            until = min(since + (page - 2) * length, last - length)
            rows = (until - since) // length + 1 if certain else 0
            window = {"timeframe": timeframe, "since": _text(since), "until": _text(until)}
            yield Call("klines", {**own, **window}, rows)

    def _window(self, kind: str) -> int:
        told = self._settings.options.get("window_s") if kind == "trades" else None
        seconds = float(str(told)) if told else _WINDOWS[kind].total_seconds()
        return max(1, round(seconds * 1000))

    def _certain(self, code: Code, start: date, end: date) -> bool:
        return all(str(code) in self._world.codes(day, day) for day in (start, end))

    def _codes(self, start: date, end: date) -> list[Code]:
        found = (parse_code(code) for code in self._world.codes(start, end))
        return [code for code in found if code.mic == self._exchange.mic]

    def _instant(self, day: date) -> int:
        local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self._settings.timezone))
        return int(local.timestamp() * 1000)

    # --- asking -------------------------------------------------------------------------------------------

    @contextmanager
    def _client(self, timeout: float) -> Iterator[Any]:
        """A ccxt client of its own for each call that is put at the same time; its errors are told apart."""
        import ccxt

        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._connected()
        client.timeout = int(timeout * 1000)
        client.last_response_headers = None
        try:
            yield client
        except ccxt.BaseError as error:
            raise _fault(error, client.last_response_headers or {}) from error
        finally:
            with self._lock:
                self._idle.append(client)

    def _connected(self) -> Any:
        import ccxt

        client = getattr(ccxt, self._exchange.name)({"enableRateLimit": False})
        proxy = self._settings.options.get("https_proxy")
        if proxy:
            client.httpsProxy = str(proxy)
        url = str(self._settings.options.get("url") or "")
        if url:
            urls = client.urls["api"]
            client.urls["api"] = {name: url.rstrip("/") + urlsplit(at).path for name, at in urls.items()}
        return client

    def _asked(self, client: Any, call: Call) -> list[str]:
        """The bodies of the answers: one, or a page each of a list that the exchange cuts."""
        if call.endpoint == "instruments":
            return self._lists(client, str(call.params["market"]))
        market = market_of(parse_code(str(call.params["code"])))
        client.set_markets([market])
        since, until = (_milliseconds(str(call.params[key])) for key in ("since", "until"))
        symbol, page = market["symbol"], self._exchange.pages[call.endpoint]
        match call.endpoint:
            case "klines":
                client.fetch_ohlcv(symbol, call.params["timeframe"], since, page, {"until": until + 1})
            case "trades" if self._exchange.name == "okx":
                asked = {"instId": market["id"], "type": "2", "after": str(until + 1), "limit": str(page)}
                client.publicGetMarketHistoryTrades(asked)
            case "trades":
                client.fetch_trades(symbol, since, page, {"until": until})
            case "funding" if self._exchange.name == "okx":
                client.fetch_funding_rate_history(symbol, since, page, {"after": str(until + 1)})
            case "funding":
                client.fetch_funding_rate_history(symbol, since, page, {"until": until})
        return [str(client.last_http_response)]

    def _lists(self, client: Any, market: str) -> list[str]:
        match self._exchange.name:
            case "binance":
                (client.publicGetExchangeInfo if market == "spot" else client.fapiPublicGetExchangeInfo)()
                return [str(client.last_http_response)]
            case "okx":
                client.publicGetPublicInstruments({"instType": market.upper()})
                return [str(client.last_http_response)]
            case _:
                return _bybit_pages(client, "spot" if market == "spot" else "linear")

    def _count(self, call: Call, bodies: Sequence[Any]) -> int:
        """Rows of an answer; a page that reaches beyond the window is not full for it."""
        found = sum(len(self._exchange.rows(body)) for body in bodies)
        if call.endpoint == "instruments":
            return found
        inside = len(self._rows({"endpoint": call.endpoint, **call.params}, bodies, None))
        return inside if inside < found else found

    def _believed(self, call: Call, rows: int) -> None:
        """A full page that nobody would split is refused here."""
        page = self._exchange.pages.get(call.endpoint)
        if page is None or rows < page:
            return
        dataset = next(name for name, kind in KINDS.items() if kind == call.endpoint)
        declared = self._settings.page(dataset, call.endpoint) if self._settings.offers(dataset) else None
        if declared is None or declared > page:
            raise VendorFault(
                "invalid",
                f"a full page of {rows} rows, and the spec does not say how long one is: max_rows: {page}",
            )

    # --- reading ------------------------------------------------------------------------------------------

    def _rows(
        self, request: Mapping[str, object], bodies: Sequence[Any], server_ms: int | None
    ) -> list[dict[str, object]]:
        exchange, kind = self._exchange, str(request["endpoint"])
        if kind == "instruments":
            wanted = set(self._settings.codes)
            return [row for row in instruments(exchange, bodies) if not wanted or row["code"] in wanted]
        code = str(request["code"])
        since, until = (_milliseconds(str(request[key])) for key in ("since", "until"))
        raw = [row for body in bodies for row in exchange.rows(body)]
        if kind == "klines":
            length = _LENGTHS[str(request["timeframe"])]
            return _closed(exchange, raw, code, (since, until, length), server_ms)
        read = exchange.trade if kind == "trades" else exchange.funding
        rows = [{"code": code, **read(row)} for row in raw]
        inside = [row for row in rows if since <= int(str(row["ts"])) <= until]
        return sorted(inside, key=lambda row: (int(str(row["ts"])), _number(row.get("trade_id"))))


def _schema(exchange: Exchange, kind: str) -> dict[str, type[pl.DataType]]:
    """Columns of a kind of rows: text but for instants, the same whether there are rows or not."""
    names = {
        "instruments": ("code", "symbol", "name", "currency", "tick", "lot", "list_date", "kind", "status"),
        "klines": (
            *("code", "ts", "open_time", "open", "high", "low", "close", "volume", "amount"),
            *(("trades",) if exchange.name == "binance" else ()),
        ),
        "trades": ("code", "trade_id", "ts", "price", "size", "side"),
        "funding": ("code", "ts", "rate"),
    }
    return {name: pl.Int64 if name in ("ts", "open_time") else pl.String for name in names[kind]}


def open_ccxt(settings: SourceSettings, world: VendorWorld) -> CcxtAdapter:
    """The adapter of a source spec. Raises SpecError ``source.options`` without an exchange."""
    return CcxtAdapter(settings, world)


def _closed(
    exchange: Exchange, raw: Sequence[Any], code: str, window: tuple[int, int, int], server_ms: int | None
) -> list[dict[str, object]]:
    since, until, length = window
    rows = []
    for row in raw:
        cells = exchange.candle(row, code.partition(".")[0].endswith(PERPETUAL))
        begins = int(str(cells["open_time"]))
        is_open = cells.pop("closed", True) is False or (
            server_ms is not None and begins + length > server_ms
        )
        if since <= begins <= until and not is_open:
            rows.append({"code": code, "ts": begins + length, **cells})
    return sorted(rows, key=lambda cells: int(str(cells["ts"])))


def _bybit_pages(client: Any, category: str) -> list[str]:
    bodies: list[str] = []
    asked: dict[str, str] = {"category": category, "limit": "1000"}
    while True:
        client.publicGetV5MarketInstrumentsInfo(asked)
        bodies.append(str(client.last_http_response))
        cursor = (read_body(bodies[-1]).get("result") or {}).get("nextPageCursor")
        if not cursor or asked.get("cursor") == cursor:
            return bodies
        asked["cursor"] = str(cursor)


def _fault(error: Exception, headers: Mapping[str, str]) -> VendorFault:
    """ccxt's family of errors as ours."""
    import ccxt

    text = f"{type(error).__name__}: {str(error)[:300]}"
    if "restricted location" in text or "block access from your country" in text:
        return VendorFault("refused", text)
    match error:
        case ccxt.RateLimitExceeded() | ccxt.DDoSProtection():
            wait = str(headers.get("Retry-After", ""))
            return VendorFault("quota", text, retry_after=float(wait) if wait.isdigit() else None)
        case ccxt.AuthenticationError():
            return VendorFault("refused", text)
        case ccxt.NetworkError() | ccxt.BadResponse():
            return VendorFault("transient", text)
        case _:
            return VendorFault("invalid", text)


def _server_time(headers: Mapping[str, str]) -> int:
    """The exchange's clock in milliseconds where it shows one, else ours."""
    shown = headers.get("Date")
    if shown:
        return int(parsedate_to_datetime(shown).timestamp() * 1000)
    return utc_now() // 1_000_000


def _ends(call: Call) -> int:
    return _milliseconds(str(call.params["until"])) + _LENGTHS[str(call.params["timeframe"])]


def _text(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdigit() else 0
