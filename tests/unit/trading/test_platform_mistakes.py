"""Mistakes in files of platforms that show before a function of theirs runs: timers, signatures, modules."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_market import config
from platform_case import data_of, market, run, terms, write

from quant.trading.strategies import StrategyError, StrategyLoadError
from quant.trading.strategies.platforms import load_platform

BEGINNINGS = [
    ("joinquant", "run_weekly(f, 6)", "platform.timer", 2, "1 to 5"),
    ("joinquant", "run_monthly(f, 0)", "platform.timer", 2, "1 to 23"),
    ("joinquant", "run_monthly(f, -24)", "platform.timer", 2, "1 to 23"),
    ("joinquant", "run_daily('f')", "platform.timer", 2, None),
    ("joinquant", "run_daily(f, 'open')", "strategy.failed", 4, None),
    ("ricequant", "scheduler.run_weekly(f, weekday=8)", "platform.timer", 2, "1 to 5"),
    ("ricequant", "scheduler.run_weekly(f, weekday=0)", "platform.timer", 2, "1 to 5"),
    ("ricequant", "scheduler.run_weekly(f, tradingday=0)", "platform.timer", 2, "1 to 5"),
    ("ricequant", "scheduler.run_monthly(f, tradingday=31)", "platform.timer", 2, "1 to 23"),
    ("ricequant", "scheduler.run_daily(f)", "strategy.failed", 4, None),
]


@pytest.mark.parametrize(("style", "call", "code", "line", "expected"), BEGINNINGS)
def test_timers_that_are_never_due_or_cannot_be_called_are_told_with_their_line(
    tmp_path: Path, style: str, call: str, code: str, line: int, expected: str | None
) -> None:
    first = "initialize" if style == "joinquant" else "init"
    with pytest.raises(StrategyError) as caught:
        run(
            tmp_path,
            style,
            f"def {first}(context):\n    {call}\n\ndef f():\n    pass\n",
            data=data_of(market(3)),
        )
    fault = caught.value.fault
    assert (fault.code, fault.where.line if fault.where else None) == (code, line), fault
    assert expected is None or expected in str(fault.expected)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("jqlib.technical_analysis", "NumPy or pandas"),
        ("talib", "TA-Lib"),
        ("nowhere_at_all", "install nowhere_at_all"),
    ],
)
def test_modules_that_there_are_not_are_told_with_what_to_do(tmp_path: Path, module: str, said: str) -> None:
    with pytest.raises(StrategyLoadError) as caught:
        write(tmp_path, f"import {module}\ndef initialize(context): pass")
        load_platform(tmp_path, "strategies.mine", "joinquant", terms=terms(config(5), "before_open"))
    assert said in str(caught.value.fault.hint) and caught.value.fault.where.line == 1
