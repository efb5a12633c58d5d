#pragma once
#include <cstdint>

namespace quant {

// What a taker pays beyond the price it meets, summed: price units, a share of the price, and the square-root
// law of market impact, eta * sqrt(quantity / volume) of the price. Rates at kRateScale.
struct SlippageRule {
  int64_t units = 0;
  int64_t rate = 0;
  int64_t eta = 0;
};

// floor(sqrt(x)) for x >= 0.
int64_t square_root(int64_t x);

// Against the trader and rounded up to a price unit; volume 0 has no impact term. At least 1.
int64_t slipped(int64_t price, int8_t side, int64_t quantity, int64_t volume, const SlippageRule& rule);

}  // namespace quant
