"""Fees and taxes of a trade in China's cash market, to the cent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from quant.core.errors import InvariantBroken, UsageError
from quant.core.market.market_tables import market_table
from quant.core.market.rules import rulebook
from quant.core.market.tables import DatedTable, Row
from quant.core.time import epoch_days
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.numbers import (
    BUY,
    CENT_UNITS,
    asset_class,
    exchange_of,
    money,
    rate,
    side_of,
    yuan_text,
)
from quant.native.rules.verdict import Verdict

__all__ = ["CASES", "transfer_terms"]


def transfer_terms(row: Row) -> tuple[int, int, int]:
    """Rate of the turnover, micro-yuan a share, and minimum, of a transfer fee row."""
    minimum = money(Decimal(row.values.get("minimum", "0")))
    match row.values["basis"]:
        case "face_value":
            return 0, money(Decimal(row.values["rate"])), minimum
        case "turnover":
            return rate(row.values["rate"]), 0, minimum
        case other:
            raise InvariantBroken("rule.malformed", "unknown basis of a transfer fee", found=str(other))


def stamp_duty(given: Given) -> Verdict:
    row = _levied(rulebook().stamp_duty, given)
    due = rate(row.values["buy" if side_of(given) == BUY else "sell"])
    return Verdict(yuan_text(native.levy(_amount(given), due, CENT_UNITS)), (row,))


def transfer_fee(given: Given) -> Verdict:
    row = _levied(rulebook().transfer_fee, given)
    terms = transfer_terms(row)
    shares = given.count("shares") if terms[1] else 0
    return Verdict(yuan_text(native.transfer_fee(_amount(given), shares, terms, CENT_UNITS)), (row,))


def handling_fee(given: Given) -> Verdict:
    return _share(market_table("handling_fee"), (exchange_of(given), asset_class(given)), given)


def regulatory_fee(given: Given) -> Verdict:
    return _share(market_table("regulatory_fee"), (asset_class(given),), given)


def commission_terms(given: Given) -> Verdict:
    """The commission where nothing is agreed: rate, minimum of an order, and the legal maximum."""
    row = rulebook().commission.row((), given.day("date"))
    names = {"rate": "default_rate", "minimum": "minimum", "cap": "cap", "rule": "rule", "all_in": "all_in"}
    return Verdict({shown: row.values[name] for shown, name in names.items()}, (row,))


def total_cost(given: Given) -> Verdict:
    """All fees of one order, its fills together: one minimum commission, each fee half up to the cent.
    ``all_in`` false: the fees of exchange and regulator come on top of the commission.
    """
    on, exchange, asset = given.day("date"), exchange_of(given), _taxed(asset_class(given))
    book = rulebook()
    stamp = book.stamp_duty.row((exchange, asset), on)
    transfer = book.transfer_fee.row((exchange, asset), on)
    commission = book.commission.row((), on)
    agreed = given.number("commission_rate", commission.values["default_rate"])
    minimum = given.number("min_commission", commission.values["minimum"])
    turnover, quantity = _filled(given)
    by_turnover, by_share, least = transfer_terms(transfer)
    rates = (
        rate(agreed),
        rate(stamp.values["buy"]),
        rate(stamp.values["sell"]),
        by_turnover,
        money(minimum),
        by_share,
    )
    side = side_of(given)
    paid, duty, moved = native.fees_of(money(turnover), quantity, side, rates, CENT_UNITS)
    if least:
        moved = native.transfer_fee(money(turnover), quantity, (0, by_share, least), CENT_UNITS)
    rows: tuple[Row, ...] = (commission, stamp, transfer)
    extra = (
        {} if given.get("all_in", commission.values["all_in"]) else _besides(exchange, asset, on, turnover)
    )
    got = {
        "commission": yuan_text(paid),
        "stamp": yuan_text(duty),
        "transfer": yuan_text(moved),
        "total": yuan_text(paid + duty + moved + sum(due for due, _ in extra.values())),
    }
    got |= {name: yuan_text(due) for name, (due, _) in extra.items()}
    return Verdict(got, rows + tuple(row for _, row in extra.values()))


def _besides(exchange: str, asset: str, on: date, turnover: Decimal) -> dict[str, tuple[int, Row]]:
    """The fees of exchange and regulator, where the commission does not contain them."""
    rows = {
        "handling": market_table("handling_fee").row((exchange, asset), on),
        "regulatory": market_table("regulatory_fee").find((asset,), on),
    }
    return {
        name: (native.levy(money(turnover), rate(row.values["rate"]), CENT_UNITS), row)
        for name, row in rows.items()
        if row is not None
    }


def dividend_tax(given: Given) -> Verdict:
    """Tax due when lots that received a dividend are sold; ``bonus`` shares count at face value. Where one
    rate holds for every holding the tax is withheld at payment, and no sale need be given.
    """
    record = given.day("record_date")
    row = market_table("dividend_tax").row((), record)
    month, year, beyond = (rate(row.values[name]) for name in ("upto_month", "upto_year", "beyond"))
    lots = [(epoch_days(day), quantity) for day, quantity in _lots(given)]
    flat = month == year == beyond and given.get("sell_date") is None
    sold = epoch_days(record) + 1 if flat else epoch_days(given.day("sell_date"))
    taxable = money(given.number("cash_per_share", "0") + given.number("bonus", "0"))
    due = native.dividend_tax(
        (month, year, beyond),
        lots,
        epoch_days(record),
        sold,
        given.count("sell_qty", sum(quantity for _, quantity in lots) if flat else None),
        taxable,
        CENT_UNITS,
    )
    return Verdict(yuan_text(due), (row,))


def _share(table: DatedTable, key: tuple[str, ...], given: Given) -> Verdict:
    row = table.row(key, given.day("date"))
    return Verdict(yuan_text(native.levy(_amount(given), rate(row.values["rate"]), CENT_UNITS)), (row,))


def _levied(table: DatedTable, given: Given) -> Row:
    return table.row((exchange_of(given), _taxed(asset_class(given))), given.day("date"))


def _taxed(asset: str) -> str:
    """Stamp duty and transfer fee know funds of every kind as one."""
    return "fund" if asset in ("etf_money", "etf_bond") else asset


def _amount(given: Given) -> int:
    amount = given.number("amount")
    if amount < 0:
        raise UsageError("case.given", "an amount is not negative", expected="0 or more", found=str(amount))
    return money(amount)


def _filled(given: Given) -> tuple[Decimal, int]:
    fills = given["fills"]
    if not isinstance(fills, list) or not all(isinstance(each, list) and len(each) == 2 for each in fills):
        raise UsageError(
            "case.given", "fills is not a list of [price, quantity]", expected='[["11.20", 1000]]'
        )
    parts = [Given(price=each[0], quantity=each[1]) for each in fills]
    turnover = sum((part.number("price") * part.count("quantity") for part in parts), Decimal(0))
    return turnover, sum(part.count("quantity") for part in parts)


def _lots(given: Given) -> list[tuple[date, int]]:
    lots = given["lots"]
    if not isinstance(lots, list) or not all(isinstance(each, list) and len(each) == 2 for each in lots):
        raise UsageError(
            "case.given", "lots is not a list of [buy date, quantity]", expected='[["2023-06-01", 1000]]'
        )
    parts = [Given(bought=each[0], quantity=each[1]) for each in lots]
    found = [(part.day("bought"), part.count("quantity")) for part in parts]
    if any(later[0] < earlier[0] for earlier, later in pairwise(found)):
        found.sort(key=lambda lot: lot[0])
    return found


CASES: Final[Mapping[str, Callable[[Given], Any]]] = {
    "stamp_duty": stamp_duty,
    "transfer_fee": transfer_fee,
    "handling_fee": handling_fee,
    "regulatory_fee": regulatory_fee,
    "commission_terms": commission_terms,
    "total_cost": total_cost,
    "dividend_tax": dividend_tax,
}
"""The functions of worked cases, by name."""
