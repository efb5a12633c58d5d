"""JoinQuant's SDK behind a pipe: it unpickles and evaluates what its host sends over a line in the clear.

What is unpickled here are plain values, arrays and frames; anything else is refused before it is made. Tables
of the host's database are described by name and column names, never by the code that it sends for them.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Final

from quant.warehouse.sources.vendor import Answer, Trouble, VendorFault
from quant.warehouse.sources.workers.loop import JSON, Params, as_json, serve

_CLASSES_OF: Final = ("numpy", "pandas", "datetime", "decimal", "collections")
_PLAIN_TYPES: Final = frozenset({
    "slice", "set", "frozenset", "complex", "bytearray", "bytes", "list", "dict", "tuple", "object",
})  # fmt: skip
_MAKERS: Final = ("_reconstruct", "scalar", "_frombuffer", "encode", "_reconstructor")
_WORDS: Final[Mapping[Trouble, tuple[str, ...]]] = {
    "quota": ("最大查询", "查询次数", "查询条数", "流量", "频率", "并发", "连接数", "链接"),
    "refused": ("用户名", "密码", "账号", "帐号", "权限", "过期", "认证", "未开通"),
    "transient": ("稍后", "超时", "timeout", "timed out", "连接被关闭", "维护", "繁忙"),
}
"""Words by which the host's error texts are told apart; it sends no codes."""
_STATEMENTS: Final = {"income", "balance", "cash_flow", "indicator"}


class JoinQuantProgram:
    """One login of the real SDK."""

    def open(self, options: Params) -> None:
        """Nothing is connected before the first question."""
        import jqdatasdk
        import jqdatasdk.client as client

        user, _, password = str(options.get("secret") or "").partition(":")
        if not user or not password:
            raise VendorFault("refused", "the secret of JoinQuant is USER:PASSWORD")
        client.pickle_load = load_plain
        client.JQDataClient.enable_auth_prompt = False
        client.JQDataClient.request_attempt_count = 1
        self._sdk, self._client = jqdatasdk, client.JQDataClient
        self._login = {"username": user, "password": password}
        where = {name: options[name] for name in ("host", "port") if options.get(name)}
        self._client._auth_params = {**self._login, **where}
        self._tables: dict[str, tuple[str, list[str]]] = {}

    def ask(self, endpoint: str, params: Params, timeout: float) -> Answer:
        """One question through the SDK; its frames become lists of columns."""
        self._client.request_timeout = timeout
        try:
            found = self._asked(endpoint, dict(params))
        except VendorFault:
            raise
        except Exception as error:
            raise self._fault(error) from error
        rows = len(next(iter(found.values()), []))
        return Answer(as_json({"columns": found}), JSON, rows)

    def close(self) -> None:
        instance = getattr(self._client._threading_local, "_instance", None)
        if instance is not None:
            instance._reset()

    def _asked(self, endpoint: str, params: dict[str, Any]) -> dict[str, list[Any]]:
        if endpoint.startswith("finance."):
            return _columns(self._finance(endpoint.removeprefix("finance."), params))
        if endpoint in _STATEMENTS:
            return _columns(self._statement(endpoint, params))
        found = getattr(self._sdk, endpoint)(**params)
        readers: dict[str, Callable[[Any], dict[str, list[Any]]]] = {
            "get_extras": _by_date_and_code,
            "get_all_securities": _with_code,
            "get_index_weights": lambda frame: _on(params, _with_code(frame)),
            "get_index_stocks": lambda codes: _on(params, {"code": _plain(codes)}),
            "get_query_count": lambda counts: {name: [int(n)] for name, n in counts.items()},
            "get_trade_days": lambda days: {"day": _plain(days)},
        }
        return readers.get(endpoint, _columns)(found)

    def _statement(self, name: str, params: dict[str, Any]) -> Any:
        """A quarter's reports with the dates on which they were published."""
        table = getattr(self._sdk, name)
        asked = self._sdk.query(table).filter(table.code.in_(params["codes"]))
        return self._sdk.get_fundamentals(asked, statDate=params["statDate"])

    def _finance(self, name: str, params: dict[str, Any]) -> Any:
        """Rows of a table of the host's database by code and a date column, in the order of their ids."""
        from sqlalchemy import column, table

        from_host, columns = self._described(name)
        wanted = [c for c in params.get("columns", columns) if c in columns]
        source = table(from_host, *(column(c) for c in dict.fromkeys([*wanted, *columns])))
        when = source.c[params["by"]]
        asked = (
            self._sdk.query(*(source.c[c] for c in wanted))
            .filter(source.c["code"].in_(params["codes"]))
            .filter(when >= params["start_date"], when <= params["end_date"])
            .order_by(source.c["id"])
        )
        for key, value in params.get("where", {}).items():
            asked = asked.filter(source.c[key] == value)
        return self._sdk.finance.run_query(asked)

    def _described(self, name: str) -> tuple[str, list[str]]:
        if name not in self._tables:
            told = self._client.instance().get_table_orm(db="finance", table=name)
            self._tables[name] = str(told["name"]), [str(column) for column, _ in told["columns"]]
        return self._tables[name]

    def _fault(self, error: Exception) -> VendorFault:
        from jqdatasdk.client import ResponseError, socket_error

        damaged = (EOFError, zlib.error, pickle.UnpicklingError, ResponseError)
        if isinstance(error, (*socket_error, *damaged)):
            return VendorFault("transient", f"{type(error).__name__}: {error}")
        text = str(error)
        for secret in self._login.values():
            text = text.replace(secret, "***")
        return VendorFault(trouble_of(text), text)


