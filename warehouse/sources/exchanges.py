"""How Binance, OKX and Bybit spell markets and answer: their JSON as rows. Nothing is asked here.

Quantities are coins of the base currency where the exchange says them; of trades on OKX's perpetuals they are
contracts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from quant.core.errors import QuantError
from quant.core.ids import Code, currency_of, parse_code
from quant.warehouse.sources.vendor import VendorFault

Rows = list[dict[str, object]]
PERPETUAL: Final = "-PERP"
BINANCE_LIVE, OKX_LIVE, BYBIT_LIVE = "TRADING", "live", "Trading"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange. ``pages`` are the most rows of an answer by kind of question; ``rows`` takes an answer
    apart and raises VendorFault when it is none.
    """

    name: str
    pages: Mapping[str, int]
    rows: Callable[[Any], list[Any]]
    candle: Callable[[Sequence[str], bool], dict[str, object]]
    trade: Callable[[Mapping[str, Any]], dict[str, object]]
    funding: Callable[[Mapping[str, Any]], dict[str, object]]
    listed: Callable[[Mapping[str, Any]], dict[str, object] | None]

    @property
    def mic(self) -> str:
        return self.name.upper()


def market_of(code: Code) -> dict[str, object]:
    """A market as ccxt keeps it, made from the code alone, so that no list of markets must be asked for."""
    unified = code.show("ccxt")
    base, _, quote = unified.partition(":")[0].partition("/")
    swap = code.symbol.endswith(PERPETUAL)
    okx = f"{base}-{quote}" + ("-SWAP" if swap else "")
    return {
        "id": okx if code.mic == "OKX" else base + quote,
        "symbol": unified,
        "base": base,
        "quote": quote,
        "settle": quote if swap else None,
        "type": "swap" if swap else "spot",
        "spot": not swap,
        "margin": False,
        "swap": swap,
        "future": False,
        "option": False,
        "contract": swap,
        "linear": True if swap else None,
        "inverse": False if swap else None,
        "active": True,
        "precision": {},
        "limits": {},
        "info": {},
    }


