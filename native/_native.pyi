"""The C++20 core of quant."""

from collections.abc import Callable, Sequence
import enum
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


KERNEL_HASH: str = ...

class Reason(enum.IntEnum):
    """Why an order or an account was stopped or changed."""

    NONE = 0

    LIMIT_UP = 1

    LIMIT_DOWN = 2

    SUSPENDED = 3

    NO_BAR = 4

    PARTICIPATION = 5

    LIMIT_PRICE = 6

    DAY_END = 7

    CANCEL_REQUESTED = 8

    VENUE_SILENT = 9

    WRONG_PHASE = 10

    BEYOND_LIMIT = 11

    PRICE_CAGE = 12

    TICK = 13

    NOT_FILLED = 14

    OUT_OF_SESSION = 15

    HALTED = 20

    PAUSED = 21

    INVALID = 22

    NO_PRICE = 23

    FORBIDDEN = 24

    LOT = 25

    MAX_ORDER = 26

    NOT_SELLABLE = 27

    ORDER_QUANTITY = 28

    ORDER_VALUE = 29

    SINGLE_NAME = 30

    GROSS = 31

    CASH_FLOOR = 32

    CASH = 33

    REDUCED_TO_CASH = 34

    CORPORATE_ACTION = 35

    DAILY_LOSS = 40

    DRAWDOWN = 41

    OPERATOR = 42

class OrderState(enum.IntEnum):
    """Where an order stands."""

    NEW = 0

    WAITING = 1

    SENT = 2

    WORKING = 3

    PARTIAL = 4

    CANCELLING = 5

    FILLED = 6

    CANCELLED = 7

    REJECTED = 8

    EXPIRED = 9

    REPLACING = 10

class OrderEvent(enum.IntEnum):
    """What can happen to an order."""

    HOLD = 0

    SEND = 1

    ACK = 2

    PARTIAL_FILL = 3

    FILL = 4

    CANCEL_REQUEST = 5

    CANCEL_REFUSED = 6

    CANCEL = 7

    REJECT = 8

    EXPIRE = 9

    REPLACE_REQUEST = 10

    REPLACE = 11

    REPLACE_REFUSED = 12

    TRIGGER = 13

    CARRY = 14

class LedgerKind(enum.IntEnum):
    """What a ledger entry is."""

    DEPOSIT = 0

    TRADE = 1

    COMMISSION = 2

    STAMP = 3

    TRANSFER = 4

    DIVIDEND = 5

    DIVIDEND_PAID = 6

    BONUS = 7

    DIVIDEND_TAX = 8

def next_state(state: OrderState, event: OrderEvent) -> object: ...

class Market:
    """A panel by reference; native/market.py checks and explains it."""

    def __init__(self, sessions: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], day: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], instants: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], open: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], high: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], low: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], close: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], pre_close: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], limit_up: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], limit_down: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], vwap: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], volume: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], flags: Annotated[NDArray[numpy.uint32], dict(shape=(None, None), order='C', device='cpu', writable=False)], ex_index: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], pay_index: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], instrument: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], cash_per_share: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], bonus_ratio: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], inferred: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

class Kernel:
    """The kernel; native/kernel.py is its typed facade."""

    def __init__(self, market: Market, config: object) -> None: ...

    def snapshot(self) -> bytes: ...

    def restore(self, arg: bytes, /) -> None: ...

    def step_slice(self, arg0: int, arg1: int, /) -> dict: ...

    def step_intents(self, arg: dict, /) -> dict: ...

    def step_reports(self, arg: dict, /) -> dict: ...

    def step_control(self, arg0: int, arg1: int, arg2: str, /) -> dict: ...

    @property
    def nav(self) -> int: ...

    @property
    def cash(self) -> int: ...

    @property
    def available(self) -> int: ...

    @property
    def reserved(self) -> int: ...

    @property
    def withdrawable(self) -> int: ...

    @property
    def receivable(self) -> int: ...

    @property
    def halted(self) -> bool: ...

    @property
    def paused(self) -> bool: ...

    @property
    def now(self) -> tuple[int, int, int]: ...

    @property
    def state_hash(self) -> str: ...

    def chain(self) -> list[tuple[int, str]]: ...

    def positions(self) -> dict: ...

    def quantity(self, arg: int, /) -> int: ...

    def position_history(self) -> dict: ...

    def orders(self) -> dict: ...

    def fills(self) -> dict: ...

    def ledger(self) -> dict: ...

    def names(self) -> dict: ...

    def nav_history(self) -> dict: ...

