#include <algorithm>

#include "quant/market/rules.hpp"
#include "quant/prim/wide.hpp"

namespace quant {
namespace {

int64_t component(int64_t notional, int64_t rate, int64_t unit) {
  return rate == 0 ? 0 : mul(mul_div_half_up(notional, rate, kRateScale * unit), unit);
}

}  // namespace

Fees fees_of(int64_t notional, int64_t quantity, int8_t side, const FeeRule& rule, int64_t unit) {
  Fees fees;
  if (notional == 0) return fees;
  fees.commission = std::max(component(notional, rule.commission, unit), rule.commission_min);
  fees.stamp = component(notional, side == kBuy ? rule.stamp_buy : rule.stamp_sell, unit);
  if (rule.transfer_per_share == 0) {
    fees.transfer = component(notional, rule.transfer, unit);
  } else {
    const int64_t micros = add(component(notional, rule.transfer, 1), mul(quantity, rule.transfer_per_share));
    fees.transfer = (micros + unit / 2) / unit * unit;
  }
  return fees;
}

}  // namespace quant
