"""A JoinQuant host on loopback: the SDK's own interface definition over a socket, parameters in msgpack,
answers as compressed pickles of plain dictionaries; statements in SQL run on an in-memory database.
"""

from __future__ import annotations

import logging
import pickle
import re
import sqlite3
import threading
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import msgpack
import numpy as np
import polars as pl
from jqdatasdk.thriftclient import thrift
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TBufferedTransportFactory, TServerSocket, TSocket, TTransportException
from truth import Truth, truth

logging.getLogger("thriftpy2.server").disabled = True  # it logs every line that is dropped on purpose
USER, PASSWORD = "13800000000", "open sesame"
XR_XD = (
    "id", "code", "company_name", "report_date", "implementation_pub_date", "dividend_ratio",
    "transfer_ratio", "bonus_ratio_rmb", "a_registration_date", "a_xr_date", "a_bonus_date", "plan_progress",
)  # fmt: skip
INCOME = ("id", "code", "pub_date", "end_date", "report_type", "operating_revenue",
          "np_parent_company_owners", "basic_eps")  # fmt: skip


class Boom:
    """What a hostile host would send: unpickled it runs a command."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        import os

        return os.mkdir, (self.target,)


class JoinQuantServer:
    """``faults`` are used up one an answer: drop, hang, garbage, bomb:PATH, or an error text."""

    def __init__(self, market: Truth | None = None) -> None:
        self.market = market or truth()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.logins = 0
        self.faults: deque[str] = deque()
        self.free = threading.Event()
        self._database = _database(self.market)
        bars, factors = self.market.bars, self.market.factors
        self._bars = {(r["code"], r["session"]): r for r in bars.iter_rows(named=True)}
        self._factors = {(r["code"], r["session"]): r["factor"] for r in factors.iter_rows(named=True)}
        self._lock = threading.Lock()
        self._socket = TServerSocket(host="127.0.0.1", port=0, client_timeout=None)
        self._socket.listen()
        self.port = int(self._socket.sock.getsockname()[1])
        self._lines: list[TSocket] = []
        accept = self._socket.accept

        def accepting() -> TSocket:
            line = accept()
            self._lines.append(line)
            return line

        self._socket.accept = accepting
        self._socket.listen = lambda: None
        self._server = TThreadedServer(
            TProcessor(thrift.JqDataService, _Dispatcher(self)),
            self._socket,
            iprot_factory=TBinaryProtocolFactory(),
            itrans_factory=TBufferedTransportFactory(),
            daemon=True,
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._server.serve()
        except (OSError, AttributeError):  # the socket was closed under it: stop() does
            return

    def stop(self) -> None:
        self.free.set()
        self._server.closed = True
        self._socket.sock.shutdown(2)
        self._socket.close()
        self.drop_lines()
        self._thread.join(2)

    def drop_lines(self) -> None:
        for line in self._lines:
            with suppress(OSError, AttributeError):  # its thread may be closing it too
                line.close()
        self._lines.clear()

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        return getattr(self, f"_{method}")(**params)

    def _ping(self) -> str:
        return "pong"

    def _get_query_count(self, field: str | None = None) -> dict[str, int]:
        return {"total": 1_000_000, "spare": 1_000_000 - len(self.asked)}

    def _get_all_securities(self, types: Sequence[str], date: str | None) -> Any:
        assert list(types) == ["stock"] and date is None
        table = self.market.instruments
        return frame(
            {
                "display_name": table["name"].to_list(),
                "name": ["MN"] * table.height,
                "start_date": [at(d) for d in table["list_date"]],
                "end_date": [at(d or DAY_NEVER) for d in table["delist_date"]],
                "type": ["stock"] * table.height,
            },
            [jq(code) for code in table["code"]],
        )

    def _get_price(
        self, security: Sequence[str], start_date: str, end_date: str, frequency: str, fields: Sequence[str],
        fq: str | None, skip_paused: bool, panel: bool, **_: Any,
    ) -> Any:  # fmt: skip
        assert not skip_paused and not panel
        sessions = self.market.bars["session"].unique().sort()
        days = [d for d in sessions if start_date[:10] <= d.isoformat() <= end_date[:10]]
        if frequency != "daily":
            return self._minutes(security, days, int(frequency.removesuffix("m")), fields)
        bars, factors = self._bars, self._factors
        rows: dict[str, list[Any]] = {name: [] for name in ("time", "code", *fields)}
        for code in security:
            for day in days:
                rows["time"].append(at(day))
                rows["code"].append(code)
                cells = priced(bars.get((ours(code), day)))
                cells["factor"] = factors.get((ours(code), day), np.nan) if fq == "post" else 1.0
                for name in fields:
                    rows[name].append(cells.get(name, np.nan))
        return frame(rows, list(range(len(rows["time"]))))

    def _minutes(self, security: Sequence[str], days: list[date], step: int, fields: Sequence[str]) -> Any:
        stamps = [m for m in (*range(571, 691), *range(781, 901)) if (m - 570) % step == 0]
        bars = self._bars
        rows: dict[str, list[Any]] = {name: [] for name in ("time", "code", *fields)}
        for code in security:
            for day in days:
                cells = priced(bars.get((ours(code), day)))
                for i, minute in enumerate(stamps):
                    rows["time"].append(datetime(day.year, day.month, day.day, minute // 60, minute % 60))
                    rows["code"].append(code)
                    shown = cells if i == 0 else still(cells)
                    for name in fields:
                        rows[name].append(shown.get(name, np.nan))
        return frame(rows, list(range(len(rows["time"]))))

    def _get_extras(
        self, info: str, security_list: Sequence[str], start_date: str, end_date: str, df: bool, **_: Any
    ) -> Any:
        assert info == "is_st" and df
        sessions = self.market.bars["session"].unique().sort()
        days = [d for d in sessions if start_date <= d.isoformat() <= end_date]
        st = {key: row["st"] for key, row in self._bars.items()}
        return frame(
            {code: [bool(st.get((ours(code), day), False)) for day in days] for code in security_list},
            [at(day) for day in days],
        )

    def _get_index_stocks(self, index_symbol: str, date: str) -> list[str]:
        listed = self.market.bars.filter(pl.col("session").cast(pl.String) == date)["code"].sort()
        return [jq(code) for code in listed[:10]]

    def _get_index_weights(self, index_id: str, date: str) -> Any:
        members = self._get_index_stocks(index_id, date)
        share = [round(100 / len(members), 3)] * len(members)
        return frame({"date": [date] * len(members), "weight": share, "display_name": members}, members)

    def _get_valuation(self, security_list: Sequence[str], start_date: str, end_date: str, **_: Any) -> Any:
        bars = self.market.bars.filter(
            pl.col("code").is_in([ours(c) for c in security_list])
            & pl.col("session").is_between(date.fromisoformat(start_date), date.fromisoformat(end_date))
        ).sort("code", "session")
        return frame(
            {
                "code": [jq(code) for code in bars["code"]],
                "day": [d.isoformat() for d in bars["session"]],
                "pe_ratio": [15.5] * bars.height,
                "pe_ratio_lyr": [16.0] * bars.height,
                "pb_ratio": [1.5] * bars.height,
                "ps_ratio": [2.5] * bars.height,
                "pcf_ratio": [9.5] * bars.height,
                "circulating_cap": [80_000.0] * bars.height,
                "turnover_ratio": [1.25] * bars.height,
                "capitalization": [100_000.0] * bars.height,
            },
            list(range(bars.height)),
        )

    def _get_fundamentals(self, sql: str) -> Any:
        """What a quarter's statement says; dates of publication beside it."""
        quarter = re.search(r"'(\d{4})-(\d\d)-\d\d'", sql)
        assert quarter is not None
        end = f"{quarter[0][1:-1]}"
        codes = re.findall(r"'(\d{6}\.XSH[EG])'", sql)
        return frame(
            {
                "code": codes,
                "pubDate": [f"{int(quarter[1])}-12-30" for _ in codes],
                "statDate": [end for _ in codes],
                "net_profit": [1_000_000.0 * (int(code[:6]) % 97 + 1) for code in codes],
            },
            list(range(len(codes))),
        )

    def _get_table_orm(self, db: str, table: str) -> dict[str, Any]:
        names = {"STK_XR_XD": XR_XD, "STK_INCOME_STATEMENT": INCOME}[table]
        return {"name": table, "columns": [(n, f"__import__('os').mkdir('/never-{n}')") for n in names]}

    def _db_query(self, db: str, sql: str) -> Any:
        assert db == "finance"
        with self._lock:
            found = self._database.execute(sql.replace("%%", "%"))
            names = [column[0] for column in found.description]
            rows = found.fetchall()
        return frame({name: [row[i] for row in rows] for i, name in enumerate(names)}, list(range(len(rows))))


