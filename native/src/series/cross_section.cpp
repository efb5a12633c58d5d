#include "quant/series/cross_section.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quant {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool takes_part(const double* x, const std::uint8_t* mask, std::size_t i) {
  return x[i] == x[i] && (mask == nullptr || mask[i] != 0);
}

}  // namespace

void cross_rank(double* out, const double* x, const std::uint8_t* mask, std::size_t n,
                CrossScratch& scratch) {
  auto& order = scratch.order;
  order.clear();
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = kNan;
    if (takes_part(x, mask, i)) order.emplace_back(x[i], static_cast<std::uint32_t>(i));
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const double count = static_cast<double>(order.size());
  for (std::size_t from = 0, to = 0; from < order.size(); from = to) {
    while (to < order.size() && order[to].first == order[from].first) ++to;
    const double rank = static_cast<double>(from + 1 + to) * 0.5 / count;
    for (std::size_t i = from; i < to; ++i) out[order[i].second] = rank;
  }
}

void cross_zscore(double* out, const double* x, const std::uint8_t* mask, std::size_t n) {
  // Deviations from the first value, so that a constant cross-section has exactly no spread.
  double first = 0.0, sum = 0.0, squares = 0.0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!takes_part(x, mask, i)) continue;
    if (count++ == 0) first = x[i];
    sum += x[i] - first;
  }
  const double mean = sum / static_cast<double>(count);
  for (std::size_t i = 0; i < n; ++i) {
    if (!takes_part(x, mask, i)) continue;
    const double deviation = (x[i] - first) - mean;
    squares += deviation * deviation;
  }
  const double spread = count < 2 ? kNan : std::sqrt(squares / static_cast<double>(count - 1));
  const double divisor = spread == 0.0 ? kNan : spread;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = takes_part(x, mask, i) ? ((x[i] - first) - mean) / divisor : kNan;
  }
}

}  // namespace quant
