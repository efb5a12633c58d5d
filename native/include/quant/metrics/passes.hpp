#pragma once
#include <cstdint>

// Passes over one block of return series, compiled once per instruction set (see src/isa). Only plain data
// crosses this border, so that no inline code is shared between variants.
namespace quant::metrics {

// Columns of a block: a row of a block is four cache lines, 2,500 rows stay inside a 2 MB second-level cache.
inline constexpr int kLanes = 32;

// What one walk through time collects, one lane per series. Row numbers are kept as doubles; -1 = none.
struct Lanes {
  double count[kLanes];     // rows that are not NaN
  double sum[kLanes];       // of the returns
  double hits[kLanes];      // rows with a return > 0
  double best[kLanes];      // -inf without rows
  double worst[kLanes];     // +inf without rows
  double equity[kLanes];    // product of (1 + r), starting at 1
  double peak[kLanes];      // running maximum of the equity, the starting 1 included
  double peak_row[kLanes];  // -1: the starting capital
  double drawdown[kLanes];  // deepest equity / peak - 1
  double start[kLanes];     // peak row of the deepest drawdown
  double trough[kLanes];
  double recovery[kLanes];                    // first row at or above the peak again
  double underwater[kLanes];                  // rows below the peak so far
  double longest[kLanes];                     // most rows below a peak
  double m2[kLanes], m3[kLanes], m4[kLanes];  // central moment sums about `mean`
  double downside[kLanes];                    // sum of squared shortfalls below the target
  double mean[kLanes];                        // input of the second walk
};

// Window statistics of the rolling Sharpe ratio; `scratch` holds 3 * window * kLanes doubles.
struct Rolling {
  std::int64_t window;
  double least;   // fewest valid rows
  double target;  // risk-free return of one period
  double annual;  // sqrt(periods per year)
  double* scratch;
};

struct Passes {
  // Rows [rows, kLanes]; every walk goes forward in time, one accumulator per series.
  void (*walk)(const double* x, std::int64_t rows, Lanes* out);
  void (*moments)(const double* x, std::int64_t rows, double target, Lanes* io);
  void (*tail)(const double* x, std::int64_t rows, const double* limit, double* sum, double* count);
  void (*drawdowns)(const double* x, std::int64_t rows, double* out);
  void (*rolling)(const double* x, std::int64_t rows, const Rolling* how, double* out);
  void (*compound)(const double* x, std::int64_t first, std::int64_t last, double* out);
};

// The variant to use: "base", "avx2", "avx512", or nullptr for the best this machine has. Null when the
// machine or the build does not have it.
const Passes* passes(const char* isa);

}  // namespace quant::metrics