class _Dispatcher:
    def __init__(self, host: JoinQuantServer) -> None:
        self._host = host

    def auth(
        self, username: str, password: str, compress: bool, mac: str, version2: str, pyversion: str
    ) -> Any:
        self._host.logins += 1
        good = (username, password) == (USER, PASSWORD)
        error = "" if good else "用户名或密码错误"
        return thrift.St_Query_Rsp(status=good, msg="auth success", error=error or None)

    def auth_by_token(self, token: str) -> Any:
        return thrift.St_Query_Rsp(status=False, error="no tokens here")

    def query(self, request: Any) -> Any:
        params = msgpack.unpackb(request.params)
        number = params.pop("request_id", None)
        params.pop("timeout", None)
        host = self._host
        if request.method_name != "ping":
            host.asked.append((request.method_name, params))
        fault = host.faults.popleft() if host.faults and request.method_name != "ping" else ""
        match fault.partition(":"):
            case ("drop", _, _):
                host.drop_lines()
                raise TTransportException(message="dropped")
            case ("hang", _, _):
                host.free.wait(3)
                return thrift.St_Query_Rsp(status=False, error="too late")
            case ("garbage", _, _):
                return thrift.St_Query_Rsp(status=True, msg=b"\x78\x9cnothing")
            case ("bomb", _, target):
                return _packed({"request_id": number, "msg": Boom(target)})
            case ("", _, _):
                pass
            case _:
                return thrift.St_Query_Rsp(status=False, error=fault)
        try:
            answer = host.answer(request.method_name, params)
        except Exception as error:
            return thrift.St_Query_Rsp(status=False, error=f"{type(error).__name__}: {error}")
        return _packed({"request_id": number, "msg": answer})