class SimVenue:
    """The simulated exchange; native/kernel.py is its typed facade."""

    def __init__(self, market: Market, config: object) -> None: ...

    def submit(self, arg: dict, /) -> None: ...

    def poll(self, arg0: int, arg1: int, /) -> dict: ...

    def drain(self) -> dict: ...

    @property
    def now(self) -> tuple[int, int]: ...

    def open_state(self) -> dict: ...

    def snapshot(self) -> bytes: ...

    def restore(self, arg: bytes, /) -> None: ...

def construct(plan: object, scores: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], eligible: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu', writable=False)], kernel: Kernel) -> dict: ...

def run_called(kernel: Kernel, venue: SimVenue, phases: Sequence[int], decide_seen: bool, rows: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, ask: Callable) -> None: ...

def run_fused(kernel: Kernel, venue: SimVenue, plan: object, scores: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], eligible: Annotated[NDArray[numpy.bool_], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, rows: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], first: int, last: int, before_close: bool) -> None: ...

def price_band(reference: int, rule: tuple[int, int, int]) -> tuple[int, int]: ...

def price_cage(side: int, price: int, quote: tuple[int, int, int, int], rule: tuple[int, int, int, int, int]) -> int: ...

def ex_reference(prev_close: int, due: tuple[int, int, int, int, int], tick: int) -> int: ...

def holding_due(quantity: int, due: tuple[int, int, int, int, int], unit: int) -> tuple[int, int]: ...

def adjustment_step(prev_close: int, reference: int, unit: int) -> int: ...

def adjusted_price(price: int, factor: int, last_factor: int) -> int: ...

def order_quantity_ok(lots: tuple[int, int, int, int], largest: int, side: int, quantity: int, position: int) -> bool: ...

def sellable_today(settlement_days: int, held_before: int, bought_today: int) -> int: ...

def buy_room(cap: int, bought_today: int) -> int: ...

def high_frequency(rule_per_second: int, rule_per_day: int, most_per_second: int, per_day: int) -> bool: ...

def short_sale_ok(rule: tuple[bool, bool, bool], price: int, last: int, prev_close: int, borrowed: bool, listed: bool) -> bool: ...

def phase_at(day: Sequence[tuple[int, int, int, int]], time: int) -> tuple[int, bool]: ...

def market_open(day: Sequence[tuple[int, int, int, int]], halts: Sequence[tuple[int, int]], time: int) -> bool: ...

def circuit_breaker(rule: tuple[int, int, int, int, int], index_return: int, time: int) -> tuple[int, int]: ...

def ipo_halt(rule: tuple[int, int, int, int], open: int, price: int, time: int, used: int) -> tuple[bool, int, int]: ...

def levy(amount: int, rate: int, unit: int) -> int: ...

def transfer_fee(amount: int, quantity: int, rule: tuple[int, int, int], unit: int) -> int: ...

def fees_of(notional: int, quantity: int, side: int, rule: tuple[int, int, int, int, int, int], unit: int) -> tuple[int, int, int]: ...

def dividend_tax(rule: tuple[int, int, int], lots: Sequence[tuple[int, int]], record: int, sold: int, quantity: int, taxable: int, unit: int) -> int: ...

class FactorProgram:
    """A checked factor program; see quant.native.factor."""

    def __init__(self, code: Sequence[tuple[str, Sequence[int], Sequence[float]]], output: int, columns: int) -> None: ...

    def evaluate(self, columns: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)]], mask: Annotated[NDArray[numpy.bool_], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, rows: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], threads: int, isa: str, memory_limit: int) -> None:
        """Fill out with the program's value at the rows. The GIL is released."""

def factor_ops() -> list[tuple[str, int, bool]]:
    """(name, number of slots, has a parameter) of every operation."""

def instruction_sets() -> list[str]:
    """Instruction-set variants this CPU can run."""

def chosen_instruction_set(request: str = '') -> str:
    """The variant in use: argument, else QUANT_ISA, else the best."""

PERFORMANCE_NAMES: tuple = ...

RELATIVE_NAMES: tuple = ...

TURNOVER_NAMES: tuple = ...

def metrics_performance(arg0: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: float, arg2: float, arg3: float, arg4: int, arg5: str | None, arg6: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], /) -> None: ...

def metrics_drawdowns(arg0: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: int, arg2: str | None, arg3: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], /) -> None: ...

def metrics_rolling_sharpe(arg0: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: int, arg2: float, arg3: float, arg4: int, arg5: str | None, arg6: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], /) -> None: ...

