"""A server that speaks Baostock's protocol on loopback: lines with a header, fields cut by \\x01, a checksum,
bodies of prices compressed, lists in pages.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
from truth import Truth, factor_events, truth

SEP, END = "\1", b"<![CDATA[]]>\n"
RESPONSE = {"00": "01", "02": "03", "13": "14", "15": "16", "17": "18", "33": "34", "35": "36", "45": "46",
            "61": "62", "95": "96", "98": "99", "9C": "9D"}  # fmt: skip
PACKED = {"96", "99", "9D"}
VERSION = "00.9.00"
DAILY = ["date", "code", "open", "high", "low", "close", "preclose", "volume", "amount", "adjustflag", "turn",
         "tradestatus", "pctChg", "peTTM", "pbMRQ", "psTTM", "pcfNcfTTM", "isST"]  # fmt: skip
PROFIT = ["code", "pubDate", "statDate", "roeAvg", "npMargin", "gpMargin", "netProfit", "epsTTM", "MBRevenue",
          "totalShare", "liqaShare"]  # fmt: skip


def message(kind: str, parts: Sequence[str]) -> bytes:
    """One answer as it goes over the line."""
    body = SEP.join(parts)
    if kind in PACKED:
        packed = zlib.compress(body.encode())
        head = f"{VERSION}{SEP}{kind}{SEP}{len(packed):010d}".encode()
        return head + packed + f"{SEP}{zlib.crc32(head + packed)}\n".encode() + END
    head = f"{VERSION}{SEP}{kind}{SEP}{len(body):010d}".encode()
    core = head + body.encode()
    return core + f"{SEP}{zlib.crc32(core)}".encode() + END


@dataclass
class Behaviour:
    """What the server has been asked, and how it will misbehave: a fault is used up by one answer.

    drop, cut, hang, damage, json, page (a wrong page size), or an error code; ``refusal`` answers a login.
    """

    asked: list[tuple[str, ...]] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    logins: int = 0
    key: str = "0"
    refusal: str = ""
    waiting: threading.Event = field(default_factory=threading.Event)


class BaostockServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, market: Truth | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.market = market or truth()
        self.behaviour = Behaviour()
        self.lines: list[socket.socket] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def drop_lines(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for line in self.lines:
            line.close() if line.fileno() < 0 else line.shutdown(socket.SHUT_RDWR)
        self.lines.clear()

    def stop(self) -> None:
        self.behaviour.waiting.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    def rows(self, function: str, args: Sequence[str]) -> tuple[list[str], list[list[str]], list[str]]:
        """Field names, rows, and what the answer repeats of the question."""
        answer: Callable[..., tuple[list[str], list[list[str]]]] = getattr(self, f"_{function}")
        fields, rows = answer(*args)
        return fields, rows, list(args)

    def _query_stock_basic(self, code: str, _name: str) -> tuple[list[str], list[list[str]]]:
        rows = [
            [bao(r["code"]), r["name"], day(r["list_date"]), day(r["delist_date"]), "1",
             "0" if r["delist_date"] else "1"]
            for r in self.market.instruments.iter_rows(named=True) if not r["code"].endswith("BJ")
        ]  # fmt: skip
        rows.append(["sh.000300", "沪深300", "2005-04-08", "", "2", "1"])
        return ["code", "code_name", "ipoDate", "outDate", "type", "status"], [
            row for row in rows if code in ("", row[0])
        ]

    def _query_history_k_data_plus(
        self, code: str, fields: str, start: str, end: str, frequency: str, _flag: str
    ) -> tuple[list[str], list[list[str]]]:
        names = fields.split(",")
        bars = self.market.bars.filter((pl.col("code") == ours(code)) & within(start, end)).sort("session")
        if frequency != "d":
            return names, [row for r in bars.iter_rows(named=True) for row in minutes(r, names, frequency)]
        return names, [bar(r, names) for r in bars.iter_rows(named=True)]

    def _query_daily_history_k_AStock(self, on: str) -> tuple[list[str], list[list[str]]]:
        names = DAILY
        bars = self.market.bars.filter(within(on, on) & ~pl.col("code").str.ends_with("BJ")).sort("code")
        return names, [bar(r, names) for r in bars.iter_rows(named=True)]

    def _query_adjust_factor(self, code: str, start: str, end: str) -> tuple[list[str], list[list[str]]]:
        return self._factors((pl.col("code") == ours(code)) & within(start, end))

    def _query_daily_adjust_factor(self, on: str) -> tuple[list[str], list[list[str]]]:
        return self._factors(within(on, on))

    def _factors(self, wanted: pl.Expr) -> tuple[list[str], list[list[str]]]:
        rows = factor_events(self.market.factors).filter(wanted & ~pl.col("code").str.ends_with("BJ"))
        fields = ["code", "dividOperateDate", "foreAdjustFactor", "backAdjustFactor", "adjustFactor"]
        return fields, [
            [bao(r["code"]), day(r["session"]), "0.900000", str(r["factor"]), str(r["factor"])]
            for r in rows.sort("code", "session").iter_rows(named=True)
        ]

    def _query_dividend_data(self, code: str, year: str, kind: str) -> tuple[list[str], list[list[str]]]:
        assert kind == "operate"
        fields = ["code", "dividPreNoticeDate", "dividAgmPumDate", "dividPlanAnnounceDate", "dividPlanDate",
                  "dividRegistDate", "dividOperateDate", "dividPayDate", "dividStockMarketDate",
                  "dividCashPsBeforeTax", "dividCashPsAfterTax", "dividStocksPs", "dividCashStock",
                  "dividReserveToStockPs"]  # fmt: skip
        rows = self.market.actions.filter(
            (pl.col("code") == ours(code)) & (pl.col("ex_session").dt.year() == int(year))
        )
        return fields, [
            [code, "", "", day(r["announced"]), day(r["announced"]), day(r["record_session"]),
             day(r["ex_session"]), day(r["pay_session"]), "", str(r["cash_per_share"]), "",
             str(r["bonus_ratio"]), "10派1元", ""]
            for r in rows.iter_rows(named=True)
        ]  # fmt: skip

    def _query_trade_dates(self, start: str, end: str) -> tuple[list[str], list[list[str]]]:
        days = self.market.bars["session"].unique().sort()
        return ["calendar_date", "is_trading_day"], [[day(d), "1"] for d in days if start <= day(d) <= end]

    def _query_hs300_stocks(self, on: str) -> tuple[list[str], list[list[str]]]:
        listed = self.market.bars.filter(within(on, on))["code"].sort()
        members = [code for code in listed if not code.endswith("BJ")][:10]
        return ["updateDate", "code", "code_name"], [[on, bao(code), code] for code in members]

    def _query_profit_data(self, code: str, year: str, quarter: str) -> tuple[list[str], list[list[str]]]:
        end = {"1": "03-31", "2": "06-30", "3": "09-30", "4": "12-31"}[quarter]
        published = {"1": f"{year}-04-28", "2": f"{year}-08-30", "3": f"{year}-10-29",
                     "4": f"{int(year) + 1}-03-30"}[quarter]  # fmt: skip
        income = 1_000_000 * (int(code[3:]) % 97 + 1) + int(year) * 10 + int(quarter)
        row = [code, published, f"{year}-{end}", "0.032797", "0.258851", "", f"{income}.000000", "1.5", "",
               "1000000.00", "900000.00"]  # fmt: skip
        return PROFIT, [row]


class _Handler(socketserver.StreamRequestHandler):
    server: BaostockServer

    def handle(self) -> None:
        self.server.lines.append(self.request)
        logged_in = False
        while line := self._question():
            kind, function, user, args = line
            if kind == "00":
                logged_in = self._login(args)
                continue
            if kind == "02":
                self._say(message("03", ["0", "success", "logout", user, "20260101000000"]))
                return
            fault = self.server.behaviour.faults.popleft() if self.server.behaviour.faults else ""
            self.server.behaviour.asked.append((function, *args))
            if fault and not self._misbehave(fault, kind):
                return
            if fault.isdigit() or fault in ("damage", "json"):
                continue
            if not logged_in:
                self._say(message("04", ["10001001", "用户未登录"]))
                continue
            self._answer(kind, function, user, args, fault)

    def _question(self) -> tuple[str, str, str, list[str]] | None:
        try:
            raw = self.rfile.readline()
        except OSError:
            return None
        if not raw.endswith(b"\n"):
            return None
        core, _, checksum = raw[:-1].rpartition(b"\1")
        assert zlib.crc32(core) == int(checksum)
        kind = core.split(b"\1")[1].decode()
        function, user, *args = core[21:].decode().split(SEP)
        return kind, function, user, args

    def _login(self, args: list[str]) -> bool:
        self.server.behaviour.logins += 1
        self.server.behaviour.key = args[1]
        if self.server.behaviour.refusal:
            self._say(message("01", [self.server.behaviour.refusal, "登录失败"]))
            return False
        self._say(message("01", ["0", "success", "login", "anonymous", "20260101000000"]))
        return True

    def _misbehave(self, fault: str, kind: str) -> bool:
        """Whether the line goes on."""
        match fault:
            case "drop":
                return False
            case "cut":
                self._say(message("34", ["0", "success", "x" * 100])[:60])
                return False
            case "hang":
                self.server.behaviour.waiting.wait(5)
                return False
            case "damage":
                whole = message("46", ["0", "success", "m", "u", "1", "2000", '{"record":[]}', "", "", "a"])
                self._say(whole.replace(b"success", b"sucCess"))
            case "json":
                parts = ["0", "success", "m", "u", "1", "2000", '{"record":[["a"', *["x"] * 6]
                self._say(message("46", parts))
            case code if code.isdigit():
                self._say(message("04", [code, "出错了"]))
        return True

    def _answer(self, kind: str, function: str, user: str, args: list[str], fault: str) -> None:
        response = RESPONSE[kind]
        if function.startswith("query_daily_"):
            fields, rows, _ = self.server.rows(function, args)
            self._say(message(response, ["0", "success", function, user, record(rows), ", ".join(fields)]))
            return
        page, size = int(args[0]), int(args[1])
        if fault == "page":
            size = 100
        fields, rows, echo = self.server.rows(function, args[2:])
        part = rows[(page - 1) * size : page * size]
        shown = [*echo, ", ".join(fields)]
        if kind == "95":  # prices repeat their fields in the middle
            shown = [echo[0], ", ".join(fields), *echo[2:]]
        self._say(
            message(response, ["0", "success", function, user, str(page), str(size), record(part), *shown])
        )

    def _say(self, whole: bytes) -> None:
        try:
            self.wfile.write(whole)
            self.wfile.flush()
        except OSError:
            return


def within(start: str, end: str) -> pl.Expr:
    return pl.col("session").is_between(date.fromisoformat(start), date.fromisoformat(end))


def record(rows: list[list[str]]) -> str:
    return json.dumps({"record": rows}, ensure_ascii=False, separators=(",", ":")) if rows else ""


def bao(code: str) -> str:
    symbol, _, exchange = code.partition(".")
    return f"{exchange.lower()}.{symbol}"


def ours(code: str) -> str:
    exchange, _, symbol = code.partition(".")
    return f"{symbol}.{exchange.upper()}"


def day(value: Any) -> str:
    return "" if value is None else value.isoformat()


def bar(row: dict[str, Any], names: Sequence[str]) -> list[str]:
    """A daily row as text; one without trading shows the reference price and no volume."""
    asleep = row["suspended"]
    price = {n: f"{row['pre_close'] if asleep else row[n]:.4f}" for n in ("open", "high", "low", "close")}
    cells = {
        **price,
        "date": day(row["session"]),
        "code": bao(row["code"]),
        "preclose": f"{row['pre_close']:.4f}",
        "volume": "" if asleep else str(row["volume"]),
        "amount": "" if asleep else f"{row['amount']:.4f}",
        "adjustflag": "3",
        "turn": "" if asleep else "1.234500",
        "tradestatus": "0" if asleep else "1",
        "isST": "1" if row["st"] else "0",
    }
    return [cells.get(name, "12.300000") for name in names]


def minutes(row: dict[str, Any], names: Sequence[str], frequency: str) -> list[list[str]]:
    """Bars of a session that together make its daily bar: all trading in the first."""
    if row["suspended"]:
        return []
    step, rows = int(frequency), []
    stamps = [m for m in range(571, 691) if (m - 570) % step == 0]
    stamps += [m for m in range(781, 901) if (m - 780) % step == 0]
    for i, at in enumerate(stamps):
        price = {n: f"{row[n] if i == 0 else row['close']:.4f}" for n in ("open", "high", "low", "close")}
        cells = {
            **price,
            "date": day(row["session"]),
            "time": f"{row['session']:%Y%m%d}{at // 60:02d}{at % 60:02d}00000",
            "code": bao(row["code"]),
            "volume": str(row["volume"] if i == 0 else 0),
            "amount": f"{row['amount'] if i == 0 else 0:.4f}",
            "adjustflag": "3",
        }
        rows.append([cells[name] for name in names])
    return rows
