"""What a run assumes because the data or this version cannot tell better, in words for the receipt."""

from __future__ import annotations

from typing import Literal

_TEXTS: dict[str, tuple[str, str]] = {
    "events.inferred": (
        "Distributions are inferred from jumps of the adjustment factor or the reference price; how they "
        "split into cash and shares is an estimate.",
        "分红送转由复权因子或参考价的跳变推断，现金与送股的拆分为估计。",
    ),
    "events.absent": (
        "The data hold no distributions; holders lose their value on ex-dates.",
        "数据中没有分红送转，持仓在除权日会损失相应价值。",
    ),
    "events.ignored": (
        "Adjusted prices are traded and no distributions are booked; quantities are not real shares.",
        "以复权价格成交，不记分红送转，数量不是真实股数。",
    ),
    "st_history.absent": (
        "The data hold no history of special treatment; limits and conditions assume normal status, and "
        "the status is reported as unknown.",
        "数据中没有 ST 历史，涨跌停与选股条件按正常状态处理，状态记为未知。",
    ),
    "delistings.absent": (
        "The data hold only instruments listed today; results carry survivorship bias.",
        "数据只含当前上市的股票，结果有幸存者偏差。",
    ),
    "amounts.estimated": (
        "The data hold no amounts; each is estimated as volume times the mean of open, high, low and close.",
        "数据中没有成交额，按成交量乘以开高低收均价估计。",
    ),
    "delisted.last_price": (
        "A holding whose instrument leaves the market cannot be sold any more and counts at its last price.",
        "持仓股票退市后无法卖出，一直按最后价格计入净值。",
    ),
    "limits.derived": (
        "Price limits are computed from the reference price and the rulebook, not taken from the exchange.",
        "涨跌停价由前收盘价和规则表推算，并非交易所数据。",
    ),
    "suspensions.derived": (
        "Suspensions are not in the data; a session without a bar counts as suspended.",
        "数据中没有停牌标记，没有行情的交易日视为停牌。",
    ),
    "adjustment.absent": (
        "The data hold no adjustment factors; they are derived from the reference prices.",
        "数据中没有复权因子，由参考价（昨收价）推算。",
    ),
    "benchmark.equal_weighted": (
        "The benchmark is the universe in equal parts, held anew every session, without costs.",
        "基准为股票池等权组合，每日再平衡，不计成本。",
    ),
    "dividend_tax.cash": (
        "Cash dividends are taxed when the shares are sold; the face value of bonus shares is not.",
        "现金股息在卖出时按持有期扣税，送股面值未计税。",
    ),
    "dividend_tax.ignored": (
        "Dividends are booked before tax; the tax by holding period is not charged.",
        "股息按税前入账，未计按持有期的股息税。",
    ),
    "fill.open": (
        "Orders fill at the opening price in full, whatever the volume.",
        "订单按开盘价全部成交，不考虑成交量。",
    ),
    "fill.close": ("Orders fill at the closing price.", "订单按收盘价成交。"),
    "fill.vwap": ("Orders fill at the bar's average price.", "订单按当日均价成交。"),
    "fill.unlimited_volume": (
        "Orders are not bounded by the bar's volume.",
        "订单不受当日成交量限制。",
    ),
    "decide.before_close": (
        "Decisions at 14:57 use the opening price and earlier sessions only, and fill at the close.",
        "14:57 的决策只用开盘价和此前的数据，并以收盘价成交。",
    ),
    "decide.after_open": (
        "Decisions at 09:30 know the opening price, and fill at the day's average price or its close.",
        "09:30 的决策已知开盘价，以当日均价或收盘价成交。",
    ),
    "style.joinquant": (
        "The strategy is written for JoinQuant; what it ordered counts within the call as executed at the "
        "last price, and fills later as this plan says.",
        "策略按聚宽的写法编写；下单后在同一次调用内按最新价视为成交，实际成交以本计划为准。",
    ),
    "style.ricequant": (
        "The strategy is written for RiceQuant; what it ordered counts within the call as executed at the "
        "last price, and fills later as this plan says.",
        "策略按米筐的写法编写；下单后在同一次调用内按最新价视为成交，实际成交以本计划为准。",
    ),
    "restatements.undated": (
        "Some figures were restated without a date of their own; the first published ones are used.",
        "部分财务数据的修订没有单独的公告日，使用首次公布的数值。",
    ),
    "knowledge.as_of": (
        "Only what was known at the stated knowledge time is used.",
        "只使用所声明的知识时点之前已知的数据。",
    ),
    "knowledge.latest": (
        "The newest recorded values are used, later corrections included.",
        "使用最新入库数据，包含事后修订。",
    ),
}


def codes() -> tuple[str, ...]:
    """Every assumption there is."""
    return tuple(_TEXTS)


def describe_assumption(code: str, language: Literal["en", "zh"] = "en") -> str:
    """The assumption in words; the code itself when a newer version wrote it."""
    texts = _TEXTS.get(code)
    if texts is None:
        return code
    return texts[0] if language == "en" else texts[1]
