"""Axes, thinning and gaps of the SVG charts."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta

import numpy as np
import pytest

from quant.research.reports.charts import Chart, Trace, draw, hover_data, tick_label, value_axis
from quant.research.reports.numbers import show


def chart(values: list[float] | np.ndarray, **options: object) -> Chart:
    line = np.asarray(values, dtype=np.float64)
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(len(line))]
    return Chart("test", days, (Trace("a<b", line, "own"),), "level", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [[1.0, 2.0], [0.0], [5.0, 5.0], [-3.0, 8.0], [1e-9, 2e-9], [1e9, 3e9]])
def test_axis_holds_the_data_and_has_round_ticks(values: list[float]) -> None:
    axis = value_axis(chart(values))
    assert axis.low <= min(values) and max(values) <= axis.high
    assert 2 <= len(axis.ticks) <= 12
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert axis.place(axis.low) == axis.bottom and axis.place(axis.high) == pytest.approx(axis.top)


@pytest.mark.parametrize("values", [[1.0, 1.5], [0.2, 40.0], [1.0, 1e5], [1.0, 1.0], [-1.0, 0.0]])
def test_log_axis_places_equal_ratios_equally(values: list[float]) -> None:
    axis = value_axis(chart(values, log=True))
    middle = math.sqrt(axis.low * axis.high)
    assert axis.place(middle) == pytest.approx((axis.top + axis.bottom) / 2)


def test_unknown_values_break_the_line() -> None:
    page = draw(chart([1, 2, math.nan, 3, 4]))
    assert len(re.findall(r'class="line own"', page)) == 2


def test_labels_are_escaped() -> None:
    assert "a<b" not in draw(chart([1, 2])) and "a&lt;b" in draw(chart([1, 2]))


def test_thinning_keeps_the_extremes() -> None:
    values = np.ones(20_000)
    values[7_777], values[13_001] = 3.0, 0.2
    picture = chart(values)
    axis = value_axis(picture)
    heights = {float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", draw(picture))}
    assert max(heights) == pytest.approx(axis.place(0.2), abs=0.06)
    assert min(heights) == pytest.approx(axis.place(3.0), abs=0.06)
    assert len(draw(picture)) < 120_000


def test_hover_data_has_every_row() -> None:
    data = hover_data(chart([1.23456, math.nan]))
    assert data["traces"][0]["values"] == [1.2346, None] and data["dates"] == ["2020-01-01", "2020-01-02"]


def test_empty_chart_is_drawn() -> None:
    assert "<svg" in draw(chart([])) and "<svg" in draw(chart([math.nan]))


@pytest.mark.parametrize(
    ("value", "kind", "lang", "text"),
    [
        (0.1234, "percent", "en", "+12.34%"),
        (-0.1234, "percent", "en", "−12.34%"),
        (0.00001, "percent", "en", "0.00%"),
        (None, "ratio", "en", "—"),
        (math.nan, "ratio", "en", "—"),
        (1_234_567.0, "money", "en", "1,234,567"),
        (1_234_567.0, "money", "zh", "123.46 万"),
        (2.5e8, "money", "zh", "2.500 亿"),
        (12.5, "price", "en", "12.50"),
        (12.345, "price", "en", "12.345"),
        (12, "sessions", "zh", "12 天"),
    ],
)
def test_numbers_read_as_people_write_them(value: float | None, kind: str, lang: str, text: str) -> None:
    assert show(value, kind, lang) == text  # type: ignore[arg-type]


def test_tick_labels_use_a_real_minus() -> None:
    assert tick_label(-0.05, "percent") == "−5%" and tick_label(2.5, "ratio") == "2.5"
