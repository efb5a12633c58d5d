"""A small vendor market as CSV text, and the faults that are planted in it: one function each.

A fault takes the table of texts and a seeded generator and gives the bytes of a file, the settings that
differ, and the keys (code, date) of the rows it damaged.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import polars as pl

from quant.core.market.calendar import calendar
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings

DAYS = list(calendar("XSHG").sessions(date(2024, 3, 1), date(2024, 4, 12)))
CODES = [f"6000{n:02d}.SH" for n in range(12)] + [f"0000{n:02d}.SZ" for n in range(1, 13)]
LISTED = date(2005, 3, 1)
EX_CODE, EX_DAY, PAID = CODES[3], 12, Decimal("0.35")
COLUMNS = (
    "ts_code",
    "名称",
    "trade_date",
    *("open", "high", "low", "close", "pre_close", "vol", "amount"),
    *("up", "down", "halted"),
)
OURS = {"ts_code": "code", "trade_date": "session", "vol": "volume", "up": "limit_up", "down": "limit_down",
        "halted": "suspended"}  # fmt: skip
UNITS = {"vol": "lot100", "amount": "kCNY"}
Key = tuple[str, date]


@dataclass(frozen=True)
class Planted:
    content: bytes
    keys: set[Key] = field(default_factory=set)
    name: str = "bars.csv"
    source: dict[str, object] = field(default_factory=dict)
    dataset: dict[str, object] = field(default_factory=dict)


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def market(seed: int) -> pl.DataFrame:
    """24 names on 29 sessions, raw, in Tushare's columns and units; one pays a dividend."""
    rng = random.Random(seed)
    rows = []
    for code in CODES:
        close = Decimal(rng.randint(600, 4000)) / 100
        for n, day in enumerate(DAYS):
            pre = close - PAID if (code, n) == (EX_CODE, EX_DAY) else close
            up, down = cents(pre * Decimal("1.1")), cents(pre * Decimal("0.9"))
            prices = [cents(pre * Decimal(1 + rng.uniform(-0.03, 0.03))) for _ in range(4)]
            low, high = min(prices), max(prices) + Decimal("0.01")
            close = prices[0]
            shares = rng.randint(100_000, 9_000_000)
            amount = shares * cents((low + high) / 2)
            rows.append((code, "某股", day.strftime("%Y%m%d"), prices[1], high, low, close, pre,
                         Decimal(shares) / 100, amount / 1000, up, down, 0))  # fmt: skip
    texts = [[str(cell) for cell in row] for row in rows]
    return pl.DataFrame(texts, schema=list(COLUMNS), orient="row")


EVENTS = pl.DataFrame(
    [(EX_CODE, DAYS[EX_DAY], PAID)],
    orient="row",
    schema={"code": pl.String, "ex_session": pl.Date, "cash_per_share": pl.Decimal(18, 6)},
)


def settings(planted: Planted) -> SourceSettings:
    fields = tuple(
        FieldSettings(name, OURS.get(name, name), unit=UNITS.get(name, "one"))
        for name in COLUMNS
        if name != "名称"
    )
    dataset = replace(DatasetSettings("bars_1d", planted.name, fields), **planted.dataset)  # type: ignore[arg-type]
    base = SourceSettings("vendor", "files", datasets={"bars_1d": dataset})
    return replace(base, **planted.source)  # type: ignore[arg-type]


def csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()


def keys_of(frame: pl.DataFrame) -> set[Key]:
    dates = frame["trade_date"].str.to_date("%Y%m%d")
    return set(zip(frame["ts_code"].to_list(), dates.to_list(), strict=True))


def some(frame: pl.DataFrame, rng: random.Random, count: int = 3, inner: bool = True) -> list[int]:
    """Row numbers, of different names, none on a first or last session or beside the dividend."""
    chosen: dict[str, int] = {}
    while len(chosen) < count:
        at = rng.randrange(frame.height)
        place = at % len(DAYS)
        if inner and not 2 <= place < len(DAYS) - 2:
            continue
        if frame["ts_code"][at] != EX_CODE:
            chosen[frame["ts_code"][at]] = at
    return sorted(chosen.values())


def cells(frame: pl.DataFrame, at: list[int], **values: object) -> Planted:
    """``values``: a text, or a function of the old text."""
    hit = pl.Series([n in set(at) for n in range(frame.height)])
    changed = frame
    for name, value in values.items():
        new = [value(old) if callable(value) else str(value) for old in frame[name].to_list()]
        column = pl.Series(name, new, dtype=pl.String)
        changed = changed.with_columns(pl.when(hit).then(column).otherwise(pl.col(name)).alias(name))
    return Planted(csv(changed), keys_of(frame.filter(hit)))


def times(factor: str) -> Callable[[str], str]:
    return lambda text: str(Decimal(text) * Decimal(factor))


Fault = Callable[[pl.DataFrame, random.Random], Planted]
FAULTS: dict[str, Fault] = {}


def fault(made: Fault) -> Fault:
    FAULTS[made.__name__] = made
    return made


def each(name: str, **values: object) -> None:
    """A fault that writes other texts into cells of a few rows."""
    FAULTS[name] = lambda frame, rng: cells(frame, some(frame, rng), **values)


