"""Tushare's own client over a transport that does not swallow errors.

``tushare.pro.client`` turns an HTTP error into an empty frame and an error code into a bare ``Exception``.
Its requests are sent through ``_Transport`` here, which raises what happened and keeps the answer as it came,
so that numbers keep their digits.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import Any, Final

from quant.warehouse.sources.vendor import Trouble, VendorFault

MINUTE_S: Final = 61.0
HOUR_S: Final = 3_601.0
DAY_S: Final = 86_400.0
_LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")
_PERIODS: Final = (("每分钟", MINUTE_S), ("每小时", HOUR_S), ("每天", DAY_S), ("每日", DAY_S))
_TRANSIENT_CODES: Final = frozenset({-2002, -1, 500, 502, 503, 504, 50101})
_REFUSED_CODES: Final = frozenset({2002, 40001, 40101, 40201, 40202})
_QUOTA_CODES: Final = frozenset({40203, 40204})
_lock = threading.Lock()
_told: set[str] = set()
_log = logging.getLogger("quant.vendors")


def query(
    token: str, url: str | None, endpoint: str, params: dict[str, str], fields: str, timeout: float
) -> Any:
    """The ``data`` of one answer of Tushare: a mapping with fields and items. Raises VendorFault."""
    client = _client()
    api = client.DataApi(token=token, timeout=timeout)
    if url is not None:
        api._DataApi__http_url = url.rstrip("/")
    _warn_in_clear(str(api._DataApi__http_url))
    _transport.kept.data = None
    api.query(endpoint, fields=fields, **params)
    return _transport.kept.data


def _client() -> Any:
    """The SDK's module with our transport in place of ``requests``. The SDK writes nothing to the home folder
    as long as the token is handed over.
    """
    from tushare.pro import client

    with _lock:
        if client.requests is not _transport:
            client.requests = _transport
    return client


def _warn_in_clear(url: str) -> None:
    host = (
        url.partition("//")[2].partition("/")[0].rpartition(":")[0]
        or url.partition("//")[2].partition("/")[0]
    )
    if url.startswith("https://") or host in _LOCAL:
        return
    with _lock:
        if url in _told:
            return
        _told.add(url)
    _log.warning(
        "tushare: %s is not encrypted, anybody on the way can read the token; options: {url: https://…} "
        "names another address",
        url,
    )


class _Transport:
    """What the SDK calls ``requests``."""

    def __init__(self) -> None:
        self.kept = threading.local()

    def post(self, url: str, json: Any, timeout: float) -> Any:
        """One request. Raises VendorFault for everything that is not a whole, successful answer."""
        import requests

        try:
            response = requests.post(url, json=json, timeout=timeout)
            text = response.text
        except requests.Timeout:
            raise VendorFault("transient", f"no answer within {timeout:g} s") from None
        except requests.RequestException as error:
            raise VendorFault("transient", f"{type(error).__name__} while asking {url}") from None
        raise_for_status(response.status_code, response.headers.get("Retry-After"))
        self.kept.data = data_of(text)
        return response


_transport = _Transport()


def raise_for_status(status: int, retry_after: str | None) -> None:
    """Raises VendorFault for a status other than 200."""
    if status == 200:
        return
    wait = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    said = f"HTTP status {status}"
    if status == 429:
        raise VendorFault("quota", said, retry_after=wait)
    if status >= 500 or status == 408:
        raise VendorFault("transient", said, retry_after=wait)
    raise VendorFault("refused" if status in (401, 403, 407) else "invalid", said)


def data_of(text: str) -> Any:
    """The data of an answer's text. Raises VendorFault for half an answer and for an error code."""
    try:
        answer = json.loads(text)
    except ValueError:
        raise VendorFault("transient", f"the answer is not whole: {len(text)} characters of JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("code"), int):
        raise VendorFault("invalid", "the answer has no code")
    if answer["code"] != 0:
        message = str(answer.get("msg") or "no message")
        trouble, wait = trouble_of(answer["code"], message)
        raise VendorFault(trouble, f"{answer['code']}: {message}", retry_after=wait)
    data = answer.get("data")
    if not isinstance(data, dict) or not all(isinstance(data.get(n), list) for n in ("fields", "items")):
        raise VendorFault("transient", "the answer has no fields and items")
    width = len(data["fields"])
    if any(not isinstance(item, list) or len(item) != width for item in data["items"]):
        raise VendorFault("transient", "the rows of the answer do not fit its columns")
    return data


def trouble_of(code: int, message: str) -> tuple[Trouble, float | None]:
    """What an error code and its words mean. The words come first: a used-up minute names the rights, too."""
    if "最多访问" in message or "访问频率" in message or code in _QUOTA_CODES:
        return "quota", next((wait for word, wait in _PERIODS if word in message), MINUTE_S)
    if code in _REFUSED_CODES or any(word in message for word in ("权限", "积分", "token")):
        return "refused", None
    if code in _TRANSIENT_CODES or any(word in message for word in ("稍后", "超时", "服务器", "系统")):
        return "transient", None
    return "invalid", None
