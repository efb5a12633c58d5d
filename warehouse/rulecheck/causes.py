"""The closed list of causes of a print outside its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cause:
    """``about``: what it is; ``shown``: what has to be there before a print is put under it."""

    name: str
    about: str
    shown: str


UNEXPLAINED: Final = "unexplained"
_ALL: Final = (
    Cause(
        "listing",
        "a session after listing without a limit, or the 44 % of a first day",
        "the row of the rulebook for the listing date, and the number of the session",
    ),
    Cause(
        "share_reform",
        "the session on which a share traded again after the share reform, without a limit",
        "an event of that kind, or the first bar after a halt in the years of the reform, once a share",
    ),
    Cause(
        "resumption",
        "the first session after a suspension of listing, without a limit",
        "at least 60 sessions without a trade, and a row of the rulebook in force",
    ),
    Cause(
        "delisting_day",
        "the first session of a delisting period, without a limit",
        "the data says so from this session on, and a row of the rulebook is in force",
    ),
    Cause(
        "ex_date",
        "the reference lacks a distribution, or has one that was not made",
        "the reference of another source, the file's own factor, or an event fits all prints of the bar",
    ),
    Cause(
        "status",
        "the data says ST where the share was none",
        "all prints lie inside the limits of a normal share",
    ),
    Cause(
        "vendor_error",
        "a print that another source does not have",
        "the same bar of another source with other prices, all inside the limits",
    ),
    Cause(
        "adjusted",
        "adjusted prices: rounding moved them, or their limits, by a few ticks",
        "the series is shown to be adjusted, and no print is further out than rounding can move it",
    ),
    Cause(
        "off_tick",
        "a price between two ticks",
        "the nearest tick lies inside the limits",
    ),
    Cause(
        "szse_before_2001",
        "Shenzhen before 2001, where trades up to 0.06 beyond the computed limit are on record",
        "the exchange, the date, and a distance of at most 0.06",
    ),
)
CAUSES: Final = {cause.name: cause for cause in _ALL}