def whole(name: str, **values: object) -> None:
    """A fault that writes other texts into all cells of columns."""
    FAULTS[name] = lambda frame, _rng: cells(frame, list(range(frame.height)), **values)


def form(name: str, change: Callable[[pl.DataFrame], Planted | bytes]) -> None:
    """A fault of the file, not of its rows."""

    def made(frame: pl.DataFrame, _rng: random.Random) -> Planted:
        done = change(frame)
        return done if isinstance(done, Planted) else Planted(done)

    FAULTS[name] = made


# -- columns and files
form("dropped_column", lambda f: csv(f.drop("close")))
form("renamed_column", lambda f: csv(f.rename({"close": "close_price"})))
form("new_column", lambda f: csv(f.with_columns(note=pl.lit("x"))))
form("reordered_columns", lambda f: csv(f.select(reversed(f.columns))))
form("blank_headers", lambda f: csv(f.rename({name: f" {name} " for name in f.columns})))
form("byte_order_mark", lambda f: b"\xef\xbb\xbf" + csv(f))
form("other_delimiter", lambda f: f.write_csv(separator=";").encode())
form("undeclared_gbk", lambda f: f.write_csv().encode("gb18030"))
form("declared_gbk", lambda f: Planted(f.write_csv().encode("gb18030"), dataset={"encoding": "gb18030"}))
form("truncated_gzip", lambda f: Planted(gzip.compress(csv(f), mtime=0)[:-400], name="bars.csv.gz"))
form("empty_file", lambda _f: b"")
form("rows_newest_first", lambda f: csv(f.reverse()))


@fault
def truncated_file(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """Cut in the middle of its last row."""
    del rng
    text = csv(frame)
    cut = text[: text.rstrip(b"\n").rfind(b",", 0, len(text) - 30)]
    return Planted(cut, keys_of(frame.tail(1)))


@fault
def header_only(frame: pl.DataFrame, rng: random.Random) -> Planted:
    del rng
    return Planted(csv(frame.clear()), keys_of(frame))


# -- types and habits of writing
whole("words_for_numbers", close="五元")
each("letters_in_numbers", close="12.3a")
whole("dates_in_words", trade_date="Jan 5")
whole("thousands_separators", amount=lambda t: f"{Decimal(t):,}")
whole(
    "full_width_digits", close=lambda t: t.translate(str.maketrans("0123456789.", "０１２３４５６７８９．"))
)
whole("float_noise", close=lambda t: repr(float(t) * 3 / 3 + 1e-12))
whole("dates_as_floats", trade_date=lambda t: f"{t}.0")
whole("dates_with_slashes", trade_date=lambda t: f"{t[:4]}/{t[4:6]}/{t[6:]}")
whole("instants_with_a_zone", trade_date=lambda t: _utc_midnight(t).strftime("%Y-%m-%dT16:00:00Z"))
whole("spreadsheet_codes", ts_code=lambda t: f'="{t}"')
whole("codes_of_another_vendor", ts_code=lambda t: ("sh." if t.endswith("SH") else "sz.") + t[:6])
each("infinite_price", close="inf")
each("nan_price", close="nan")
each("huge_number", amount="1e30")
each("absurd_price", close="123456789", high="123456789")


def _utc_midnight(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:])) - timedelta(days=1)


