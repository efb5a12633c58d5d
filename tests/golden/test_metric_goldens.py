"""Published figures of other projects, recomputed with our metrics.

Every case that defines the same metric is named here; the others are named in LEFT_OUT with the reason.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.native import metrics

Shared = Callable[[str], Path]
Ffn = tuple[list[str], dict[str, np.ndarray], list[dict[str, str]]]  # dates, prices, checks


def one(values: np.ndarray) -> float:
    return float(values[0])


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def simple_returns(prices: np.ndarray) -> np.ndarray:
    return prices[1:] / prices[:-1] - 1


# --- index figures: yearly return, volatility, Sharpe (3 % a year), drawdown ---

INDICES = {"S&P 500": "SP500_daily.csv.gz", "Nikkei 225": "N225_daily.csv.gz"}


def index_years() -> list[tuple[str, int]]:
    return [(index, year) for index in INDICES for year in range(2010, 2026)]


@pytest.mark.parametrize(("index", "year"), index_years())
def test_index_year_metrics_are_reproduced(shared: Shared, index: str, year: int) -> None:
    folder = shared("data/golden_09*")
    with (folder / "index_year_metrics.csv").open(encoding="utf-8-sig", newline="") as file:
        expected = next(r for r in csv.DictReader(file) if r["index"] == index and r["year"] == str(year))
    daily = [r for r in rows_of(folder / INDICES[index]) if r["date"].startswith(f"{year}/")]
    returns = simple_returns(np.array([float(r["close"]) for r in daily]))
    ours = {name: one(values) for name, values in metrics.performance(returns, risk_free=0.03).items()}
    assert round(ours["total_return"] * 100, 2) == pytest.approx(float(expected["ret_pct"]), abs=0.0051)
    assert round(ours["volatility"] * 100, 2) == pytest.approx(float(expected["vol_pct"]), abs=0.0051)
    assert round(ours["sharpe"], 2) == pytest.approx(float(expected["sharpe"]), abs=0.0051)
    assert round(ours["max_drawdown"] * 100, 2) == pytest.approx(float(expected["mdd_pct"]), abs=0.0051)
    assert round(ours["hit_rate"] * len(returns)) == int(expected["up"])
    dates = [iso(r["date"]) for r in daily]
    assert dates[int(ours["drawdown_start"]) + 1] == expected["peak"]
    assert dates[int(ours["drawdown_trough"]) + 1] == expected["trough"]


def iso(text: str) -> str:
    year, month, day = text.split("/")
    return f"{year}-{int(month):02}-{int(day):02}"


# --- ffn: total return, drawdown, CAGR of AAPL, MSFT, C ---

FFN_USED = {
    "test_to_returns_ts": "simple returns",
    "test_to_returns_df": "simple returns",
    "test_to_drawdown_series_ts": "drawdown series",
    "test_to_drawdown_series_df": "drawdown series",
    "test_max_drawdown_ts": "maximum drawdown",
    "test_max_drawdown_df": "maximum drawdown",
    "test_calc_total_return": "total return",
    "test_to_price_index": "compounded growth",
    "test_rebase": "compounded growth",
    "test_cagr_ts": "CAGR, on the calendar years between first and last price",
    "test_cagr_df": "CAGR, on the calendar years between first and last price",
    "test_mtd_ytd": "compounded return of a month and of a year",
}
FFN_LEFT_OUT = {
    "test_to_log_returns_ts": "log returns are not a metric of ours",
    "test_to_log_returns_df": "log returns are not a metric of ours",
    "test_year_frac": "a part of calendar-day annualisation; ours counts sessions",
    "test_annualize": "calendar-day annualisation; ours counts sessions",
    "test_deannualize": "geometric risk-free rate; ours is arithmetic",
    "test_calc_inv_vol_weights": "portfolio weights, not a metric",
    "test_calc_inv_vol_weights_object_regression_204": "portfolio weights, not a metric",
    "test_calc_mean_var_weights": "portfolio weights, not a metric",
    "test_calc_erc_weights": "portfolio weights, not a metric",
    "test_limit_weights": "portfolio weights, not a metric",
    "test_rescale": "a data transform, not a metric",
    "test_to_ulcer_index_without_drawdown_is_zero": "we have no ulcer index",
    "test_calc_prob_mom_increases_with_sample_size": "we have no momentum probability",
    "test_calc_prob_mom_matches_one_sample_t_test": "we have no momentum probability",
    "test_calc_prob_mom_without_an_edge_is_half": "we have no momentum probability",
    "test_twelve_month_win_perc_uses_twelve_month_window": "we have no twelve-month win share",
    "test_calc_expected_max_sharpe": "overfitting statistics are not performance metrics",
    "test_calc_deflated_sharpe_ratio": "overfitting statistics are not performance metrics",
    "test_calc_deflated_sharpe_ratio_zero_dispersion": "overfitting statistics are not performance metrics",
}
FFN_APART = ("test_mtd_ytd", "test_cagr_ts")  # each has its own test below
AAE = re.compile(r"aae\((?P<what>.+), (?P<value>-?[\d.]+), (?P<digits>\d)\)")


@pytest.fixture(scope="module")
def ffn(shared: Shared) -> Ffn:
    folder = shared("data/golden_05*")
    rows = rows_of(folder / "test_data.csv.gz")
    prices = {name: np.array([float(r[name]) for r in rows]) for name in ("AAPL", "MSFT", "C")}
    checks = json.loads((folder / "ffn_expected_checks.json").read_text())
    return [us_date(r["Date"]) for r in rows], prices, [c for c in checks if "check" in c]


def us_date(text: str) -> str:
    month, day, year = text.split("/")
    return f"{year}-{int(month):02}-{int(day):02}"


def ffn_value(
    test: str, what: str, dates: list[str], prices: dict[str, np.ndarray], start_one: bool
) -> float:
    """Our figure for the left side of one check; a check without a column name is about AAPL."""
    named = re.search(r'"(\w+)"', what)
    at = re.search(r"iloc\[(\d+)\]", what)
    line = prices[named[1] if named else "AAPL"]
    row = int(at[1]) if at else -1
    if "cagr" in test:
        # ffn's own test data: ten prices for the single series, the whole file for the frame.
        years = calendar_years(dates[0], dates[len(line) - 1])
        return one(metrics.performance(simple_returns(line), periods=(len(line) - 1) / years)["cagr"])
    line = line[:11] if "total_return" in test else line[:10] if "drawdown" in test else line
    returns = simple_returns(line)
    if "to_returns" in test:
        return float(returns[row - 1])
    if "drawdown_series" in test:
        return float(metrics.drawdowns(returns)[row - 1, 0])
    if "max_drawdown" in test:
        return one(metrics.performance(returns)["max_drawdown"])
    if "total_return" in test:
        return one(metrics.performance(returns)["total_return"])
    return (1 + one(metrics.performance(returns[:row])["total_return"])) * (1 if start_one else 100)


def calendar_years(first: str, last: str) -> float:
    days = (np.datetime64(last) - np.datetime64(first)).astype(int)
    return float(days) / 365.25


def test_ffn_checks_of_the_same_metric_are_reproduced(
    ffn: Ffn,
) -> None:
    dates, prices, checks = ffn
    done = 0
    for check in checks:
        match = AAE.fullmatch(check["check"])
        if check["test"] not in FFN_USED or match is None or check["test"] in FFN_APART:
            continue
        expected, digits = float(match["value"]), int(match["digits"])
        ours = ffn_value(check["test"], match["what"], dates, prices, start_one=abs(expected) < 2)
        assert abs(ours - expected) < 1.5 * 10**-digits, (check, ours)
        done += 1
    assert done == 35


def test_ffn_cagr_of_ten_prices_is_reproduced(
    ffn: Ffn,
) -> None:
    dates, prices, _ = ffn
    line = prices["AAPL"][:10]
    years = calendar_years(dates[0], dates[9])
    ours = one(metrics.performance(simple_returns(line), periods=9 / years)["cagr"])
    assert ours == pytest.approx(-0.921, abs=0.0005)


@pytest.mark.parametrize(
    ("last", "month", "year"),
    [("2004-12-24", -0.0175, None), ("2005-01-14", 0.0901, None), ("2005-02-15", 0.1497, 0.3728)],
)
def test_ffn_month_and_year_to_date_are_reproduced(
    ffn: Ffn, last: str, month: float, year: float | None
) -> None:
    dates, prices, _ = ffn
    rows = [i for i, date in enumerate(dates) if "2004-12-10" <= date <= last]
    line, days = prices["AAPL"][rows], [dates[i] for i in rows][1:]
    for expected, letters in ((month, 7), (year, 4)):
        starts = metrics.period_starts([date[:letters] for date in days])
        if expected is not None:
            ours = metrics.compound(simple_returns(line), starts)[-1, 0]
            assert round(float(ours), 4) == expected


def test_every_ffn_check_is_used_or_left_out_with_a_reason(
    ffn: Ffn,
) -> None:
    assert {check["test"] for check in ffn[2]} == set(FFN_USED) | set(FFN_LEFT_OUT)


# --- empyrical: parameterised cases ---


EMPYRICAL_LEFT_OUT = {
    "test_omega": "we have no omega ratio",
    "test_omega_returns": "we have no omega ratio",
    "test_excess_sharpe": "not annualised; our information ratio is (checked below by its factor)",
    "test_downside_risk_noisy": "inequality; downside deviation is inside our Sortino ratio",
    "test_downside_risk_trans": "inequality; downside deviation is inside our Sortino ratio",
    "test_downside_risk_std": "inequality over random draws that are not stored",
    "test_cagr_noisy": "compares noisy variants to one digit, not a value",
    "test_sortino_add_noise": "inequality over random draws that are not stored",
    "test_sortino_sub_noise": "inequality over random draws that are not stored",
    "test_sharpe_noise": "inequality over random draws that are not stored",
    "test_alpha_beta_translation": "inequality over random draws that are not stored",
    "test_alpha_beta_correlation": "inequality over random draws that are not stored",
    "test_alpha_beta_equality": "compares two entry points of empyrical with each other",
    "test_alpha_beta_with_nan_inputs": "asserts only that a value exists",
    "test_cagr_with_nan_inputs": "asserts only that a value exists",
    "test_excess_sharpe_noisy": "inequality of a ratio we annualise",
    "test_excess_sharpe_trans": "inequality of a ratio we annualise",
    "test_stability_of_timeseries": "we have no such metric",
    "test_tail_ratio": "we have no such metric",
    "test_beta_fragility_heuristic": "we have no such metric",
    "test_gpd_risk_estimates": "we have no such metric",
    "test_roll_max_drawdown": "we have no rolling drawdown",
    "test_roll_alpha_beta": "we have no rolling regression",
    **dict.fromkeys(
        (
            "test_capture_ratio",
            "test_down_capture",
            "test_up_capture",
            "test_up_down_capture",
            "test_roll_up_down_capture",
            "test_roll_down_capture",
            "test_roll_up_capture",
            "test_down_alpha_beta",
            "test_up_alpha_beta",
        ),
        "we have no capture ratios",
    ),
}
EMPYRICAL_USED = {
    "test_simple_returns",
    "test_cum_returns",
    "test_cum_returns_final",
    "test_max_drawdown",
    "test_max_drawdown_translation",
    "test_sharpe_ratio",
    "test_sharpe_translation_same",
    "test_sharpe_translation_diff",
    "test_sharpe_translation_1",
    "test_sortino_translation_same",
    "test_sortino_translation_diff",
    "test_alpha_beta",
    "test_alpha",
    "test_beta",
    "test_cagr_translation",
    "test_roll_sharpe_ratio",
    "test_cum_returns_df",
    "test_cum_returns_final_df",
}
# Single cases of used tests that mean something else.
EMPYRICAL_CASES_LEFT_OUT = {
    ("test_sharpe_ratio", "flat_line_1"): "infinite there; ours is undefined (NaN) without deviation",
    ("test_simple_returns", "pos_line"): "starts at a price of zero: an infinite return",
}


@pytest.fixture(scope="module")
def empyrical(shared: Shared) -> dict[str, Any]:
    path = shared("data/golden_06*") / "empyrical_cases.json.gz"
    content: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return content


def cases(empyrical: dict[str, Any], test: str) -> Iterator[tuple[list[str], list[Any]]]:
    for case in empyrical["cases"]:
        if case["test"] == test and (test, case["args"][0]) not in EMPYRICAL_CASES_LEFT_OUT:
            yield case["args"], case["values"]


def line_of(empyrical: dict[str, Any], name: str) -> np.ndarray:
    """A named series of the file, also ``-name``, ``2 * name`` and ``name[1:]``."""
    if name.startswith("-"):
        return -line_of(empyrical, name[1:])
    if name.startswith("2 * "):
        return 2 * line_of(empyrical, name[4:])
    if name.endswith("[1:]"):
        return line_of(empyrical, name[:-4])[1:]
    return numbers(empyrical["series"][name]["values"])


def numbers(values: list[Any]) -> np.ndarray:
    return np.array([math.nan if v in (None, "NaN") else float(v) for v in values], dtype=np.float64)


def number(value: Any) -> float:
    return math.nan if value == "NaN" else float(value)


def same(ours: float, expected: float, digits: int = 8) -> bool:
    return (math.isnan(ours) and math.isnan(expected)) or abs(ours - expected) < 1.5 * 10**-digits


def metric(returns: np.ndarray, name: str, **terms: float) -> float:
    return one(metrics.performance(returns, **terms)[name])


def test_every_empyrical_case_is_used_or_left_out_with_a_reason(empyrical: dict[str, Any]) -> None:
    assert {case["test"] for case in empyrical["cases"]} == EMPYRICAL_USED | set(EMPYRICAL_LEFT_OUT)


def test_empyrical_total_and_cumulative_returns_are_reproduced(empyrical: dict[str, Any]) -> None:
    for args, (_, start, expected) in cases(empyrical, "test_cum_returns_final"):
        grown = metric(line_of(empyrical, args[0]), "total_return")
        assert same((1 + grown) * start if start else grown, number(expected), digits=5 - (start > 1)), args
    for args, (_, start, expected) in cases(empyrical, "test_cum_returns"):
        line = line_of(empyrical, args[0])
        ours = [metric(np.nan_to_num(line[: t + 1]), "total_return") for t in range(len(line))]
        grown = [(1 + x) * start if start else x for x in ours]
        np.testing.assert_allclose(grown, numbers(expected), atol=1e-4 if start else 1e-5)
    frame = empyrical["series"]
    for start, wanted in ((0, "df_0_expected"), (100, "df_100_expected")):
        for column in ("one", "two"):
            line = numbers(frame["df_input"]["df"][column])
            ours = [metric(np.nan_to_num(line[: t + 1]), "total_return") for t in range(len(line))]
            grown = np.array([(1 + x) * start if start else x for x in ours])
            np.testing.assert_allclose(
                grown, numbers(frame[wanted]["df"][column]), atol=5e-5 if start else 5e-7
            )


def test_empyrical_simple_returns_of_a_flat_price_compound_to_nothing(empyrical: dict[str, Any]) -> None:
    for args, (_, expected) in cases(empyrical, "test_simple_returns"):
        returns = simple_returns(line_of(empyrical, args[0]))
        assert returns.tolist() == numbers(expected).tolist()
        assert metric(returns, "total_return") == 0.0


def test_empyrical_drawdowns_are_reproduced(empyrical: dict[str, Any]) -> None:
    done = 0
    for args, (_, expected) in cases(empyrical, "test_max_drawdown"):
        if args[0] == "...":  # the series of this case was lost in the extraction
            continue
        assert same(metric(line_of(empyrical, args[0]), "max_drawdown"), number(expected)), args
        done += 1
    assert done == 5
    for args, (_, shift) in cases(empyrical, "test_max_drawdown_translation"):
        line = line_of(empyrical, args[0])
        lower, plain, raised = (metric(line + d, "max_drawdown") for d in (-shift, 0.0, shift))
        assert lower <= plain <= raised


def test_empyrical_sharpe_ratios_are_reproduced(empyrical: dict[str, Any]) -> None:
    done = 0
    for args, (_, rate, expected) in cases(empyrical, "test_sharpe_ratio"):
        line = line_of(empyrical, args[0])
        excess = line - (line_of(empyrical, args[1]) if rate == "SERIES" else rate)
        assert same(metric(excess, "sharpe"), number(expected)), args
        done += 1
    assert done == 7
    for args, (_, window, expected) in cases(empyrical, "test_roll_sharpe_ratio"):
        line = line_of(empyrical, args[0])
        if not expected:
            assert metrics.rolling_sharpe(line, window=window).size == 0
            continue
        # empyrical starts its windows at the first row, whose return is unknown in mixed_returns.
        ours = metrics.rolling_sharpe(line, window=window)[window - 1 :, 0]
        np.testing.assert_allclose(ours, numbers(expected), atol=1e-7)


@pytest.mark.parametrize("name", ["sharpe", "sortino"])
def test_empyrical_ratio_translations_hold(empyrical: dict[str, Any], name: str) -> None:
    for args, (_, required, shift) in cases(empyrical, f"test_{name}_translation_same"):
        line = line_of(empyrical, args[0]) - required
        for moved in (shift, -shift):
            rated = metric(line + moved, name, risk_free=moved * 252)
            assert rated == pytest.approx(metric(line, name), rel=1e-6)
    for args, (_, required, shift, other) in cases(empyrical, f"test_{name}_translation_diff"):
        line = line_of(empyrical, args[0]) - required
        assert not same(metric(line + shift, name, risk_free=other * 252), metric(line, name))


def test_empyrical_sharpe_rises_and_falls_with_the_mean(empyrical: dict[str, Any]) -> None:
    for args, (_, required, shift) in cases(empyrical, "test_sharpe_translation_1"):
        line = line_of(empyrical, args[0]) - required
        lower, plain, raised = (metric(line + d, "sharpe") for d in (-shift, 0.0, shift))
        assert lower < plain < raised


def test_empyrical_cagr_moves_with_the_returns(empyrical: dict[str, Any]) -> None:
    for args, (_, shift) in cases(empyrical, "test_cagr_translation"):
        line = line_of(empyrical, args[0])
        lower, plain, raised = (metric(line + d, "cagr") for d in (-shift, 0.0, shift))
        assert lower < plain < raised


def aligned(empyrical: dict[str, Any], args: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The pair on the rows of the returns; a benchmark that starts later is unknown before."""
    own, other = (line_of(empyrical, name) for name in args[:2])
    if args[1].endswith("[1:]"):
        other = np.concatenate([[math.nan], other])
    rows = min(len(own), len(other))
    return own[:rows], other[:rows]


