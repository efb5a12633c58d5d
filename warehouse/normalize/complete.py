"""What each dataset needs beyond its columns: ids, instants, boards, limits, events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

import polars as pl

from quant.core.errors import SpecError
from quant.core.ids import currency_of, parse_code
from quant.core.market.instrument import Board
from quant.core.market.rules import RuleMissing, rulebook
from quant.warehouse.contracts.tables import RATIO
from quant.warehouse.normalize.context import RULE, Context, mark
from quant.warehouse.normalize.fields import from_units
from quant.warehouse.normalize.identities import UNKNOWN_LISTING
from quant.warehouse.normalize.instants import INSTANT, announced_instant, known_at, session_instants
from quant.warehouse.normalize.limits import with_computed_limits
from quant.warehouse.sources.settings import DatasetSettings

Facts = dict[str, str]
Completion = Callable[[pl.DataFrame, DatasetSettings, Context], tuple[pl.DataFrame, Facts]]
UNKNOWN_CODE: Final = "code.unknown"
"""The rule that a row breaks whose code no table of instruments has."""
DAY: Final = timedelta(days=1)
_PRICES: Final = ("open", "high", "low", "close", "pre_close")


def complete_calendar(
    work: pl.DataFrame, _dataset: DatasetSettings, _context: Context
) -> tuple[pl.DataFrame, Facts]:
    return _known(work, pl.col("preopen")), {}


def complete_instruments(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """Ids are minted here; board, exchange and currency follow from the code where the source is silent."""
    work = _with_code(
        _with_columns(work, {"name": pl.String(), "list_date": pl.Date(), "delist_date": pl.Date()})
    )
    work = _first_of_each(work, dataset, "code")
    dates = work.select("code", "list_date", "delist_date").iter_rows()
    found = [_identity(code, listed, gone, context) for code, listed, gone in dates]
    own = pl.DataFrame(
        found,
        orient="row",
        schema={"instrument_id": pl.Int64, "mic_": pl.String, "board_": pl.String, "currency_": pl.String},
    )
    work = _one_row_each(pl.concat([work, own], how="horizontal"), context)
    work = _with_columns(work, {"mic": pl.String(), "board": pl.String(), "currency": pl.String()})
    work = work.with_columns(
        mic=pl.col("mic").fill_null(pl.col("mic_")),
        board=pl.col("board").fill_null(pl.col("board_")),
        currency=pl.col("currency").fill_null(pl.col("currency_")),
    )
    boards = [board.name for board in Board]
    work = mark(
        work, ~pl.col("board").is_in(boards), "board.value", f"board must be one of {', '.join(boards)}"
    )
    unsupported = pl.col("board_").is_null() & (pl.col("board") == Board.UNKNOWN.name)
    work = mark(work, unsupported, "board.unsupported", "no rules are kept for instruments of this kind")
    return _known_by_date(work, "list_date", context), _derived_facts(work)


def complete_attributes(
    work: pl.DataFrame, _dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    work = with_ids(work, context, "from_session")
    return _known_by_date(work, "from_session", context), {}


def complete_bars(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """Raw prices, instants, and limits of the rulebook where the source has none."""
    work = _first_of_each(unadjusted(work, dataset), dataset, "code", "session")
    work = with_ids(work, context, "session")
    flags = dict.fromkeys(("suspended", "st", "delisting", "no_limit"), pl.Boolean())
    prices = dict.fromkeys(("pre_close", "limit_up", "limit_down"), pl.Decimal(18, 4))
    facts: Facts = {}
    has_limits = "limit_up" in work.columns and work["limit_up"].null_count() < work.height
    work = _with_columns(work, {**flags, **prices})
    if not work.height:
        return _with_columns(work, {"ts": INSTANT}), facts
    # Vendors leave volume and amount of a suspended session blank: there was none.
    asleep = pl.col("suspended").fill_null(value=False)
    work = work.with_columns(
        pl.when(asleep).then(pl.col(name).fill_null(0)).otherwise(pl.col(name)).alias(name)
        for name in ("volume", "amount")
        if name in work.columns
    )
    if "amount" not in work.columns and dataset.fields:
        work = _with_estimated_amounts(work)
        facts["amounts"] = "estimated"
    if not has_limits:
        work = with_computed_limits(work, context.master, rulebook(), context.calendar)
        facts["limits"] = "derived"
    if work["st"].null_count() == work.height:
        facts["st_history"] = "absent"
    if work["suspended"].null_count() == work.height:
        facts["suspensions"] = "absent"
    work = _with_instants(work, "session", context)
    rule = dataset.known_at or context.source.known_at
    return _known(work.with_columns(ts=pl.col("close_at")), _at(rule)), facts


def _with_estimated_amounts(work: pl.DataFrame) -> pl.DataFrame:
    """Volume times the mean of the four prices, to the cent, for sources that keep no amounts at all: it lies
    between volume times low and volume times high, as the true one does.
    """
    prices = [pl.col(name).cast(pl.Float64) for name in ("open", "high", "low", "close")]
    if not {"open", "high", "low", "close", "volume"} <= {*work.columns}:
        return work
    traded = pl.when(pl.col("volume") > 0).then(pl.mean_horizontal(prices)).otherwise(0.0)
    cents = (pl.col("volume").cast(pl.Float64) * traded * 100).round(0, mode="half_away_from_zero")
    return work.with_columns(amount=from_units(cents.cast(pl.Int64, strict=False), 100))


def complete_factors(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    work = with_ids(_first_of_each(work, dataset, "code", "session"), context, "session")
    work = _with_columns(work, {"inferred": pl.Boolean()}).with_columns(
        pl.col("inferred").fill_null(value=False)
    )
    work = _with_instants(work, "session", context)
    return _known(work, _at(dataset.known_at or context.source.known_at)), {}


def complete_actions(
    work: pl.DataFrame, dataset: DatasetSettings, context: Context
) -> tuple[pl.DataFrame, Facts]:
    """Without an announcement date an action counts as known on the morning of its ex-date.

    Of a vendor that tells bonus from converted shares (``bonus_only_ratio``, ``conversion_ratio``) the sum is
    what a holder receives.
    """
    work = _first_of_each(work, dataset, "code", "ex_session")
    work = with_ids(work, context, "ex_session")
    wanted = {"cash_per_share": pl.Decimal(18, 6), "rights_price": pl.Decimal(18, 6)}
    wanted |= dict.fromkeys(("bonus_ratio", "conversion_ratio", "rights_ratio", "bonus_only_ratio"), RATIO)
    more = {"kind": pl.String(), "inferred": pl.Boolean(), "announced": pl.Date()}
    work = _with_columns(work, {**wanted, **more})
    parts = pl.col("bonus_only_ratio").fill_null(0) + pl.col("conversion_ratio").fill_null(0)
    work = work.with_columns(
        pl.col("bonus_ratio").fill_null(parts.cast(RATIO)),
        pl.col("cash_per_share").fill_null(0),
        pl.col("inferred").fill_null(value=False),
        rights_ratio=_positive("rights_ratio"),
        rights_price=_positive("rights_price"),
    )
    work = work.with_columns(kind=pl.col("kind").fill_null(_kind()))
    work = _with_instants(work, "ex_session", context)
    known = pl.coalesce(announced_instant("announced", context.source.calendar), pl.col("preopen_at"))
    return _known(work, known), {}


def _positive(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != 0).then(pl.col(name))


def _kind() -> pl.Expr:
    """cash, bonus, conversion or rights; mixed when more than one."""
    converted = pl.col("conversion_ratio").fill_null(0)
    parts = {
        "cash": pl.col("cash_per_share") > 0,
        "bonus": pl.col("bonus_ratio") > converted,
        "conversion": converted > 0,
        "rights": pl.col("rights_ratio").fill_null(0) > 0,
    }
    kind = pl.lit("cash")
    for name, there in parts.items():
        kind = pl.when(there).then(pl.lit(name)).otherwise(kind)
    several = pl.sum_horizontal(there.cast(pl.UInt8) for there in parts.values()) > 1
    return pl.when(several).then(pl.lit("mixed")).otherwise(kind)


COMPLETE: Final[Mapping[str, Completion]] = {
    "calendar": complete_calendar,
    "instruments": complete_instruments,
    "instrument_attributes": complete_attributes,
    "bars_1d": complete_bars,
    "adjustment_factors": complete_factors,
    "corporate_actions": complete_actions,
}


def unadjusted(work: pl.DataFrame, dataset: DatasetSettings) -> pl.DataFrame:
    """Prices as traded: adjusted ones are divided by the factor and rounded half up to the cent.

    Post-adjusted is price * factor; pre-adjusted is price * factor / the last factor in the data.
    """
    if dataset.adjustment == "none":
        return work
    if "factor" not in work.columns:
        raise SpecError(
            "source.adjustment",
            "adjusted prices need a factor to be read as traded prices",
            expected="a field named factor",
            found=f"adjustment: {dataset.adjustment}",
        )
    scale = pl.col("factor")
    if dataset.adjustment == "pre":
        scale = scale / pl.col("factor").sort_by("session").last().over("code")
    names = [name for name in (*_PRICES, "limit_up", "limit_down") if name in work.columns]
    cents = [
        (pl.col(name).cast(pl.Float64) / scale * 100 + 1e-6).round(0, mode="half_away_from_zero")
        for name in names
    ]
    return work.with_columns(
        from_units(value.cast(pl.Int64, strict=False), 100).alias(name)
        for name, value in zip(names, cents, strict=True)
    )


def _identity(
    code: str | None, listed: date | None, delisted: date | None, context: Context
) -> tuple[int | None, str | None, str | None, str | None]:
    if code is None:
        return None, None, None, None
    parsed = parse_code(code)
    former = context.former.get(code, ())
    instrument = context.identities.mint(code, listed or UNKNOWN_LISTING, former, delisted)
    on = max(listed or context.end, context.end)
    try:
        board = rulebook().board(parsed, min(on, delisted - DAY) if delisted else on)
    except RuleMissing:
        return instrument, parsed.mic, Board.UNKNOWN.name, currency_of(parsed)
    return instrument, parsed.mic, board.name, currency_of(parsed)


def _one_row_each(work: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Rows under the former codes of an instrument that also has a row under its last one say nothing new."""
    last = context.identities.codes(work["instrument_id"])
    marked = work.with_columns(newest_=(work["code"] == last).fill_null(value=False))
    newest, has_newest = pl.col("newest_"), pl.col("newest_").any().over("instrument_id")
    kept = newest | ~has_newest | pl.col("instrument_id").is_null() | pl.col(RULE).is_not_null()
    return marked.filter(kept).drop("newest_")