@fault
def other_time_zone(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """The instants of Shanghai's midnight in UTC, declared so."""
    del rng
    utc = [_utc_midnight(t).strftime("%Y-%m-%d 16:00:00") for t in frame["trade_date"]]
    return Planted(csv(frame.with_columns(trade_date=pl.Series(utc))), source={"timezone": "UTC"})


@fault
def undeclared_time_zone(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """The same, not declared: every row lies a day early, Mondays on Sundays."""
    del rng
    utc = [_utc_midnight(t).strftime("%Y-%m-%d 16:00:00") for t in frame["trade_date"]]
    early = {(code, _utc_midnight(t)) for code, t in frame.select("ts_code", "trade_date").iter_rows()}
    closed = {(code, day) for code, day in early if not calendar("XSHG").is_session(day)}
    return Planted(csv(frame.with_columns(trade_date=pl.Series(utc))), closed)


# -- units and adjustment
whole("volume_in_shares_not_lots", vol=times("100"))
whole("volume_in_lots_of_lots", vol=times("0.01"))
whole("amount_in_yuan_not_thousands", amount=times("1000"))
whole("amount_in_ten_thousands", amount=times("0.1"))
each("mixed_units", vol=times("100"))


@fault
def undeclared_adjustment(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """Forward-adjusted prices of a name that later split, beside raw limits and amounts."""
    del rng
    hit = [n for n in range(frame.height) if frame["ts_code"][n] == CODES[5]]
    half = times("0.5")
    return cells(frame, hit, open=half, high=half, low=half, close=half, pre_close=half, up=half, down=half)


# -- keys and repetition
each("code_missing", ts_code="")
each("date_missing", trade_date="")
each("code_damaged", ts_code=lambda t: t.replace("60", "6O").replace("00", "0O"))
each("code_of_nobody", ts_code="688999.SH")


@fault
def rows_repeated(frame: pl.DataFrame, rng: random.Random) -> Planted:
    return Planted(csv(pl.concat([frame, frame[some(frame, rng, 6)]])))


@fault
def rows_repeated_with_other_values(frame: pl.DataFrame, rng: random.Random) -> Planted:
    again = frame[some(frame, rng)].with_columns(
        vol=(pl.col("vol").cast(pl.Float64) * 1.001).round(2).cast(pl.String)
    )
    return Planted(csv(pl.concat([frame, again])), keys_of(again))


# -- values of one row
each("high_and_low_swapped", high=lambda t: str(Decimal(t) / 2), low=lambda t: str(Decimal(t) * 2))
each("negative_volume", vol=times("-1"))
each("price_of_zero", open="0", low="0")
each("volume_without_amount", amount="0")
each("trades_in_a_halt", halted="1")
each("limits_the_wrong_way_round", up="1.00", down="99.00")
each("price_beyond_its_limit", up="5.00", down="4.50")
each("a_cell_left_out", pre_close="")
each("close_left_out", close="")


# -- rows against each other
@fault
def price_spike(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """A close that nobody traded at; limits not given for it."""
    at = some(frame, rng)
    spiked = cells(
        frame,
        at,
        close=lambda t: str(cents(Decimal(t) * 3)),
        high=lambda t: str(cents(Decimal(t) * 4)),
        up="",
        down="",
    )
    return replace(spiked, keys=keys_of(frame[[n + 1 for n in at]]))


@fault
def reference_price_of_another_day(frame: pl.DataFrame, rng: random.Random) -> Planted:
    return cells(frame, some(frame, rng), pre_close=lambda t: str(Decimal(t) + Decimal("0.30")))


@fault
def dividend_not_in_the_reference(frame: pl.DataFrame, rng: random.Random) -> Planted:
    del rng
    at = CODES.index(EX_CODE) * len(DAYS) + EX_DAY
    return cells(frame, [at], pre_close=frame["close"][at - 1])


@fault
def bar_of_the_session_before(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """A feed that stood still: yesterday's bar under today's date."""
    return _copied(frame, some(frame, rng), -1)


@fault
def bar_of_another_name(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """Which of two equal bars is the copy nobody can say."""
    base = CODES.index(CODES[-1]) * len(DAYS)
    (at,) = (base + n for n in some(frame.filter(pl.col("ts_code") == CODES[-1]), rng, 1))
    copied = _copied(frame, [at], -len(DAYS))
    return replace(copied, keys=copied.keys | keys_of(frame[[at - len(DAYS)]]))


def _copied(frame: pl.DataFrame, at: list[int], by: int) -> Planted:
    rows = frame.to_dicts()
    for n in at:
        for name in COLUMNS[3:12]:
            rows[n][name] = frame[name][n + by]
    return Planted(csv(pl.DataFrame(rows)), keys_of(frame[at]))


@fault
def a_row_missing(frame: pl.DataFrame, rng: random.Random) -> Planted:
    at = some(frame, rng, 1)
    return Planted(
        csv(frame.with_row_index().filter(~pl.col("index").is_in(at)).drop("index")), keys_of(frame[at])
    )


@fault
def a_day_missing(frame: pl.DataFrame, rng: random.Random) -> Planted:
    day = rng.choice(DAYS[3:-3]).strftime("%Y%m%d")
    gone = frame.filter(pl.col("trade_date") == day)
    return Planted(csv(frame.filter(pl.col("trade_date") != day)), keys_of(gone))


@fault
def halts_left_out(frame: pl.DataFrame, rng: random.Random) -> Planted:
    """A name that did not trade for three sessions has no rows: its next reference price proves it."""
    (at,) = some(frame, rng, 1)
    start = at - at % len(DAYS) + 5
    gone = [start, start + 1, start + 2]
    kept = frame.with_row_index().filter(~pl.col("index").is_in(gone)).drop("index").to_dicts()
    for row in kept:
        if (row["ts_code"], row["trade_date"]) == (frame["ts_code"][start], frame["trade_date"][start + 3]):
            row["pre_close"] = frame["close"][start - 1]
    return Planted(csv(pl.DataFrame(kept)), keys_of(frame[gone]))


@fault
def rows_on_a_closed_day(frame: pl.DataFrame, rng: random.Random) -> Planted:
    at = some(frame, rng)
    saturday = frame[at].with_columns(trade_date=pl.lit("20240309"))
    return Planted(csv(pl.concat([frame, saturday])), keys_of(saturday))


@fault
def rows_of_the_future(frame: pl.DataFrame, rng: random.Random) -> Planted:
    later = frame[some(frame, rng)].with_columns(trade_date=pl.lit("20261109"))
    return Planted(csv(pl.concat([frame, later])), keys_of(later))


@fault
def rows_before_the_listing(frame: pl.DataFrame, rng: random.Random) -> Planted:
    early = frame[some(frame, rng)].with_columns(trade_date=pl.lit("20050228"))
    return Planted(csv(pl.concat([frame, early])), keys_of(early))
