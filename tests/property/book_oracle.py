"""The order book as its definition says, slow and obvious: one list of orders, sorted whenever asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from quant.native.batch import OrderKind, Tif
from quant.native.exchange import AuctionRule, BookEvent, TieBreak
from quant.native.kernel import Reason

Event = tuple[int, int, int, int, int, int]
AUCTION = (OrderKind.OPEN_AUCTION, OrderKind.CLOSE_AUCTION)


@dataclass
class Order:
    id: int
    side: int
    kind: OrderKind
    tif: Tif
    price: int
    stop: int
    quantity: int
    age: int = 0

    @property
    def market(self) -> bool:
        return self.kind is OrderKind.MARKET or (self.kind in AUCTION and self.price == 0)


@dataclass
class Oracle:
    tick: int = 1
    last: int = 0
    auction: bool = False
    clock: int = 0
    resting: list[Order] = field(default_factory=list)
    stops: list[Order] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def say(
        self, kind: BookEvent, order: Order, price: int, quantity: int, reason: Reason, other: int = 0
    ) -> None:
        self.events.append((int(kind), order.id, other, price, quantity, int(reason.value)))

    def add(self, order: Order) -> None:
        reason = self.refusal(order)
        if reason is not Reason.NONE:
            self.say(BookEvent.REJECTED, order, order.price, order.quantity, reason)
            return
        if order.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT):
            self.stamp(order)
            self.stops.append(order)
            self.say(BookEvent.ACCEPTED, order, order.stop, order.quantity, Reason.NONE)
        elif self.auction:
            self.rest(order)
        else:
            self.enter(order)
        if not self.auction:
            self.trigger()

    def refusal(self, order: Order) -> Reason:
        limit = order.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
        stop = order.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
        known = any(other.id == order.id for other in self.resting + self.stops)
        if order.side not in (1, -1) or order.quantity <= 0 or known or order.price < 0 or order.stop < 0:
            return Reason.INVALID
        if (limit and order.price == 0) or (stop and order.stop == 0):
            return Reason.INVALID
        if (limit or order.kind in AUCTION) and order.price % self.tick:
            return Reason.TICK
        if stop:
            return Reason.TICK if order.stop % self.tick else Reason.NONE
        patient = order.kind is OrderKind.LIMIT and order.tif in (Tif.DAY, Tif.GTC)
        gathers = order.kind in AUCTION or patient
        allowed = gathers if self.auction else order.kind not in AUCTION
        return Reason.NONE if allowed else Reason.WRONG_PHASE

    def stamp(self, order: Order) -> None:
        self.clock += 1
        order.age = self.clock

    def rest(self, order: Order) -> None:
        self.stamp(order)
        self.resting.append(order)
        self.say(BookEvent.ACCEPTED, order, order.price, order.quantity, Reason.NONE)

    def makers(self, taker: Order) -> list[Order]:
        against = [o for o in self.resting if o.side == -taker.side]
        if taker.kind is not OrderKind.MARKET:
            against = [o for o in against if taker.side * (taker.price - o.price) >= 0]
        return sorted(against, key=lambda o: (taker.side * o.price, o.age))

    def enter(self, order: Order) -> None:
        makers = self.makers(order)
        if order.tif is not Tif.FOK or sum(o.quantity for o in makers) >= order.quantity:
            for maker in makers:
                quantity = min(maker.quantity, order.quantity)
                if quantity == 0:
                    break
                self.say(BookEvent.TRADE, order, maker.price, quantity, Reason.NONE, maker.id)
                self.last = maker.price
                maker.quantity -= quantity
                order.quantity -= quantity
            self.resting = [o for o in self.resting if o.quantity > 0]
        if order.quantity == 0:
            return
        if order.kind is OrderKind.LIMIT and order.tif in (Tif.DAY, Tif.GTC):
            self.rest(order)
        else:
            self.say(BookEvent.EXPIRED, order, order.price, order.quantity, Reason.NOT_FILLED)

    def trigger(self) -> None:
        while True:
            ready = [o for o in self.stops if self.last and o.side * (self.last - o.stop) >= 0]
            if not ready:
                return
            order = min(ready, key=lambda o: o.age)
            self.stops.remove(order)
            order.kind = OrderKind.MARKET if order.kind is OrderKind.STOP else OrderKind.LIMIT
            self.say(BookEvent.TRIGGERED, order, self.last, order.quantity, Reason.NONE)
            self.enter(order)

    def cancel(self, order_id: int) -> None:
        for orders in (self.resting, self.stops):
            for order in [o for o in orders if o.id == order_id]:
                orders.remove(order)
                self.say(BookEvent.CANCELLED, order, order.price, order.quantity, Reason.CANCEL_REQUESTED)

    def replace(self, order_id: int, price: int, quantity: int) -> None:
        found = [o for o in self.resting + self.stops if o.id == order_id]
        if not found:
            return
        order = found[0]
        if quantity <= 0 or price < 0 or price % self.tick or (price == 0) != (order.price == 0):
            self.events.append(
                (int(BookEvent.REJECTED), order_id, 0, price, quantity, int(Reason.INVALID.value))
            )
        elif price == order.price and quantity <= order.quantity:
            order.quantity = quantity
            self.say(BookEvent.ACCEPTED, order, price, quantity, Reason.NONE)
        else:
            self.resting = [o for o in self.resting if o is not order]
            self.stops = [o for o in self.stops if o is not order]
            order.price, order.quantity = price, quantity
            self.add(order)

    def traded_at(self, price: int) -> tuple[int, int]:
        buys = sum(o.quantity for o in self.resting if o.side == 1 and (o.market or o.price >= price))
        sells = sum(o.quantity for o in self.resting if o.side == -1 and (o.market or o.price <= price))
        return buys, sells

    def auction_price(self, rule: AuctionRule) -> tuple[int, int, int, int]:
        """Tries every price from one tick to far above the highest order and the reference."""
        prices = [o.price for o in self.resting if not o.market]
        top = max([*prices, rule.reference, self.tick]) + 3 * self.tick
        grid = range(max(rule.low, self.tick), (rule.high or top) + 1, self.tick)
        by_reference = rule.reference and (rule.tie is TieBreak.REFERENCE or not prices)
        candidates = list(grid) if by_reference else sorted(set(prices))
        tried = {price: self.traded_at(price) for price in candidates}
        volume = max((min(t) for t in tried.values()), default=0)
        if volume == 0:
            return 0, 0, 0, 0
        most = {p: abs(b - s) for p, (b, s) in tried.items() if min(b, s) == volume}
        best = [p for p, imbalance in most.items() if imbalance == min(most.values())]
        if by_reference:
            price = min(best, key=lambda p: (abs(p - rule.reference), -p))
        else:
            price = (min(best) + max(best) + self.tick) // (2 * self.tick) * self.tick
        buys, sells = self.traded_at(price)
        return price, min(buys, sells), buys, sells

    def uncross(self, rule: AuctionRule) -> tuple[int, int, int, int]:
        found = self.auction_price(rule)
        price, left = found[:2]
        while left > 0:
            buy, sell = (
                min((o for o in self.resting if o.side == side and o.quantity),
                    key=lambda o, side=side: (not o.market, -side * o.price, o.age))
                for side in (1, -1)
            )  # fmt: skip
            quantity = min(buy.quantity, sell.quantity, left)
            self.say(BookEvent.TRADE, buy, price, quantity, Reason.NONE, sell.id)
            buy.quantity -= quantity
            sell.quantity -= quantity
            left -= quantity
        self.last = price or self.last
        self.resting = [o for o in self.resting if o.quantity > 0]
        for order in sorted((o for o in self.resting if o.kind in AUCTION), key=lambda o: o.age):
            self.say(BookEvent.EXPIRED, order, order.price, order.quantity, Reason.NOT_FILLED)
            self.resting.remove(order)
        self.auction = False
        self.trigger()
        return found

    def end_day(self) -> None:
        for order in sorted(self.resting + self.stops, key=lambda o: o.age):
            if order.tif is not Tif.GTC:
                self.say(BookEvent.EXPIRED, order, order.price, order.quantity, Reason.DAY_END)
        self.resting = [o for o in self.resting if o.tif is Tif.GTC]
        self.stops = [o for o in self.stops if o.tif is Tif.GTC]

    def depth(self, side: int) -> list[tuple[int, int, int]]:
        prices = sorted({o.price for o in self.resting if o.side == side and not o.market}, reverse=side == 1)
        return [
            (p, sum(o.quantity for o in at), len(at))
            for p in prices
            for at in [[o for o in self.resting if o.side == side and o.price == p and not o.market]]
        ]
