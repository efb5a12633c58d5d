"""Bars within the day, ticks and funding rates: instants in UTC, the session a night belongs to, what a tick
traded, and which ticks cannot be true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.errors import QuantError, RuleMissing
from quant.core.ids import Code, parse_code
from quant.core.market.sessions import Segment, calendar_of, product_of, trading_hours
from quant.core.time import epoch_days
from quant.native.bars import Fault, tick_faults
from quant.warehouse.contracts.columns import FINE, INSTANT
from quant.warehouse.normalize.complete import Completion, Facts, with_ids
from quant.warehouse.normalize.context import ROW, RULE, Context, mark
from quant.warehouse.sources.settings import DatasetSettings

LENGTHS: Final[Mapping[str, int]] = {"bars_1m": 60, "bars_5m": 300, "bars_1h": 3600}
"""Seconds of the bars of each table."""
MAX_JUMP: Final = 0.2
"""How far a tick may lie from the last good one unless the next one confirms it, as a share."""
_FAULTS: Final = (
    (Fault.PRICE, "tick.price", "a trade needs a price above zero"),
    (Fault.SPIKE, "tick.spike", "far from the ticks before and after it, or outside the price limits"),
    (Fault.BACKWARDS, "tick.backwards", "earlier than a tick that came before it"),
    (Fault.DUPLICATE, "tick.duplicate", "the tick before it again"),
    (Fault.RESET, "tick.reset", "a running total fell within the session"),
)
MILLISECONDS: Final = "ms"
"""The format of times that count milliseconds since midnight."""
_EVENING: Final = 18
_MORNING: Final = 6


def complete_bars(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context, *, table: str
) -> tuple[pl.DataFrame, Facts]:
    """Bars stamped with their end. ``stamp: start`` in the dataset's params says that the vendor stamps the
    start, ``date_is: session`` that the date of a night is that of the session it belongs to.
    """
    work = with_ids(_placed(work, dataset, context), context)
    if dataset.params.get("stamp") == "start":
        work = work.with_columns(ts=pl.col("ts") + pl.duration(seconds=LENGTHS[table]))
    work = _first_of_each(work, dataset, "code", "ts")
    work = _with_sessions(work, context, from_bars=True)
    work = _with_absent(work, dict.fromkeys(("amount", "open_interest"), FINE))
    return _known_at(work, pl.col("ts")), _whole_sessions(work, LENGTHS[table])


def complete_ticks(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """Ticks with what each traded; what cannot be true is set aside before running totals are taken apart."""
    work = with_ids(_placed(work, dataset, context), context)
    work = _with_sessions(work, context, from_bars=False)
    wide = ("volume", "amount", "open_interest", "price", "bid", "ask", "bid_size", "ask_size")
    work = _with_absent(work, {**dict.fromkeys(wide, FINE), "side": pl.String(), "seq": pl.Int64()})
    work = _without_faults(work, float(str(dataset.params.get("max_jump", MAX_JUMP))))
    for name in ("volume", "amount"):
        work = _per_tick(work, name)
    work = work.with_columns(pl.col("volume").fill_null(0))
    good = pl.col(RULE).is_null()
    order = pl.col(ROW).rank("ordinal").over("instrument_id", "session", good)
    work = work.with_columns(seq=pl.when(good).then(pl.coalesce("seq", order.cast(pl.Int64) - 1)))
    return _known_at(work, pl.col("ts")), {}


def complete_funding_rates(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    work = with_ids(_first_of_each(_placed(work, dataset, context), dataset, "code", "ts"), context)
    return _known_at(_with_sessions(work, context, from_bars=False), pl.col("ts")), {}


COMPLETE: Final[Mapping[str, Completion]] = {
    **{name: partial(complete_bars, table=name) for name in LENGTHS},
    "ticks": complete_ticks,
    "funding_rates": complete_funding_rates,
}


@dataclass(frozen=True, slots=True)
class Hours:
    """When the instruments of one product are traded, as arrays over the segments in time order (us UTC)."""

    since: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    until: npt.NDArray[np.int64]
    session: npt.NDArray[np.int32]

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> Hours:
        return cls(
            np.array([s.since // 1000 for s in segments], np.int64),
            np.array([s.start // 1000 for s in segments], np.int64),
            np.array([s.until // 1000 for s in segments], np.int64),
            np.array([epoch_days(s.session) for s in segments], np.int32),
        )

    def sessions(self, ts: npt.NDArray[np.int64], *, from_bars: bool) -> npt.NDArray[np.int32]:
        """The session of each instant (us), -1 where nothing is traded; a bar's instant is its end."""
        if not len(self.since):
            return np.full(len(ts), -1, np.int32)
        at = np.searchsorted(self.since, ts, side="right") - 1
        if from_bars:  # at the start without an auction before it: the end of the segment before
            begins = (at > 0) & (ts == self.start[at]) & (self.since[at] == self.start[at])
            at = np.where(begins, at - 1, at)
        inside = (at >= 0) & (ts <= self.until[np.maximum(at, 0)])
        return np.where(inside, self.session[np.maximum(at, 0)], -1).astype(np.int32)


