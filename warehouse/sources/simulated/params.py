"""What a source spec of the simulated market may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from quant.core.errors import SpecError

VIEWS = ("a", "b", "c")
_MAX_INSTRUMENTS = 5_000
_MAX_INTENSITY = 50.0


@dataclass(frozen=True, slots=True)
class SimulatedParams:
    """One simulated market, and the vendor view through which it is seen.

    The six intensities multiply how often something happens: 1 is the documented market, 0 switches the
    thing off. ``view`` and ``disagreements`` change what a vendor shows, never the market itself.
    """

    seed: int = 7
    instruments: int = 300
    start: date = date(2019, 1, 2)
    listings: float = 1.0
    delistings: float = 1.0
    suspensions: float = 1.0
    st: float = 1.0
    dividends: float = 1.0
    jumps: float = 1.0
    view: str = "a"
    disagreements: float = 1.0

    @classmethod
    def parse(cls, params: Mapping[str, object]) -> SimulatedParams:
        """The typed parameters of a source spec's ``params`` mapping.

        Raises:
            SpecError: an unknown key, a wrong type or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        for key in params:
            if key not in known:
                raise SpecError("source.params", f"the simulated source has no parameter {key!r}",
                                expected=", ".join(sorted(known)), found=str(key))
        values: dict[str, object] = {}
        for key, value in params.items():
            values[key] = _READERS[key](key, value)
        return cls(**values)  # type: ignore[arg-type]


def _wrong(key: str, expected: str, value: object) -> SpecError:
    return SpecError("source.params", f"parameter {key!r} of the simulated source is not valid",
                     expected=expected, found=repr(value))


def _integer(key: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(key, f"a whole number from {low} to {high}", value)
    return value


def _seed(key: str, value: object) -> int:
    return _integer(key, value, 0, 2**63 - 1)


def _count(key: str, value: object) -> int:
    return _integer(key, value, 1, _MAX_INSTRUMENTS)


def _intensity(key: str, value: object) -> float:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = float(value)
        if 0 <= number <= _MAX_INTENSITY:
            return number
    raise _wrong(key, f"a number from 0 (never) to {_MAX_INTENSITY:g}, 1 being the usual market", value)


def _view(key: str, value: object) -> str:
    if value not in VIEWS:
        raise _wrong(key, "a, b or c", value)
    return str(value)


def _date(key: str, value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise _wrong(key, "a date such as 2019-01-02", value) from error


_READERS = {
    "seed": _seed, "instruments": _count, "start": _date, "view": _view,
    "listings": _intensity, "delistings": _intensity, "suspensions": _intensity, "st": _intensity,
    "dividends": _intensity, "jumps": _intensity, "disagreements": _intensity,
}
