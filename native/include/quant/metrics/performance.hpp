#pragma once
#include <cstdint>

#include "quant/metrics/passes.hpp"

// Performance metrics of N daily return series. Conventions and their sources: docs/metrics.md.
namespace quant::metrics {

// Returns [rows, columns], row-major, simple returns of one period; NaN = no return known that row: the row
// is skipped, the equity stays as it was.
struct Table {
  const double* cells;
  std::int64_t rows;
  std::int64_t columns;
};

struct Terms {
  double periods;    // per year
  double risk_free;  // a year, arithmetic: risk_free / periods a period
  double tail;       // probability of value at risk
};

struct Work {
  const Passes* passes;
  int threads;
};

// Rows of the result of `performance`, in this order.
inline constexpr const char* kPerformance[] = {"count",
                                               "total_return",
                                               "cagr",
                                               "volatility",
                                               "sharpe",
                                               "sortino",
                                               "calmar",
                                               "max_drawdown",
                                               "drawdown_start",
                                               "drawdown_trough",
                                               "drawdown_recovery",
                                               "drawdown_longest",
                                               "value_at_risk",
                                               "expected_shortfall",
                                               "skew",
                                               "kurtosis",
                                               "hit_rate",
                                               "best",
                                               "worst"};
inline constexpr int kPerformanceRows = sizeof(kPerformance) / sizeof(kPerformance[0]);

// Rows of the result of `relative`, in this order.
inline constexpr const char* kRelative[] = {
    "count", "benchmark_cagr", "excess_arithmetic", "excess_geometric", "beta",
    "alpha", "correlation",    "tracking_error",    "information_ratio"};
inline constexpr int kRelativeRows = sizeof(kRelative) / sizeof(kRelative[0]);

// Rows of the result of `turnover`, in this order.
inline constexpr const char* kTurnover[] = {"mean",    "annual",       "annual_one_sided",
                                            "highest", "active_share", "holding_periods"};
inline constexpr int kTurnoverRows = sizeof(kTurnover) / sizeof(kTurnover[0]);

// out [kPerformanceRows, columns]. NaN = undefined (too few rows, no deviation, no drawdown).
void performance(const Table& returns, const Terms& terms, const Work& work, double* out);
// out [rows, columns]: equity / running peak - 1, the starting capital counts as a peak.
void drawdown_series(const Table& returns, const Work& work, double* out);
// out [rows, columns]: Sharpe ratio of the window ending at the row; NaN before the first whole window, with
// fewer than half of its rows known, or without deviation.
void rolling_sharpe(const Table& returns, std::int64_t window, const Terms& terms, const Work& work,
                    double* out);
// out [periods, columns]: compounded return of rows [starts[p], starts[p+1]); NaN when no row is known.
void compound(const Table& returns, const std::int64_t* starts, std::int64_t periods, const Work& work,
              double* out);
// out [kRelativeRows, columns]; benchmark [rows]. Rows where either side is NaN are skipped for both.
void relative(const Table& returns, const double* benchmark, const Terms& terms, double* out);
// turnover [rows, columns]: traded value of both sides / net asset value. out [kTurnoverRows, columns].
void turnover(const Table& traded, double periods, double* out);

}  // namespace quant::metrics