def test_empyrical_alpha_and_beta_are_reproduced(empyrical: dict[str, Any]) -> None:
    """empyrical compounds alpha over the year, ours is the plain multiple; the regression is the same."""
    done = 0
    for test in ("test_alpha_beta", "test_alpha", "test_beta"):
        for args, values in cases(empyrical, test):
            names = " ".join(args[:2])
            # Built from draws, or with a calendar of gaps, that are not stored.
            if " * flat" in names or "rand" in names:
                continue
            ours = {k: one(v) for k, v in metrics.relative(*aligned(empyrical, args)).items()}
            compounded = (1 + ours["alpha"] / 252) ** 252 - 1
            expected = values[2] if isinstance(values[2], list) else [values[2]]
            pair = {"test_alpha_beta": [compounded, ours["beta"]], "test_alpha": [compounded]}
            for mine, wanted in zip(pair.get(test, [ours["beta"]]), expected, strict=True):
                assert same(mine, number(wanted)), (test, args, mine)
            done += 1
    assert done == 17


def test_empyrical_excess_sharpe_is_the_information_ratio_of_one_period(empyrical: dict[str, Any]) -> None:
    for args, (_, _, expected) in cases(empyrical, "test_excess_sharpe"):
        own = line_of(empyrical, args[0])
        other = np.zeros(len(own)) if args[1] == "0.0" else line_of(empyrical, args[1])
        ours = one(metrics.relative(own, other)["information_ratio"]) / math.sqrt(252)
        assert same(ours, number(expected)), args