def _packed(answer: Any) -> Any:
    return thrift.St_Query_Rsp(status=True, msg=zlib.compress(pickle.dumps(answer, protocol=2)))


DAY_NEVER = date(2200, 1, 1)


def frame(columns: Mapping[str, list[Any]], index: list[Any]) -> dict[str, Any]:
    """A data frame as the host sends it."""
    value = {"data": list(columns.items()), "index": index, "index_type": "Index", "dtypes": {}}
    return {"data_type": "pandas_dataframe", "data_value": value}


def jq(code: str) -> str:
    symbol, _, exchange = code.partition(".")
    return f"{symbol}.{ {'SH': 'XSHG', 'SZ': 'XSHE', 'BJ': 'BJSE'}[exchange] }"


def ours(code: str) -> str:
    symbol, _, mic = code.partition(".")
    return f"{symbol}.{ {'XSHG': 'SH', 'XSHE': 'SZ', 'BJSE': 'BJ'}[mic] }"


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def priced(row: dict[str, Any] | None) -> dict[str, Any]:
    """Cells of a daily row: of a halted session the last price, without a listing nothing."""
    if row is None:
        return {}
    asleep = row["suspended"]
    price = {n: float(row["pre_close"] if asleep else row[n]) for n in ("open", "high", "low", "close")}
    return {
        **price,
        "volume": float(row["volume"]),
        "money": float(row["amount"]),
        "pre_close": float(row["pre_close"]),
        "high_limit": float(row["limit_up"]) if row["limit_up"] is not None else np.nan,
        "low_limit": float(row["limit_down"]) if row["limit_down"] is not None else np.nan,
        "paused": float(asleep),
    }


def still(cells: dict[str, Any]) -> dict[str, Any]:
    """A bar without trading after the one of ``cells``."""
    last = cells.get("close", np.nan)
    return {**dict.fromkeys(("open", "high", "low", "close"), last), "volume": 0.0, "money": 0.0}


def _database(market: Truth) -> sqlite3.Connection:
    base = sqlite3.connect(":memory:", check_same_thread=False)
    base.execute(f"create table STK_XR_XD ({', '.join(XR_XD)})")
    base.executemany(
        f"insert into STK_XR_XD values ({', '.join('?' * len(XR_XD))})",
        [
            (i, jq(r["code"]), "模拟", text(r["announced"]), text(r["announced"]),
             float(r["bonus_ratio"]) * 10 or None, None, float(r["cash_per_share"]) * 10 or None,
             text(r["record_session"]), text(r["ex_session"]), text(r["pay_session"]), "实施")
            for i, r in enumerate(market.actions.iter_rows(named=True))
        ],
    )  # fmt: skip
    base.execute(f"create table STK_INCOME_STATEMENT ({', '.join(INCOME)})")
    reports = [
        (
            jq(code),
            f"{year}-{published}",
            f"{year}-{end}",
            kind,
            1e9 + int(code[:6]),
            1e8 + int(code[:6]),
            0.5,
        )
        for code in market.codes()
        for year in (2021, 2022)
        for published, end in (("04-28", "03-31"), ("08-30", "06-30"), ("10-29", "09-30"))
        for kind in (0, 1)
    ]
    base.executemany(
        "insert into STK_INCOME_STATEMENT values (?, ?, ?, ?, ?, ?, ?, ?)",
        [(i, *row) for i, row in enumerate(reports)],
    )
    return base


def text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
