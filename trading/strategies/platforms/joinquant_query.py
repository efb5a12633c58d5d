"""``get_fundamentals(query(valuation, indicator).filter(…))`` over what the warehouse knows of companies.

Units are JoinQuant's: market values in 100 million yuan, shares in 10,000, ratios of indicators in percent.
Flows of income and cash flow statements are a single quarter's there and cumulative here, so these tables are
not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from quant.core.errors import UsageError
from quant.native.batch import Phase
from quant.trading.market_data import KNOWN_FROM
from quant.trading.strategies.platforms.facts import About
from quant.trading.view import data_of

if TYPE_CHECKING:
    from quant.trading.strategies.platforms.joinquant import JoinQuant

Values = Mapping[str, Any]
Rule = Callable[[Values], Any]

_COLUMNS: Final[Mapping[str, Mapping[str, tuple[str, float]]]] = {
    "valuation": {
        "market_cap": ("total_cap", 1e-8),
        "circulating_market_cap": ("float_cap", 1e-8),
        "capitalization": ("total_shares", 1e-4),
        "circulating_cap": ("float_shares", 1e-4),
        "pe_ratio": ("pe_ttm", 1.0),
        "pe_ratio_lyr": ("pe", 1.0),
        "pb_ratio": ("pb", 1.0),
        "ps_ratio": ("ps_ttm", 1.0),
        "pcf_ratio": ("pcf_ttm", 1.0),
        "turnover_ratio": ("turnover", 100.0),
    },
    "indicator": {
        "eps": ("eps", 1.0),
        "roe": ("roe", 100.0),
        "roa": ("roa", 100.0),
        "gross_profit_margin": ("gross_margin", 100.0),
        "net_profit_margin": ("net_margin", 100.0),
        "inc_revenue_year_on_year": ("revenue_yoy", 100.0),
        "inc_net_profit_year_on_year": ("net_profit_yoy", 100.0),
    },
    "balance": {
        "total_assets": ("total_assets", 1.0),
        "total_current_assets": ("current_assets", 1.0),
        "cash_equivalents": ("cash_and_equivalents", 1.0),
        "account_receivable": ("receivables", 1.0),
        "inventories": ("inventories", 1.0),
        "fixed_assets": ("fixed_assets", 1.0),
        "good_will": ("goodwill", 1.0),
        "total_liability": ("total_liabilities", 1.0),
        "total_current_liability": ("current_liabilities", 1.0),
        "equities_parent_company_owners": ("equity", 1.0),
        "total_owner_equities": ("equity_total", 1.0),
    },
}


@dataclass(frozen=True, eq=False)
class Expr:
    """A column or what is computed from columns, a number or truth for every instrument."""

    rule: Rule
    name: str = ""
    needs: frozenset[str] = frozenset()

    def _with(self, other: Any, how: Callable[[Any, Any], Any]) -> Expr:
        right = other if isinstance(other, Expr) else Expr(lambda _: other)
        return Expr(lambda v: how(self.rule(v), right.rule(v)), self.name, self.needs | right.needs)

    def __lt__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a < b)

    def __le__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a >= b)

    def __eq__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a == b)

    def __ne__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a != b)

    def __hash__(self) -> int:
        return id(self)

    def __add__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: np.divide(a, b))

    def __rtruediv__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: np.divide(b, a))

    def __and__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a & b)

    def __or__(self, other: Any) -> Expr:
        return self._with(other, lambda a, b: a | b)

    def __invert__(self) -> Expr:
        return Expr(lambda v: ~self.rule(v), self.name, self.needs)

    def __neg__(self) -> Expr:
        return Expr(lambda v: -self.rule(v), self.name, self.needs)

    def between(self, low: Any, high: Any) -> Expr:
        return self._with(low, lambda a, b: a >= b) & self._with(high, lambda a, b: a <= b)

    def in_(self, values: Iterable[Any]) -> Expr:
        chosen = set(values)
        return Expr(
            lambda v: np.array([x in chosen for x in self.rule(v)], dtype=bool), self.name, self.needs
        )

    def notin_(self, values: Iterable[Any]) -> Expr:
        return ~self.in_(list(values))

    def asc(self) -> Sorting:
        return Sorting(self, False)

    def desc(self) -> Sorting:
        return Sorting(self, True)

    def label(self, name: str) -> Expr:
        return Expr(self.rule, name, self.needs)


@dataclass(frozen=True, slots=True)
class Sorting:
    """A column to sort by."""

    by: Expr
    falling: bool


class Table:
    """A table of JoinQuant; its columns are expressions."""

    def __init__(self, name: str, columns: Mapping[str, tuple[str, float]]) -> None:
        self.name = name
        self.code = Expr(lambda v: v["code"], "code")
        self.columns = {"code": self.code}
        for own, (ours, scale) in columns.items():
            self.columns[own] = Expr(_scaled(ours, scale), own, frozenset({ours}))
        vars(self).update(self.columns)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UsageError(
            "platform.column",
            f"{self.name} has no column {name!r} here",
            expected=", ".join(self.columns),
            found=name,
        )


def _scaled(ours: str, scale: float) -> Rule:
    return lambda v: v[ours] * scale if scale != 1.0 else v[ours]


TABLES: Final = {name: Table(name, columns) for name, columns in _COLUMNS.items()}


@dataclass(frozen=True)
class Query:
    """``query(…)`` with its filters, order and limit."""

    columns: tuple[Expr, ...]
    filters: tuple[Expr, ...] = ()
    order: tuple[Sorting, ...] = ()
    most: int | None = None
    skip: int = field(default=0)

    def filter(self, *conditions: Any) -> Query:
        return Query(self.columns, (*self.filters, *conditions), self.order, self.most, self.skip)

    def order_by(self, *keys: Any) -> Query:
        sorting = tuple(key if isinstance(key, Sorting) else key.asc() for key in keys)
        return Query(self.columns, self.filters, (*self.order, *sorting), self.most, self.skip)

    def limit(self, most: int) -> Query:
        return Query(self.columns, self.filters, self.order, int(most), self.skip)

    def offset(self, skip: int) -> Query:
        return Query(self.columns, self.filters, self.order, self.most, int(skip))


def query(*what: Any) -> Query:
    """Columns, or whole tables."""
    columns: list[Expr] = []
    for item in what:
        columns += item.columns.values() if isinstance(item, Table) else [item]
    unique = {column.name: column for column in columns}
    return Query(tuple(unique.values()))


@dataclass(frozen=True, slots=True)
class FundamentalsQuery:
    """``get_fundamentals``."""

    host: JoinQuant

    def __call__(self, query_object: Query, date: Any = None, statDate: Any = None) -> Any:  # noqa: N803
        """A frame with a row for each instrument that meets the filters, as known on a day."""
        if statDate is not None:
            raise UsageError(
                "platform.missing",
                "get_fundamentals takes a date here, not a statDate: what was known on that day counts",
                expected="date=",
                found=f"statDate={statDate!r}",
            )
        import pandas as pd

        parts = (*query_object.columns, *query_object.filters, *(s.by for s in query_object.order))
        values = self._values(frozenset().union(*(part.needs for part in parts)), date)
        keep = np.ones(len(values["code"]), dtype=bool)
        with np.errstate(invalid="ignore", divide="ignore"):
            for condition in query_object.filters:
                keep &= np.asarray(condition.rule(values), dtype=bool)
            rows = np.flatnonzero(keep & values["known"])
            for sorting in reversed(query_object.order):
                key = np.asarray(sorting.by.rule(values))[rows]
                key = -key if sorting.falling and key.dtype.kind == "f" else key
                rows = rows[np.argsort(key, kind="stable")]
            rows = rows[query_object.skip :][: query_object.most]
            cells = {c.name: np.asarray(c.rule(values))[rows] for c in query_object.columns}
        return pd.DataFrame(cells)

    def _values(self, needs: frozenset[str], value: Any) -> Values:
        host, about = self.host, About(self.host)
        data = data_of(host.view)
        day = about.past(value if value is not None else host.previous)
        today = day == host.today
        row = host.bars.row(day)
        row -= int(row >= len(data.days) or host.bars.days(row, row + 1)[0] > day)
        alive = np.zeros(len(data.codes), dtype=bool)
        alive[about.alive(day)] = True
        found: dict[str, Any] = {
            "code": np.array([host.code(i) for i in range(len(data.codes))], dtype=object)
        }
        known = np.zeros(len(data.codes), dtype=bool)
        for name in needs:
            if name not in data.columns:
                raise _absent(name)
            # A day before today is wholly known; of today only what is known at this instant.
            late = KNOWN_FROM.get(name, Phase.CLOSE) > (host.view.phase if today else max(Phase) + 1)
            found[name] = np.array(data.columns[name][row - late], dtype=np.float64)
            if np.isnan(found[name]).all() and np.isnan(data.columns[name][: row - late + 1]).all():
                raise _absent(name)
            known |= ~np.isnan(found[name])
        found["known"] = alive & (known if needs else True)
        return found


def _absent(name: str) -> UsageError:
    return UsageError(
        "platform.column",
        f"the data of this run hold no {name} by now",
        found=name,
        hint="quant data sync daily_basics fundamentals",
    )
