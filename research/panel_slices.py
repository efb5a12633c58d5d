"""Parts of a panel as tables: one instrument's history, one session's cross-section."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from quant.core.errors import UsageError
from quant.core.money import PRICE_SCALE

if TYPE_CHECKING:
    from quant.research.panel import Panel

_PRICES: Final = frozenset(("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap"))
COLUMNS: Final = ("open", "high", "low", "close", "volume", "amount", "factor")


def history(panel: Panel, code: str, columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """``session`` and the columns of one instrument, every session of the panel; prices in yuan, NaN = none.

    Raises UsageError ``code.unknown``.
    """
    try:
        at = panel.codes.index(code)
    except ValueError:
        raise UsageError("code.unknown", f"the panel has no instrument {code}", found=code) from None
    days = pl.Series("session", panel.session_days).cast(pl.Date)
    return pl.DataFrame([days, *(pl.Series(n, _shown(n, getattr(panel, n)[:, at])) for n in columns)])


def cross_section(panel: Panel, session: date, columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """``instrument_id`` and the columns of one session, every instrument of the panel.

    Raises UsageError ``session.unknown``.
    """
    try:
        at = panel.row(session)
    except KeyError:
        raise UsageError(
            "session.unknown", f"the panel has no session {session}", found=str(session)
        ) from None
    ids = pl.Series("instrument_id", panel.instruments)
    return pl.DataFrame([ids, *(pl.Series(n, _shown(n, getattr(panel, n)[at])) for n in columns)])


def _shown(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if name in _PRICES:
        return np.where(values > 0, values / PRICE_SCALE, np.nan)
    return np.ascontiguousarray(values)