def metrics_compound(arg0: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], arg2: int, arg3: str | None, arg4: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], /) -> None: ...

def metrics_relative(arg0: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], arg2: float, arg3: float, arg4: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], /) -> None: ...

def metrics_turnover(arg0: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: float, arg2: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], /) -> None: ...

def panel_scatter(frame: object, days: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], ids: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], targets: Sequence[tuple], digits: int) -> tuple:
    """
    Places rows into matrices; see quant.native.panel. The GIL is released.
    """

def panel_distinct(frame: object, first: int, last: int) -> object:
    """The ids of the frame's rows between two days, increasing."""

def panel_carry(cells: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]) -> None:
    """Fills zeros from above, in place."""

def bars_resample(ts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], open: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], high: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], low: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], close: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], volume: Annotated[NDArray[numpy.int64], dict(shape=(None, 2), order='C', device='cpu', writable=False)] | None, amount: Annotated[NDArray[numpy.int64], dict(shape=(None, 2), order='C', device='cpu', writable=False)] | None, amount_known: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, interest: Annotated[NDArray[numpy.int64], dict(shape=(None, 2), order='C', device='cpu', writable=False)] | None, interest_known: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, offsets: Sequence[int], segments: dict, length: int, right_closed: bool, every_trade: bool, empty: bool) -> dict:
    """
    Rows of several instruments into bars; see quant.native.bars. The GIL is released.
    """

def tick_faults(ts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], price: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], session: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], total: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, low: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, high: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, jump: int) -> object:
    """
    What is wrong with each tick; see quant.native.bars. The GIL is released.
    """

def us_section31(arg0: int, arg1: int, /) -> int: ...

def us_taf(arg0: int, arg1: int, arg2: int, /) -> int: ...

def us_cents_up(arg: int, /) -> int: ...

def us_settle_day(arg0: Sequence[int], arg1: int, arg2: int, /) -> int: ...

def us_pdt_restricted(arg0: int, arg1: int, arg2: int, arg3: int, arg4: int, arg5: int, /) -> bool: ...

def us_day_trading_power(arg0: int, arg1: int, arg2: int, arg3: int, arg4: int, /) -> int: ...

def us_luld(arg0: int, arg1: int, arg2: tuple[int, int], arg3: int, arg4: int, arg5: tuple[int, int], /) -> tuple[int, int]: ...

def us_market_halt(arg0: int, arg1: int, arg2: Sequence[int], arg3: int, arg4: int, /) -> tuple[int, int]: ...

def us_on_tick(arg0: int, arg1: int, arg2: int, /) -> bool: ...

def us_round_lot(arg0: int, arg1: Sequence[int], arg2: Sequence[int], /) -> int: ...

def us_price_test_triggered(arg0: int, arg1: int, arg2: int, /) -> bool: ...

def us_short_price_ok(arg0: int, arg1: int, arg2: bool, /) -> bool: ...

def us_initial_margin(arg0: int, arg1: int, arg2: Sequence[int], /) -> int: ...

def us_maintenance_margin(arg0: int, arg1: int, arg2: Sequence[int], /) -> int: ...

def futures_notional(arg0: int, arg1: int, arg2: int, /) -> int: ...

def futures_variation(arg0: int, arg1: int, arg2: int, arg3: int, /) -> int: ...

def futures_fee(arg0: int, arg1: int, arg2: int, arg3: int, arg4: Sequence[int], arg5: int, /) -> int: ...

def futures_close_lots(arg0: int, arg1: int, arg2: int, arg3: int, arg4: bool, /) -> tuple[int, int]: ...

def futures_price_limits(arg0: int, arg1: int, arg2: int, /) -> tuple[int, int]: ...

def futures_margin(arg0: int, arg1: int, arg2: int, arg3: int, /) -> int: ...

def futures_settlement_price(arg0: Sequence[int], arg1: Sequence[int], arg2: int, /) -> int: ...

def futures_final_settlement(arg0: Sequence[int], arg1: int, /) -> int: ...

def futures_roll(arg0: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], arg1: int, /) -> object: ...

def option_seller_margin(arg0: int, arg1: int, arg2: int, arg3: int, arg4: int, arg5: int, arg6: int, /) -> int: ...

