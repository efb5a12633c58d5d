"""akshare in a process of its own: it reads public web pages, looks at no status, waits without end, and
evaluates what Sina sends as code.

Every request passes a transport that refuses errors, sets a time limit and can lead to another host; what
would be evaluated is read as data.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from quant.warehouse.sources.vendor import Answer, VendorFault
from quant.warehouse.sources.workers.loop import JSON, Params, as_json, serve

_TOO_MUCH: Final = (403, 429, 456)
"""What these sites answer to who asks too much; Sina's is 456."""
_LISTS: Final[Mapping[str, tuple[str, Mapping[str, str], Mapping[str, str]]]] = {
    "sh_main": ("stock_info_sh_name_code", {"symbol": "主板A股"}, {"证券代码": "code", "证券简称": "name"}),
    "sh_star": ("stock_info_sh_name_code", {"symbol": "科创板"}, {"证券代码": "code", "证券简称": "name"}),
    "sh_gone": ("stock_info_sh_delist", {"symbol": "全部"}, {
        "公司代码": "code", "公司简称": "name", "暂停上市日期": "delist_date"}),
    "sz": ("stock_info_sz_name_code", {"symbol": "A股列表"}, {
        "A股代码": "code", "A股简称": "name", "A股上市日期": "list_date"}),
    "sz_gone": ("stock_info_sz_delist", {"symbol": "终止上市公司"}, {
        "证券代码": "code", "证券简称": "name", "终止上市日期": "delist_date"}),
    "bj": ("stock_info_bj_name_code", {}, {"证券代码": "code", "证券简称": "name"}),
}  # fmt: skip
"""The lists that together are all stocks: akshare's function, what it is asked, and its columns."""


class _Transport(HTTPAdapter):
    """``base`` stands before each host: http://127.0.0.1:8000/push2his.eastmoney.com/…"""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base.rstrip("/")
        self.deadline = time.monotonic()
        self.silent = False

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise VendorFault("transient", "no answer in time")
        if self.base:
            url = urlsplit(str(request.url))
            request.url = f"{self.base}/{url.netloc}{url.path}" + (f"?{url.query}" if url.query else "")
            request.headers["Host"] = urlsplit(self.base).netloc
        response = super().send(request, *args, **{**more, "timeout": left})
        if response.status_code in _TOO_MUCH:
            wait = response.headers.get("Retry-After", "")
            raise VendorFault(
                "quota",
                f"the site answers {response.status_code}: it was asked too much",
                retry_after=float(wait) if wait.isdigit() else None,
            )
        if not response.ok:
            raise VendorFault("transient", f"the site answers {response.status_code}")
        self.silent = self.silent or b'"data":null' in response.content
        return response


class AkshareProgram:
    """The functions of akshare that are asked for; each is a page of one of three sites."""

    def open(self, options: Params) -> None:
        """Nothing is asked before the first question."""
        import akshare
        import akshare.stock.stock_zh_a_sina as sina

        sina.eval = json.loads
        self._sdk = akshare
        self._transport = _Transport(str(options.get("url") or ""))
        transport = self._transport
        monkey: Any = requests.Session
        monkey.get_adapter = lambda _session, url: transport  # noqa: ARG005 - requests names its argument

    def ask(self, endpoint: str, params: Params, timeout: float) -> Answer:
        """One function's frame as columns."""
        self._transport.deadline = time.monotonic() + timeout
        self._transport.silent = False
        try:
            columns = self._asked(endpoint, params)
        except requests.RequestException as error:
            raise VendorFault("transient", f"{type(error).__name__}: {str(error)[:300]}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise VendorFault("transient", f"{endpoint}: unreadable answer: {str(error)[:300]}") from error
        rows = len(next(iter(columns.values()), []))
        if not rows and self._transport.silent:
            raise VendorFault("transient", f"{endpoint}: the site has nothing to say about {dict(params)}")
        return Answer(as_json({"columns": columns}), JSON, rows)

    def close(self) -> None:
        self._transport.close()

    def _asked(self, endpoint: str, params: Params) -> dict[str, list[object]]:
        if endpoint == "stock_info_a_code_name":
            return self._list(str(params["list"]))
        if endpoint == "stock_zh_a_daily" and "start_date" in params:
            return self._sina(params)
        found = _columns(getattr(self._sdk, endpoint)(**params))
        if endpoint == "stock_zh_a_daily":  # factors do not say whose they are
            found["symbol"] = [params["symbol"]] * len(found["date"])
        return found

    def _sina(self, params: Params) -> dict[str, list[object]]:
        """Sina's candles. akshare invents a row on each date on which the number of shares changed, and finds
        it again only where the row before is asked for too: so all are asked for and cut here.
        """
        found = _columns(self._sdk.stock_zh_a_daily(symbol=params["symbol"], adjust=params["adjust"]))
        first, last = (f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in (params["start_date"], params["end_date"]))
        inside = [i for i, day in enumerate(found["date"]) if first <= str(day) <= last]
        cut = {name: [values[i] for i in inside] for name, values in found.items()}
        return {**cut, "symbol": [params["symbol"]] * len(inside)}

    def _list(self, name: str) -> dict[str, list[object]]:
        """One of the lists in common columns; unlike akshare's own sum of them with dates."""
        function, asked, names = _LISTS[name]
        called = getattr(self._sdk, function)
        getattr(called, "cache_clear", lambda: None)()
        found = called(**asked)
        wanted = {"上市日期": "list_date", **names}
        shown = {wanted[c]: [_one(v) for v in found[c]] for c in found.columns if c in wanted}
        rows = len(next(iter(shown.values()), []))
        ours = ("code", "name", "list_date", "delist_date")
        return {**{column: shown.get(column, [None] * rows) for column in ours}, "list": [name] * rows}


def _columns(frame: Any) -> dict[str, list[object]]:
    return {str(name): [_one(value) for value in frame[name]] for name in frame.columns}


def _one(value: Any) -> object:
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()[:10]
    if hasattr(value, "item"):
        value = value.item()
    return None if value is None or value != value else value


if __name__ == "__main__":
    serve(AkshareProgram())
