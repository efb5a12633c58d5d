"""Tushare Pro: which questions fetch an interval with the fewest calls, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

import polars as pl

from quant.core.errors import CheckFailed, SpecError
from quant.core.market.calendar import calendar
from quant.core.time import parse_date
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import FieldSettings, SourceSettings
from quant.warehouse.sources.spans import bunches, by_months, halves
from quant.warehouse.sources.tushare_wire import query
from quant.warehouse.sources.vendor import Answer, Call, VendorFault, VendorWorld

JSON: Final = "application/json"
PAGE: Final = 5_000
"""Rows of a page where nobody declared how many there may be."""
FAR_BACK: Final = 2
"""Reports of so many years before an interval may be restated in it."""

How = Literal["session", "span", "ex_date", "whole", "status", "report", "period", "index"]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """How an endpoint is asked. ``many``: it takes a list of codes; ``rows``: it has a row for every listed
    code and session, so that an empty answer is doubted.
    """

    how: How
    many: bool = False
    rows: bool = False


ENDPOINTS: Final[Mapping[str, _Endpoint]] = {
    "stock_basic": _Endpoint("status"),
    "namechange": _Endpoint("whole"),
    "daily": _Endpoint("session", many=True, rows=True),
    "adj_factor": _Endpoint("session", rows=True),
    "stk_limit": _Endpoint("session", rows=True),
    "daily_basic": _Endpoint("session", rows=True),
    "suspend_d": _Endpoint("span"),
    "trade_cal": _Endpoint("span"),
    "dividend": _Endpoint("ex_date"),
    "index_weight": _Endpoint("index"),
    **dict.fromkeys(("income", "balancesheet", "cashflow", "fina_indicator"), _Endpoint("report")),
    **dict.fromkeys(
        ("income_vip", "balancesheet_vip", "cashflow_vip", "fina_indicator_vip"), _Endpoint("period")
    ),
}
STATUSES: Final = ("L", "D", "P")
"""Listed, delisted, listing paused: all three, or the market would have survivors only."""
_EXCHANGES: Final = ("SSE", "SZSE", "BSE")
_DERIVED: Final = {
    "suspend_d": ("suspended",),
    "namechange": ("st", "attribute", "value"),
}
"""Columns that parse adds, and what it reads them from."""
_READ_FROM: Final = {
    "suspend_d": ("suspend_timing", "suspend_type"),
    "namechange": ("name",),
    "dividend": ("div_proc",),
}


class TushareAdapter:
    """Tushare through its own client."""

    def __init__(self, settings: SourceSettings, world: VendorWorld) -> None:
        self._settings = settings
        self._world = world
        self._calendar = calendar(settings.calendar)

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """By session or by code, whichever asks less often. Raises SpecError ``source.endpoint``."""
        wanted = self._settings.dataset(dataset)
        for endpoint, params in (
            (wanted.endpoint, wanted.params),
            *((part.endpoint, part.params) for part in wanted.parts),
        ):
            own = {name: str(value) for name, value in params.items()}
            for call in self._calls(dataset, endpoint, start, end, own):
                yield replace(call, params={**own, **call.params})

    def ask(self, call: Call, timeout: float) -> Answer:
        params = {name: str(value) for name, value in call.params.items()}
        fields = self._columns(call.endpoint)
        url = self._settings.options.get("url")
        address = str(url) if url is not None else self._host()
        token = self._world.secret()
        if not token:
            raise VendorFault("refused", "a token is needed: secret: keyring://tushare/token")
        data = query(token, address, call.endpoint, params, ",".join(fields), timeout)
        names, items = _ordered([str(n) for n in data["fields"]], data["items"], fields)
        page = self._page_size(call.endpoint)
        if data.get("has_more") is True and len(items) < page and "limit" not in params:
            said = f"a page of {call.endpoint} holds {len(items)} rows, the spec says {page}"
            raise VendorFault("invalid", f"{said}: declare max_rows: {len(items)}")
        content = json.dumps({"fields": names, "items": items}, ensure_ascii=False, separators=(",", ":"))
        return Answer(content.encode(), JSON, len(items))

    def split(self, call: Call) -> Sequence[Call]:
        """Half the days, half the codes, one exchange at a time, or page after page."""
        params = dict(call.params)
        if "start_date" in params and "end_date" in params:
            parts = halves(parse_date(str(params["start_date"])), parse_date(str(params["end_date"])))
            return [_but(call, start_date=_text(a), end_date=_text(b)) for a, b in parts] or self._pages(call)
        codes = str(params.get("ts_code", "")).split(",")
        if len(codes) > 1:
            middle = len(codes) // 2
            return [_but(call, ts_code=",".join(part)) for part in (codes[:middle], codes[middle:])]
        if call.endpoint == "stock_basic" and "exchange" not in params:
            return [_but(call, exchange=name) for name in _EXCHANGES]
        return self._pages(call)

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns as text, and those that follow from them: ``suspended`` of suspend_d; ``st``,
        ``attribute`` and ``value`` of namechange. Other codes than the spec's are left out, and dividends
        that were only planned.
        """
        endpoint = str(payload.request.get("endpoint", ""))
        body = json.loads(payload.content, parse_float=str, parse_int=str)
        columns = list(zip(*body["items"], strict=True)) if body["items"] else [()] * len(body["fields"])
        frame = pl.DataFrame(
            {n: [_cell(v) for v in c] for n, c in zip(body["fields"], columns, strict=True)},
            schema=dict.fromkeys(body["fields"], pl.String),
        )
        if self._settings.codes and "ts_code" in frame.columns:
            frame = frame.filter(pl.col("ts_code").is_in(list(self._settings.codes)))
        match endpoint:
            case "suspend_d":
                return _suspended(frame)
            case "dividend":
                return _carried_out(frame)
            case "namechange":
                return _names(frame, long=payload.dataset == "instrument_attributes")
            case _:
                return frame

    def close(self) -> None:
        """Nothing stays open: the client sends each request on its own."""

    # --- which calls --------------------------------------------------------------------------------------

    def _calls(
        self, dataset: str, endpoint: str, start: date, end: date, own: Mapping[str, str]
    ) -> Iterator[Call]:
        known = ENDPOINTS.get(endpoint)
        if known is None:
            raise SpecError(
                "source.endpoint",
                f"source {self._settings.name}: it is not known how {endpoint} is asked",
                expected=", ".join(sorted(ENDPOINTS)),
                found=endpoint,
            )
        match known.how:
            case "status":
                yield from (Call(endpoint, {"list_status": s}, int(s == "L")) for s in STATUSES)
            case "whole":
                yield Call(endpoint, {}, 1)
            case "span":
                yield Call(endpoint, {"start_date": _text(start), "end_date": _text(end)})
            case "session":
                yield from self._by_session_or_code(dataset, endpoint, known, start, end)
            case "ex_date":
                yield from self._by_ex_date(endpoint, start, end)
            case "report":
                yield from self._by_code(endpoint, start, end)
            case "period":
                yield from (Call(endpoint, {"period": _text(day)}) for day in _periods(start, end))
            case "index":
                yield from self._by_index(endpoint, start, end, own)

    def _by_session_or_code(
        self, dataset: str, endpoint: str, known: _Endpoint, start: date, end: date
    ) -> Iterator[Call]:
        sessions = self._calendar.sessions(start, end)
        bunch = self._bunch(dataset, endpoint, known, len(sessions))
        codes = self._world.codes(start, end)
        groups = list(bunches(codes, bunch)) if bunch and codes else []
        few = bool(groups) and len(groups) < len(sessions) * (1.0 if self._settings.codes else 0.5)
        if not few:
            for day in sessions:
                yield Call(endpoint, {"trade_date": _text(day)}, self._expected(day) if known.rows else 0)
            return
        span = {"start_date": _text(start), "end_date": _text(end)}
        for group in groups:
            yield Call(endpoint, {"ts_code": ",".join(group), **span}, self._of_group(group, sessions, known))

    def _bunch(self, dataset: str, endpoint: str, known: _Endpoint, sessions: int) -> int:
        """How many codes fit into one answer of so many sessions; 0 where not even one does."""
        page = self._settings.page(dataset, endpoint) or PAGE
        fit = (page - 1) // max(sessions, 1)
        return min(fit, 200) if known.many else min(fit, 1)

    def _expected(self, day: date) -> int:
        """About how many rows a session has: the listed codes, or at least one."""
        return 1 if self._settings.codes else max(len(self._world.codes(day, day)), 1)

    def _of_group(self, group: Sequence[str], sessions: Sequence[date], known: _Endpoint) -> int:
        if not known.rows:
            return 0
        return 1 if self._settings.codes else len(group) * len(sessions)

    def _by_ex_date(self, endpoint: str, start: date, end: date) -> Iterator[Call]:
        """An ex-date is a session. A short list of codes is asked code by code, all years at once."""
        sessions, codes = self._calendar.sessions(start, end), self._settings.codes
        if codes and len(codes) < len(sessions):
            yield from (Call(endpoint, {"ts_code": code}) for code in codes)
            return
        yield from (Call(endpoint, {"ex_date": _text(day)}) for day in sessions)

    def _by_code(self, endpoint: str, start: date, end: date) -> Iterator[Call]:
        """The dates bound the first announcement, to which a restatement in the interval may belong."""
        first = _text(start.replace(year=start.year - FAR_BACK, day=1))
        for code in self._world.codes(start, end):
            yield Call(endpoint, {"ts_code": code, "start_date": first, "end_date": _text(end)})

    def _by_index(self, endpoint: str, start: date, end: date, own: Mapping[str, str]) -> Iterator[Call]:
        indices = [code.strip() for code in own.get("index_code", "").split(",") if code.strip()]
        if not indices:
            raise SpecError(
                "source.params",
                f"source {self._settings.name}: {endpoint} needs to know which indices",
                expected='params: {index_code: "000300.SH,000905.SH"}',
                found="no index_code",
            )
        for code in indices:
            for first, last in by_months(start, end):
                dates = {"start_date": _text(first), "end_date": _text(last)}
                yield Call(endpoint, {"index_code": code, **dates})

    # --- columns and pages --------------------------------------------------------------------------------

    def _columns(self, endpoint: str) -> list[str]:
        """The columns to ask for: those declared anywhere, without those that parse adds."""
        found: dict[str, None] = {}
        for fields in self._declared(endpoint):
            found.update(dict.fromkeys(f.column for f in fields))
        derived = _DERIVED.get(endpoint, ())
        needed = _READ_FROM.get(endpoint, ())
        return [*(name for name in found if name not in derived), *(n for n in needed if n not in found)]

    def _declared(self, endpoint: str) -> Iterator[tuple[FieldSettings, ...]]:
        for dataset in self._settings.datasets.values():
            if dataset.endpoint == endpoint:
                yield dataset.fields
            yield from (part.fields for part in dataset.parts if part.endpoint == endpoint)

    def _pages(self, call: Call) -> list[Call]:
        """The page itself, and the one after it."""
        size = self._page_size(call.endpoint)
        offset = int(str(call.params.get("offset", 0)))
        return [call, _but(replace(call, rows=0), offset=str(offset + size), limit=str(size))]

    def _page_size(self, endpoint: str) -> int:
        sizes = [
            self._settings.page(name, endpoint)
            for name, dataset in self._settings.datasets.items()
            if endpoint in (dataset.endpoint, *(part.endpoint for part in dataset.parts))
        ]
        return min((size for size in sizes if size is not None), default=PAGE)

    def _host(self) -> str | None:
        host, port = self._settings.options.get("host"), self._settings.options.get("port")
        return None if host is None else f"http://{host}{f':{port}' if port else ''}/dataapi"