# --- Chan's IGE example ---

CHAN_LEFT_OUT = {
    "intraday SPY minutes 2011": "its prices are not among the stored files",
    "drawdown helper": "fed by hand-made bars that are not stored; durations are clock times",
}


@pytest.fixture(scope="module")
def ige(shared: Shared) -> np.ndarray:
    rows = rows_of(shared("data/golden_08*") / "sharpe-ratio-test-ige.csv.gz")
    return np.array([float(r["Adj Close"]) for r in rows if r["Date"] <= "2007-11-14"])


@pytest.fixture(scope="module")
def chan(shared: Shared) -> list[dict[str, Any]]:
    content = json.loads((shared("data/golden_08*") / "expected.json").read_text())
    found: list[dict[str, Any]] = content["cases"]
    return found


def test_chan_sharpe_of_buy_and_hold_is_reproduced(ige: np.ndarray, chan: list[dict[str, Any]]) -> None:
    """Bought at the first close, so the first session returns nothing."""
    equity = np.concatenate([[chan[0]["initial_cash"]], ige])
    ours = metric(simple_returns(equity), "sharpe", risk_free=0.04)
    assert round(ours, 4) == chan[0]["sharpe_rf4pct_annualised"]
    assert round(ours / math.sqrt(252), 4) == chan[0]["sharpe_rf4pct_not_annualised"]
    assert ige[-1] - ige[0] == pytest.approx(chan[0]["final_cash_gain"])


def test_chan_sharpe_with_commission_is_reproduced(ige: np.ndarray, chan: list[dict[str, Any]]) -> None:
    equity = np.concatenate([[42.59], ige])
    equity[-1] -= 0.5
    ours = metric(simple_returns(equity), "sharpe", risk_free=0.04)
    assert round(ours, 6) == chan[1]["sharpe_rf4pct_annualised"]
