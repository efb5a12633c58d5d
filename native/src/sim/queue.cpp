#include "quant/sim/queue.hpp"

#include <algorithm>
#include <bit>

#include "quant/prim/wide.hpp"

namespace quant {
namespace {

// x^n as a share of the larger of the two: scaled to 2^15 first, so that four powers fit.
int64_t power_of(int64_t x, int64_t largest, int32_t n) {
  const int64_t scaled = mul_div(x, int64_t{1} << 15, largest);
  int64_t product = 1;
  for (int32_t k = 0; k < n; ++k) product *= scaled;
  return product;
}

}  // namespace

int64_t log2_fixed(int64_t x) {
  uint64_t value = static_cast<uint64_t>(x) + 1;
  const int whole = 63 - std::countl_zero(value);
  value = whole >= 31 ? value >> (whole - 31) : value << (31 - whole);  // mantissa in [2^31, 2^32)
  int64_t log = int64_t{whole} << 16;
  for (int64_t bit = 1 << 15; bit > 0; bit >>= 1) {
    value = (value * value) >> 31;
    if (value >> 32) {
      value >>= 1;
      log += bit;
    }
  }
  return log;
}

int64_t ahead_after_cancels(int64_t ahead, int64_t total, int64_t gone, const QueueRule& rule) {
  if (ahead == kUnknownAhead || ahead <= 0 || gone <= 0) return ahead;
  const int64_t behind = std::max<int64_t>(total - ahead, 0);
  const int64_t left = std::max<int64_t>(total - gone, 0);
  int64_t before = 0;  // of what has gone, what stood before us
  if (rule.model == QueueModel::kPower || rule.model == QueueModel::kLog) {
    const int64_t largest = std::max(ahead, behind);
    const bool power = rule.model == QueueModel::kPower;
    const int64_t front = power ? power_of(ahead, largest, rule.power) : log2_fixed(ahead);
    const int64_t back = power ? power_of(behind, largest, rule.power) : log2_fixed(behind);
    before = front + back > 0 ? mul_div(gone, front, front + back) : 0;
  }
  before = std::max(before, gone - behind);  // no more can have left behind us than stood there
  return std::clamp<int64_t>(ahead - before, 0, left);
}

}  // namespace quant
