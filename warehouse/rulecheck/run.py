"""The check of one or several sides: bars of a workspace, or of vendors' files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

import polars as pl

from quant.core.errors import CheckFailed
from quant.core.market.calendar import calendar
from quant.core.market.rules import Rulebook, rulebook
from quant.core.money import PRICE_SCALE
from quant.warehouse.rulecheck.adjusting import Adjusted, adjusted_codes
from quant.warehouse.rulecheck.bases import traded, with_base
from quant.warehouse.rulecheck.bounds import STOCK, bounds, statuses, units, with_boards, with_limits
from quant.warehouse.rulecheck.explain import OHLC, Context, explain, is_reform_halt, outside
from quant.warehouse.rulecheck.faults import faults_of, odd_lots
from quant.warehouse.rulecheck.report import PRINTS, SideCheck

_LATER: Final = 20
_FLAGS: Final = ("st", "delisting", "suspended")
_LIMITED: Final = ("up", "down", "base", "rate", "tick")


def _empty(*columns: str) -> pl.DataFrame:
    dates = {"ex_session", "list_date", "from_session", "to_session"}
    return pl.DataFrame(schema={name: pl.Date if name in dates else pl.String for name in columns})


@dataclass(frozen=True, slots=True)
class Side:
    """The bars of one source: code, session, prices in yuan, and what else it has of volume, pre_close,
    change, factor, st, delisting and suspended. ``adjustment``: what the source says of its prices.
    """

    name: str
    frame: pl.DataFrame
    adjustment: str = "unknown"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the instruments beside their bars: distributions, listing dates, dated spells."""

    events: pl.DataFrame = field(default_factory=lambda: _empty("code", "ex_session", "kind"))
    listed: pl.DataFrame = field(default_factory=lambda: _empty("code", "list_date"))
    spells: pl.DataFrame = field(
        default_factory=lambda: _empty("code", "attribute", "from_session", "to_session")
    )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A side with limits: ``rows`` in units of a price; the rest is for the report."""

    side: Side
    bars: int
    rows: pl.DataFrame
    left_out: dict[str, int]
    faults: pl.DataFrame
    odd: int
    firsts: dict[str, date]


def check_sides(
    sides: Sequence[Side], known: Known, *, since: date | None = None, judged: int | None = None
) -> Iterator[SideCheck]:
    """The first ``judged`` sides (all by default) against the rulebook, with the others as their witnesses.
    Bars before ``since`` are only what comes before the others.
    """
    book = rulebook()
    ready = [_prepared(side, known, book, since) for side in sides]
    shown = [_adjusted(each, [other for other in ready if other is not each]) for each in ready]
    ready = [_without_gaps(each, adjusted) for each, adjusted in zip(ready, shown, strict=True)]
    for n, each in enumerate(ready[:judged]):
        others = [(ready[m], shown[m]) for m in range(len(ready)) if m != n]
        yield _checked(each, shown[n], others, known, book)


def _prepared(side: Side, known: Known, book: Rulebook, since: date | None) -> _Prepared:
    frame = _one_row_a_bar(side)
    frame = _with_spells(frame.with_columns(**{
        name: pl.lit(None, pl.Boolean) for name in _FLAGS if name not in frame.columns
    }), known.spells)  # fmt: skip
    asked = pl.lit(value=True) if since is None else pl.col("session") >= since
    bars = traded(frame)
    placed = with_boards(bars, book)
    judged = bars.filter(asked).height
    left_out = {"no trade": frame.filter(asked).height - judged}
    for kind, count in (
        placed.filter(asked & (pl.col("kind") != STOCK))["kind"].value_counts(sort=True).iter_rows()
    ):
        left_out[str(kind)] = int(count)
    days = calendar("XSHG")
    covered = pl.col("session").is_between(days.first, days.last)
    shares = placed.filter(pl.col("kind") == STOCK)
    left_out["outside the calendar of the exchange"] = shares.filter(asked & ~covered).height
    stocks = with_base(shares.filter(covered), known.events)
    stocks = stocks.with_columns(
        status=statuses(),
        leaves=(pl.col("delisting") & ~pl.col("delisting").shift(1).over("code")).fill_null(value=False),
    )
    whole = with_limits(stocks.filter(asked), book)
    firsts = dict(stocks.group_by("code").agg(pl.col("session").min()).iter_rows())
    faults, odd = faults_of(whole), odd_lots(whole, book)
    rows = whole.with_columns(units(name) for name in OHLC)
    rows = rows.with_columns(pl.when(pl.col(name) > 0).then(name).alias(name) for name in OHLC)
    limited = rows.filter(pl.all_horizontal(pl.col(_LIMITED).is_not_null()))
    ruled = pl.col("rate").is_not_null() | pl.col("unlimited")
    first = min(row.start for row in book.price_limits.each())
    for why, which in {
        "before the rulebook's first row": ~ruled & (pl.col("session") < first),
        "no row of the rulebook for board, status and date": ~ruled & (pl.col("session") >= first),
        "a board without limits": pl.col("unlimited"),
        "no reference: the first bar of a code": ruled & ~pl.col("unlimited") & pl.col("base").is_null(),
        "a reference beyond the arithmetic of limits": pl.col("base").is_not_null()
        & pl.col("rate").is_not_null() & pl.col("up").is_null(),
    }.items():  # fmt: skip
        left_out[why] = rows.filter(which).height
    return _Prepared(side, judged, limited, {k: v for k, v in left_out.items() if v}, faults, odd, firsts)


def _one_row_a_bar(side: Side) -> pl.DataFrame:
    """Raises CheckFailed where a source says two things of one bar."""
    frame = side.frame.drop_nulls(["code", "session"])
    unique = frame.unique(["code", "session", *(n for n in OHLC if n in frame.columns)], keep="first",
                          maintain_order=True)  # fmt: skip
    twice = unique.filter(pl.struct("code", "session").is_duplicated())
    if twice.height:
        row = twice.sort("code", "session").row(0, named=True)
        raise CheckFailed(
            "rules.two_bars",
            f"{side.name} has several bars of one instrument and session with other prices",
            expected="one bar a session: raw prices only",
            found=f"{twice.height:,} rows, the first {row['code']} on {row['session']}",
            hint="name a file or a pattern that holds one kind of bars, as 'DIR/*_daily.csv'",
        )
    lacking = [name for name in OHLC if name not in unique.columns]
    whole = unique.with_columns(**{name: pl.lit(None, pl.Float64) for name in lacking})
    return whole.with_columns(pl.col(OHLC).cast(pl.Float64).fill_nan(None))


def _with_spells(frame: pl.DataFrame, spells: pl.DataFrame) -> pl.DataFrame:
    """Flags the bars are silent about, from dated spells: inside one true, elsewhere as they were."""
    for attribute in ("st", "delisting"):
        own = spells.filter(pl.col("attribute") == attribute).select("code", "from_session", "to_session")
        if not own.height:
            continue
        inside = (
            frame.select("code", "session").join(own, on="code")
            .filter((pl.col("session") >= pl.col("from_session"))
                    & (pl.col("session") <= pl.col("to_session").fill_null(date.max)))
            .select("code", "session").unique().with_columns(inside=pl.lit(value=True))
        )  # fmt: skip
        frame = frame.join(inside, on=["code", "session"], how="left", maintain_order="left")
        frame = frame.with_columns(pl.coalesce(attribute, "inside").alias(attribute)).drop("inside")
    return frame


def _adjusted(each: _Prepared, others: Sequence[_Prepared]) -> dict[str, Adjusted]:
    return adjusted_codes(each.rows, each.side.adjustment, {o.side.name: o.rows for o in others})


def _without_gaps(each: _Prepared, adjusted: dict[str, Adjusted]) -> _Prepared:
    """Adjusted series have no gaps on ex-dates: what was distributed is not taken off a second time."""
    twice = pl.col("code").is_in(list(adjusted)) & (pl.col("by") == "event")
    base = pl.when(twice).then("prev").otherwise("base")
    rows = each.rows.with_columns(base=base, by=pl.when(twice).then(pl.lit("adjusted")).otherwise("by"))
    rows = rows.with_columns(**bounds(pl.col("base"), pl.col("rate"), pl.col("rate"), pl.col("tick")))
    return replace(each, rows=rows)


def _checked(
    each: _Prepared,
    adjusted: dict[str, Adjusted],
    others: Sequence[tuple[_Prepared, dict[str, Adjusted]]],
    known: Known,
    book: Rulebook,
) -> SideCheck:
    rows = each.rows
    beyond = pl.any_horizontal((pl.col(n) > pl.col("up")) | (pl.col(n) < pl.col("down")) for n in OHLC)
    wrong = rows.filter(beyond)
    for n, (other, theirs) in enumerate(others):
        wrong = wrong.join(
            _witness(other, theirs, n), on=["code", "session"], how="left", maintain_order="left"
        )
    found = wrong.to_dicts()
    listed = _listings(each.firsts, found, known)
    reformed: dict[str, date] = {}
    for bar in found:
        if is_reform_halt(bar):
            reformed.setdefault(bar["code"], bar["session"])
    context = Context(book, adjusted, listed, reformed, tuple(other.side.name for other, _ in others))
    prints = [row for bar in found for row in _rows(bar, explain(bar, context))]
    counts = rows.select(
        unknown=(pl.col("status") == "unknown").sum(), closes=(pl.col("by") == "close").sum(),
        kept=(pl.col("by") == "adjusted").sum(),
        limit=((pl.col("high") == pl.col("up")) | (pl.col("low") == pl.col("down"))).sum(),
    ).row(0, named=True)  # fmt: skip
    assumed = {
        "status unknown: taken as normal": int(counts["unknown"]),
        "no stated reference: the close before": int(counts["closes"]),
        "an adjusted series: distributions are not taken off": int(counts["kept"]),
    }
    return SideCheck(
        each.side.name,
        each.bars,
        rows.height,
        int(counts["limit"]),
        each.left_out,
        {name: count for name, count in assumed.items() if count},
        each.odd,
        pl.DataFrame(prints, schema=PRINTS, orient="row"),
        each.faults,
        each.side.notes,
    )


def _witness(other: _Prepared, adjusted: dict[str, Adjusted], n: int) -> pl.DataFrame:
    named = [pl.col(name).alias(f"{name}_{n}") for name in (*OHLC, "stated")]
    return other.rows.select(
        "code", "session", *named, pl.col("code").is_in(list(adjusted)).alias(f"adjusted_{n}")
    )


def _listings(
    firsts: dict[str, date], found: Sequence[dict[str, Any]], known: Known
) -> dict[str, tuple[date, str]]:
    """code -> listing date as told; else its first bar, where the side begins well before it, or where that
    bar already lies outside the limits around the reference it states.
    """
    told = {c: (d, "as told") for c, d in known.listed.select("code", "list_date").drop_nulls().iter_rows()}
    if not found:
        return told
    begins = min(firsts.values())
    at_once = {bar["code"] for bar in found if bar["nth"] == 1}
    for code in {bar["code"] for bar in found} - set(told):
        first = firsts[code]
        if code in at_once or calendar("XSHG").count(begins, first) > _LATER:
            told[code] = (first, "its first bar here")
    return told


def _rows(bar: dict[str, Any], found: tuple[str, str]) -> Iterator[tuple[object, ...]]:
    prices = [None if bar[n] is None else bar[n] / PRICE_SCALE for n in ("base", "down", "up")]
    for name in outside(bar):
        yield (bar["code"], bar["session"], name, bar[name] / PRICE_SCALE, *prices, bar["board"],
               bar["status"], *found)  # fmt: skip
