"""The rulebook: what a market allowed on a date. Every answer is a dated row with its source.

Lookups go by (board, status, date) on unadjusted prices; the reference of a limit is the exchange's
reference price (the vendor's ``pre_close``), which on an ex-date is not yesterday's close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import Final, Literal

from quant.core.errors import Location, RuleMissing, UsageError
from quant.core.hashing import fingerprint
from quant.core.ids import Code, parse_code
from quant.core.market.instrument import Asset, Board, Status, asset_of, mic_of
from quant.core.market.price_rules import price_rule
from quant.core.market.tables import DatedTable, Row, load_toml
from quant.core.money import RATE_SCALE, scaled, to_tick

__all__ = ["LotRule", "RuleMissing", "Rulebook", "Side", "limit_price", "rulebook"]

Side = Literal["buy", "sell"]

_SETTLES_AS: Final = {
    Asset.STOCK: "a_share",
    Asset.FUND: "etf_equity_domestic",
    Asset.CB: "convertible_bond",
}


@dataclass(frozen=True, slots=True)
class LotRule:
    """Order sizes in shares.

    A buy is ``buy_min`` or more in steps of ``buy_step``. A sale is ``odd_lot_sell`` or more in steps of
    ``sell_step``; the odd rest of a position goes in one order. ``max_order`` bounds limit orders,
    ``max_after_hours`` those at the closing price after hours; 0 where such orders do not exist.
    """

    buy_min: int
    buy_step: int
    sell_step: int
    odd_lot_sell: int
    max_order: int
    max_market_order: int
    max_after_hours: int

    def allows(
        self, side: Side, quantity: int, position: int, order_type: Literal["limit", "market"] = "limit"
    ) -> bool:
        """Whether an order of ``quantity`` is valid for an account that holds ``position`` before it."""
        largest = self.max_order if order_type == "limit" else self.max_market_order
        if not 0 < quantity <= largest:
            return False
        if side == "buy":
            return quantity >= self.buy_min and (quantity - self.buy_min) % self.buy_step == 0
        if quantity > position:
            return False
        if quantity >= self.odd_lot_sell and quantity % self.sell_step == 0:
            return True
        if self.sell_step > 1:
            return quantity % self.sell_step == position % self.sell_step
        return quantity == position


class Rulebook:
    """Dated rules of the A-share market. Immutable; tables are read on first use.

    Every lookup raises RuleMissing ``rule.missing`` when no row matches.
    """

    @cached_property
    def boards(self) -> DatedTable:
        return DatedTable.load("boards", "boards", ("exchange", "prefix"))

    @cached_property
    def price_limits(self) -> DatedTable:
        return DatedTable.load("price_limits", "price_limits", ("board", "status"))

    @cached_property
    def no_limit_days(self) -> DatedTable:
        return DatedTable.load("price_limits", "no_limit_days", ("event", "board"))

    @cached_property
    def first_days(self) -> DatedTable:
        return DatedTable.load("price_limits", "first_days", ("board",))

    @cached_property
    def ticks(self) -> DatedTable:
        return DatedTable.load("orders", "ticks", ("board",))

    @cached_property
    def lots(self) -> DatedTable:
        return DatedTable.load("orders", "lots", ("board",))

    @cached_property
    def settlement(self) -> DatedTable:
        return DatedTable.load("orders", "settlement", ("asset",))

    @cached_property
    def stamp_duty(self) -> DatedTable:
        return DatedTable.load("fees", "stamp_duty", ("exchange", "asset"))

    @cached_property
    def transfer_fee(self) -> DatedTable:
        return DatedTable.load("fees", "transfer_fee", ("exchange", "asset"))

    @cached_property
    def commission(self) -> DatedTable:
        return DatedTable.load("fees", "commission", ())

    @cached_property
    def bonus_shares(self) -> DatedTable:
        return DatedTable.load("corporate_actions", "bonus_shares", ("exchange",))

    @property
    def tables(self) -> tuple[DatedTable, ...]:
        """The tables of the book itself; ``registry.all_tables`` has those of every market."""
        return (
            self.boards, self.price_limits, self.no_limit_days, self.first_days, self.ticks, self.lots,
            self.settlement, self.stamp_duty, self.transfer_fee, self.commission, self.bonus_shares,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what the tables of all markets say; a reworded note or a new source does not change it."""
        from quant.core.market.registry import all_tables

        meaning = {f"{table.file}:{table.name}": table.meaning() for table in all_tables()}
        return fingerprint(meaning | {"assume": self._assume})

    @cached_property
    def _assume(self) -> dict[str, str]:
        return dict(load_toml("price_limits")["assume"])

    def board(self, code: Code | str, on: date) -> Board:
        """Board of a code on a date: 002594.SZ is SME to 2021-04-05 and SZSE_MAIN after."""
        code = parse_code(code) if isinstance(code, str) else code
        row = self.board_row(code, on)
        if "unsupported" in row.values:
            raise RuleMissing(
                "rule.unsupported",
                f"{code} is a {row.values['unsupported']}: no rules are kept for it",
                where=Location(self.boards.file),
                found=str(code),
            )
        return Board[row.values["board"]]

    def is_stock(self, code: Code | str) -> bool:
        """Whether a code is, or ever was, a share's on a board with rules: no index, fund, bond, B share.

        >>> rulebook().is_stock("sh600519"), rulebook().is_stock("sh000001")
        (True, False)
        """
        code = parse_code(code) if isinstance(code, str) else code
        keys = ((code.mic, code.symbol[:length]) for length in range(6, 0, -1))
        return next((key in self._stock_codes for key in keys if key in self.boards.rows), False)

    @cached_property
    def _stock_codes(self) -> frozenset[tuple[str, str]]:
        """The exchanges and prefixes of codes that are stocks."""
        return frozenset(
            (str(key[0]), str(key[1]))
            for key, rows in self.boards.rows.items()
            if any("unsupported" not in r.values and _asset(r) is Asset.STOCK for r in rows)
        )

    def board_row(self, code: Code, on: date) -> Row:
        """The row of a code's range, segments without rules included."""
        keys = [(code.mic, code.symbol[:length]) for length in range(6, 0, -1)]
        key = next((key for key in keys if key in self.boards.rows), keys[3])
        return self.boards.row(key, on)

    def board_rows(self, board: Board) -> tuple[Row, ...]:
        """The code ranges of a board, in date order."""
        return self._rows_of_board.get(board.name, ())

    @cached_property
    def _rows_of_board(self) -> dict[str, tuple[Row, ...]]:
        found: dict[str, tuple[Row, ...]] = {}
        for row in sorted(self.boards.each(), key=lambda row: (row.start, row.key)):
            name = row.values.get("board", "")
            found[name] = (*found.get(name, ()), row)
        return found

    def board_exists(self, board: Board, on: date) -> bool:
        """Whether any code range of the board was in use on a date."""
        return any(row.covers(on) for row in self.board_rows(board))

    def limit_rate(self, board: Board, status: Status, on: date) -> Decimal | None:
        """Largest daily move as a fraction of the reference, None where the board has no limit.

        An unknown status is looked up as the table's ``assume`` says (normal); the caller reports that.
        """
        return _rate(self.limit_row(board, status, on))

    def limit_rates(self, board: Board, status: Status, sessions: Sequence[date]) -> list[int | None]:
        """``limit_rate`` of ascending ``sessions`` as int at RATE_SCALE: 10 % is 100_000_000."""
        key = self._limit_key(board, status)
        rates: list[int | None] = []
        for row, start, end in self.price_limits.spread(key, sessions):
            rate = _rate(row)
            rates.extend([None if rate is None else scaled(rate, RATE_SCALE, exact=True)] * (end - start))
        return rates

    def limit_row(self, board: Board, status: Status, on: date) -> Row:
        """The price limit row in force."""
        return self.price_limits.row(self._limit_key(board, status), on)

    def _limit_key(self, board: Board, status: Status) -> tuple[str, str]:
        return board.name, self._assume.get(status.value, status.value)

    def ipo_free_sessions(self, board: Board, listing_date: date) -> int:
        """How many sessions from listing, the listing day included, have no price limit (0 to 5)."""
        row = self.no_limit_days.find(("ipo", board.name), listing_date)
        return int(row.values["days"]) if row else 0

    def delisting_free_sessions(self, board: Board, first_day: date) -> int:
        """How many sessions from the start of the delisting period have no price limit (0 or 1)."""
        row = self.no_limit_days.find(("delisting", board.name), first_day)
        return int(row.values["days"]) if row else 0

    def first_day_bounds(self, board: Board, listing_date: date) -> tuple[Decimal, Decimal] | None:
        """(up, down) of the listing day as multiples of the issue price; None without such a rule."""
        row = self.first_days.find((board.name,), listing_date)
        return (Decimal(row.values["up"]), Decimal(row.values["down"])) if row else None

    def opening_range(
        self, board: Board, listing_date: date, issue_price: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Valid prices (up, down) of the opening auction of a listing day under the 44 % rule."""
        row = self.first_days.row((board.name,), listing_date)
        if "open_auction_up" not in row.values:
            raise self.first_days.missing((board.name,), listing_date)
        tick = self.tick(board, listing_date)
        up, down = (Decimal(row.values[f"open_auction_{way}"]) for way in ("up", "down"))
        return to_tick(issue_price * up, tick), to_tick(issue_price * down, tick)

    def price_limit(
        self,
        board: Board,
        status: Status,
        on: date,
        reference: Decimal | None,
        listing_day: int | None = None,
        *,
        delisting_day: int | None = None,
        event: str | None = None,
    ) -> tuple[Decimal | None, Decimal | None]:
        """(up, down) of the day, (None, None) on a day without a limit.

        ``reference``: the exchange's reference price; on the listing day the issue price. Needed unless the
        day has no limit. ``listing_day``: 1 on the first session, counted in exchange sessions; None when
        long ago or unknown. ``delisting_day``: the same for the delisting period. Both are resolved by the
        rule of their first day. ``event``: what may free this day by name (``resumed_listing``,
        ``relisting``, ``share_reform``, ``public_offering``); without its rule the day is a normal one.
        Precedence: days without a limit, first days, then status.

        >>> rulebook().price_limit(Board.SSE_MAIN, Status.NORMAL, date(2009, 2, 4), Decimal("11.95"))
        (Decimal('13.15'), Decimal('10.76'))
        """
        rule = price_rule(
            self,
            board,
            status,
            on,
            listing_day=listing_day,
            delisting_day=delisting_day,
            event=event,
        )
        if rule.bounds is None:
            return None, None
        if reference is None or reference <= 0:
            raise UsageError("price.reference", "a price limit needs a reference price", found=str(reference))
        tick = self.tick(board, on)
        up = to_tick(reference * rule.bounds[0], tick)
        down = to_tick(reference * rule.bounds[1], tick)
        if up - reference < tick:
            up = reference + tick
        if reference - down < tick:
            down = reference - tick
        return up, max(down, tick)

    def tick(self, board: Board, on: date) -> Decimal:
        """Smallest price step in yuan."""
        return Decimal(self.ticks.row((board.name,), on).values["tick"])

    def lot(self, board: Board, on: date) -> LotRule:
        return LotRule(**self.lots.row((board.name,), on).values)

    def settlement_days(self, board: Board, on: date, asset: str | None = None) -> int:
        """Sessions a bought position waits before it may be sold: 1 for stocks, 0 for convertible bonds.

        ``asset`` names a class of the settlement table when the data knows it (``etf_gold`` …); without it
        a fund counts as one on domestic equities.
        """
        return int(self.settlement.row((asset or _SETTLES_AS[asset_of(board)],), on).values["days"])

    def sellable(
        self, board: Board, on: date, *, held_before: int, bought_today: int, asset: str | None = None
    ) -> int:
        """Shares that may be sold on ``on``, of those held before it and those bought on it."""
        waits = self.settlement_days(board, on, asset) > 0
        return held_before if waits else held_before + bought_today

    def bonus_lag(self, board: Board, ex_date: date) -> int:
        """Sessions after the ex-date when bonus shares may first be sold; an announced date wins."""
        return int(self.bonus_shares.row((mic_of(board) or "",), ex_date).values["lag"])

    def fee_rows(self, board: Board, on: date) -> tuple[Row, Row, Row]:
        """The stamp duty, transfer fee and commission rows in force."""
        key = (mic_of(board) or "", asset_of(board).value)
        return self.stamp_duty.row(key, on), self.transfer_fee.row(key, on), self.commission.row((), on)

    def explain(self, board: Board, status: Status, on: date) -> tuple[Row, ...]:
        """Every row that governs a trade on this board, status and date, each with source and confidence."""
        settles = self.settlement.row((_SETTLES_AS[asset_of(board)],), on)
        orders = (self.ticks.row((board.name,), on), self.lots.row((board.name,), on), settles)
        return (self.limit_row(board, status, on), *orders, *self.fee_rows(board, on))


@cache
def rulebook() -> Rulebook:
    """The rulebook that ships with this version."""
    return Rulebook()


def limit_price(reference: int, rate: int, tick: int, *, up: bool) -> int:
    """``Rulebook.price_limit`` on ints: prices and tick at one scale, ``rate`` at RATE_SCALE.

    int64 arrays give the same result with the same formula, while ``reference`` stays below 2e9 (200,000
    yuan at PRICE_SCALE) and every rate below 1::

        factor = RATE_SCALE + rate if up else RATE_SCALE - rate
        price = (2 * reference * factor + RATE_SCALE * tick) // (2 * RATE_SCALE * tick) * tick
        up:   price = max(price, reference + tick)
        down: price = max(min(price, reference - tick), tick)
    """
    factor = RATE_SCALE + rate if up else RATE_SCALE - rate
    price = (2 * reference * factor + RATE_SCALE * tick) // (2 * RATE_SCALE * tick) * tick
    return max(price, reference + tick) if up else max(min(price, reference - tick), tick)


def _rate(row: Row) -> Decimal | None:
    rate = row.values["rate"]
    return None if rate == "none" else Decimal(rate)


def _asset(row: Row) -> Asset:
    return asset_of(Board[row.values["board"]])