def _derived_facts(work: pl.DataFrame) -> Facts:
    if work.height and work["delist_date"].null_count() == work.height:
        return {"delistings": "absent"}
    return {}


def _with_columns(work: pl.DataFrame, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
    missing = {name: dtype for name, dtype in wanted.items() if name not in work.columns}
    return work.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())


def _with_code(work: pl.DataFrame) -> pl.DataFrame:
    work = _with_columns(work, {"code": pl.String()})
    return mark(work, pl.col("code").is_null(), "code.null", "code must be given")


def with_ids(work: pl.DataFrame, context: Context, when: str = "") -> pl.DataFrame:
    """Join ids by code and by the date column ``when``, if any: a reused code means who held it then.

    A code that no instruments row introduced, or that nobody held on the date, cannot be stored.
    """
    work = _with_code(work)
    dated = when in work.columns and work[when].dtype == pl.Date
    ids = context.identities.lookup(work["code"], work[when] if dated else None)
    work = work.with_columns(ids)
    unknown = pl.col("instrument_id").is_null()
    held = pl.Series(context.identities.reused()["code"].unique())
    work = mark(
        work,
        unknown & pl.col("code").is_in(held.implode()),
        "code.not_held",
        "no instrument held this code on this date",
    )
    return mark(work, unknown, UNKNOWN_CODE, "the instruments table has no such code")


