"""The content of ``metrics.json``: one flat object of figures, plus the monthly and the yearly table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl

from quant.native import metrics
from quant.research.reports.folder import Floats, RunFolder

PERIODS = 252
ROLLING_WINDOW = 63

_ENDED = ["rejected", "expired", "cancelled"]  # order states

# Drawdown rows of the native result, stored as dates.
_DATES = ("drawdown_start", "drawdown_trough", "drawdown_recovery")


def run_metrics(folder: Path) -> dict[str, Any]:
    """Every figure of the run in ``folder``; undefined ones are None, ratios are fractions, money is yuan.

    Reads nav and, where present, fills, orders, names and ledger. Conventions: ``docs/metrics.md``.
    """
    return compute_metrics(RunFolder.read(folder))


def compute_metrics(run: RunFolder) -> dict[str, Any]:
    """The figures of a run that has been read already."""
    returns = run.returns
    figures: dict[str, Any] = {
        "periods": PERIODS,
        "start": str(run.nav["session"][0]),
        "end": str(run.nav["session"][-1]),
        "sessions": len(run.nav),
        "initial_capital": run.initial,
        "final_nav": float(run.nav["nav"][-1]),
        "pnl": float(run.nav["nav"][-1]) - run.initial,
        **_performance(run, returns),
        **_against_benchmark(run, returns),
        **_exposure(run),
        **_costs(run),
        **_trading(run),
    }
    return {name: _plain(value) for name, value in figures.items()} | {
        "monthly": period_table(run, "%Y-%m"),
        "yearly": period_table(run, "%Y"),
    }


def _performance(run: RunFolder, returns: Floats) -> dict[str, Any]:
    figures: dict[str, Any] = _first(metrics.performance(returns, periods=PERIODS))
    figures.pop("count")
    for name in _DATES:
        row = int(figures[name])
        figures[f"{name}_date"] = str(run.nav["session"][row]) if row >= 0 else None
        del figures[name]
    if figures["max_drawdown"] < 0 and figures["drawdown_start_date"] is None:
        figures["drawdown_start_date"] = str(run.nav["session"][0])  # the starting capital was the peak
    figures["drawdown_longest"] = int(figures["drawdown_longest"])
    return figures


def _against_benchmark(run: RunFolder, returns: Floats) -> dict[str, Any]:
    benchmark = run.benchmark
    if benchmark is None:
        return {}
    own = _first(metrics.performance(benchmark, periods=PERIODS))
    both = _first(metrics.relative(returns, benchmark, periods=PERIODS))
    gap = _first(metrics.performance((1.0 + returns) / (1.0 + benchmark) - 1.0, periods=PERIODS))
    kept = ("total_return", "cagr", "volatility", "sharpe", "max_drawdown")
    named = {f"benchmark_{name}": own[name] for name in kept}
    both.pop("count")
    return named | both | {"excess_max_drawdown": gap["max_drawdown"], "benchmark_cagr": own["cagr"]}


def _exposure(run: RunFolder) -> dict[str, Any]:
    gross = run.column("gross_exposure")
    held = run.column("positions")
    traded = _first(metrics.turnover(run.column("turnover"), periods=PERIODS))
    return {
        "gross_exposure_mean": _mean(gross),
        "positions_mean": _mean(held),
        "turnover_annual": traded["annual"],
        "turnover_annual_one_sided": traded["annual_one_sided"],
        "turnover_highest": traded["highest"],
        "trading_days_share": traded["active_share"],
        "holding_sessions": traded["holding_periods"],
    }


def _costs(run: RunFolder) -> dict[str, Any]:
    parts = {name: float(run.fills[name].sum()) for name in ("commission", "stamp", "transfer")}
    total = sum(parts.values())
    years = len(run.nav) / PERIODS
    mean_nav = _mean(run.column("nav"))
    return parts | {
        "cost_total": total,
        "cost_annual": total / mean_nav / years if mean_nav > 0 else math.nan,
        "cost_of_traded": _ratio(total, float(run.fills["notional"].sum())),
    }


def _trading(run: RunFolder) -> dict[str, Any]:
    orders, names = run.orders, run.names
    filled = orders.filter(pl.col("filled") >= pl.col("quantity"))
    blocked = blocked_orders(orders)
    won, lost = (names.filter(sign)["pnl"] for sign in (pl.col("pnl") > 0, pl.col("pnl") < 0))
    return {
        "fills": len(run.fills),
        "traded": float(run.fills["notional"].sum()),
        "orders": len(orders),
        "orders_filled": len(filled),
        "orders_blocked": len(blocked),
        "names_traded": len(names),
        "names_hit_rate": _ratio(len(won), len(won) + len(lost)),
        "names_profit_factor": _ratio(float(won.sum()), -float(lost.sum())),
        "dividends": float(run.ledger.filter(pl.col("kind") == "dividend")["amount"].sum()),
    }


def blocked_orders(orders: pl.DataFrame) -> pl.DataFrame:
    """Orders that got less than was wanted, for a reason other than the strategy's own cancel.

    An order cut to the cash at hand carries the smaller quantity; its reason tells.
    """
    ended_short = (pl.col("filled") < pl.col("quantity")) & pl.col("state").is_in(_ENDED)
    wanted_more = ended_short | (pl.col("reason") == "reduced_to_cash") | (pl.col("state") == "rejected")
    return orders.filter(wanted_more & (pl.col("reason") != "cancel_requested"))


def period_table(run: RunFolder, pattern: str) -> list[dict[str, Any]]:
    """Compounded return of every calendar period: period, return, benchmark, and excess (geometric)."""
    labels = run.nav["session"].dt.to_string(pattern).to_list()
    starts = metrics.period_starts(labels)
    own = metrics.compound(run.returns, starts)[:, 0]
    benchmark = run.benchmark
    other = metrics.compound(benchmark, starts)[:, 0] if benchmark is not None else [math.nan] * len(starts)
    return [
        {
            "period": labels[start],
            "return": _plain(float(r)),
            "benchmark": _plain(float(b)),
            "excess": _plain((1.0 + float(r)) / (1.0 + float(b)) - 1.0) if b > -1.0 else None,
        }
        for start, r, b in zip(starts.tolist(), own, other, strict=True)
    ]


def _first(figures: dict[str, Floats]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in figures.items()}


def _mean(values: Floats) -> float:
    known = values[values == values]
    return float(known.mean()) if known.size else math.nan


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan


def _plain(value: Any) -> Any:
    """JSON has no NaN: undefined is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
