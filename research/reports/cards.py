"""Figures of a report: the cards on top, the full list, the heat map of months."""

from __future__ import annotations

from typing import Any

from quant.research.reports.numbers import Kind, show
from quant.research.reports.words import word

_GROUPS: tuple[tuple[str, tuple[tuple[str, Kind], ...]], ...] = (
    (
        "group_return",
        (
            ("total_return", "percent"),
            ("cagr", "percent"),
            ("initial_capital", "money"),
            ("final_nav", "money"),
            ("pnl", "money"),
            ("dividends", "money"),
            ("best", "percent"),
            ("worst", "percent"),
            ("hit_rate", "share"),
            ("names_hit_rate", "share"),
            ("names_profit_factor", "ratio"),
        ),
    ),
    (
        "group_risk",
        (
            ("volatility", "width"),
            ("sharpe", "ratio"),
            ("sortino", "ratio"),
            ("calmar", "ratio"),
            ("max_drawdown", "percent"),
            ("drawdown_start_date", "text"),
            ("drawdown_trough_date", "text"),
            ("drawdown_recovery_date", "text"),
            ("drawdown_longest", "sessions"),
            ("value_at_risk", "percent"),
            ("expected_shortfall", "percent"),
            ("skew", "ratio"),
            ("kurtosis", "ratio"),
        ),
    ),
    (
        "group_relative",
        (
            ("benchmark_total_return", "percent"),
            ("benchmark_cagr", "percent"),
            ("benchmark_volatility", "width"),
            ("benchmark_sharpe", "ratio"),
            ("benchmark_max_drawdown", "percent"),
            ("excess_arithmetic", "percent"),
            ("excess_geometric", "percent"),
            ("excess_max_drawdown", "percent"),
            ("beta", "ratio"),
            ("alpha", "percent"),
            ("correlation", "ratio"),
            ("tracking_error", "width"),
            ("information_ratio", "ratio"),
        ),
    ),
    (
        "group_trading",
        (
            ("turnover_annual", "times"),
            ("turnover_annual_one_sided", "times"),
            ("holding_sessions", "sessions"),
            ("gross_exposure_mean", "share"),
            ("positions_mean", "mean"),
            ("fills", "count"),
            ("traded", "money"),
            ("commission", "money"),
            ("stamp", "money"),
            ("transfer", "money"),
            ("cost_total", "money"),
            ("cost_annual", "fine_percent"),
            ("cost_of_traded", "fine_percent"),
            ("orders", "count"),
            ("orders_blocked", "count"),
        ),
    ),
)


def cards(figures: dict[str, Any], lang: str) -> list[dict[str, str]]:
    """The six figures on top, each with one line of context."""
    trough = figures["drawdown_trough_date"]
    back = figures["drawdown_recovery_date"] or (word("not_recovered", lang) if trough else None)
    built = [
        _card(figures, "total_return", "percent", lang, "pnl", "money"),
        _card(figures, "cagr", "percent", lang, "volatility", "width"),
        _excess(figures, lang),
        _card(figures, "sharpe", "ratio", lang, "sortino", "ratio"),
        {
            **_card(figures, "max_drawdown", "percent", lang, "", "text"),
            "note": f"{figures['drawdown_start_date']} → {back}" if trough else "",
        },
        _card(figures, "turnover_annual", "times", lang, "cost_total", "money"),
    ]
    return [card for card in built if card]


def _excess(figures: dict[str, Any], lang: str) -> dict[str, str]:
    card = _card(figures, "excess_geometric", "percent", lang, "", "text")
    if card:
        card["note"] = f"{word('arithmetic', lang)} {show(figures['excess_arithmetic'], 'percent', lang)}"
    return card


def _card(
    figures: dict[str, Any], name: str, kind: Kind, lang: str, beside: str, beside_kind: Kind
) -> dict[str, str]:
    if name not in figures:
        return {}
    note = f"{word(beside, lang)} {show(figures[beside], beside_kind, lang)}" if beside else ""
    tone = _tone(figures[name]) if kind == "percent" else ""
    return {
        "key": name,
        "label": word(name, lang),
        "value": show(figures[name], kind, lang),
        "tone": tone,
        "note": note,
    }


def _tone(value: float | None) -> str:
    return "" if not value else ("gain" if value > 0 else "loss")


def groups(figures: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """Every figure, in four groups; a group without figures is left out."""
    built = []
    for title, names in _GROUPS:
        rows = [
            (
                word(name, lang),
                show(figures[name], kind, lang),
                _tone(figures[name]) if kind == "percent" else "",
            )
            for name, kind in names
            if name in figures
        ]
        if rows:
            built.append({"title": word(title, lang), "rows": rows})
    return built


def heat_map(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of years with twelve cells (None where the run did not trade) and the whole year."""
    months = {row["period"]: row["return"] for row in figures["monthly"]}
    strongest = max((abs(v) for v in months.values() if v is not None), default=0.0) or 1.0
    return [
        {
            "year": row["period"],
            "months": [_cell(months.get(f"{row['period']}-{month:02}"), strongest) for month in range(1, 13)],
            "whole": _cell(row["return"], strongest * 3.0),
        }
        for row in figures["yearly"]
    ]


def _cell(value: float | None, strongest: float) -> dict[str, Any] | None:
    if value is None:
        return None
    shade = min(abs(value) / strongest, 1.0) ** 0.7 * 0.78
    return {"text": show(value, "heat"), "tone": _tone(value) or "flat", "shade": round(shade, 3)}


def yearly(figures: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """Strategy, benchmark and geometric excess of every calendar year; ``bar`` scales with the largest."""
    largest = max((abs(row["return"]) for row in figures["yearly"] if row["return"] is not None), default=0.0)
    return [
        {
            "year": row["period"],
            **{name: show(row[name], "percent", lang) for name in ("return", "benchmark", "excess")},
            **{f"{name}_tone": _tone(row[name]) for name in ("return", "benchmark", "excess")},
            "bar": round(abs(row["return"] or 0.0) / (largest or 1.0) * 50, 1),
        }
        for row in figures["yearly"]
    ]