def hours_of(code: Code, first: date, last: date) -> tuple[Segment, ...]:
    """Trading hours of the sessions from a day before ``first`` to one after ``last``, nights included.

    Raises RuleMissing where the exchange's calendar or hours are not kept.
    """
    dates = calendar_of(code)
    begin, end = max(first - timedelta(days=1), dates.first), min(last + timedelta(days=15), dates.last)
    return trading_hours(code, dates.sessions(begin, end))


def _with_absent(work: pl.DataFrame, wanted: Mapping[str, Any]) -> pl.DataFrame:
    missing = {name: dtype for name, dtype in wanted.items() if name not in work.columns}
    return work.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())


def _first_of_each(work: pl.DataFrame, dataset: DatasetSettings, *key: str) -> pl.DataFrame:
    return work.unique(list(key), keep="first", maintain_order=True) if dataset.distinct else work


def _known_at(work: pl.DataFrame, instant: pl.Expr) -> pl.DataFrame:
    work = _with_absent(work, {"known_at": INSTANT})
    return work.with_columns(known_at=pl.col("known_at").fill_null(instant.cast(INSTANT)))


def _placed(work: pl.DataFrame, dataset: DatasetSettings, context: Context) -> pl.DataFrame:
    """``ts`` from a date and a time of day where the vendor gives those."""
    if "ts" in work.columns or not {"date", "time"} <= set(work.columns):
        return _with_absent(work, {"ts": INSTANT, "code": pl.String()})
    counted = any(f.name == "time" and f.format == MILLISECONDS for f in dataset.fields)
    since_midnight = work.select(_clock(pl.col("time"), counted=counted)).to_series()
    day = pl.col("date")
    if dataset.params.get("date_is") == "session":
        day = _natural_day(work, since_midnight, context)
    local = day.cast(pl.Datetime("us")) + since_midnight
    instant = local.dt.replace_time_zone(context.source.timezone, ambiguous="earliest", non_existent="null")
    work = work.with_columns(ts=instant.dt.convert_time_zone("UTC"))
    unread = pl.col("ts").is_null() & pl.col("date").is_not_null() & pl.col("time").is_not_null()
    return mark(work, unread, "time.unreadable", "a time is given but cannot be read")


