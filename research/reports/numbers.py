"""Numbers as people read them. One place decides how many digits a kind of figure has."""

from __future__ import annotations

import math
from typing import Literal

Kind = Literal[
    "percent",  # signed, two digits
    "fine_percent",  # unsigned, three digits
    "width",  # unsigned percent, two digits: volatilities
    "share",  # unsigned, one digit
    "heat",  # a cell of the heat map: one digit, no sign of percent
    "ratio",
    "mean",  # one digit
    "money",  # short: 万 and 亿 in Chinese
    "plain_money",  # to the cent
    "count",
    "sessions",
    "times",
    "price",
    "text",
]

DASH = "—"
_MINUS = "−"


def show(value: object, kind: Kind, lang: str = "en") -> str:
    """The figure as text; a dash where it is undefined. Signed percent carry their sign."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    if isinstance(value, str) or not isinstance(value, int | float):
        return str(value)
    return _number(float(value), kind, lang).replace("-", _MINUS)


def _number(value: float, kind: Kind, lang: str) -> str:
    match kind:
        case "percent":
            return f"{value * 100:+.2f}%" if round(value * 100, 2) else "0.00%"
        case "width":
            return f"{value * 100:.2f}%"
        case "fine_percent":
            return f"{value * 100:.3f}%"
        case "heat":
            return f"{value * 100:.1f}"
        case "share":
            return f"{value * 100:.1f}%"
        case "ratio":
            return f"{value:.2f}"
        case "mean":
            return f"{value:,.1f}"
        case "money":
            return _money(value, lang)
        case "plain_money":
            return f"{value:,.2f}"
        case "count":
            return f"{value:,.0f}"
        case "sessions":
            return f"{value:,.0f} 天" if lang == "zh" else f"{value:,.0f} d"
        case "times":
            return f"{value:.2f}×"
        case "price":
            return _price(value)
        case "text":
            return f"{value:g}"


def _price(value: float) -> str:
    """Two digits, up to four where the price has them."""
    text = f"{value:,.4f}"
    return text[:-2] + text[-2:].rstrip("0")


def _money(value: float, lang: str) -> str:
    """Yuan; Chinese readers count in 万 and 亿."""
    if lang == "zh" and abs(value) >= 1e8:
        return f"{value / 1e8:,.3f} 亿"
    if lang == "zh" and abs(value) >= 1e4:
        return f"{value / 1e4:,.2f} 万"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.2f}"
