"""The kernel again, slow and obvious: a loop over bars in Python integers and Decimal, no events, no states.

It shares no code with the kernel and knows only its written rules (docs/kernel.md).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from quant.native.kernel import ConstructConfig, KernelConfig, Market

MICRO = 100  # micro-yuan in one unit of price
RATE = 10**9
TRADING, SUSPENDED, NO_LIMIT = 2, 4, 32


def months_later(day: int, months: int) -> int:
    start = date(1970, 1, 1) + timedelta(days=day)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return (date(year, month + 1, min(start.day, last)) - date(1970, 1, 1)).days


@dataclass
class Holding:
    quantity: int = 0
    bought_today: int = 0
    mark: int = 0
    lots: list[list[int]] = field(default_factory=list)  # [epoch day, shares], oldest first
    paid: list[tuple[int, int, int]] = field(default_factory=list)  # epoch day, micro-yuan a share, session


@dataclass(frozen=True)
class TwinFill:
    row: int
    instrument: int
    side: int
    quantity: int
    price: int
    commission: int
    stamp: int
    transfer: int


@dataclass
class Wish:
    instrument: int
    side: int
    quantity: int
    zero: bool


@dataclass
class Twin:
    config: KernelConfig
    market: Market
    plan: ConstructConfig
    cash: int = 0
    held: dict[int, Holding] = field(default_factory=dict)
    owed: list[tuple[int, int]] = field(default_factory=list)
    nav: list[int] = field(default_factory=list)
    cash_history: list[int] = field(default_factory=list)
    fills: list[TwinFill] = field(default_factory=list)

    def cell(self, name: str, t: int, i: int) -> int:
        of_session = name in ("pre_close", "limit_up", "limit_down", "flags")
        return int(self.market.arrays[name][self.day(t) if of_session else t, i])

    def day(self, t: int) -> int:
        return int(self.market.arrays["day"][t])

    def date(self, t: int) -> int:
        return int(self.market.arrays["sessions"][self.day(t)])

    def rule(self, name: str, t: int, i: int) -> int:
        return int(getattr(self.config.rules, name)[self.day(t), self.cell("flags", t, i) >> 8 & 255])

    def rate(self, name: str, t: int, i: int) -> int:
        return int(getattr(self.config.fees, name)[self.day(t), self.cell("flags", t, i) >> 8 & 255])

    def run(self, scores: Mapping[int, list[float]], eligible: Mapping[int, list[bool]]) -> Twin:
        """Decides at the rows of ``scores``; NaN scores are unknown."""
        self.cash = self.config.cash_micro
        pending: list[tuple[int, int]] = []
        for t in range(self.market.T):
            if t == 0 or self.day(t - 1) != self.day(t):
                self.begin(t)
            if self.config.decide == "before_close" and t in scores:
                pending = self.choose(scores[t], eligible[t])
            self.trade(t, self.wishes(t, pending))
            pending = []
            self.end(t)
            if self.config.decide == "after_close" and t in scores:
                pending = self.choose(scores[t], eligible[t])
        return self

    def value(self) -> int:
        worth = sum(h.quantity * h.mark * MICRO for h in self.held.values())
        return self.cash + worth + sum(amount for _, amount in self.owed)

    def begin(self, t: int) -> None:
        for holding in self.held.values():
            holding.bought_today = 0
        actions = self.market.actions
        for k in range(len(actions["ex_index"])):
            i = int(actions["instrument"][k])
            if actions["ex_index"][k] != self.day(t) or i not in self.held:
                continue
            holding, cash = self.held[i], int(actions["cash_per_share"][k])
            if cash:
                holding.paid.append((self.date(t), cash, self.day(t)))
                self.owed.append((max(int(actions["pay_index"][k]), self.day(t)), holding.quantity * cash))
            bonus = holding.quantity * int(actions["bonus_ratio"][k]) // 10**8
            holding.quantity += bonus
            if bonus:
                holding.lots.append([self.date(t), bonus])
            holding.mark = self.cell("pre_close", t, i)
        self.cash += sum(amount for day, amount in self.owed if day <= self.day(t))
        self.owed = [(day, amount) for day, amount in self.owed if day > self.day(t)]

    def choose(self, scores: list[float], eligible: list[bool]) -> list[tuple[int, int]]:
        """Target weights: zeros for names that leave, then the best ``top``, best first."""
        ranked = sorted((-s, i) for i, s in enumerate(scores) if eligible[i] and s == s)[: self.plan.top]
        weight = (RATE - self.plan.cash_buffer) // self.plan.top
        chosen = [i for _, i in ranked]
        return [(i, 0) for i in sorted(self.held) if i not in chosen] + [(i, weight) for i in chosen]

    def wishes(self, t: int, targets: list[tuple[int, int]]) -> list[Wish]:
        nav = self.value()
        found: list[Wish] = []
        for i, weight in targets:
            quantity = self.held[i].quantity if i in self.held else 0
            price = self.reference(t, i)
            missing = nav * weight // RATE - quantity * price * MICRO
            if weight == 0:
                found.append(Wish(i, -1, quantity, True))
            elif missing >= 0:
                found.append(Wish(i, 1, missing // (price * MICRO), False))
            else:
                found.append(Wish(i, -1, -missing // (price * MICRO), False))
        return found

    def reference(self, t: int, i: int) -> int:
        """The last close of the session before bar ``t``, else the ex-reference price."""
        u = t - 1
        while u >= 0 and self.day(u) == self.day(t):
            if close := self.cell("close", u, i):
                return close
            u -= 1
        return self.cell("pre_close", t, i)

    def pieces(self, t: int, i: int, quantity: int, step: int) -> list[int]:
        largest = self.rule("max_order", t, i) // step * step
        return [largest] * (quantity // largest) + ([quantity % largest] if quantity % largest else [])

    def sellable(self, t: int, wish: Wish) -> int:
        holding, step = self.held[wish.instrument], self.rule("sell_step", t, wish.instrument)
        quantity = min(wish.quantity, holding.quantity - holding.bought_today)
        if quantity == holding.quantity:
            return quantity
        quantity = quantity // step * step
        return quantity if quantity >= self.rule("buy_min", t, wish.instrument) else 0

    def buyable(self, t: int, i: int, quantity: int) -> int:
        least, step = self.rule("buy_min", t, i), self.rule("buy_step", t, i)
        return 0 if quantity < least else least + (quantity - least) // step * step

    def bar_price(self, t: int, i: int, side: int) -> int:
        base = self.cell(self.config.fill_at, t, i)
        price = base + side * self.config.slippage_ticks * self.config.tick
        return min(max(price, self.cell("limit_down", t, i)), self.cell("limit_up", t, i))

    def locked(self, t: int, wish: Wish) -> bool:
        i, base = wish.instrument, self.cell(self.config.fill_at, t, wish.instrument)
        flags = self.cell("flags", t, i)
        if flags & SUSPENDED or not flags & TRADING or not base:
            return True
        upward = not wish.zero if self.config.locked == "by_target" else wish.side > 0
        return base >= self.cell("limit_up", t, i) if upward else base <= self.cell("limit_down", t, i)

    def trade(self, t: int, wishes: list[Wish]) -> None:
        taken: dict[int, int] = {}
        for wish in wishes:
            if wish.side < 0 and wish.quantity:
                for piece in self.pieces(
                    t, wish.instrument, self.sellable(t, wish), self.rule("sell_step", t, wish.instrument)
                ):
                    self.execute(t, wish, piece, taken)
        reserved, sent = 0, []
        for wish in (w for w in wishes if w.side > 0):
            quantity = self.buyable(t, wish.instrument, wish.quantity)
            while quantity:
                largest = self.buyable(t, wish.instrument, self.rule("max_order", t, wish.instrument))
                piece = min(quantity, largest)
                quantity = self.buyable(t, wish.instrument, quantity - piece)
                affordable = self.affordable(t, wish.instrument, piece, self.cash - reserved)
                if affordable:
                    reserved += self.cost(t, wish.instrument, affordable)
                    sent.append((wish, affordable))
        for wish, piece in sent:
            self.execute(t, wish, piece, taken)

    def affordable(self, t: int, i: int, quantity: int, cash: int) -> int:
        if self.cell("flags", t, i) & SUSPENDED or not self.cell(self.config.fill_at, t, i):
            return 0
        if self.cost(t, i, quantity) <= cash:
            return quantity
        if self.config.on_insufficient_cash == "reject":
            return 0
        low, high = 0, quantity  # the cost grows with the quantity: search the largest that is paid for
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.cost(t, i, middle) <= cash else (low, middle)
        return self.buyable(t, i, low)

    def cost(self, t: int, i: int, quantity: int) -> int:
        amount = quantity * self.bar_price(t, i, 1) * MICRO
        return amount + sum(self.charges(t, i, 1, amount, quantity))

    def charges(self, t: int, i: int, side: int, amount: int, quantity: int) -> tuple[int, int, int]:
        unit = Decimal("0.01") if self.config.rounding == "cent" else Decimal("0.000001")

        def part(name: str, besides: int = 0) -> int:
            exact = Decimal(amount) / 10**6 * self.rate(name, t, i) / RATE + Decimal(besides) / 10**6
            return int(exact.quantize(unit, ROUND_HALF_UP) * 10**6)

        commission = max(part("commission"), self.rate("commission_min", t, i))
        by_share = quantity * self.rate("transfer_per_share", t, i)
        stamp = part("stamp_buy" if side > 0 else "stamp_sell")
        return commission, stamp, part("transfer", by_share)

    def execute(self, t: int, wish: Wish, quantity: int, taken: dict[int, int]) -> None:
        i, side = wish.instrument, wish.side
        if self.locked(t, wish):
            return
        if self.config.participation is not None:
            room = self.cell("volume", t, i) * self.config.participation // RATE - taken.get(i, 0)
            step = self.rule("buy_step" if side > 0 else "sell_step", t, i)
            if room < quantity:
                quantity = max(room, 0) // step * step
            taken[i] = taken.get(i, 0) + quantity
            if quantity == 0:
                return
        price = self.bar_price(t, i, side)
        amount = quantity * price * MICRO
        commission, stamp, transfer = self.charges(t, i, side, amount, quantity)
        self.cash -= side * amount + commission + stamp + transfer
        holding = self.held.setdefault(i, Holding(mark=price))
        holding.quantity += side * quantity
        if side > 0:
            holding.lots.append([self.date(t), quantity])
        else:
            self.cash -= self.dividend_tax(t, i, quantity)
        if side > 0 and self.rule("settlement_days", t, i):
            holding.bought_today += quantity
        if holding.quantity == 0:
            del self.held[i]
        self.fills.append(TwinFill(t, i, side, quantity, price, commission, stamp, transfer))

    def dividend_tax(self, t: int, i: int, quantity: int) -> int:
        """Takes ``quantity`` from the lots and gives the tax on what they had received."""
        taken, lots = [], self.held[i].lots
        while quantity:
            part = min(quantity, lots[0][1])
            taken.append((lots[0][0], part))
            lots[0][1] -= part
            quantity -= part
            if not lots[0][1]:
                del lots[0]
        tables, total = self.config.dividend_tax, 0
        if tables is None:
            return 0
        unit = Decimal("0.01") if self.config.rounding == "cent" else Decimal("0.000001")
        for ex, cash, session in self.held[i].paid:
            due = Decimal(0)
            for bought, part in taken:
                held = tables.beyond
                if self.date(t) <= months_later(bought, 12):
                    held = tables.upto_year
                if self.date(t) <= months_later(bought, 1):
                    held = tables.upto_month
                board = int(self.market.arrays["flags"][session, i]) >> 8 & 255
                if bought < ex:
                    due += Decimal(part * cash) / 10**6 * int(held[session, board]) / RATE
            total += int(due.quantize(unit, ROUND_HALF_UP) * 10**6)
        return total

    def end(self, t: int) -> None:
        for i, holding in self.held.items():
            holding.mark = self.cell("close", t, i) or holding.mark
        if t + 1 == self.market.T or self.day(t + 1) != self.day(t):
            self.nav.append(self.value())
            self.cash_history.append(self.cash)
