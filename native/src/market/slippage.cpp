#include "quant/market/slippage.hpp"

#include <algorithm>
#include <cmath>

#include "quant/prim/wide.hpp"

namespace quant {
namespace {

constexpr int64_t kMillion = 1'000'000;

int64_t up(int64_t a, int64_t b, int64_t c) { return mul_add_div(a, b, c - 1, c); }

}  // namespace

int64_t square_root(int64_t x) {
  auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(x)));  // off by one at most, then corrected
  while (root > 0 && root > x / root) --root;
  while ((root + 1) <= x / (root + 1)) ++root;
  return root;
}

int64_t slipped(int64_t price, int8_t side, int64_t quantity, int64_t volume, const SlippageRule& rule) {
  int64_t worse = add(rule.units, up(price, rule.rate, kRateScale));
  if (rule.eta > 0 && volume > 0) {
    const int64_t share = square_root(mul_div(quantity, kMillion * kMillion, volume));  // at 1e6
    worse = add(worse, up(up(price, rule.eta, kRateScale), share, kMillion));
  }
  return std::max<int64_t>(add(price, side * worse), 1);
}

}  // namespace quant
