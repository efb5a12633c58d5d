"""What is known about companies by name: the closed lists of reported items and daily valuations.

Stored values are in yuan, yuan per share, shares or plain ratios (1 = 100 percent). Flows of income and cash
flow statements are cumulative since the first of January, as Chinese companies report them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BASICS", "ITEMS", "NOT_CARRIED", "Report", "ReportedItem"]

Report = Literal["income", "balance", "cash_flow", "indicator"]


@dataclass(frozen=True, slots=True)
class ReportedItem:
    """An item of a financial report: the report it stands in, its unit, what it is."""

    name: str
    report: Report
    unit: Literal["yuan", "yuan per share", "ratio"]
    meaning: str


def _items(
    report: Report, unit: Literal["yuan", "yuan per share", "ratio"], **named: str
) -> list[ReportedItem]:
    return [ReportedItem(name, report, unit, meaning) for name, meaning in named.items()]


ITEMS: Final = {
    item.name: item
    for item in (
        *_items(
            "income",
            "yuan per share",
            eps="basic earnings per share",
            eps_diluted="diluted earnings per share",
        ),
        *_items(
            "income",
            "yuan",
            total_revenue="total operating revenue",
            revenue="operating revenue",
            operating_cost="operating cost",
            selling_expense="selling expense",
            admin_expense="administrative expense",
            finance_expense="financial expense",
            rd_expense="research and development expense",
            operating_profit="operating profit",
            total_profit="profit before income tax",
            income_tax="income tax",
            net_profit="net profit of the parent's shareholders",
            net_profit_total="net profit, minority interests included",
            ebit="earnings before interest and taxes",
            ebitda="earnings before interest, taxes, depreciation and amortisation",
        ),
        *_items(
            "balance",
            "yuan",
            total_assets="total assets",
            current_assets="current assets",
            cash_and_equivalents="money funds",
            receivables="accounts receivable",
            inventories="inventories",
            fixed_assets="fixed assets",
            goodwill="goodwill",
            total_liabilities="total liabilities",
            current_liabilities="current liabilities",
            interest_debt="debt that bears interest",
            equity="equity of the parent's shareholders",
            equity_total="equity, minority interests included",
            net_debt="interest-bearing debt less money funds",
            working_capital="current assets less current liabilities",
        ),
        *_items(
            "cash_flow",
            "yuan",
            operating_cash_flow="net cash flow of operations",
            investing_cash_flow="net cash flow of investing",
            financing_cash_flow="net cash flow of financing",
            capex="cash paid for fixed, intangible and other long-term assets",
            free_cash_flow="free cash flow of the firm",
        ),
        *_items(
            "indicator",
            "yuan per share",
            bps="book value per share",
            revenue_ps="operating revenue per share",
            operating_cash_flow_ps="net cash flow of operations per share",
            undistributed_profit_ps="undistributed profit per share",
            capital_reserve_ps="capital reserve per share",
        ),
        *_items(
            "indicator",
            "yuan",
            net_profit_recurring="net profit without non-recurring gains and losses",
            gross_profit="operating revenue less operating cost",
        ),
        *_items(
            "indicator",
            "ratio",
            roe="net profit / equity",
            roe_weighted="net profit / weighted average equity",
            roe_recurring="net profit without non-recurring gains and losses / equity",
            roa="profit / total assets",
            roic="return on invested capital",
            gross_margin="gross profit / operating revenue",
            net_margin="net profit / operating revenue",
            debt_to_assets="total liabilities / total assets",
            current_ratio="current assets / current liabilities",
            quick_ratio="(current assets - inventories) / current liabilities",
            asset_turnover="operating revenue / average total assets",
            inventory_turnover="operating cost / average inventories",
            receivables_turnover="operating revenue / average receivables",
            eps_yoy="basic earnings per share against the same period a year before, - 1",
            revenue_yoy="operating revenue against the same period a year before, - 1",
            net_profit_yoy="net profit against the same period a year before, - 1",
        ),
    )
}
"""The items of financial reports that are stored; names of the expression language."""

BASICS: Final = {
    "turnover": "volume / float shares, 1 = all of them",
    "turnover_free": "volume / free-float shares",
    "volume_ratio": "volume per minute / its mean over the five sessions before",
    "pe": "price / earnings of the last year; null for losses",
    "pe_ttm": "price / earnings of the last four quarters; null for losses",
    "pb": "price / book value",
    "ps": "price / sales of the last year",
    "ps_ttm": "price / sales of the last four quarters",
    "pcf_ttm": "price / net cash flow of the last four quarters",
    "dividend_yield": "dividends of the last year / price",
    "dividend_yield_ttm": "dividends of the last twelve months / price",
    "total_shares": "shares issued",
    "float_shares": "shares that may be traded",
    "free_shares": "shares that are traded in fact",
    "total_cap": "total shares * close, yuan",
    "float_cap": "float shares * close, yuan",
}
"""The columns of ``daily_basics``: valuations that a vendor computes after the close of a session."""

NOT_CARRIED: Final = ("turnover", "turnover_free", "volume_ratio")
"""Those that a session without trading does not have; the others keep their last value."""
