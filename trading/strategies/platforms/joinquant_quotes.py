"""What JoinQuant shows of one name: yesterday in ``data[code]``, today in ``get_current_data()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quant.core.errors import UsageError
from quant.core.market.instrument import DELISTING, NO_LIMIT, ST
from quant.native.batch import Phase
from quant.native.market import DAILY
from quant.trading.strategies.platforms.facts import About
from quant.trading.view import data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.joinquant import JoinQuant
    from quant.trading.strategies.platforms.joinquant_data import JoinData

FIELDS: Final = {
    "open": "open",
    "close": "close",
    "high": "high",
    "low": "low",
    "volume": "volume",
    "money": "amount",
    "factor": "adj_factor",
    "high_limit": "limit_up",
    "low_limit": "limit_down",
    "avg": "vwap",
    "pre_close": "pre_close",
    "paused": "suspended",
}


class BarsOfYesterday:
    """``data[code]``: yesterday's bar, with means over the days before today."""

    def __init__(self, data: JoinData) -> None:
        self._data = data

    def __getitem__(self, code: str) -> BarOfYesterday:
        return BarOfYesterday(self._data, code)

    def __contains__(self, code: object) -> bool:
        try:
            self._data._host.instrument(str(code))
        except UsageError:
            return False
        return True


class BarOfYesterday:
    """One name's bar of the day before; prices adjusted to today."""

    def __init__(self, data: JoinData, code: str) -> None:
        self._data, self.security = data, code

    def __getattr__(self, name: str) -> Any:
        if name == "price":
            name = "avg"
        if name not in FIELDS:
            raise AttributeError(name)
        host = self._data._host
        end = host.bars.today
        value = float(host.bars.cells(FIELDS[name], end - 1, end, at=host.instrument(self.security))[0])
        return bool(value) if name == "paused" else value

    @property
    def isnan(self) -> bool:
        return bool(np.isnan(self.close))

    @property
    def returns(self) -> float:
        closes = self._closes(2, "close")
        return float(closes[-1] / closes[0] - 1)

    def mavg(self, days: int, field: str = "close") -> float:
        """The mean over the last ``days`` days on which it traded."""
        return float(np.mean(self._closes(days, field)))

    def vwap(self, days: int) -> float:
        """Turnover over volume."""
        volume = self._closes(days, "volume")
        return float(np.sum(self._closes(days, "avg") * volume) / np.sum(volume))

    def stddev(self, days: int) -> float:
        return float(np.std(self._closes(days, "close"), ddof=1))

    def _closes(self, days: int, field: str) -> Any:
        return self._data.attribute_history(self.security, days, fields=[field], df=False)[field]


class CurrentData(dict[str, Any]):
    """``get_current_data()``: made for each code that is asked for."""

    def __init__(self, host: JoinQuant, about: About) -> None:
        super().__init__()
        self._host, self._about = host, about

    def __missing__(self, code: str) -> Quote:
        quote = Quote(self._host, self._about, self._host.instrument(code))
        self[code] = quote
        return quote


class Quote:
    """What is known of one name now."""

    def __init__(self, host: JoinQuant, about: About, at: int) -> None:
        self._host, self._about, self._at = host, about, at
        self.name = about.name(at)
        self.industry_code = ""
        self.is_st = about.flag(at, ST) or about.flag(at, DELISTING)
        self.paused = host.account.suspended(at)

    @property
    def last_price(self) -> float:
        return self._host.account.price(self._at)

    @property
    def high_limit(self) -> float:
        return self._limit("limit_up", float("inf"))

    @property
    def low_limit(self) -> float:
        return self._limit("limit_down", 0.0)

    @property
    def day_open(self) -> float:
        """Known from the open on."""
        view = self._host.view
        if view.phase < Phase.OPEN:
            raise UsageError(
                "platform.future",
                "day_open is not known when orders for the open are given",
                expected="code: {decide: after_open}, fill: {at: vwap} or {at: close}",
                found=f"fill: {{at: {self._host.terms.config.fill_at}}}, decide: {self._host.terms.decide}",
                hint="last_price is the previous close until then",
            )
        return self._price("open")

    def _limit(self, name: str, none: float) -> float:
        price = self._price(name)
        return none if np.isnan(price) or self._about.flag(self._at, NO_LIMIT) else price

    def _price(self, name: str) -> float:
        view, market = self._host.view, data_of(self._host.view).market
        row = market.session_of(view.t) if name in DAILY else view.t
        price = int(market.arrays[name][row, self._at])
        return price / 10_000 if price > 0 else float("nan")
