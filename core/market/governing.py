"""Which dated rows govern an instrument on a date, one question at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Final

from quant.core.errors import RuleMissing, UsageError
from quant.core.ids import Code
from quant.core.market.instrument import Asset, Board, Status, asset_of, mic_of
from quant.core.market.market_tables import market_table
from quant.core.market.registry import all_tables, other_tables
from quant.core.market.rules import rulebook
from quant.core.market.sessions import calendar_name, product_of
from quant.core.market.tables import DatedTable, Row
from quant.core.venues import VENUES

__all__ = ["Governing", "governing", "table_of"]

_CHINA: Final = ("XSHG", "XSHE", "BJSE")
_SHAPES: Final = {"future": ("futures",), "us": ("us",), "crypto": ("crypto",)}
_NAMED: Final = frozenset({"exchange", "product", "venue", "mic", "symbol"})
_KINDS: Final = ("open_auction", "pre_open_gap", "continuous_am", "continuous_pm", "close_auction")
_EVENTS: Final = {
    "ipo": "a listing on this day",
    "delisting": "a delisting period that starts on this day",
    "public_offering": "new shares of a public offering list",
    "resumed_listing": "back from a suspension of listing",
    "share_reform": "back from the share reform",
    "relisting": "listed again",
}
_CLASSES: Final = {
    Asset.STOCK: ("a_share",),
    Asset.FUND: (
        "etf_equity_domestic",
        "etf_bond",
        "etf_gold",
        "etf_money",
        "etf_cross_border",
        "etf_commodity_futures",
    ),
    Asset.CB: ("convertible_bond",),
}


@dataclass(frozen=True, slots=True)
class Governing:
    """A question about an instrument on a date, and the row that answers it; None: no rule that day."""

    question: str
    table: DatedTable
    key: tuple[str, ...]
    row: Row | None


def governing(code: Code, on: date) -> list[Governing]:
    """Every question the tables know for the market of ``code``, answered or not.

    Raises RuleMissing ``rule.missing`` when the code's range did not exist, ``rule.unsupported`` for a
    segment without rules.
    """
    if code.mic in _CHINA:
        board = rulebook().board(code, on)
        found = [*_prices(code, board, on), *_orders(board, on), *_days(code, board, on), *_costs(board, on)]
    else:
        found = list(_elsewhere(code, on))
    if not any(each.row for each in found):
        raise RuleMissing(
            "rule.missing",
            f"no rules are kept for {code} on {on}",
            expected="an instrument and a date the tables cover: quant rules show",
            found=f"{code} {on}",
        )
    return found


def table_of(name: str) -> DatedTable:
    """A table by its name. Raises UsageError ``rule.table``."""
    found = next((table for table in all_tables() if table.name == name), None)
    if found is None:
        near = get_close_matches(name, [table.name for table in all_tables()], n=1)
        raise UsageError(
            "rule.table",
            f"no table is called {name}",
            expected=", ".join(table.name for table in all_tables()),
            found=name,
            hint=f"did you mean {near[0]}?" if near else "for the rules of an instrument give a date too",
        )
    return found


def _ask(question: str, table: DatedTable, key: tuple[str, ...], on: date) -> Governing:
    return Governing(question, table, key, table.find(key, on))


def _prices(code: Code, board: Board, on: date) -> Iterator[Governing]:
    book, name = rulebook(), board.name
    yield Governing("board", book.boards, book.board_row(code, on).key, book.board_row(code, on))
    yield _ask("code that it became", market_table("code_changes"), (code.mic, code.symbol), on)
    for status in Status:
        if (name, status.value) in book.price_limits.rows:
            yield _ask(f"price limit, status {status}", book.price_limits, (name, status.value), on)
    yield _ask("first day of a listing", book.first_days, (name,), on)
    for event, said in _EVENTS.items():
        if (event, name) in book.no_limit_days.rows:
            yield _ask(f"sessions without a limit: {said}", book.no_limit_days, (event, name), on)
    yield _ask("halts of a session without a limit", market_table("ipo_halts"), (name,), on)
    yield _ask("opening auction of a session without a limit", market_table("free_auctions"), (name,), on)
    yield _ask("price range of limit orders", market_table("price_cages"), (name,), on)


def _orders(board: Board, on: date) -> Iterator[Governing]:
    book, name = rulebook(), board.name
    yield _ask("price step", book.ticks, (name,), on)
    yield _ask("order sizes", book.lots, (name,), on)
    for asset in _CLASSES[asset_of(board)]:
        yield _ask(f"sessions before a sale, {asset}", book.settlement, (asset,), on)
    if asset_of(board) is Asset.STOCK:
        yield _ask(
            "shares of an ST stock bought a day", market_table("st_buy_caps"), (mic_of(board) or "",), on
        )
    else:
        for action in ("sell_created", "redeem_bought", "sell_redeemed"):
            if asset_of(board) is Asset.FUND:
                yield _ask(
                    f"sessions to {action.replace('_', ' ')} units",
                    market_table("etf_primary"),
                    (action,),
                    on,
                )
    yield _ask("cash of a sale", market_table("sale_cash"), (), on)
    yield _ask("high-frequency trading", market_table("high_frequency"), ("stock",), on)
    yield _ask("program trading", market_table("program_trading"), ("stock",), on)


def _days(code: Code, board: Board, on: date) -> Iterator[Governing]:
    exchange, asset = code.mic, asset_of(board).value
    for kind in _KINDS:
        yield _ask(f"phase {kind}", market_table("phases"), (exchange, asset, kind), on)
    yield _ask("phase after_hours", market_table("after_hours"), (board.name,), on)
    yield _ask("index circuit breaker", market_table("circuit_breaker"), (), on)
    for level in ("first", "second"):
        yield _ask(f"halt of the market, level {level}", market_table("market_halts"), (exchange, level), on)


def _costs(board: Board, on: date) -> Iterator[Governing]:
    book, key = rulebook(), (mic_of(board) or "", asset_of(board).value)
    yield _ask("stamp duty", book.stamp_duty, key, on)
    yield _ask("transfer fee", book.transfer_fee, key, on)
    yield _ask("handling fee", market_table("handling_fee"), key, on)
    yield _ask("commission", book.commission, (), on)
    if asset_of(board) is Asset.STOCK:
        yield _ask("regulatory fee", market_table("regulatory_fee"), (key[1],), on)
        yield _ask("dividend tax, by record date", market_table("dividend_tax"), (), on)
        yield _ask("sessions before bonus shares are sold, by ex-date", book.bonus_shares, key[:1], on)
    if asset_of(board) is Asset.FUND:
        yield _ask("margin of who sells options on it", table_of("option_etf_margin"), (), on)
    for name in ("financing_margin", "short_margin", "short_sales", "margin_maintenance"):
        yield _ask(name.replace("_", " "), market_table(name), (), on)


def _elsewhere(code: Code, on: date) -> Iterator[Governing]:
    """Rows of the other markets whose keys fit the exchange and the product of a code."""
    venue, product = VENUES[code.mic], product_of(code)
    contracts = table_of("futures_contracts").rows
    if venue.shape == "future" and (code.mic, product) not in contracts:
        return  # rows of all products say nothing of one that no table knows
    if calendar_name(code.mic) == "XSHG":
        yield _ask("trading hours", table_of("sessions"), (code.mic, product), on)
    files = _SHAPES.get(venue.shape, ())
    of_index = (code.mic, product) in table_of("futures_expiry").rows
    fits = {code.mic, venue.ours, product, code.symbol, "*"}
    for table in other_tables():
        if not table.file.rpartition("/")[2].startswith(files or ("-",)):
            continue
        if table.name == "futures_index_fee" and not of_index:
            continue
        for key in sorted(table.rows):
            if all(part in fits for name, part in zip(table.key_names, key, strict=True) if name in _NAMED):
                label = ", ".join(part for part in key if part not in fits)
                yield _ask(f"{table.name.replace('_', ' ')}{f', {label}' if label else ''}", table, key, on)
