#pragma once
#include <cstdint>
#include <vector>

namespace quant::metrics {

// One series of a block: values `stride` doubles apart, `known` of them not NaN.
struct Series {
  const double* cells;
  std::int64_t rows;
  std::int64_t stride;
  std::int64_t known;
};

// Historical quantile with linear interpolation (Hyndman and Fan 1996, definition 7; numpy's default).
// `guess` bounds the values looked at first and never changes the result. NaN without known rows.
double quantile(const Series& series, double probability, double guess, std::vector<double>& scratch);

}  // namespace quant::metrics