def read_body(text: str) -> Any:
    """An answer as JSON. Raises VendorFault: what is cut off or a page of a proxy is worth another try."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise VendorFault("transient", f"the answer is no JSON: {str(error)[:100]}") from error


def instruments(exchange: Exchange, bodies: Sequence[Any]) -> Iterator[dict[str, object]]:
    """What is traded, as far as it has a code here: spot pairs and perpetuals settled in their quote."""
    for body in bodies:
        for row in exchange.rows(body):
            found = exchange.listed(row)
            if found is not None:
                yield found


def _binance_rows(body: Any) -> list[Any]:
    if isinstance(body, dict) and isinstance(body.get("symbols"), list):
        body = body["symbols"]
    if not isinstance(body, list):
        raise VendorFault("transient", f"an answer without rows: {str(body)[:100]}")
    return body


def _okx_rows(body: Any) -> list[Any]:
    if not isinstance(body, dict) or str(body.get("code")) != "0" or not isinstance(body.get("data"), list):
        raise VendorFault("transient", f"an answer without rows: {str(body)[:100]}")
    return list(body["data"])


def _bybit_rows(body: Any) -> list[Any]:
    result = body.get("result") if isinstance(body, dict) else None
    if not isinstance(result, dict) or body.get("retCode") != 0 or not isinstance(result.get("list"), list):
        raise VendorFault("transient", f"an answer without rows: {str(body)[:100]}")
    return list(result["list"])


def _candle(row: Sequence[str], volume: int, amount: int) -> dict[str, object]:
    names = ("open_time", "open", "high", "low", "close")
    cells: dict[str, object] = {name: str(row[i]) for i, name in enumerate(names)}
    return {**cells, "open_time": int(row[0]), "volume": str(row[volume]), "amount": str(row[amount])}


def _binance_candle(row: Sequence[str], _swap: bool) -> dict[str, object]:
    return {**_candle(row, 5, 7), "trades": str(row[8])}


def _okx_candle(row: Sequence[str], swap: bool) -> dict[str, object]:
    return {**_candle(row, 6 if swap else 5, 7), "closed": str(row[8]) == "1"}


def _bybit_candle(row: Sequence[str], _swap: bool) -> dict[str, object]:
    return _candle(row, 5, 6)


def _binance_trade(row: Mapping[str, Any]) -> dict[str, object]:
    side = "sell" if row["m"] else "buy"
    return {"trade_id": str(row["a"]), "ts": int(row["T"]), "price": row["p"], "size": row["q"], "side": side}


def _okx_trade(row: Mapping[str, Any]) -> dict[str, object]:
    cells = {"trade_id": str(row["tradeId"]), "ts": int(row["ts"])}
    return {**cells, "price": row["px"], "size": row["sz"], "side": row["side"]}


def _bybit_trade(row: Mapping[str, Any]) -> dict[str, object]:
    cells = {"trade_id": str(row["execId"]), "ts": int(row["time"])}
    return {**cells, "price": row["price"], "size": row["size"], "side": str(row["side"]).lower()}


def _binance_funding(row: Mapping[str, Any]) -> dict[str, object]:
    return {"ts": int(row["fundingTime"]), "rate": row["fundingRate"]}


def _okx_funding(row: Mapping[str, Any]) -> dict[str, object]:
    return {"ts": int(row["fundingTime"]), "rate": row.get("realizedRate") or row["fundingRate"]}


def _bybit_funding(row: Mapping[str, Any]) -> dict[str, object]:
    return {"ts": int(row["fundingRateTimestamp"]), "rate": row["fundingRate"]}


def _binance_listed(row: Mapping[str, Any]) -> dict[str, object] | None:
    swap = "contractType" in row
    if swap and (row["contractType"] != "PERPETUAL" or row.get("marginAsset") != row["quoteAsset"]):
        return None
    filters = {each["filterType"]: each for each in row.get("filters", ())}
    cells = {
        "tick": filters.get("PRICE_FILTER", {}).get("tickSize"),
        "lot": filters.get("LOT_SIZE", {}).get("stepSize"),
        "list_date": _day(row.get("onboardDate")),
    }
    return _known("BINANCE", row["symbol"], row["baseAsset"], row["quoteAsset"], swap, cells, row["status"])


def _okx_listed(row: Mapping[str, Any]) -> dict[str, object] | None:
    swap = row["instType"] == "SWAP"
    base, quote = (str(row["instId"]) + "--").split("-")[:2]
    if swap and row.get("settleCcy") != quote:
        return None
    cells = {"tick": row.get("tickSz"), "lot": row.get("lotSz"), "list_date": _day(row.get("listTime"))}
    return _known("OKX", row["instId"], base, quote, swap, cells, row["state"])


def _bybit_listed(row: Mapping[str, Any]) -> dict[str, object] | None:
    swap = "contractType" in row
    if swap and (row["contractType"] != "LinearPerpetual" or row.get("settleCoin") != row["quoteCoin"]):
        return None
    size = row.get("lotSizeFilter", {})
    cells = {
        "tick": row.get("priceFilter", {}).get("tickSize"),
        "lot": size.get("qtyStep") or size.get("basePrecision"),
        "list_date": _day(row.get("launchTime")),
    }
    return _known("BYBIT", row["symbol"], row["baseCoin"], row["quoteCoin"], swap, cells, row["status"])


def _known(
    mic: str, symbol: str, base: str, quote: str, swap: bool, cells: Mapping[str, object], status: str
) -> dict[str, object] | None:
    """A row of instruments, None for names that have no code here."""
    try:
        code = parse_code(f"{base}/{quote}:{quote}" if swap else f"{base}/{quote}", venue=mic)
    except QuantError:
        return None
    own = {"code": str(code), "symbol": symbol, "name": symbol, "currency": currency_of(code)}
    return {**own, **cells, "kind": "swap" if swap else "spot", "status": status}


def _day(milliseconds: object) -> str | None:
    if milliseconds in (None, "", "0", 0):
        return None
    return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC).date().isoformat()


EXCHANGES: Final[Mapping[str, Exchange]] = {
    "binance": Exchange(
        "binance",
        {"klines": 1000, "trades": 1000, "funding": 1000},
        _binance_rows,
        _binance_candle,
        _binance_trade,
        _binance_funding,
        _binance_listed,
    ),
    "okx": Exchange(
        "okx",
        {"klines": 100, "trades": 100, "funding": 100},
        _okx_rows,
        _okx_candle,
        _okx_trade,
        _okx_funding,
        _okx_listed,
    ),
    "bybit": Exchange(
        "bybit",
        {"klines": 1000, "funding": 200},
        _bybit_rows,
        _bybit_candle,
        _bybit_trade,
        _bybit_funding,
        _bybit_listed,
    ),
}
"""Bybit shows only its last trades: a history of them cannot be asked for."""
