"""A stand-in for Tushare Pro on loopback: its wire format over the simulated market, with limits and faults.

with TushareServer() as vendor:
    vendor.url          # options: {url: …}
    vendor.calls        # every question that came, in order
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import polars as pl
from faults import Faults
from truth import END, PARAMS, START, truth

from quant.core.market.calendar import calendar
from quant.warehouse.sources.simulated import SimulatedSource

TOKEN = "token-8c1f4be2b7d94e55a0c3"
Table = tuple[list[str], list[list[Any]]]
INDEX = "000300.SH"


@dataclass(frozen=True)
class Question:
    """What a client asked, and when."""

    at: float
    endpoint: str
    params: dict[str, str]

    @property
    def key(self) -> str:
        return json.dumps([self.endpoint, sorted(self.params.items())])


@dataclass
class TushareServer:
    """``cap`` rows a page; at most ``per_window`` questions in any ``window`` seconds, which is counted in
    ``over`` and refused; ``faults`` spoil answers.
    """

    cap: int = 6000
    per_window: int | None = None
    window: float = 60.0
    faults: Faults | None = None
    token: str = TOKEN
    slow: float = 1.0
    """Seconds that a timeout lasts."""
    tells_more: bool = True
    overlap: int = 0
    """Rows of the page before that a page begins with: something was put in between two questions."""
    indiscreet: bool = False
    """Its refusals repeat the token."""
    calls: list[Question] = field(default_factory=list)
    over: int = 0
    tables: dict[str, Table] = field(default_factory=dict)

    def __enter__(self) -> TushareServer:
        self.tables = self.tables or dict(tables())
        self._recent: deque[float] = deque()
        self._inside = threading.Lock()
        handler = type("Handler", (_Handler,), {"vendor": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/dataapi"

    def asked(self) -> Counter[str]:
        """How often each endpoint was asked."""
        return Counter(call.endpoint for call in self.calls)

    # --- answers ------------------------------------------------------------------------------------------

    def receive(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes | None]:
        """Status, headers and content of an answer; None: the connection is dropped."""
        params = {k: str(v) for k, v in body["params"].items() if k != "ts_type_name" and v not in (None, "")}
        question = Question(time.monotonic(), str(body["api_name"]), params)
        with self._inside:
            self.calls.append(question)
            full = self._counted(question.at)
        if full:
            return 200, {}, _error(40203, f"抱歉，您每分钟最多访问该接口{self.per_window}次")
        if body["token"] != self.token:
            return 200, {}, _error(40101, f"抱歉，您的token不对，请确认。{body['token']}")
        if self.indiscreet and question.endpoint != "stock_basic":
            return 200, {}, _error(2002, f"抱歉，您没有访问该接口的权限 token={body['token']}")
        if question.endpoint not in self.tables:
            return 200, {}, _error(-2001, "请指定正确的接口名")
        fields, rows, more = self.select(question.endpoint, params, str(body.get("fields") or ""))
        kind = self.faults.pick(question.endpoint, question.key) if self.faults else None
        return self._spoilt(kind, question, fields, rows, more)

    def _counted(self, now: float) -> bool:
        if self.per_window is None:
            return False
        while self._recent and self._recent[0] <= now - self.window:
            self._recent.popleft()
        self._recent.append(now)
        if len(self._recent) > self.per_window:
            self.over += 1
            return True
        return False

    def select(
        self, endpoint: str, params: dict[str, str], wanted: str
    ) -> tuple[list[str], list[list[Any]], bool]:
        """Columns, rows and whether there are more, as Tushare filters them."""
        names, rows = self.tables[endpoint]
        at = {name: i for i, name in enumerate(names)}
        ends = ("start_date", "end_date", "limit", "offset")
        for name, value in params.items():
            if name in at and name not in ends:  # which bound the announcement, whatever the columns
                allowed = set(value.split(","))
                rows = [row for row in rows if str(row[at[name]]) in allowed]
        day = at.get("trade_date", at.get("cal_date", at.get("ann_date")))
        if day is not None and endpoint != "namechange":
            low, high = params.get("start_date", ""), params.get("end_date", "99999999")
            rows = [row for row in rows if low <= str(row[day]) <= high]
        page = min(int(params.get("limit", self.cap)), self.cap)
        offset = max(int(params.get("offset", 0)) - self.overlap, 0)
        more = len(rows) > offset + page
        shown = [name for name in wanted.split(",") if name in at] or names
        kept = [[row[at[name]] for name in shown] for row in rows[offset : offset + page]]
        return shown, kept, more and self.tells_more

    def _spoilt(
        self, kind: str | None, question: Question, fields: list[str], rows: list[list[Any]], more: bool
    ) -> tuple[int, dict[str, str], bytes | None]:
        match kind:
            case "timeout":
                time.sleep(self.slow)
            case "dropped":
                return 200, {}, None
            case "status_429":
                return 429, {"Retry-After": "0"}, b"too many requests"
            case "status_500":
                return 502, {}, b"<html>bad gateway</html>"
            case "quota_message":
                return 200, {"X-Wait": "0"}, _error(50101, "系统繁忙，请稍后再试")
            case "half_json":
                whole = _answer(fields, rows, more)
                return 200, {}, whole[: len(whole) // 2]
            case "not_json":
                return 200, {}, b"<html>maintenance</html>"
            case "reordered":
                order = sorted(range(len(fields)), key=lambda i: fields[i][::-1])
                fields, rows = [fields[i] for i in order], [[row[i] for i in order] for row in rows]
            case _ if kind is not None:
                fields, rows = spoil(kind, self, question, fields, rows)
        return 200, {}, _answer(fields, rows, more)


def spoil(
    kind: str, vendor: TushareServer, question: Question, fields: list[str], rows: list[list[Any]]
) -> tuple[list[str], list[list[Any]]]:
    """Faults of the content. What cannot happen to an answer leaves it whole."""
    rows = [list(row) for row in rows]
    day = next((i for i, name in enumerate(fields) if name == "trade_date"), None)
    numbers = [i for i in range(len(fields)) if rows and isinstance(rows[0][i], int | float)]
    match kind:
        case "wrong_type" if numbers:
            for row in rows[:: max(len(rows) // 3, 1)]:
                row[numbers[0]] = "n/a?"
        case "missing_column" if len(fields) > 2:
            drop = next(i for i, name in enumerate(fields) if name not in ("ts_code", "trade_date"))
            return [n for i, n in enumerate(fields) if i != drop], [
                [v for i, v in enumerate(row) if i != drop] for row in rows
            ]
        case "repeated_rows" if day is not None:
            return fields, rows + rows[: max(len(rows) // 2, 1)]
        case "other_page" if day is not None and rows:
            moved = {**question.params}
            if "trade_date" in moved:
                moved["trade_date"] = _shift(moved["trade_date"], -7)
                return fields, vendor.select(question.endpoint, moved, ",".join(fields))[1]
        case "clock_skew" if day is not None:
            for row in rows:
                row[day] = _shift(str(row[day]), 5000)
        case "empty_success" if question.endpoint not in ("suspend_d", "dividend", "stock_basic"):
            return fields, []
        case "short_rows" if len(rows) >= 50:
            return fields, rows[: len(rows) // 10]
    return fields, rows


class _Handler(BaseHTTPRequestHandler):
    vendor: TushareServer

    def log_message(self, format: str, *args: Any) -> None:
        return None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, headers, content = self.vendor.receive(body)
        try:
            if content is None:
                self.connection.close()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the client gave up waiting
            return


def _error(code: int, message: str) -> bytes:
    return json.dumps({"request_id": "0", "code": code, "msg": message, "data": None}).encode()


def _answer(fields: list[str], rows: list[list[Any]], more: bool) -> bytes:
    data = {"fields": fields, "items": rows, "has_more": more, "count": -1}
    return json.dumps({"request_id": "0", "code": 0, "msg": "", "data": data}).encode()


def _shift(day: str, days: int) -> str:
    return _day(date(int(day[:4]), int(day[4:6]), int(day[6:])) + timedelta(days=days))


def _day(day: date | None) -> str | None:
    return None if day is None else day.strftime("%Y%m%d")


# --- the market in Tushare's tables -----------------------------------------------------------------------


@lru_cache(maxsize=1)
def tables() -> dict[str, Table]:
    """Every endpoint's rows, newest day first as Tushare sends them."""
    market = truth()
    bars = market.bars.sort("session", "code", descending=[True, False])
    traded = bars.filter(~pl.col("suspended").fill_null(value=False))
    return {
        "trade_cal": _trade_cal(),
        "stock_basic": _stock_basic(market.instruments),
        "namechange": _namechange(),
        "daily": _daily(traded),
        "stk_limit": _rows(
            ["trade_date", "ts_code", "up_limit", "down_limit"],
            (
                [_day(s), c, _num(u), _num(d)]
                for s, c, u, d in bars.select("session", "code", "limit_up", "limit_down").iter_rows()
                if u is not None
            ),
        ),
        "suspend_d": _rows(
            ["ts_code", "trade_date", "suspend_timing", "suspend_type"],
            (
                [c, _day(s), None, "S"]
                for s, c in bars.filter(pl.col("suspended")).select("session", "code").iter_rows()
            ),
        ),
        "adj_factor": _rows(
            ["ts_code", "trade_date", "adj_factor"],
            (
                [c, _day(s), f]
                for s, c, f in market.factors.sort("session", descending=True)
                .select("session", "code", "factor")
                .iter_rows()
            ),
        ),
        "dividend": _dividend(market.actions),
        "daily_basic": _daily_basic(traded),
        "index_weight": _index_weight(bars),
        "income": _income(market.instruments),
        "fina_indicator": _fina_indicator(market.instruments),
    }


