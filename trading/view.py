"""What a strategy sees at one instant, and the intents it leaves there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import QuantError, UsageError
from quant.core.market.instrument import LISTED, SUSPENDED
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE
from quant.core.time import from_epoch_days
from quant.native.batch import Batch, BatchKind, IntentKind, OrderKind, Phase, Tif
from quant.trading.market_data import KNOWN_FROM, MarketData
from quant.trading.ports import Book, Ns

Floats = NDArray[np.float64]
Number = int | float | Decimal
EventKind = Literal[
    "ack", "fill", "cancelled", "rejected", "expired", "cancel_rejected", "replaced", "replace_rejected",
    "triggered", "carried",
]  # fmt: skip
Kind = Literal["market", "limit", "stop", "stop_limit", "open_auction", "close_auction"]
InForce = Literal["day", "gtc", "ioc", "fok"]
_MAX_WEIGHT: Final = 100.0
_MAX_QUANTITY: Final = 10**15


@dataclass(frozen=True, slots=True)
class Position:
    """A holding. ``sellable`` leaves out what was bought today (T+1); money in yuan."""

    code: str
    quantity: int
    sellable: int
    cost: float
    price: float

    @property
    def value(self) -> float:
        """Quantity at its present mark, yuan."""
        return self.quantity * self.price


class View:
    """The world at ``ts``: nothing in it was known later. Arrays are copies; their last axis is ``codes``.

    Leave intents with :meth:`target_weight`, :meth:`target_quantity` and :meth:`order`.
    """

    __slots__ = ("_book", "_data", "_positions", "_rows", "phase", "seed", "t", "ts")

    def __init__(self, data: MarketData, book: Book, ts: Ns, t: int, phase: Phase, seed: int = 0) -> None:
        self._data, self._book = data, book
        self.ts, self.t, self.phase, self.seed = ts, t, phase, seed
        self._rows: list[dict[str, int]] = []
        self._positions: dict[str, Position] | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """Every instrument of the session, in the order of the arrays' last axis."""
        return self._data.codes

    @property
    def session(self) -> date:
        """Today, the exchange's date."""
        return self._data.session(self.t)

    @property
    def nav(self) -> float:
        """Net asset value in yuan: cash + holdings at their marks + dividends on their way."""
        return self._book.nav / MONEY_SCALE

    @property
    def cash(self) -> float:
        """Cash that can be spent now, yuan; what orders on their way have reserved is left out."""
        return self._book.available / MONEY_SCALE

    def sessions(self, n: int) -> list[date]:
        """Today and the sessions before it, at most ``n``, ascending."""
        days = self._data.days[: self._data.first + self.t + 1]
        if not self._data.market.daily:
            days = np.unique(days)
        return [from_epoch_days(int(day)) for day in days[max(0, len(days) - _count(n)) :]]

    def history(self, field: str, n: int, *, code: str | None = None) -> Floats:
        """The last ``n`` values of ``field`` that are known now, ``[n, S]``, or ``[n]`` for one ``code``.

        One value a bar. Fields are those of expressions: ``close`` is post-adjusted, ``raw_close`` as
        traded. Before the close of a bar the last row is the bar before, but for fields known earlier
        (``open``, ``pre_close``, ``limit_up`` …). Rows before the first one there is are NaN. NaN = unknown.

        Raises:
            UsageError: no such field or code, or n < 1.
        """
        count = _count(n)
        matrix = self._matrix(field)
        end = self._data.first + self.t + (self.phase >= KNOWN_FROM.get(field, Phase.CLOSE))
        begin = max(0, end - count)
        columns: int | slice = slice(None) if code is None else self._data.instrument(code)
        known = np.array(matrix[begin:end, columns], dtype=np.float64)
        if len(known) == count:
            return known
        missing = np.full((count - len(known), *known.shape[1:]), np.nan)
        return np.concatenate([missing, known])

    def last(self, field: str, *, code: str | None = None) -> Any:
        """The newest known values of ``field``, ``[S]``, or one float for ``code``."""
        if code is None:
            return self.history(field, 1)[0]
        data = self._data
        series = data.series.get((field, code))
        if series is None:
            self._matrix(field)
            series = data.series_of(field, code)
        values, known = series
        at = data.first + self.t - (self.phase < known)
        return values[at] if at >= 0 else math.nan

    def limits(self, code: str) -> tuple[float, float]:
        """Today's (limit up, limit down) in yuan; NaN where the day has none."""
        return self.last("limit_up", code=code), self.last("limit_down", code=code)

    def tradable(self) -> NDArray[np.bool_]:
        """In the spec's universe, listed and not suspended today, as far as known now, ``[S]``."""
        market = self._data.market
        flags = market.arrays["flags"][market.session_of(self.t)]
        alive = (flags & np.uint32(LISTED) != 0) & (flags & np.uint32(SUSPENDED) == 0)
        return np.asarray(alive & self.universe())

    def universe(self) -> NDArray[np.bool_]:
        """The names that the spec's universe holds at this decision, ``[S]``."""
        if self._data.universe is None:
            return np.ones(len(self.codes), dtype=bool)
        return np.array(self._data.universe[self._data.first + self.t])

    @property
    def positions(self) -> Mapping[str, Position]:
        """Holdings by code; names without a share are not in it."""
        if self._positions is None:
            self._positions = {p.code: p for p in holdings(self._book, self._data)}
        return self._positions

    def position(self, code: str) -> int:
        """Shares held of ``code``, 0 if none."""
        return self._book.quantity(self._data.instrument(code))

    def orders(self) -> list[SeenOrder]:
        """Today's orders so far, with those that a rule or a risk limit rejected before they were sent."""
        since = int(self._data.market.first_bars[self._data.market.session_of(self.t)])
        return list(seen_orders(self._book, self.codes, since))

    def random(self) -> np.random.Generator:
        """A generator seeded by the spec's seed and this instant: the same in every run and every restart."""
        return np.random.default_rng([self.seed, self.ts])

    def target_weight(self, code: str, weight: Number) -> None:
        """Hold ``code`` with ``weight`` of the net asset value; 0 sells it all."""
        value = _finite("weight", weight, 0.0, _MAX_WEIGHT)
        self._intend(code, IntentKind.WEIGHT, weight=round(value * RATE_SCALE))

    def target_quantity(self, code: str, quantity: int) -> None:
        """Hold ``quantity`` shares of ``code``; 0 sells it all."""
        self._intend(code, IntentKind.QUANTITY, quantity=_whole(quantity, 0))

    def order(
        self,
        code: str,
        side: Literal["buy", "sell"],
        quantity: int,
        price: Number | None = None,
        *,
        kind: Kind | None = None,
        stop: Number | None = None,
        tif: InForce = "day",
    ) -> None:
        """Send one order; ``price`` None = at the market, else the limit in yuan.

        ``kind`` follows from ``price`` and ``stop`` unless it is an auction's: the stop makes a market
        (or, with a price, limit) order of it once it has traded. ``tif``: good for the ``day``, till
        cancelled (``gtc``), immediate or cancel (``ioc``), fill or kill (``fok``).
        """
        _one_of("side", side, ("buy", "sell"))
        own = ("limit" if price is not None else "market") if stop is None else (
            "stop_limit" if price is not None else "stop"
        )
        chosen = own if kind is None else _one_of("kind", kind, get_args(Kind))
        if chosen != own and not chosen.endswith("_auction"):
            raise UsageError(
                "intent.kind", f"a {chosen} order does not fit the prices given", expected=own, found=chosen
            )
        self._intend(
            code,
            IntentKind.ORDER,
            quantity=_whole(quantity, 1),
            side=1 if side == "buy" else -1,
            price=_price("price", price),
            stop=_price("stop", stop),
            order_kind=int(OrderKind[chosen.upper()]),
            tif=int(Tif[_one_of("tif", tif, get_args(InForce)).upper()]),
        )

    def cancel(self, order_id: int) -> None:
        """Take an open order back; nothing happens to one that is done already."""
        self._amend(order_id, IntentKind.CANCEL)

    def replace(
        self,
        order_id: int,
        *,
        quantity: int | None = None,
        price: Number | None = None,
        stop: Number | None = None,
    ) -> None:
        """Change an open order with a limit or a stop; None = as it was.

        ``quantity`` is the new total, what is filled included.
        """
        self._amend(
            order_id,
            IntentKind.REPLACE,
            quantity=0 if quantity is None else _whole(quantity, 1),
            price=_price("price", price),
            stop=_price("stop", stop),
        )

    def intents(self) -> Batch:
        """What was intended so far, in order."""
        names = ("instrument", "kind", "weight", "quantity", "side", "price", "tif", "order_kind", "stop",
                 "order_id")  # fmt: skip
        columns = {name: [row.get(name, 0) for row in self._rows] for name in names}
        return Batch.of(BatchKind.INTENTS, self.ts, self.phase, self.t, **columns)

    def rows(self) -> list[dict[str, int]] | None:
        """What was intended so far, as rows; None when nothing was."""
        return self._rows or None

    def _intend(self, code: str, kind: IntentKind, **values: int) -> None:
        instrument = self._data.instrument(code)
        members = self._data.members
        if members is not None and not members[instrument]:
            raise UsageError(
                "intent.universe",
                f"{code} is not a member of the spec's universe",
                found=code,
                hint="choose among view.tradable(), or widen use.universe",
            )
        self._rows.append({"instrument": instrument, "kind": int(kind), **values})

    def _amend(self, order_id: int, kind: IntentKind, **values: int) -> None:
        orders = self._book.orders()
        known = isinstance(order_id, int | np.integer) and 1 <= order_id <= len(orders["order_id"])
        if not known:
            raise UsageError(
                "intent.order_id",
                "there is no such order",
                expected="an id of view.orders()",
                found=repr(order_id),
            )
        instrument = int(orders["instrument"][int(order_id) - 1])
        self._rows.append(
            {"instrument": instrument, "kind": int(kind), "order_id": int(order_id), **values}
        )

    def _matrix(self, field: str) -> NDArray[Any]:
        try:
            return self._data.columns[field]
        except KeyError:
            raise _unknown_field(field, self._data.columns) from None


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """One of today's orders; ``state`` and ``reason`` are the names of the order state table, lower case."""

    order_id: int
    code: str
    side: Literal["buy", "sell"]
    quantity: int
    filled: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One report on an order of this session, as a strategy sees it; ``price`` in yuan, 0 unless a fill."""

    order_id: int
    code: str
    side: Literal["buy", "sell"]
    kind: EventKind
    quantity: int
    price: float
    reason: str = field(default="")


def holdings(book: Book, data: MarketData) -> Iterator[Position]:
    """The book's positions with shares, in instrument order."""
    held = book.positions()
    names = ("instrument", "quantity", "sellable", "cost", "price")
    for instrument, quantity, sellable, cost, price in zip(*(held[n].tolist() for n in names), strict=True):
        if quantity:
            yield Position(
                data.codes[instrument], quantity, sellable, cost / MONEY_SCALE, price / PRICE_SCALE
            )