class CoinRange:
    @overload
    def __init__(self) -> None: ...

    @overload
    def __init__(self, arg0: int, arg1: int, arg2: int, /) -> None: ...

    @property
    def min(self) -> int: ...

    @min.setter
    def min(self, arg: int, /) -> None: ...

    @property
    def max(self) -> int: ...

    @max.setter
    def max(self, arg: int, /) -> None: ...

    @property
    def step(self) -> int: ...

    @step.setter
    def step(self, arg: int, /) -> None: ...

class CoinFilters:
    """
    Filters of a symbol; core/market/crypto.py reads exchangeInfo into them.
    """

    def __init__(self) -> None: ...

    @property
    def present(self) -> int: ...

    @present.setter
    def present(self, arg: int, /) -> None: ...

    @property
    def price(self) -> CoinRange: ...

    @price.setter
    def price(self, arg: CoinRange, /) -> None: ...

    @property
    def lot(self) -> CoinRange: ...

    @lot.setter
    def lot(self, arg: CoinRange, /) -> None: ...

    @property
    def market_lot(self) -> CoinRange: ...

    @market_lot.setter
    def market_lot(self, arg: CoinRange, /) -> None: ...

    @property
    def percent_up(self) -> int: ...

    @percent_up.setter
    def percent_up(self, arg: int, /) -> None: ...

    @property
    def percent_down(self) -> int: ...

    @percent_down.setter
    def percent_down(self, arg: int, /) -> None: ...

    @property
    def percent_by_direction(self) -> bool: ...

    @percent_by_direction.setter
    def percent_by_direction(self, arg: bool, /) -> None: ...

    @property
    def bid_up(self) -> int: ...

    @bid_up.setter
    def bid_up(self, arg: int, /) -> None: ...

    @property
    def bid_down(self) -> int: ...

    @bid_down.setter
    def bid_down(self, arg: int, /) -> None: ...

    @property
    def ask_up(self) -> int: ...

    @ask_up.setter
    def ask_up(self, arg: int, /) -> None: ...

    @property
    def ask_down(self) -> int: ...

    @ask_down.setter
    def ask_down(self, arg: int, /) -> None: ...

    @property
    def min_notional(self) -> int: ...

    @min_notional.setter
    def min_notional(self, arg: int, /) -> None: ...

    @property
    def max_notional(self) -> int: ...

    @max_notional.setter
    def max_notional(self, arg: int, /) -> None: ...

    @property
    def min_to_market(self) -> bool: ...

    @min_to_market.setter
    def min_to_market(self, arg: bool, /) -> None: ...

    @property
    def max_to_market(self) -> bool: ...

    @max_to_market.setter
    def max_to_market(self, arg: bool, /) -> None: ...

    @property
    def max_orders(self) -> int: ...

    @max_orders.setter
    def max_orders(self, arg: int, /) -> None: ...

    @property
    def max_algo_orders(self) -> int: ...

    @max_algo_orders.setter
    def max_algo_orders(self, arg: int, /) -> None: ...

    @property
    def max_position(self) -> int: ...

    @max_position.setter
    def max_position(self, arg: int, /) -> None: ...

class CoinOrder:
    """What the filters look at of an order."""

    def __init__(self) -> None: ...

    @property
    def buy(self) -> bool: ...

    @buy.setter
    def buy(self, arg: bool, /) -> None: ...

    @property
    def market(self) -> bool: ...

    @market.setter
    def market(self, arg: bool, /) -> None: ...

    @property
    def algo(self) -> bool: ...

    @algo.setter
    def algo(self, arg: bool, /) -> None: ...

    @property
    def price(self) -> int: ...

    @price.setter
    def price(self, arg: int, /) -> None: ...

    @property
    def quantity(self) -> int: ...

    @quantity.setter
    def quantity(self, arg: int, /) -> None: ...

    @property
    def price_rest(self) -> bool: ...

    @price_rest.setter
    def price_rest(self, arg: bool, /) -> None: ...

    @property
    def quantity_rest(self) -> bool: ...

    @quantity_rest.setter
    def quantity_rest(self, arg: bool, /) -> None: ...

    @property
    def average(self) -> int: ...

    @average.setter
    def average(self, arg: int, /) -> None: ...

    @property
    def open_orders(self) -> int: ...

    @open_orders.setter
    def open_orders(self, arg: int, /) -> None: ...

    @property
    def open_algo_orders(self) -> int: ...

    @open_algo_orders.setter
    def open_algo_orders(self, arg: int, /) -> None: ...

    @property
    def position(self) -> int: ...

    @position.setter
    def position(self, arg: int, /) -> None: ...

def coin_first_failure(arg0: CoinOrder, arg1: CoinFilters, /) -> int: ...

