"""The user's daily parameters of futures: what exchanges set by contract and day, from a CSV file.

Columns, of which only the first two are needed; an empty cell says nothing::

    date, contract                          trading day, contract as rb2410.SHFE
    multiplier, tick                        yuan a point for one lot, smallest price step
    limit_up, limit_down                    highest and lowest price of the day
    margin_long, margin_short               of the settlement value, as 0.12
    open_rate, close_rate, close_today_rate fees of the notional
    open_lot, close_lot, close_today_lot    fees in yuan a lot
    last_trading_day                        of the contract
    max_limit, max_market                   most lots of one order

What the file says of a day goes before the dated rows, which stand in where it says nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import Final

from quant.core.errors import Location, QuantError, RuleMissing, SpecError, SpecErrors
from quant.core.ids import Code, parse_code
from quant.core.market import futures
from quant.core.market.sessions import product_of
from quant.core.market.tables import Row
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE, scaled

__all__ = ["COLUMNS", "ContractTerms", "DailyParameters", "contract_terms"]

_PRICES: Final = ("tick", "limit_up", "limit_down")
_RATES: Final = ("margin_long", "margin_short", "open_rate", "close_rate", "close_today_rate")
_MONEY: Final = ("open_lot", "close_lot", "close_today_lot")
_COUNTS: Final = ("multiplier", "max_limit", "max_market")
_KEY: Final = ("date", "contract")
COLUMNS: Final = (*_KEY, *_COUNTS, *_PRICES, *_RATES, *_MONEY, "last_trading_day")

_SCALES: Final[Mapping[str, int]] = {
    **dict.fromkeys(_PRICES, PRICE_SCALE),
    **dict.fromkeys(_RATES, RATE_SCALE),
    **dict.fromkeys(_MONEY, MONEY_SCALE),
    **dict.fromkeys(_COUNTS, 1),
}


@dataclass(frozen=True, slots=True)
class DailyParameters:
    """Numbers by (contract, day) at the scales of the compiled core; ``last_trading_day`` is a date."""

    file: str
    numbers: Mapping[tuple[str, date], Mapping[str, int]]
    last_days: Mapping[str, date]

    @classmethod
    def read(cls, text: str, file: str) -> DailyParameters:
        """From the text of a CSV file. Raises SpecErrors: every fault with its line."""
        reader = csv.DictReader(StringIO(text))
        header = reader.fieldnames or ()
        errors = [
            SpecError(
                "parameters.column",
                f"unknown column {name!r}",
                where=Location(file, 1),
                expected=", ".join(COLUMNS),
                found=str(name),
            )
            for name in header
            if name not in COLUMNS
        ]
        errors += [
            SpecError("parameters.column", f"the column {name} is missing", where=Location(file, 1))
            for name in _KEY
            if name not in header
        ]
        numbers: dict[tuple[str, date], Mapping[str, int]] = {}
        last_days: dict[str, date] = {}
        for line, cells in enumerate(reader if not errors else (), start=2):
            try:
                key, found, last = _row(cells)
                if key in numbers:
                    raise ValueError(f"a second row of {key[0]} on {key[1]}")
                if last is not None and last_days.setdefault(key[0], last) != last:
                    raise ValueError(f"another last trading day of {key[0]}: {last_days[key[0]]} before")
                numbers[key] = found
            except (ValueError, InvalidOperation, QuantError) as error:
                errors.append(
                    SpecError(
                        "parameters.row", str(error), where=Location(file, line), expected="a sound row"
                    )
                )
        if errors:
            raise SpecErrors(errors)
        return cls(file, numbers, last_days)

    def number(self, code: Code, on: date, name: str) -> int | None:
        """A number of a contract and day, None where the file says nothing."""
        return self.numbers.get((str(code), on), {}).get(name)

    def needed(self, code: Code, on: date, name: str) -> int:
        """The same. Raises RuleMissing ``rule.parameters`` where the file says nothing."""
        found = self.number(code, on, name)
        if found is None:
            raise missing(code, on, name, self.file)
        return found


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """A contract on a day as the compiled core takes it; ``rows`` are the dated rows that were used.

    Prices at PRICE_SCALE, margins at RATE_SCALE of the settlement value; ``fees``: open, close and
    close-today as rates, then in micro-yuan a lot.
    """

    multiplier: int
    tick: int
    limit_up: int
    limit_down: int
    margin_long: int
    margin_short: int
    fees: tuple[int, int, int, int, int, int]
    explicit_today: bool
    last_trading_day: date
    rows: tuple[Row, ...]


NOTHING: Final = DailyParameters("no parameter file", {}, {})


def contract_terms(
    code: Code, on: date, prev_settle: Decimal | None = None, parameters: DailyParameters = NOTHING
) -> ContractTerms:
    """Everything about a contract on a day, from the parameters first and dated rows second.

    ``prev_settle``: needed where the limits come from a rate. Raises RuleMissing for what neither says.
    """
    rows: list[Row] = []

    def used(row: Row) -> Row:
        rows.append(row)
        return row

    multiplier, tick = (parameters.number(code, on, name) for name in ("multiplier", "tick"))
    if multiplier is None or tick is None:
        row = used(futures.contract_row(code, on))
        multiplier = int(row.values["multiplier"]) if multiplier is None else multiplier
        tick = futures.tick_units(row) if tick is None else tick
    last = parameters.last_days.get(str(code))
    if last is None:
        last, row = futures.last_trading_day(code, on)
        used(row)
    up, down = (parameters.number(code, on, name) for name in ("limit_up", "limit_down"))
    if up is None or down is None:
        rate = futures.limit_rate(used(futures.limit_row(code, on)), last_day=on == last)
        if prev_settle is None:
            what = "limit_up and limit_down, or the previous settlement price"
            raise missing(code, on, what, parameters.file)
        up, down = _limits(futures.price_units(prev_settle), rate, tick)
    explicit = bool(used(futures.close_today_row(code.mic, on)).values["explicit"])
    return ContractTerms(
        multiplier, tick, up, down,
        parameters.needed(code, on, "margin_long"),
        parameters.needed(code, on, "margin_short"),
        _fees(code, on, parameters, rows), explicit, last, tuple(rows),
    )  # fmt: skip


def missing(code: Code, on: date, what: str, file: str) -> RuleMissing:
    return RuleMissing(
        "rule.parameters",
        f"{what} of {code} on {on} is not known",
        where=Location(file),
        expected=f"a row {on},{code} with {what}",
        found="nothing",
        hint="give the exchange's daily parameters as a CSV file: docs/rules-world.md says how",
    )


def _fees(
    code: Code, on: date, parameters: DailyParameters, rows: list[Row]
) -> tuple[int, int, int, int, int, int]:
    names = ("open", "close", "close_today")
    rates = [parameters.number(code, on, f"{name}_rate") for name in names]
    lots = [parameters.number(code, on, f"{name}_lot") for name in names]
    if all(each is None for each in (*rates, *lots)):
        if code.mic != "CCFX" or product_of(code) not in ("IF", "IH", "IC", "IM"):
            raise missing(code, on, "open_rate or open_lot", parameters.file)
        found = [futures.fee_row(offset, on) for offset in futures.OFFSETS[:3]]
        rows.extend(found)
        rates = [futures.fee_terms(row) for row in found]
    for name, rate, lot in zip(names, rates, lots, strict=True):
        if rate is None and lot is None:
            raise missing(code, on, f"{name}_rate or {name}_lot", parameters.file)
    first, second, third = (each or 0 for each in rates)
    return (first, second, third, *_three(lots))


def _three(lots: list[int | None]) -> tuple[int, int, int]:
    first, second, third = (each or 0 for each in lots)
    return first, second, third


def _limits(settle: int, rate: int, tick: int) -> tuple[int, int]:
    """``futures_price_limits`` of the compiled core: cut to the tick, never beyond the rate."""
    up = settle * (RATE_SCALE + rate) // (RATE_SCALE * tick) * tick
    down = -(-settle * (RATE_SCALE - rate) // (RATE_SCALE * tick)) * tick
    return up, max(down, tick)


def _row(cells: Mapping[str, str | None]) -> tuple[tuple[str, date], dict[str, int], date | None]:
    given = dict(_filled(cells))
    code, on = parse_code(given.pop("contract", "")), date.fromisoformat(given.pop("date", ""))
    last = given.pop("last_trading_day", None)
    numbers = {name: _number(name, text) for name, text in given.items()}
    return (str(code), on), numbers, date.fromisoformat(last) if last else None


def _filled(cells: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, text in cells.items():
        if name is None or text is None:
            raise ValueError("the row does not have as many cells as the header")
        if text.strip():
            yield name, text.strip()


def _number(name: str, text: str) -> int:
    number = scaled(text, _SCALES[name], exact=True)
    if number < 0 or (number == 0 and name in (*_COUNTS, *_PRICES)):
        raise ValueError(f"{name} must not be {text}")
    return number