def _rows(fields: list[str], rows: Iterable[list[Any]]) -> Table:
    return fields, list(rows)


def _num(value: Any) -> float | None:
    return None if value is None else float(value)


def _trade_cal() -> Table:
    dates, rows, day = calendar("XSHG"), [], END
    while day >= START:
        rows.append(["SSE", _day(day), int(dates.is_session(day)), _day(dates.previous(day))])
        day -= timedelta(days=1)
    return ["exchange", "cal_date", "is_open", "pretrade_date"], rows


def _stock_basic(instruments: pl.DataFrame) -> Table:
    exchanges = {"SH": "SSE", "SZ": "SZSE", "BJ": "BSE"}
    fields = ["ts_code", "symbol", "name", "exchange", "list_status", "list_date", "delist_date"]
    rows = [
        [c, c[:6], n, exchanges[c[-2:]], "D" if gone else "L", _day(listed), _day(gone)]
        for c, n, listed, gone in instruments.select("code", "name", "list_date", "delist_date").iter_rows()
    ]
    return fields, rows


@lru_cache(maxsize=1)
def attributes() -> pl.DataFrame:
    source = SimulatedSource(PARAMS)
    return pl.concat([source.parse(p) for p in source.fetch("instrument_attributes", START, END)])


def _namechange() -> Table:
    names = attributes().filter(pl.col("attribute") == "name").sort("code", "from_session")
    fields = ["ts_code", "name", "start_date", "end_date", "ann_date", "change_reason"]
    rows = [
        [c, n, _day(a), _day(b), _day(a), "其他"]
        for c, n, a, b in names.select("code", "value", "from_session", "to_session").iter_rows()
    ]
    return fields, rows


