"""Every class of disagreement: what it is called, what kind it is, and what undoes it.

A *convention* is a way of writing the same facts; once undone, the values agree and nobody is wrong. A
*defect* is recognised as well, but somebody's rows are wrong or contradict what their source says of them.
What is *unknown* has a name for where it shows, not for why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["rounding", "convention", "defect", "unknown"]
Verdict = Literal["tolerated", "explained", "open"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One class. ``about`` is a sentence for reports."""

    name: str
    kind: Kind
    about: str

    @property
    def verdict(self) -> Verdict:
        if self.kind == "rounding":
            return "tolerated"
        return "open" if self.kind == "unknown" else "explained"


def _all(*causes: tuple[str, Kind, str]) -> dict[str, Cause]:
    return {name: Cause(name, kind, about) for name, kind, about in causes}


CAUSES: Final = _all(
    ("rounding", "rounding", "equal to the digits that the coarser source prints"),
    ("float32", "rounding", "one source keeps seven digits (float32)"),
    ("tolerance", "rounding", "within the declared tolerance"),
    ("base", "convention", "the same adjusted prices or factors on another base"),
    ("adjusted", "convention", "one source is adjusted, as it declares, the other is not"),
    ("adjusted_volume", "convention", "one source adjusts the volume along with the prices"),
    ("unit", "convention", "another unit, not declared by the source"),
    ("suspended_rows", "convention", "one source carries suspended sessions, the other leaves them out"),
    ("suspended_prices", "convention", "one source carries a price through suspended sessions"),
    ("coverage", "convention", "one source does not cover these instruments or dates"),
    ("not_listed", "convention", "the instrument was not listed, or listed no longer"),
    ("after_hours_volume", "convention", "one source counts trading at the closing price after hours"),
    ("auction_volume", "convention", "one source does not count the opening auction"),
    ("lots", "defect", "volume in lots of 100 instead of shares"),
    ("thousand_yuan", "defect", "amount in thousand yuan instead of yuan"),
    ("ten_thousand_yuan", "defect", "amount in ten thousand yuan instead of yuan"),
    ("price_scale", "defect", "prices in another unit than yuan"),
    ("percent_vs_ratio", "defect", "percent instead of a ratio"),
    ("wrong_unit", "defect", "a power of ten off"),
    ("per_ten_shares", "defect", "per ten shares instead of per share"),
    ("after_tax_cash", "defect", "a dividend after tax instead of before"),
    ("rounded_amount", "defect", "a single amount rounded to whole thousands or coarser"),
    ("rounded_volume", "defect", "a single volume rounded to whole hundreds or coarser"),
    ("rounded_price", "defect", "a single price rounded coarser than its source prints"),
    ("unmarked_adjustment", "defect", "adjusted prices that do not say so"),
    ("unmarked_additive_adjustment", "defect", "adjusted by differences, without saying so"),
    ("additive_adjustment", "defect", "adjusted by differences instead of ratios"),
    ("mislabelled_adjustment", "defect", "adjusted another way than the source says"),
    ("false_adjusted", "defect", "said to be adjusted, but the prices are as traded"),
    ("factor_inconsistent", "defect", "the factor does not lead from the raw to the adjusted prices"),
    ("late_factor", "defect", "the factor or adjusted price steps after the ex-date"),
    ("early_factor", "defect", "the factor or adjusted price steps before the ex-date"),
    ("missing_factor_step", "defect", "a distribution is missing from the factor or adjusted prices"),
    ("pre_close_unadjusted", "defect", "the reference price is yesterday's close on an ex-date"),
    ("shifted_day", "defect", "the bar of a neighbouring session"),
    ("time_zone", "defect", "dates moved by a time zone: one calendar day off"),
    ("stale_bar", "defect", "prices repeated from the session before"),
    ("swapped_columns", "defect", "values stand in each other's column"),
    ("shifted_ex_date", "defect", "the same distribution on another ex-date"),
    ("non_session", "defect", "a row on a day on which the exchange is closed"),
    ("extra_row", "defect", "a row outside the listing of its instrument"),
    ("duplicated_row", "defect", "a key that occurs more than once"),
    ("truncated_history", "defect", "the history of an instrument starts later or ends earlier"),
    ("missing_day", "defect", "a whole session of a market is absent"),
    ("identity", "defect", "the same code stands for different instruments"),
    ("late", "defect", "the factor steps on a later session than the event"),
    ("early", "defect", "the factor steps on an earlier session than the event"),
    ("missing_event", "defect", "the factor has no step where the events have one"),
    ("extra_event", "defect", "the factor steps without an event"),
    ("after_tax", "defect", "the factor counts the cash after tax"),
    ("cash_ignored", "defect", "the factor leaves the cash of an event out"),
    ("bonus_ignored", "defect", "the factor leaves the new shares of an event out"),
    ("rights_ignored", "defect", "the factor leaves the rights of an event out"),
    ("share_reform", "convention", "shares that compensated holders between 2005 and 2008 set no price"),
    ("additive", "convention", "no ratio factors at all"),
    ("unknown", "unknown", "a step of the factor that no event explains in its size"),
    ("missing_row", "unknown", "a row that only one source has"),
    ("missing_value", "unknown", "a value that only one source has"),
    ("restated_bar", "unknown", "both rows are consistent in themselves: one was corrected"),
    ("restated", "unknown", "another version of the same source says otherwise"),
    ("adjustment_differs", "unknown", "both are adjusted, by different distributions"),
    ("other_factor", "unknown", "all prices of a row are off by one ratio"),
    ("flag_differs", "unknown", "status flags differ"),
)

_WRONG: Final = "wrong_"


def cause(name: str) -> Cause:
    """A class by its name; ``wrong_<field>`` is a single value that nothing explains."""
    if name.startswith(_WRONG) and name not in CAUSES:
        return Cause(name, "unknown", f"a {name.removeprefix(_WRONG)} that nothing explains")
    return CAUSES[name]


def unit_cause(field: str, power: int, *, declared: bool) -> str:
    """The class of a value that is ten to the ``power`` too large or too small."""
    size = abs(power)
    named = {
        ("volume", 2): "lots",
        ("amount", 3): "thousand_yuan",
        ("amount", 4): "ten_thousand_yuan",
        ("pct_chg", 2): "percent_vs_ratio",
        ("turnover", 2): "percent_vs_ratio",
        ("cash_per_share", 1): "per_ten_shares",
        ("bonus_ratio", 1): "per_ten_shares",
    }.get((field, size))
    if named is not None:
        return named
    if field in ("volume", "amount", "pct_chg", "turnover", "factor", "cash_per_share", "bonus_ratio"):
        return "wrong_unit" if declared else "unit"
    return "price_scale"