def _clock(text: pl.Expr, *, counted: bool = False) -> pl.Expr:
    """Time of day as a duration: 9:31, 09:31:00.500, 0931, 093100, 93100500; or ``counted`` milliseconds."""
    plain = text.str.strip_chars()
    if counted:
        ms = plain.cast(pl.Int64, strict=False)
        return pl.when(ms.is_between(0, 86_399_999)).then(ms * 1000).cast(pl.Duration("us"))
    colons = plain.str.extract_groups(
        r"^(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?$"
    )

    def number(name: str) -> pl.Expr:
        return colons.struct.field(name).cast(pl.Int64, strict=False)

    fraction = colons.struct.field("f").str.pad_end(9, "0").cast(pl.Int64, strict=False).fill_null(0) // 1000
    spelled = (number("h") * 3600 + number("m") * 60 + number("s").fill_null(0)) * 1_000_000 + fraction
    spelled = pl.when((number("h") < 24) & (number("m") < 60) & (number("s").fill_null(0) < 60)).then(spelled)
    digits = pl.when(plain.str.contains(r"^\d{1,9}$")).then(plain.str.zfill(9))
    long = plain.str.len_chars() > 6
    packed = pl.when(long).then(digits).otherwise((plain + "000").str.zfill(9))
    packed = pl.when(plain.str.len_chars() <= 4).then((plain + "00000").str.zfill(9)).otherwise(packed)
    h, m, s, f = (
        packed.str.slice(i, n).cast(pl.Int64, strict=False) for i, n in ((0, 2), (2, 2), (4, 2), (6, 3))
    )
    valid = (h < 24) & (m < 60) & (s < 60)
    from_digits = pl.when(valid).then(((h * 3600 + m * 60 + s) * 1000 + f) * 1000)
    only_digits = digits.is_not_null()
    return pl.when(only_digits).then(from_digits).otherwise(spelled).cast(pl.Duration("us"))


def _natural_day(work: pl.DataFrame, clock: pl.Series, context: Context) -> pl.Expr:
    """The calendar day of a time whose date is the session's: evenings and early mornings are of the session
    before.
    """
    dates = context.calendar
    days = [d for d in work["date"].unique().to_list() if d is not None and dates.first < d <= dates.last]
    before = pl.DataFrame(
        {"date": days, "before": [dates.previous(d) for d in days]},
        schema={"date": pl.Date, "before": pl.Date},
    )
    joined = work.select("date").join(before, on="date", how="left", maintain_order="left")["before"]
    hour = clock.dt.total_hours()
    evening, morning = hour >= _EVENING, hour < _MORNING
    return (
        pl.when(pl.lit(evening))
        .then(pl.lit(joined))
        .when(pl.lit(morning))
        .then(pl.lit(joined) + pl.duration(days=1))
        .otherwise(pl.col("date"))
    )


def _with_sessions(work: pl.DataFrame, context: Context, *, from_bars: bool) -> pl.DataFrame:
    """The session of every row by the trading hours of its instrument; rows at other times are set aside.
    Where no hours are kept for a market, its date in the source's time zone.
    """
    if not work.height:
        return _with_absent(work, {"session": pl.Date()})
    local = work["ts"].dt.convert_time_zone(context.source.timezone).dt.date()
    found = local.to_numpy().astype("datetime64[D]").astype("f8")
    found = np.where(local.is_null().to_numpy(), np.nan, found)
    ts = work["ts"].dt.timestamp("us").fill_null(-1).to_numpy()
    for code, rows in _by_product(work):
        days = local.gather(rows).drop_nulls()
        if not len(days):
            continue
        try:
            hours = Hours.of(hours_of(code, days.min(), days.max()))  # type: ignore[arg-type]
        except RuleMissing:
            continue
        sessions = hours.sessions(ts[rows], from_bars=from_bars)
        found[rows] = np.where(sessions < 0, np.inf, sessions)
    outside = np.isinf(found)
    known = pl.Series("session", np.where(np.isfinite(found), found, 0).astype("i4")).cast(pl.Date)
    known = known.set(pl.Series(~np.isfinite(found)), None)
    work = work.with_columns(known.zip_with(pl.Series(~outside), local), outside=pl.Series(outside))
    return mark(work, pl.col("outside"), "ts.outside", "nothing is traded at this time").drop("outside")