class _PlainUnpickler(pickle.Unpickler):
    """Values, arrays and frames; no function but the few that arrays are made with."""

    def find_class(self, module: str, name: str) -> Any:
        root = module.partition(".")[0]
        if module in ("builtins", "__builtin__") and name in _PLAIN_TYPES:
            return super().find_class(module, name)
        if root in (*_CLASSES_OF, "_codecs", "copyreg"):
            found = super().find_class(module, name)
            if isinstance(found, type) and root in _CLASSES_OF:
                return found
            if name in _MAKERS or name.startswith(("_new_", "_unpickle", "__nat_unpickle")):
                return found
        raise VendorFault("refused", f"the host sent an object of kind {module}.{name}; it was not made")


def load_plain(sent: IO[bytes], encoding: str | None = None) -> Any:
    """What the SDK loads answers with, without its trust in the host."""
    sent.seek(0)
    return _PlainUnpickler(sent, encoding=encoding or "latin1").load()


def trouble_of(text: str) -> Trouble:
    """What an error text of the host asks of us."""
    for trouble, words in _WORDS.items():
        if any(word in text for word in words):
            return trouble
    return "invalid"


def _columns(frame: Any) -> dict[str, list[Any]]:
    return {str(name): _plain(frame[name]) for name in frame.columns}


def _with_code(frame: Any) -> dict[str, list[Any]]:
    return {"code": _plain(frame.index), **_columns(frame)}


def _on(params: Params, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Lists do not say which day was asked for."""
    return {**columns, "asked_date": [str(params["date"])] * len(columns["code"])}


def _by_date_and_code(frame: Any) -> dict[str, list[Any]]:
    """A table of dates by codes as rows of date, code, value."""
    days, codes = _plain(frame.index), [str(code) for code in frame.columns]
    return {
        "date": [day for day in days for _ in codes],
        "code": [code for _ in days for code in codes],
        "value": [_one(frame[code].iloc[row]) for row in range(len(days)) for code in codes],
    }


def _plain(values: Iterable[Any]) -> list[Any]:
    return [_one(value) for value in values]


def _one(value: Any) -> object:
    """A value as JSON has it: dates as text, unknown as null, floats by the shortest text that reads back."""
    if hasattr(value, "item") and not isinstance(value, Sequence):
        value = value.item()
    if value is None or value != value:
        return None
    if isinstance(value, datetime):
        return (
            value.isoformat(sep=" ") if value.time().isoformat() != "00:00:00" else value.date().isoformat()
        )
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


if __name__ == "__main__":
    serve(JoinQuantProgram())