def _daily(traded: pl.DataFrame) -> Table:
    """Lots and thousand yuan, as Tushare has them."""
    prices = ["open", "high", "low", "close", "pre_close"]
    fields = ["ts_code", "trade_date", *prices, "change", "pct_chg", "vol", "amount"]
    rows = []
    for row in traded.iter_rows(named=True):
        close, before = float(row["close"]), float(row["pre_close"])
        rows.append(
            [
                *(row["code"], _day(row["session"]), *(float(row[name]) for name in prices)),
                *(round(close - before, 2), round((close / before - 1) * 100, 4)),
                *(row["volume"] / 100, float(row["amount"]) / 1000),
            ]
        )
    return fields, rows


def _dividend(actions: pl.DataFrame) -> Table:
    fields = ["ts_code", "end_date", "ann_date", "imp_ann_date", "div_proc", "stk_div", "stk_bo_rate",
              "stk_co_rate", "cash_div", "cash_div_tax", "record_date", "ex_date", "pay_date"]  # fmt: skip
    rows: list[list[Any]] = []
    for row in actions.iter_rows(named=True):
        announced, bonus, cash = (
            _day(row["announced"]),
            float(row["bonus_ratio"]),
            float(row["cash_per_share"]),
        )
        plan = [row["code"], f"{row['ex_session'].year - 1}1231", announced]
        rows.append([*plan, None, "预案", bonus, 0.0, bonus, cash, cash, None, None, None])
        days = [_day(row[name]) for name in ("record_session", "ex_session", "pay_session")]
        rows.append([*plan, announced, "实施", bonus, 0.0, bonus, cash, cash, *days])
    return fields, rows


