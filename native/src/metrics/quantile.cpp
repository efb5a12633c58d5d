#include "quant/metrics/quantile.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace quant::metrics {
namespace {

std::size_t collect(const Series& s, double limit, std::vector<double>& into) {
  into.resize(static_cast<std::size_t>(s.rows));
  std::size_t n = 0;
  for (std::int64_t t = 0; t < s.rows; ++t) {
    const double value = s.cells[t * s.stride];
    into[n] = value;
    n += value <= limit ? 1 : 0;
  }
  return n;
}

double between(double low, double high, double share) {
  const double step = high - low;
  return share >= 0.5 ? high - step * (1.0 - share) : low + step * share;
}

}  // namespace

double quantile(const Series& series, double probability, double guess, std::vector<double>& scratch) {
  if (series.known == 0) return std::numeric_limits<double>::quiet_NaN();
  const double place = probability * static_cast<double>(series.known - 1);
  const auto low = static_cast<std::size_t>(std::floor(place));
  const std::size_t high = std::min(low + 1, static_cast<std::size_t>(series.known - 1));
  std::size_t n = collect(series, guess, scratch);
  if (n <= high) n = collect(series, std::numeric_limits<double>::infinity(), scratch);
  const auto first = scratch.begin(), at = first + static_cast<std::ptrdiff_t>(low);
  const auto end = first + static_cast<std::ptrdiff_t>(n);
  std::nth_element(first, at, end);
  const double below = *at;
  const double above = high == low ? below : *std::min_element(at + 1, end);
  return between(below, above, place - static_cast<double>(low));
}

}  // namespace quant::metrics
