"""Cumulative adjustment factors computed from raw closes and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

import polars as pl

from quant.core.errors import QuantError
from quant.core.market.corporate_actions import Distribution
from quant.core.money import CENT
from quant.warehouse.adjust.placing import last_before, taken

STEPS: Final = pl.Schema(
    {
        "instrument_id": pl.Int64(),
        "ex_session": pl.Date(),
        "prev_close": pl.Decimal(18, 4),
        "reference": pl.Decimal(18, 4),
        "step": pl.Float64(),
        "factor": pl.Float64(),
        "inferred": pl.Boolean(),
    }
)
_UNAPPLIED: Final = pl.Schema(
    {"instrument_id": pl.Int64(), "ex_session": pl.Date(), "reason": pl.String(), "detail": pl.String()}
)
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class FactorsFromEvents:
    """``rows``: instrument_id, session, factor, inferred for every bar; ``steps``: what each event did;
    ``unapplied``: events without effect (``before_first_bar``, ``after_last_bar``, ``no_reference``: shares
    of the share reform; ``impossible``).
    """

    rows: pl.DataFrame
    steps: pl.DataFrame
    unapplied: pl.DataFrame


def factors_from_events(
    bars: pl.DataFrame, events: pl.DataFrame, *, ticks: Mapping[int, Decimal] | None = None
) -> FactorsFromEvents:
    """Post-adjustment factors of raw ``bars`` (instrument_id, session, close; suspended and volume where
    known): 1 at an instrument's first bar, and on each ex-date times previous close / reference price.

    The reference price is the exchange's: (close - cash + rights price * rights) / (1 + new shares + rights),
    half up to the tick (``ticks`` by instrument, else a cent). The close is that of the last session with
    trades; of several ex-dates without a trade between them each starts from the reference before it. The
    product is kept as a fraction: a factor is its nearest double. Events are rows of ``corporate_actions``.
    Uses only rows before the ex-date, so a factor never changes with later data.
    """
    closes = _traded(bars).filter(pl.col("close").is_not_null())
    closes = closes.select("instrument_id", pl.col("session").alias("close_session"), "close")
    asked = _columns(events).sort("instrument_id", "ex_session")
    before = last_before(asked.select("instrument_id", "ex_session"), closes, exact=False)
    last = bars.group_by("instrument_id").agg(pl.col("session").max().alias("last_bar"))
    placed = asked.hstack(taken(closes, before).drop("instrument_id"))
    placed = placed.join(last, on="instrument_id", how="left", maintain_order="left")
    steps: list[tuple[object, ...]] = []
    unapplied: list[tuple[int, date, str, str]] = []
    for outcome in _stepped(placed, ticks or {}):
        (steps if len(outcome) == len(STEPS) else unapplied).append(outcome)  # type: ignore[arg-type]
    found = pl.DataFrame(steps, schema=STEPS, orient="row")
    return FactorsFromEvents(
        _spread(bars, found), found, pl.DataFrame(unapplied, schema=_UNAPPLIED, orient="row")
    )


def _stepped(placed: pl.DataFrame, ticks: Mapping[int, Decimal]) -> Iterator[tuple[object, ...]]:
    """A row of STEPS for each event that acts, and of _UNAPPLIED for one that does not."""
    current, basis, reference = -1, None, _ZERO
    product, inferred = Fraction(1), False
    for row in placed.iter_rows(named=True):
        instrument = row["instrument_id"]
        if instrument != current:
            current, basis, product, inferred = instrument, None, Fraction(1), False
        if row["close_session"] is None or row["ex_session"] > row["last_bar"]:
            reason = "before_first_bar" if row["close_session"] is None else "after_last_bar"
            yield instrument, row["ex_session"], reason, ""
            continue
        if row["kind"] == "reform":
            yield instrument, row["ex_session"], "no_reference", ""
            continue
        before = reference if basis == row["close_session"] else row["close"]
        try:
            after = _distribution(row).reference(before, ticks.get(instrument, CENT))
        except QuantError as error:
            yield instrument, row["ex_session"], "impossible", f"{error.fault.message}: {error.fault.found}"
            continue
        step = Fraction(before) / Fraction(after)
        product, inferred = product * step, inferred or row["inferred"]
        basis, reference = row["close_session"], after
        yield instrument, row["ex_session"], before, after, float(step), float(product), inferred


def _distribution(row: Mapping[str, Decimal]) -> Distribution:
    return Distribution(row["cash_per_share"], row["bonus_ratio"], row["rights_ratio"], row["rights_price"])


def _columns(events: pl.DataFrame) -> pl.DataFrame:
    """The columns the formula needs, zero where the events do not have them."""
    zeros = {
        "cash_per_share": pl.Decimal(18, 6),
        "bonus_ratio": pl.Decimal(18, 8),
        "rights_ratio": pl.Decimal(18, 8),
        "rights_price": pl.Decimal(18, 6),
    }
    exact = [
        (pl.col(name) if name in events.columns else pl.lit(0)).cast(dtype).fill_null(0).alias(name)
        for name, dtype in zeros.items()
    ]
    inferred = pl.col("inferred") if "inferred" in events.columns else pl.lit(value=False)
    kind = pl.col("kind") if "kind" in events.columns else pl.lit(None, pl.String)
    return events.select(
        "instrument_id",
        "ex_session",
        *exact,
        inferred.fill_null(value=False).alias("inferred"),
        kind.alias("kind"),
    )


def _traded(bars: pl.DataFrame) -> pl.DataFrame:
    """Sessions on which a price was made: the close of a suspended session is only carried."""
    keep = pl.lit(value=True)
    if "suspended" in bars.columns:
        keep &= ~pl.col("suspended").fill_null(value=False)
    if "volume" in bars.columns:
        keep &= pl.col("volume").fill_null(1) > 0
    return bars.filter(keep)


def _spread(bars: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """The factor of each bar: that of the last ex-date on or before it, else 1."""
    rows = bars.select("instrument_id", "session")
    held = taken(
        steps.select("factor", "inferred"), last_before(rows, steps.select("instrument_id", "ex_session"))
    )
    spread = rows.hstack(
        held.select(pl.col("factor").fill_null(1.0), pl.col("inferred").fill_null(value=False))
    )
    return spread.sort("instrument_id", "session")
