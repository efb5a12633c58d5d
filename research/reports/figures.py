"""The charts of a report, built from a run."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from quant.native import metrics as native
from quant.research.reports.charts import HALF, Chart, Trace
from quant.research.reports.folder import Floats, RunFolder
from quant.research.reports.metrics import ROLLING_WINDOW
from quant.research.reports.words import word


def charts(run: RunFolder, figures: dict[str, Any], lang: str) -> list[Chart]:
    """Every chart, in the order of the page."""
    days = run.nav["session"].to_list()
    return [
        *_equity(run, figures, days, lang),
        _drawdown(run, days, lang),
        _rolling(run, days, lang),
        _exposure(run, days, lang),
        _turnover(run, lang),
        _cost(run, days, lang),
    ]


def _levels(returns: Floats) -> Floats:
    levels: Floats = np.cumprod(1.0 + np.nan_to_num(returns), dtype=np.float64)
    return levels


def _equity(run: RunFolder, figures: dict[str, Any], days: list[date], lang: str) -> list[Chart]:
    traces = [Trace(word("strategy", lang), _levels(run.returns), "own")]
    if run.benchmark is not None:
        traces.append(Trace(word("benchmark", lang), _levels(run.benchmark), "benchmark"))
    band = _deepest(figures, days)
    return [
        Chart(f"equity-{scale}", days, tuple(traces), "level", height=360, log=scale == "log", band=band)
        for scale in ("linear", "log")
    ]


def _deepest(figures: dict[str, Any], days: list[date]) -> tuple[int, int] | None:
    """Rows from the peak of the deepest drawdown to its recovery, or to the end."""
    first, last = figures.get("drawdown_start_date"), figures.get("drawdown_recovery_date")
    if first is None:
        return None
    rows = {str(day): row for row, day in enumerate(days)}
    return rows.get(first, 0), rows.get(last, len(days) - 1) if last else len(days) - 1


def _drawdown(run: RunFolder, days: list[date], lang: str) -> Chart:
    traces = [Trace(word("strategy", lang), native.drawdowns(run.returns)[:, 0], "loss", "area")]
    if run.benchmark is not None:
        traces.append(Trace(word("benchmark", lang), native.drawdowns(run.benchmark)[:, 0], "benchmark"))
    return Chart("drawdown", days, tuple(traces), "percent", height=190, zero=True)


def _rolling(run: RunFolder, days: list[date], lang: str) -> Chart:
    values = native.rolling_sharpe(run.returns, window=ROLLING_WINDOW)[:, 0]
    return Chart(
        "rolling", days, (Trace(word("rolling_sharpe", lang), values, "own"),), "ratio", height=210, zero=True
    )


def _exposure(run: RunFolder, days: list[date], lang: str) -> Chart:
    trace = Trace(word("exposure", lang), run.column("gross_exposure"), "own", "area")
    return Chart("exposure", days, (trace,), "percent", height=200, width=HALF, zero=True)


def _turnover(run: RunFolder, lang: str) -> Chart:
    table = (
        run.nav.with_columns(pl.Series("traded_share", run.column("turnover")).fill_nan(None))
        .group_by(pl.col("session").dt.truncate("1mo").alias("month"), maintain_order=True)
        .agg(pl.col("traded_share").sum())
    )
    values = table["traded_share"].to_numpy()
    trace = Trace(word("turnover", lang), values, "own", "bars")
    return Chart("turnover", table["month"].to_list(), (trace,), "percent", height=200, width=HALF, zero=True)


def _cost(run: RunFolder, days: list[date], lang: str) -> Chart:
    paid = run.fills.group_by("session").agg(
        (pl.col("commission") + pl.col("stamp") + pl.col("transfer")).sum().alias("paid")
    )
    daily = run.nav.select("session").join(paid, on="session", how="left", maintain_order="left")["paid"]
    share = daily.fill_null(0.0).cast(pl.Float64).cum_sum().to_numpy() / run.initial
    trace = Trace(word("cost", lang), share, "cost", "area")
    return Chart("cost", days, (trace,), "percent", height=180, zero=True)
