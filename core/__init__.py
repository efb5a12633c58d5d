"""The vocabulary: ids, time, money, errors, calendars, instruments, market rules. Standard library only."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.core: one file must never be loaded under two names")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.core.errors import QuantError, RuleMissing
    from quant.core.hashing import canonical_json, digest, fingerprint
    from quant.core.ids import Code, mint_instrument_id, parse_code
    from quant.core.market.calendar import Calendar, calendar
    from quant.core.market.instrument import Board, Status
    from quant.core.market.rules import Rulebook, rulebook
    from quant.core.money import scaled, to_cent, to_tick, unscaled
    from quant.core.time import parse_date, session_instant, utc_now

_HOMES = {
    "quant.core.errors": ("QuantError", "RuleMissing"),
    "quant.core.hashing": ("canonical_json", "digest", "fingerprint"),
    "quant.core.ids": ("Code", "mint_instrument_id", "parse_code"),
    "quant.core.market.calendar": ("Calendar", "calendar"),
    "quant.core.market.instrument": ("Board", "Status"),
    "quant.core.market.rules": ("Rulebook", "rulebook"),
    "quant.core.money": ("scaled", "to_cent", "to_tick", "unscaled"),
    "quant.core.time": ("parse_date", "session_instant", "utc_now"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Board",
    "Calendar",
    "Code",
    "QuantError",
    "RuleMissing",
    "Rulebook",
    "Status",
    "calendar",
    "canonical_json",
    "digest",
    "fingerprint",
    "mint_instrument_id",
    "parse_code",
    "parse_date",
    "rulebook",
    "scaled",
    "session_instant",
    "to_cent",
    "to_tick",
    "unscaled",
    "utc_now",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use, so that importing the package stays cheap."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'quant.core' has no attribute {name!r}")
    return getattr(import_module(home), name)
