"""Longer bars out of finer ones: ``quant data resample``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from quant.core.errors import CheckFailed
from quant.core.time import to_datetime, utc_now

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.intraday import ResampleReport


def resample_bars(
    desk: Workspace,
    source: str,
    target: str,
    *,
    start: date | None = None,
    end: date | None = None,
    empty: bool = False,
) -> ResampleReport:
    """Fill a table of bars from a finer one; without dates all that the finer one holds."""
    from quant.pipelines.actor import current_actor
    from quant.warehouse.intraday import check_pair, resample_table
    from quant.warehouse.lake import Lake
    from quant.warehouse.ledger import Ledger

    check_pair(source, target)
    lake = Lake(desk.lake)
    first, last = _held(lake, source)
    report = resample_table(
        lake, source, target, start or first, end or last, to_datetime(utc_now()), empty=empty
    )
    Ledger(desk.ledger).audit(
        "data.resample", target, current_actor(desk.root).as_dict(), source=source, bars=report.bars
    )
    return report


def _held(lake: Any, source: str) -> tuple[date, date]:
    days = lake.read(source, columns=["session"])["session"]
    if not len(days):
        raise CheckFailed(
            "resample.absent",
            f"{source} holds no row",
            expected="ticks or bars to make bars of",
            found="none",
            hint=f"quant data sync {source}",
        )
    return days.min(), days.max()
