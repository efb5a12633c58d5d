"""The pages that akshare reads, on loopback: Eastmoney's candles, Sina's factors, the exchanges' lists. The
host that was meant is the first part of the path.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import openpyxl
import polars as pl
from sina import Candle, packed
from truth import Truth, factor_events, truth

BEIJING = 48
"""Columns of Beijing's list; the client knows them by their place."""


class WebServer:
    """``faults`` are used up one an answer: a status, cut, html, drop, null, hang, evil."""

    def __init__(self, market: Truth | None = None) -> None:
        self.market = market or truth()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.faults: deque[str] = deque()
        self.free = threading.Event()
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

    def answer(self, host: str, path: str, q: Mapping[str, str]) -> bytes:
        match host:
            case "push2his.eastmoney.com":
                return json.dumps(self.candles(q), separators=(",", ":")).encode()
            case "finance.sina.com.cn" if path.endswith("klc_kl.js"):
                return self.packed_candles(path.split("/")[3]).encode()
            case "finance.sina.com.cn":
                return self.factors(path.split("/")[3]).encode()
            case "stock.finance.sina.com.cn":
                return self.shares(q["symbol"]).encode()
            case "query.sse.com.cn":
                return json.dumps({"result": self.shanghai(q)}).encode()
            case "www.szse.cn":
                return self.shenzhen(q["TABKEY"])
            case "www.bse.cn":
                return self.beijing().encode()
        raise KeyError(host)

    def candles(self, q: Mapping[str, str]) -> Any:
        assert q["fqt"] == "0" and q["klt"] == "101"
        market, _, symbol = q["secid"].partition(".")
        code = next((c for c in self.market.codes() if c[:6] == symbol), None)
        if code is None or (market == "1") != code.endswith("SH"):
            return {"rc": 0, "rt": 17, "data": None}
        rows = self.market.bars.filter(
            (pl.col("code") == code)
            & ~pl.col("suspended")
            & pl.col("session").dt.strftime("%Y%m%d").is_between(pl.lit(q["beg"]), pl.lit(q["end"]))
        ).sort("session")
        lines = [
            f"{r['session']},{r['open']:.2f},{r['close']:.2f},{r['high']:.2f},{r['low']:.2f},"
            f"{r['volume'] // 100},{r['amount']:.2f},1.1,0.5,0.1,0.7"
            for r in rows.iter_rows(named=True)
        ]
        return {"rc": 0, "rt": 17, "data": {"code": symbol, "name": "模拟", "klines": lines}}

    def factors(self, symbol: str) -> str:
        code = f"{symbol[2:]}.{symbol[:2].upper()}"
        events = factor_events(self.market.factors).filter(pl.col("code") == code).sort("session")
        rows = [{"d": str(r["session"]), "f": f"{r['factor']}"} for r in events.iter_rows(named=True)]
        rows = [*reversed(rows), {"d": "1900-01-01", "f": "1.0000000000000000"}]
        told = json.dumps({"total": len(rows), "data": rows}, separators=(",", ":"))
        return f"var {symbol}hfq={told}\n/* a comment */"

    def shares(self, symbol: str) -> str:
        """Numbers of shares since dates, one of them on a halted session."""
        code = f"{symbol[2:]}.{symbol[:2].upper()}"
        halted = self.market.bars.filter((pl.col("code") == code) & pl.col("suspended"))["session"]
        dates = ["1990-12-19", *map(str, halted.sort()[:1])]
        rows = ",".join(f'{{date:"{day}",amount:"{100_000 + i}.00"}}' for i, day in enumerate(dates))
        return f"var KKE_ShareAmount_{symbol}=([{rows}]);"

    def packed_candles(self, symbol: str) -> str:
        code = f"{symbol[2:]}.{symbol[:2].upper()}"
        rows = self.market.bars.filter((pl.col("code") == code) & ~pl.col("suspended")).sort("session")
        candles = [
            Candle(
                r["session"],
                *(int(r[name] * 100) for name in ("open", "high", "low", "close")),
                volume=r["volume"],
                amount=int(r["amount"]),
            )
            for r in rows.iter_rows(named=True)
        ]
        return f'var KLC_KL_{symbol}="{packed(candles)}";'

    def shanghai(self, q: Mapping[str, str]) -> list[dict[str, Any]]:
        kinds = q["STOCK_TYPE"].split(",")
        gone = q["COMPANY_STATUS"] == "3"
        rows = [
            r for r in self.market.instruments.iter_rows(named=True)
            if r["code"].endswith("SH") and ("8" if r["code"].startswith("68") else "1") in kinds
            and (r["delist_date"] is not None) is gone
        ]  # fmt: skip
        return [
            {"A_STOCK_CODE": r["code"][:6], "COMPANY_CODE": r["code"][:6], "SEC_NAME_CN": r["name"],
             "SEC_NAME_FULL": r["name"], "COMPANY_ABBR": r["name"], "FULL_NAME": r["name"],
             "LIST_DATE": f"{r['list_date']:%Y%m%d}",
             "DELIST_DATE": f"{r['delist_date']:%Y%m%d}" if r["delist_date"] else "-"}
            for r in rows
        ]  # fmt: skip

    def shenzhen(self, tab: str) -> bytes:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        rows = [r for r in self.market.instruments.iter_rows(named=True) if r["code"].endswith("SZ")]
        if tab == "tab1":
            sheet.append(
                ["板块", "A股代码", "A股简称", "A股上市日期", "A股总股本", "A股流通股本", "所属行业"]
            )
            for r in (r for r in rows if r["delist_date"] is None):
                sheet.append(["主板", r["code"][:6], r["name"], str(r["list_date"]), "1", "1", "C 制造业"])
        else:
            sheet.append(["证券代码", "证券简称", "上市日期", "终止上市日期"])
            for r in (r for r in rows if r["delist_date"] is not None):
                sheet.append([r["code"][:6], r["name"], str(r["list_date"]), str(r["delist_date"])])
        kept = BytesIO()
        book.save(kept)
        return kept.getvalue()

    def beijing(self) -> str:
        rows = []
        for r in self.market.instruments.iter_rows(named=True):
            if r["code"].endswith("BJ"):
                cells = {f"c{i:02d}": "0" for i in range(BEIJING)}
                cells |= {"c00": f"{r['list_date']:%Y%m%d}", "c38": r["code"][:6], "c40": r["name"]}
                rows.append(cells)
        return f"null([{json.dumps({'content': rows, 'totalPages': 1})}])"


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients hang up on what they do not like."""


class _Handler(BaseHTTPRequestHandler):
    owner: WebServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._reply(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._reply(dict(parse_qsl(sent)))

    def _reply(self, query: dict[str, str]) -> None:
        owner, url = self.owner, urlsplit(self.path)
        _, host, rest = url.path.split("/", 2)
        owner.asked.append((host, query))
        fault = owner.faults.popleft() if owner.faults else ""
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
            return
        if fault == "hang":
            owner.free.wait(3)
            self.close_connection = True
            return
        body = {
            "html": b"<html>please wait</html>",
            "null": b'{"rc":0,"data":null}',
            "evil": b"var x=__import__('os').mkdir('/never-made')\n",
        }.get(fault) or owner.answer(host, "/" + rest, query)
        self.send_response(int(fault) if fault.isdigit() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            self.close_connection = True
