"""Every metric against a slow, obvious NumPy twin, one series at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quant.core.errors import UsageError
from quant.native import metrics

PERIODS = 252.0


def twin_performance(returns: np.ndarray, risk_free: float = 0.0, tail: float = 0.05) -> dict[str, float]:
    """The definitions of docs/metrics.md, for one series, in plain NumPy."""
    known = returns[~np.isnan(returns)]
    n = len(known)
    out = dict.fromkeys(metrics.PERFORMANCE, math.nan) | {"count": float(n)} | twin_drawdown(returns)
    if n == 0:
        return out
    growth = np.prod(1 + known)
    mean, excess = known.mean(), known.mean() - risk_free / PERIODS
    constant = known.max() == known.min()
    deviation = known.std(ddof=1) if n > 1 and not constant else (0.0 if n > 1 else math.nan)
    downside = math.sqrt(np.mean(np.minimum(known - risk_free / PERIODS, 0.0) ** 2))
    limit = np.quantile(known, tail)
    out |= {
        "total_return": growth - 1,
        "cagr": growth ** (PERIODS / n) - 1,
        "volatility": deviation * math.sqrt(PERIODS),
        "sharpe": excess / deviation * math.sqrt(PERIODS) if deviation > 0 else math.nan,
        "sortino": excess / downside * math.sqrt(PERIODS) if downside > 0 else math.nan,
        "value_at_risk": limit,
        "expected_shortfall": known[known <= limit].mean(),
        "hit_rate": np.mean(known > 0),
        "best": known.max(),
        "worst": known.min(),
    }
    if out["max_drawdown"] < 0:
        out["calmar"] = out["cagr"] / -out["max_drawdown"]
    if constant:
        return out
    centred = known - mean
    m2, m3, m4 = (np.mean(centred**k) for k in (2, 3, 4))
    if n > 2:
        out["skew"] = math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5
    if n > 3:
        out["kurtosis"] = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    return out


def twin_drawdown(returns: np.ndarray) -> dict[str, float]:
    equity, peak, peak_row, under = 1.0, 1.0, -1, 0
    out = {
        "max_drawdown": 0.0,
        "drawdown_start": -1.0,
        "drawdown_trough": -1.0,
        "drawdown_recovery": -1.0,
        "drawdown_longest": 0.0,
    }
    for row, value in enumerate(returns):
        equity *= 1.0 if math.isnan(value) else 1.0 + value
        if equity > peak:
            peak, peak_row = equity, row
        depth = equity / peak - 1.0
        under = under + 1 if depth < 0 else 0
        out["drawdown_longest"] = max(out["drawdown_longest"], under)
        if depth < out["max_drawdown"]:
            out |= {
                "max_drawdown": depth,
                "drawdown_start": peak_row,
                "drawdown_trough": row,
                "drawdown_recovery": -1.0,
            }
        elif depth >= 0 and out["drawdown_recovery"] < 0 <= out["drawdown_trough"]:
            out["drawdown_recovery"] = row
    if np.isnan(returns).all():
        out["max_drawdown"] = math.nan
    return out


def twin_rolling(returns: np.ndarray, window: int, risk_free: float) -> np.ndarray:
    out = np.full(len(returns), np.nan)
    for row in range(window - 1, len(returns)):
        part = returns[row - window + 1 : row + 1]
        known = part[~np.isnan(part)]
        if len(known) < max(2, math.ceil(window / 2)) or known.max() == known.min():
            continue
        out[row] = (known.mean() - risk_free / PERIODS) / known.std(ddof=1) * math.sqrt(PERIODS)
    return out


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    """67 series: ordinary, gaps, constant, all NaN, one row known, only gains, only losses, a total loss."""
    rng = np.random.default_rng(7)
    table = rng.standard_t(4, (300, 67)) * 0.01 + 0.0003
    table[:, 1][rng.random(300) < 0.3] = np.nan
    table[:, 2] = 0.01
    table[:, 3] = np.nan
    table[:, 4] = np.nan
    table[17, 4] = -0.02
    table[:, 5] = np.abs(table[:, 5])
    table[:, 6] = -np.abs(table[:, 6])
    table[100, 7] = -1.0
    table[:50, 8] = np.nan
    table[:, 9] = 0.0
    return table


@pytest.mark.parametrize("risk_free", [0.0, 0.03])
@pytest.mark.parametrize("tail", [0.05, 0.01, 0.5])
def test_performance_equals_the_numpy_twin(returns: np.ndarray, risk_free: float, tail: float) -> None:
    ours = metrics.performance(returns, risk_free=risk_free, tail=tail)
    for column in range(returns.shape[1]):
        twin = twin_performance(returns[:, column], risk_free, tail)
        for name in metrics.PERFORMANCE:
            expected = pytest.approx(twin[name], rel=1e-9, abs=1e-13, nan_ok=True)
            assert ours[name][column] == expected, (name, column)


def test_undefined_results_are_nan_not_infinite(returns: np.ndarray) -> None:
    ours = metrics.performance(returns)
    assert math.isnan(ours["sharpe"][2]) and ours["volatility"][2] == 0.0
    assert math.isnan(ours["calmar"][5]) and ours["max_drawdown"][5] == 0.0
    assert math.isnan(ours["total_return"][3]) and ours["count"][3] == 0.0
    assert math.isnan(ours["volatility"][4]) and ours["total_return"][4] == pytest.approx(-0.02)
    assert ours["total_return"][7] == -1.0 and ours["cagr"][7] == -1.0
    assert not any(np.isinf(values).any() for values in ours.values())


@pytest.mark.parametrize("window", [2, 5, 63, 299, 300, 301])
def test_rolling_sharpe_equals_the_numpy_twin(returns: np.ndarray, window: int) -> None:
    ours = metrics.rolling_sharpe(returns, window=window, risk_free=0.02)
    for column in range(returns.shape[1]):
        twin = twin_rolling(returns[:, column], window, 0.02)
        np.testing.assert_allclose(ours[:, column], twin, rtol=1e-7, atol=1e-9, err_msg=str(column))


def test_rolling_sharpe_sees_nothing_outside_its_window(returns: np.ndarray) -> None:
    poisoned = returns.copy()
    poisoned[:100] = 1e300
    poisoned[200:] = np.inf
    clean, dirty = (metrics.rolling_sharpe(table, window=20) for table in (returns, poisoned))
    np.testing.assert_array_equal(clean[119:200], dirty[119:200])


def test_drawdowns_equal_the_numpy_twin(returns: np.ndarray) -> None:
    equity = np.cumprod(1 + np.nan_to_num(returns), axis=0)
    twin = equity / np.maximum(np.maximum.accumulate(equity, axis=0), 1.0) - 1
    np.testing.assert_allclose(metrics.drawdowns(returns), twin, rtol=1e-12, atol=1e-15)


def test_compound_equals_the_product_of_each_period(returns: np.ndarray) -> None:
    starts = [0, 20, 21, 150]
    ours = metrics.compound(returns, starts)
    for place, (first, last) in enumerate(zip(starts, [*starts[1:], 300], strict=True)):
        part = returns[first:last]
        twin = np.where(np.isnan(part).all(axis=0), np.nan, np.nanprod(1 + part, axis=0) - 1)
        np.testing.assert_allclose(ours[place], twin, rtol=1e-12, atol=1e-15)


def test_period_starts_are_the_rows_of_a_new_label() -> None:
    assert metrics.period_starts([3, 3, 4, 4, 4, 1]).tolist() == [0, 2, 5]
    assert metrics.period_starts([]).tolist() == []


def test_relative_equals_the_numpy_twin(returns: np.ndarray) -> None:
    benchmark = np.random.default_rng(8).normal(0.0002, 0.01, len(returns))
    benchmark[::29] = np.nan
    ours = metrics.relative(returns, benchmark, risk_free=0.03)
    for column in (0, 1, 5, 6, 8, 40, 66):
        both = ~np.isnan(returns[:, column]) & ~np.isnan(benchmark)
        own, other = returns[both, column], benchmark[both]
        rate, n = 0.03 / PERIODS, both.sum()
        grown, base = (np.prod(1 + x) ** (PERIODS / n) - 1 for x in (own, other))
        beta = np.cov(own, other, ddof=1)[0, 1] / other.var(ddof=1)
        active = own - other
        twin = {
            "count": n,
            "benchmark_cagr": base,
            "excess_arithmetic": grown - base,
            "excess_geometric": (1 + grown) / (1 + base) - 1,
            "beta": beta,
            "alpha": ((own.mean() - rate) - beta * (other.mean() - rate)) * PERIODS,
            "correlation": np.corrcoef(own, other)[0, 1],
            "tracking_error": active.std(ddof=1) * math.sqrt(PERIODS),
            "information_ratio": active.mean() / active.std(ddof=1) * math.sqrt(PERIODS),
        }
        for name in metrics.RELATIVE:
            assert ours[name][column] == pytest.approx(twin[name], rel=1e-9), name


def test_relative_to_a_flat_benchmark_has_no_beta(returns: np.ndarray) -> None:
    ours = metrics.relative(returns[:, :1], np.full(len(returns), 0.01))
    assert math.isnan(ours["beta"][0]) and math.isnan(ours["alpha"][0]) and math.isnan(ours["correlation"][0])
    assert ours["tracking_error"][0] == pytest.approx(returns[:, 0].std(ddof=1) * math.sqrt(PERIODS))


def test_turnover_summarises_two_sided_trading() -> None:
    traded = np.array([0.0, 1.0, 0.0, 0.2, np.nan])
    ours = {name: values[0] for name, values in metrics.turnover(traded).items()}
    assert ours == pytest.approx(
        {
            "mean": 0.3,
            "annual": 75.6,
            "annual_one_sided": 37.8,
            "highest": 1.0,
            "active_share": 0.5,
            "holding_periods": 2 / 0.3,
        }
    )


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_every_instruction_set_and_thread_count_gives_the_same_bytes(returns: np.ndarray, isa: str) -> None:
    starts = [0, 100, 200]
    calls: list[Callable[..., np.ndarray]] = [
        lambda **how: np.array(list(metrics.performance(returns, **how).values())),
        lambda **how: metrics.rolling_sharpe(returns, **how),
        lambda **how: metrics.drawdowns(returns, **how),
        lambda **how: metrics.compound(returns, starts, **how),
    ]
    for call in calls:
        try:
            variant = call(isa=isa)
        except ValueError:
            pytest.skip(f"{isa} is not available on this machine")
        assert variant.tobytes() == call(isa="base").tobytes() == call(threads=3).tobytes()


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-0.5, 0.5, width=32) | st.just(math.nan))
)
def test_any_series_keeps_the_twin_and_its_bounds(series: np.ndarray) -> None:
    ours = {name: values[0] for name, values in metrics.performance(series).items()}
    twin = twin_performance(series)
    for name in (
        "count",
        "total_return",
        "max_drawdown",
        "drawdown_trough",
        "drawdown_longest",
        "value_at_risk",
        "hit_rate",
        "best",
        "worst",
    ):
        assert ours[name] == pytest.approx(twin[name], rel=1e-9, abs=1e-12, nan_ok=True), name
    if ours["count"]:
        assert -1.0 <= ours["max_drawdown"] <= 0.0
        assert ours["expected_shortfall"] <= ours["value_at_risk"] + 1e-15
        assert ours["worst"] - 1e-15 <= ours["value_at_risk"] <= ours["best"] + 1e-15


def test_empty_tables_have_no_values() -> None:
    assert metrics.performance(np.empty((0, 2)))["count"].tolist() == [0.0, 0.0]
    assert metrics.performance(np.empty((5, 0)))["sharpe"].shape == (0,)
    assert metrics.compound(np.empty((0, 2)), []).shape == (0, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.performance(np.zeros((2, 2, 2))),
        lambda: metrics.performance([0.1], periods=0),
        lambda: metrics.performance([0.1], tail=1.0),
        lambda: metrics.performance([0.1], risk_free=math.nan),
        lambda: metrics.rolling_sharpe([0.1], window=1),
        lambda: metrics.compound([0.1, 0.2], [1, 0]),
        lambda: metrics.compound([0.1, 0.2], [2]),
        lambda: metrics.relative([0.1, 0.2], [0.1]),
    ],
)
def test_unusable_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.fault.expected