def coin_notional(arg0: int, arg1: int, /) -> int: ...

def coin_fee(arg0: int, arg1: int, /) -> int: ...

def coin_funding_payment(arg0: int, arg1: int, arg2: int, /) -> int: ...

def coin_funding_rate(arg0: int, arg1: int, arg2: int, arg3: int, arg4: tuple[int, int], /) -> int: ...

def coin_maintenance_margin(arg0: int, arg1: Sequence[int], arg2: Sequence[int], arg3: Sequence[int], /) -> int: ...

def coin_liquidation_price(arg0: int, arg1: int, arg2: int, arg3: Sequence[int], arg4: Sequence[int], arg5: Sequence[int], arg6: int, /) -> int: ...

class OrderBook:
    """A limit order book; native/exchange.py is its typed facade."""

    def __init__(self, tick: int) -> None: ...

    def add(self, arg0: int, arg1: int, arg2: int, arg3: int, arg4: int, arg5: int, arg6: int, /) -> dict: ...

    def cancel(self, arg: int, /) -> dict: ...

    def replace(self, arg0: int, arg1: int, arg2: int, /) -> dict: ...

    def begin_auction(self) -> None: ...

    def indicative(self, arg0: int, arg1: int, arg2: int, arg3: int, /) -> tuple[int, int, int, int]: ...

    def uncross(self, arg0: int, arg1: int, arg2: int, arg3: int, /) -> tuple[tuple[int, int, int, int], dict]: ...

    def end_day(self) -> dict: ...

    def depth(self, arg: int, /) -> dict: ...

    def open_quantity(self, arg: int, /) -> int: ...

    def quantity_ahead(self, arg: int, /) -> int: ...

    def sound(self) -> bool: ...

    @property
    def in_auction(self) -> bool: ...

    @property
    def last(self) -> int: ...

def match_bar(bar: Sequence[int], opens: bool, closes: bool, side: int, kind: int, price: int, stop: int, triggered: bool, immediate: bool, at: int, touch: bool) -> tuple[int, int, bool, bool, int]: ...

def slipped(price: int, side: int, quantity: int, volume: int, units: int, rate: int, eta: int) -> int: ...

def square_root(arg: int, /) -> int: ...

class Ticks:
    """A recording by reference; native/exchange.py checks and explains it."""

    def __init__(self, ts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], instrument: object | None, bid: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], ask: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], bid_size: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], ask_size: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], last: object | None, volume: object | None) -> None: ...

class TickVenue:
    """An exchange over ticks; native/exchange.py is its typed facade."""

    def __init__(self, instruments: int, rule: object) -> None: ...

    def set_limits(self, instrument: int, down: int, up: int) -> None: ...

    def set_cage(self, instrument: int, beyond: int, up: int, down: int, ticks: int, tick: int, prev_close: int) -> None: ...

    def set_windows(self, arg0: int, arg1: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], arg2: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], arg3: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], arg4: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu', writable=False)], arg5: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], /) -> None: ...

    def submit(self, arg0: int, arg1: int, arg2: int, arg3: int, arg4: int, arg5: int, arg6: int, arg7: int, arg8: int, arg9: int, /) -> None: ...

    def feed(self, ticks: Ticks, first: int, last: int) -> dict: ...

    def feed_depth(self, ts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], instrument: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], kind: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], side: Annotated[NDArray[numpy.int8], dict(shape=(None,), order='C', device='cpu', writable=False)], price: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], size: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> dict: ...

    def advance(self, arg: int, /) -> dict: ...

    def end_day(self, arg: int, /) -> dict: ...

    def quantity_ahead(self, order_id: int, instrument: int) -> int: ...

    def open_quantity(self, order_id: int, instrument: int) -> int: ...

    @property
    def idle(self) -> bool: ...

def ahead_after_cancels(arg0: int, arg1: int, arg2: int, arg3: str, arg4: int, /) -> int: ...

def log2_fixed(arg: int, /) -> int: ...

def run_ticks(kernel: Kernel, venue: TickVenue, ticks: Ticks, plan: object, bounds: Sequence[int]) -> None: ...

def sweep(market: Market, config: object, construct: object, code: Sequence[tuple[str, Sequence[int], Sequence[float]]], output: int, params: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], columns: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)]], rows: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], instruments: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], threads: int, isa: str, before_close: bool, fills: bool, memory_limit: int) -> tuple:
    """Every variant on every instrument; see quant.native.sweep."""