def open_tushare(settings: SourceSettings, world: VendorWorld) -> TushareAdapter:
    """The adapter of a source spec."""
    return TushareAdapter(settings, world)


def _but(call: Call, **params: str) -> Call:
    return replace(
        call, params={**call.params, **params}, rows=call.rows // 2 if call.rows > 1 else call.rows
    )


def _text(day: date) -> str:
    return day.strftime("%Y%m%d")


def _periods(start: date, end: date) -> list[date]:
    """The ends of quarters whose reports may have been published, or published again, in an interval."""
    ends = ((3, 31), (6, 30), (9, 30), (12, 31))
    years = range(start.year - FAR_BACK, end.year + 1)
    return [day for year in years for month, last in ends if (day := date(year, month, last)) <= end]


def _ordered(
    names: list[str], items: list[list[Any]], wanted: Sequence[str]
) -> tuple[list[str], list[list[Any]]]:
    """The columns in the order in which they were asked for, so that equal answers are equal bytes."""
    if len(set(names)) != len(names):
        raise CheckFailed("vendor.schema", "a column comes twice", found=", ".join(names))
    order = [n for n in wanted if n in names] + sorted(n for n in names if n not in wanted)
    if order == names:
        return names, items
    at = [names.index(name) for name in order]
    return order, [[item[i] for i in at] for item in items]