def _first_of_each(work: pl.DataFrame, dataset: DatasetSettings, *key: str) -> pl.DataFrame:
    if not dataset.distinct or not work.height:  # an empty answer has no columns
        return work
    return work.unique(list(key), keep="first", maintain_order=True)


def _with_instants(work: pl.DataFrame, column: str, context: Context) -> pl.DataFrame:
    """Columns preopen_at, open_at and close_at of the session in ``column``, null off sessions."""
    work = _with_columns(work, {column: pl.Date()})  # an empty answer has no columns
    days = [day for day in work[column].unique().sort().to_list() if day is not None] if work.height else []
    instants = session_instants(context.calendar, days)
    named = instants.rename({"session": column, **{n: f"{n}_at" for n in ("preopen", "open", "close")}})
    return work.join(named, on=column, how="left", maintain_order="left")


def _at(rule: str) -> pl.Expr:
    """``known_at`` over the joined instants, which are named so as not to meet prices."""
    return known_at(rule, suffix="_at")


def _known(work: pl.DataFrame, instant: pl.Expr) -> pl.DataFrame:
    """Set ``known_at`` where the source did not say it itself."""
    work = _with_columns(work, {"known_at": INSTANT})
    return work.with_columns(known_at=pl.col("known_at").fill_null(instant.cast(INSTANT)))


def _known_by_date(work: pl.DataFrame, column: str, context: Context) -> pl.DataFrame:
    work = _with_instants(work, column, context)
    return _known(work, pl.col("preopen_at"))
