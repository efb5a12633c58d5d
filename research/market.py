"""From a panel to what the kernel trades in: market arrays, rule tables and fee tables.

``raw`` prices come with corporate actions, lots and limits as they were. ``adjusted`` trades the
post-adjusted series without events, as engines without corporate actions do; for comparisons only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from quant.core.market.calendar import calendar
from quant.core.market.fees import FeeTerms, fee_schedule
from quant.core.market.instrument import Board
from quant.core.market.order_tables import order_tables
from quant.core.market.tables import NO_RULE
from quant.core.money import MONEY_SCALE, RATE_SCALE
from quant.native.config import DividendTaxTables, FeeTables, RuleTables
from quant.native.market import Market
from quant.native.rules.resolved import dividend_taxes
from quant.research.panel import Actions, Panel, no_actions

PRICES = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap")
BOARDS = tuple(board for board in Board if board is not Board.UNKNOWN)
SHARES = (Board.SSE_MAIN, Board.SZSE_MAIN, Board.SME, Board.CHINEXT, Board.STAR, Board.BSE)
NEVER = 2**40
RULES = ("buy_min", "buy_step", "sell_step", "odd_lot_sell", "max_order", "settlement_days", "bonus_days")


def build_market(
    panel: Panel, first: int, prices: Literal["raw", "adjusted"], *, mic: str = "XSHG"
) -> Market:
    """The kernel's market over ``panel`` rows ``first…``; raw arrays are views, adjusted ones computed."""
    arrays = {name: np.ascontiguousarray(getattr(panel, name)[first:]) for name in PRICES}
    volume = np.ascontiguousarray(panel.volume[first:])
    actions = shift_actions(panel.actions, first, len(panel.sessions))
    if prices == "adjusted":
        factor = panel.factor[first:]
        arrays = {name: np.rint(a * factor).astype(np.int64) for name, a in arrays.items()}
        volume = np.rint(volume / factor).astype(np.int64)
        actions = no_actions()
    return Market.from_arrays(
        sessions=panel.session_days[first:].copy(),
        instants=instants(panel.sessions[first:], mic),
        volume=volume,
        flags=np.ascontiguousarray(panel.flags[first:]),
        actions=actions.as_columns(),
        **arrays,
    )


def instants(sessions: Sequence[date], mic: str) -> npt.NDArray[np.int64]:
    """ns UTC ``[T, 4]``: preopen, open, decide, close of each session."""
    dates = calendar(mic)
    rows = [dates.instants(d) for d in sessions]
    return np.array([(r.preopen, r.open, r.decide, r.close) for r in rows], dtype=np.int64).reshape(-1, 4)


def shift_actions(actions: Actions, first: int, end: int) -> Actions:
    """Actions with an ex-date at row ``first`` or later, counted from there; ``end`` bounds pay rows."""
    keep = actions.ex_index >= first
    pay = actions.pay_index[keep]
    moved = np.where(pay < 0, -1, np.minimum(pay, end) - first).astype(np.int32)
    return Actions(
        ex_index=(actions.ex_index[keep] - first).astype(np.int32),
        pay_index=moved,
        instrument=actions.instrument[keep],
        cash_per_share=actions.cash_per_share[keep],
        bonus_ratio=actions.bonus_ratio[keep],
        inferred=actions.inferred[keep],
    )


def rule_tables(sessions: Sequence[date]) -> RuleTables:
    """Order rules per session and board, int64 ``[T, B]``; without a rule nothing can be bought."""
    rules = order_tables(sessions, BOARDS)
    tables = {name: _spread(getattr(rules, name), sessions, 1) for name in RULES}
    tables["buy_min"][tables["max_order"] == 1] = NEVER
    tables["buy_min"][:, Board.UNKNOWN] = NEVER
    return RuleTables(**tables)


def fee_tables(terms: FeeTerms, sessions: Sequence[date]) -> FeeTables:
    """Fee rates per session and board at ``RATE_SCALE``, ``[T, B]``; zero where a board did not exist."""
    schedule = fee_schedule(terms, sessions, BOARDS)
    names = ("commission", "stamp_buy", "stamp_sell", "transfer", "commission_min", "transfer_per_share")
    tables = {name: _spread(getattr(schedule, name), sessions, 0) for name in names}
    tables["transfer_per_share"] = tables["transfer_per_share"] * MONEY_SCALE // RATE_SCALE
    return FeeTables(**tables)


def dividend_tax_tables(sessions: Sequence[date], *, mic: str = "XSHG") -> DividendTaxTables:
    """Tax on dividends by ex-date and board, ``[T, B]``: shares only; the rule is that of the record date."""
    dates = calendar(mic)
    # The record date is the session before the ex-date.
    records = [dates.offset(session, -1) for session in sessions]
    terms = dividend_taxes(records)

    def table(name: str) -> npt.NDArray[np.int64]:
        full = np.zeros((len(sessions), len(Board)), np.int64)
        full[:, SHARES] = np.array([getattr(each, name) for each in terms], np.int64)[:, None]
        return full

    return DividendTaxTables(table("upto_month"), table("upto_year"), table("beyond"))


def _spread(rows: list[list[int]], sessions: Sequence[date], absent: int) -> npt.NDArray[np.int64]:
    """A table of ``BOARDS`` as one of all boards; ``absent`` where there is no rule."""
    full = np.full((len(sessions), len(Board)), absent, np.int64)
    values = np.array(rows, np.int64).reshape(len(sessions), -1)
    full[:, BOARDS] = np.where(values == NO_RULE, absent, values)
    return full
