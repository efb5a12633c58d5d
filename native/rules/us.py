"""Worked cases of US equities: dated rows into numbers here, the arithmetic in C++."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from quant.core.market import us
from quant.core.market.calendar import calendar
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE, scaled, unscaled
from quant.core.time import epoch_days, from_epoch_days
from quant.native.extension import native
from quant.native.rules.given import Given
from quant.native.rules.named import named
from quant.native.rules.verdict import Verdict

__all__ = ["CASES"]

_CENT: Final = PRICE_SCALE // 100


def section31(given: Given) -> Verdict:
    """Section 31 fee of a sale in dollars, to the millionth; buys pay none."""
    row = us.table("us_section31").row((), given.day("date"))
    amount = scaled(given.number("amount"), MONEY_SCALE, exact=True)
    selling = given.choice("side", "buy", "sell") == "sell"
    fee = native.us_section31(amount if selling else 0, us.section31_rate(row))
    return Verdict(unscaled(fee, MONEY_SCALE), (row,))


def taf(given: Given) -> Verdict:
    """FINRA trading activity fee of a sale in dollars, to the millionth."""
    row = us.table("us_taf").row((), given.day("date"))
    rate, cap = us.taf_terms(row)
    selling = given.choice("side", "buy", "sell") == "sell"
    fee = native.us_taf(given.count("shares") if selling else 0, rate, cap)
    return Verdict(unscaled(fee, MONEY_SCALE), (row,))


def us_sale_fees(given: Given) -> Verdict:
    """Both fees of a sale as a broker bills them, each rounded up to the cent."""
    on = given.day("date")
    terms = us.sale_terms(on)
    amount = scaled(given.number("amount"), MONEY_SCALE, exact=True)
    fees = (
        native.us_section31(amount, terms.section31),
        native.us_taf(given.count("shares"), terms.taf, terms.taf_cap),
    )
    billed = [unscaled(native.us_cents_up(fee) * 100 // MONEY_SCALE, 100) for fee in fees]
    return Verdict({"section31": billed[0], "taf": billed[1]}, us.sale_rows(on))


def us_settle_date(given: Given) -> Verdict:
    """The day on which a trade settles."""
    trade = given.day("trade_date")
    row = us.table("us_settlement").row((), trade)
    calendar("XNYS").index(trade)
    first, last = trade - timedelta(days=10), trade + timedelta(days=20)
    days, skipped = us.settlement_days(max(first, calendar("XNYS").first), min(last, calendar("XNYS").last))
    day = native.us_settle_day([epoch_days(each) for each in days], epoch_days(trade), row.values["days"])
    settles = from_epoch_days(day)
    between = tuple(
        each for each in skipped if any(trade <= off <= settles for off in us.days_off(each, trade))
    )
    return Verdict(settles.isoformat(), (row, *between))


def pdt_restricted(given: Given) -> Verdict:
    """Whether the account may make no further day trades.

    ``day_trades_5bd``: those of the window that ends on the date; or ``day_trade_dates``, of which those in
    the window are counted. ``broker_keeps_pdt``: the broker has not gone over to the rule of 2026.
    """
    on, keeps = given.day("date"), bool(given.get("broker_keeps_pdt", False))
    row = us.day_trading_row(on, broker_keeps_count=keeps)
    terms = us.day_trade_terms(row)
    if "day_trade_dates" in given:
        dates = [date.fromisoformat(str(each)) for each in given["day_trade_dates"]]
        since = calendar("XNYS").offset(on, 1 - terms.window) if terms.window > 1 else on
        count = sum(since <= each <= on for each in dates)
    else:
        count = given.count("day_trades_5bd")
    got = native.us_pdt_restricted(
        count,
        scaled(given.number("share_of_trades"), RATE_SCALE, exact=True),
        scaled(given.number("equity"), MONEY_SCALE, exact=True),
        terms.day_trades,
        terms.share,
        terms.min_equity,
    )
    return Verdict(got, (row,))


def us_day_trading_power(given: Given) -> Verdict:
    """What an account may buy for the day, in dollars, and the regime that says so."""
    row = us.day_trading_row(given.day("date"), broker_keeps_count=bool(given.get("broker_keeps_pdt", False)))
    terms = us.day_trade_terms(row)
    equity, held = (
        scaled(given.number(name), MONEY_SCALE, exact=True) for name in ("equity", "maintenance_margin")
    )
    power = native.us_day_trading_power(equity, held, terms.day_trades, terms.power, terms.maintenance)
    return Verdict({"regime": row.values["regime"], "power": unscaled(power, MONEY_SCALE)}, (row,))


def luld(given: Given) -> Verdict:
    """Price bands at a minute of the session; NONE outside of it."""
    on, tier = given.day("date"), given.count("tier")
    bucket, cut = us.bucket_of(on, given.number("prev_close"))
    rows = us.luld_rows(on, tier, bucket)
    terms = us.luld_terms(*rows)
    start, end, hours = us.phase_hours("regular", on)
    minute = us.clock_minutes(given.text("time"))
    lower, upper = native.us_luld(
        _price(given, "reference"), minute, (start, end), terms.rate, terms.cap,
        (terms.open_minutes, terms.close_minutes),
    )  # fmt: skip
    if not start <= minute < end:
        return Verdict({"lower": "NONE", "upper": "NONE"}, (hours,))
    bands = {"lower": unscaled(lower // _CENT, 100), "upper": unscaled(upper // _CENT, 100)}
    return Verdict(bands, (*rows, cut))


def us_market_halt(given: Given) -> Verdict:
    """The level a fall of the S&P 500 reaches and the minutes of its halt; ``close``: the rest of the day."""
    row = us.table("us_market_halts").row((), given.day("date"))
    terms = us.halt_terms(row)
    level, minutes = native.us_market_halt(
        scaled(given.number("fall"), RATE_SCALE, exact=True),
        us.clock_minutes(given.text("time")),
        list(terms.levels),
        terms.minutes,
        terms.not_after,
    )
    return Verdict({"level": level, "halt": "close" if minutes < 0 else minutes}, (row,))


def us_price_on_tick(given: Given) -> Verdict:
    """Whether an order may be priced so."""
    row = us.table("us_ticks").row((), given.day("date"))
    price = given.number("price")
    units = scaled(price, PRICE_SCALE)
    exact = unscaled(units, PRICE_SCALE) == price
    return Verdict(exact and native.us_on_tick(units, *us.tick_terms(row)), (row,))


def us_round_lot(given: Given) -> Verdict:
    """Shares of a round lot at this price."""
    row = us.table("us_round_lots").row((), given.day("date"))
    return Verdict(native.us_round_lot(_price(given, "price"), *us.round_lot_terms(row)), (row,))


def us_phase(given: Given) -> Verdict:
    """``pre``, ``regular``, ``post`` or ``closed`` at a time of a day."""
    on, minute = given.day("date"), us.clock_minutes(given.text("time"))
    if not calendar("XNYS").is_session(on):
        return Verdict("closed")
    start, end, regular = us.phase_hours("regular", on)
    if start <= minute < end:
        return Verdict("regular", (regular,))
    phase = "pre" if minute < start else "post"
    start, end, row = us.phase_hours(phase, on)
    return Verdict(phase if start <= minute < end else "closed", (row, regular))


def us_short_sale(given: Given) -> Verdict:
    """``ok``, ``LOCATE`` or ``PRICE_TEST`` for a short sale.

    ``low``: the lowest trade so far today; ``triggered_on``: the last session on which the price test began.
    """
    on = given.day("date")
    locate = us.table("us_locate").row((), on)
    test = us.table("us_price_test").find((), on)
    rows = (locate,) if test is None else (locate, test)
    if locate.values["required"] and not given["located"]:
        return Verdict("LOCATE", rows)
    if test is None:
        return Verdict("ok", rows)
    fall = scaled(test.values["fall"], RATE_SCALE, exact=True)
    binds = native.us_price_test_triggered(_price(given, "low"), _price(given, "prev_close"), fall)
    if given.get("triggered_on") is not None:
        began = given.day("triggered_on")
        binds = binds or calendar("XNYS").count(began, on) - 1 <= int(test.values["days_after"])
    free = native.us_short_price_ok(_price(given, "price"), _price(given, "bid"), binds)
    return Verdict("ok" if free else "PRICE_TEST", rows)


def us_margin(given: Given) -> Verdict:
    """Initial and maintenance margin of a position in dollars; a short has a negative quantity."""
    row = us.table("us_margin").row((), given.day("date"))
    terms = us.margin_terms(row)
    numbers = [getattr(terms, name) for name in terms.__slots__]
    price, quantity = _price(given, "price"), given.count("quantity")
    initial = native.us_initial_margin(price, quantity, numbers)
    held = native.us_maintenance_margin(price, quantity, numbers)
    return Verdict(
        {"initial": unscaled(initial, MONEY_SCALE), "maintenance": unscaled(held, MONEY_SCALE)}, (row,)
    )


def _price(given: Given, name: str) -> int:
    return scaled(given.number(name), PRICE_SCALE, exact=True)


CASES: Final = named(
    section31,
    taf,
    us_sale_fees,
    us_settle_date,
    pdt_restricted,
    us_day_trading_power,
    luld,
    us_market_halt,
    us_price_on_tick,
    us_round_lot,
    us_phase,
    us_short_sale,
    us_margin,
)
