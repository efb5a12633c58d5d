"""Numbers as people write them, read exactly."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from quant.specs.schema import values


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (values.Rate, "2.5bp", Decimal("0.00025")),
        (values.Rate, Decimal("0.00025"), Decimal("0.00025")),
        (values.Rate, "0.1%", Decimal("0.001")),
        (values.Share, "10%", Decimal("0.1")),
        (values.Share, 1, Decimal(1)),
        (values.Multiple, "1.5x", Decimal("1.5")),
        (values.Multiple, "98%", Decimal("0.98")),
        (values.Cash, "10_000_000", Decimal(10_000_000)),
        (values.Cash, "1000万", Decimal(10_000_000)),
        (values.Cash, "1.5亿", Decimal(150_000_000)),
        (values.Top, "1_000", 1000),
        (values.Top, Decimal("30.0"), 30),
        (values.Date, "2026-01-05", date(2026, 1, 5)),
        (values.InstrumentCode, 1, "000001"),
        (values.InstrumentCode, "sh.600519", "sh.600519"),
    ],
)
def test_humane_values_are_read_exactly(kind: Any, text: Any, expected: Any) -> None:
    assert TypeAdapter(kind).validate_python(text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (values.Rate, "11%"),
        (values.Rate, "-1bp"),
        (values.Rate, True),
        (values.Rate, "1x"),
        (values.Share, 0),
        (values.Share, "100.1%"),
        (values.Cash, 0),
        (values.Cash, "1e13"),
        (values.Cash, 1.5),
        (values.Top, "1.5"),
        (values.Top, 0),
        (values.Top, "٣"),
        (values.Date, "2026-1-5"),
        (values.Date, 20260105),
        (values.Date, "2026-02-30"),
        (values.FilePattern, "../x"),
        (values.FilePattern, "/x"),
        (values.Folder, "a/../b"),
        (values.Secret, "hunter2"),
        (values.Cron, "0 18 * *"),
        (values.Entry, "os:system()"),
    ],
)
def test_absurd_values_are_refused(kind: Any, text: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


def test_a_float_never_gets_in() -> None:
    with pytest.raises(ValidationError, match="not a number"):
        TypeAdapter(values.Money).validate_python(0.1)