def _cell(value: Any) -> str | None:
    """A cell as text: numbers with the digits they came with, without exponents."""
    if value is None or isinstance(value, str):
        plain = value is None or not ("e" in value.lower() and _is_number(value))
        return value if plain else format(Decimal(str(value)), "f")
    return json.dumps(value, ensure_ascii=False)


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False


def _suspended(frame: pl.DataFrame) -> pl.DataFrame:
    """Whole days without trading. A pause within the day leaves a bar, and a resumption says nothing."""
    if not {"suspend_timing", "suspend_type"} <= set(frame.columns):
        return frame
    whole = pl.col("suspend_timing").is_null() | (pl.col("suspend_timing").str.strip_chars() == "")
    rows = frame.filter(whole & (pl.col("suspend_type").fill_null("S") == "S"))
    return rows.with_columns(suspended=pl.lit("true"))


def _carried_out(frame: pl.DataFrame) -> pl.DataFrame:
    """A plan (预案) is no distribution, and it may be changed or dropped."""
    return frame.filter(pl.col("div_proc") == "实施") if "div_proc" in frame.columns else frame


def _names(frame: pl.DataFrame, *, long: bool) -> pl.DataFrame:
    """Names with what they say: ST and *ST are special treatment, 退 the delisting period."""
    if "name" not in frame.columns:
        return frame
    name = pl.col("name").fill_null("").str.replace_all(r"\s", "")
    st = name.str.contains(r"^(?:S\*?ST|\*?ST|SST)")
    leaving = name.str.contains(r"退$|^退市")
    named = frame.with_columns(st=pl.when(st).then(pl.lit("true")).otherwise(pl.lit("false")))
    if not long:
        return named
    true = pl.lit("true")
    return pl.concat(
        [
            named.with_columns(attribute=pl.lit("name"), value=pl.col("name")),
            named.filter(st).with_columns(attribute=pl.lit("st"), value=true),
            named.filter(leaving).with_columns(attribute=pl.lit("delisting"), value=true),
        ]
    )