def _daily_basic(traded: pl.DataFrame) -> Table:
    fields = ["ts_code", "trade_date", "turnover_rate", "turnover_rate_f", "volume_ratio", "pe", "pe_ttm",
              "pb", "ps", "ps_ttm", "dv_ratio", "dv_ttm", "total_share", "float_share", "free_share",
              "total_mv", "circ_mv"]  # fmt: skip
    rows = []
    for code, session, close, volume in traded.select("code", "session", "close", "volume").iter_rows():
        shares = 20_000.0 + int(code[:6]) % 1000
        turnover = round(volume / 100 / shares, 4)
        rows.append(
            [
                *(code, _day(session), turnover, turnover * 2, 1.1, 15.5, 14.2, 1.7, 2.2, 2.1, 1.25, None),
                *(shares, shares, shares / 2, shares * float(close), shares * float(close)),
            ]
        )
    return fields, rows


def _index_weight(bars: pl.DataFrame) -> Table:
    """Members at the last session of each month, the first ten codes listed."""
    last = bars.group_by(pl.col("session").dt.truncate("1mo")).agg(pl.col("session").max().alias("day"))[
        "day"
    ]
    rows = []
    for day in sorted(last.to_list(), reverse=True):
        codes = sorted(bars.filter(pl.col("session") == day)["code"].to_list())[:10]
        rows += [[INDEX, code, _day(day), round(100 / len(codes), 4)] for code in codes]
    return ["index_code", "con_code", "trade_date", "weight"], rows


def reports(instruments: pl.DataFrame) -> list[tuple[str, date, date, date, str, float]]:
    """(code, period, first announced, announced, version, profit): every fourth report is restated."""
    found = []
    for number, code in enumerate(sorted(instruments["code"].to_list())):
        for step, period in enumerate((date(2020, 12, 31), date(2021, 3, 31), date(2021, 6, 30))):
            first = period + timedelta(days=50 + number % 7)
            profit = 1e8 + 1e6 * number + 1e5 * step
            found.append((code, period, first, first, "0", profit))
            if (number + step) % 4 == 0:
                found.append((code, period, first, first + timedelta(days=120), "1", profit * 0.9))
    return found


def _income(instruments: pl.DataFrame) -> Table:
    fields = ["ts_code", "ann_date", "f_ann_date", "end_date", "update_flag", "basic_eps", "total_revenue",
              "revenue", "operate_profit", "n_income_attr_p", "n_income"]  # fmt: skip
    return fields, [
        [code, _day(first), _day(said), _day(period), version, 0.5, 9e8, 8e8, profit * 1.2, profit, profit]
        for code, period, first, said, version, profit in reports(instruments)
    ]


def _fina_indicator(instruments: pl.DataFrame) -> Table:
    fields = ["ts_code", "ann_date", "end_date", "update_flag", "roe", "bps", "debt_to_assets"]
    return fields, [
        [code, _day(first), _day(period), version, 12.5, 7.25, 41.0]
        for code, period, first, said, version, _ in reports(instruments)
        if first == said
    ]