def _by_product(work: pl.DataFrame) -> Iterator[tuple[Code, npt.NDArray[np.intp]]]:
    """Rows of the instruments that trade at the same hours, with one of their codes."""
    groups: dict[tuple[str, str], list[Code]] = {}
    for text in work["code"].drop_nulls().unique().sort().to_list():
        try:
            code = parse_code(text)
        except QuantError:
            continue
        groups.setdefault((code.mic, product_of(code)), []).append(code)
    for codes in groups.values():
        chosen = work["code"].is_in([str(code) for code in codes]) & work["ts"].is_not_null()
        yield codes[0], np.flatnonzero(chosen.fill_null(value=False).to_numpy())


def _whole_sessions(work: pl.DataFrame, length: int) -> Facts:
    """How many sessions lack bars: an A-share session has 240 minutes, none of them in the lunch break."""
    good = work.filter(pl.col(RULE).is_null(), pl.col("session").is_not_null())
    if not good.height:
        return {}
    counted = good.group_by("code", "session").len()
    short = 0
    for code, rows in _by_product(good):
        days = good["session"].gather(rows)
        try:
            segments = hours_of(code, days.min(), days.max())  # type: ignore[arg-type]
        except RuleMissing:
            continue
        expected: dict[date, int] = {}
        for segment in segments:
            expected[segment.session] = expected.get(segment.session, 0) + (segment.end - segment.start)
        wanted = pl.DataFrame(
            {
                "session": list(expected),
                "wanted": [-(-ns // (length * 1_000_000_000)) for ns in expected.values()],
            },
            schema={"session": pl.Date, "wanted": pl.UInt32},
        )
        codes = good["code"].gather(rows).unique()
        mine = counted.filter(pl.col("code").is_in(codes.implode())).join(wanted, on="session")
        short += mine.filter(pl.col("len") < pl.col("wanted")).height
    return {"incomplete_sessions": f"{short} of {counted.height}"} if short else {}


def _without_faults(work: pl.DataFrame, max_jump: float) -> pl.DataFrame:
    """Mark what cannot be true, instrument by instrument in the order of the feed."""
    total = "cumulative_volume" if "cumulative_volume" in work.columns else None
    usable = pl.col(RULE).is_null() & pl.all_horizontal(pl.col("ts", "session", "price").is_not_null())
    rows = work.with_row_index("at").filter(usable).sort("instrument_id", ROW)
    faults = np.zeros(work.height, np.uint8)
    for part in rows.partition_by("instrument_id", maintain_order=True):
        filled = part if total is None else part.with_columns(pl.col(total).forward_fill().fill_null(0))
        faults[part["at"].to_numpy()] = tick_faults(filled, max_jump=max_jump, total=total)
    marked = work.with_columns(fault=pl.Series(faults))
    if "trade_id" in work.columns:
        told = pl.col("trade_id").is_not_null() & pl.col(RULE).is_null()
        first = pl.struct("instrument_id", "trade_id").is_first_distinct()
        marked = mark(marked, told & ~first, "tick.duplicate", "a trade with this id came before")
    for bit, rule, reason in _FAULTS:
        marked = mark(marked, (pl.col("fault") & int(bit)) != 0, rule, reason)
    priceless = pl.col("price").is_null() & pl.col("bid").is_null() & pl.col("ask").is_null()
    return mark(marked, priceless, "tick.empty", "neither a trade nor a quote").drop("fault")


def _per_tick(work: pl.DataFrame, name: str) -> pl.DataFrame:
    """What each tick traded, from the running total of the session where the vendor gives that."""
    total = f"cumulative_{name}"
    if total not in work.columns:
        return work
    good = pl.col(RULE).is_null()
    step = (pl.col(total) - pl.col(total).forward_fill().shift(1, fill_value=0)).over(
        "instrument_id", "session", good, order_by=ROW
    )
    return work.with_columns(pl.coalesce(name, pl.when(good).then(step)).cast(FINE).alias(name))


def with_types(types: dict[str, Any]) -> dict[str, Any]:
    """What vendors give of the day that is not stored, but that what is stored is made of."""
    return {
        **types,
        "date": pl.Date(),
        "time": pl.String(),
        "trade_id": pl.String(),
        "cumulative_volume": FINE,
        "cumulative_amount": FINE,
    }