def seen_orders(book: Book, codes: tuple[str, ...], since: int) -> Iterator[SeenOrder]:
    """The orders from bar ``since`` on, in the order of their ids."""
    from quant.native.kernel import OrderState, Reason

    orders = book.orders()
    for at in np.flatnonzero(orders["row"] >= since).tolist():
        reason = int(orders["reason"][at])
        yield SeenOrder(
            order_id=int(orders["order_id"][at]),
            code=codes[int(orders["instrument"][at])],
            side="buy" if orders["side"][at] > 0 else "sell",
            quantity=int(orders["quantity"][at]),
            filled=int(orders["filled"][at]),
            state=OrderState(int(orders["state"][at])).name.lower(),
            reason=Reason(reason).name.lower() if reason else "",
        )


def book_of(view: View) -> Any:
    """The kernel behind a view: for the engine's own strategies, not for users' ones."""
    return view._book


def data_of(view: View) -> MarketData:
    """All data behind a view, later values included: for code that keeps to ``KNOWN_FROM`` itself."""
    return view._data


def _unknown_field(field: str, columns: Mapping[str, Any]) -> QuantError:
    from difflib import get_close_matches

    near = get_close_matches(str(field), list(columns), 1)
    return UsageError(
        "view.field",
        f"there is no field {field!r}",
        found=repr(field),
        expected=", ".join(sorted(columns)),
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UsageError(
            f"intent.{what}", f"{value!r} is not a {what}", expected=" or ".join(allowed), found=repr(value)
        )
    return value


def _price(what: str, value: Number | None) -> int:
    return 0 if value is None else round(_finite(what, value, 1 / PRICE_SCALE, 1e9) * PRICE_SCALE)


def _count(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise UsageError("view.rows", "the number of rows must be a whole number from 1", found=repr(n))
    return int(n)


def _whole(quantity: Any, least: int) -> int:
    if isinstance(quantity, float) and quantity.is_integer():
        quantity = int(quantity)
    whole = isinstance(quantity, int | np.integer) and not isinstance(quantity, bool)
    if not whole or not least <= quantity <= _MAX_QUANTITY:
        raise UsageError(
            "intent.quantity",
            "a quantity is a whole number of shares",
            expected=f"{least} or more",
            found=repr(quantity),
        )
    return int(quantity)


def _finite(what: str, value: Number, least: float, most: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not least <= number <= most:
        raise UsageError(
            f"intent.{what}", f"a {what} is a number from {least:g} to {most:g}", found=repr(value)
        )
    return number
