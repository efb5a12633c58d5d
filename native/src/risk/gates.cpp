#include "quant/risk/gates.hpp"

#include <algorithm>

#include "quant/prim/wide.hpp"

namespace quant {
namespace {

bool exceeds(int64_t value, int64_t nav, int64_t fraction) {
  return fraction >= 0 && product_greater(value, kRateScale, std::max<int64_t>(nav, 0), fraction);
}

bool lost(int64_t nav, int64_t from, int64_t fraction) {
  return fraction >= 0 && from > 0 && !product_greater(from, fraction, sub(from, nav), kRateScale);
}

}  // namespace

Reason refuse(const OrderView& order, const RiskLimits& limits) {
  if (order.too_large) return Reason::ORDER_VALUE;
  if (order.buys && order.forbidden) return Reason::FORBIDDEN;
  if (limits.order_quantity_max >= 0 && order.quantity > limits.order_quantity_max)
    return Reason::ORDER_QUANTITY;
  if (limits.order_value_max >= 0 && order.value > limits.order_value_max) return Reason::ORDER_VALUE;
  if (!order.buys) return Reason::NONE;
  if (exceeds(order.position_value, order.nav, limits.single_name)) return Reason::SINGLE_NAME;
  if (exceeds(order.exposure, order.nav, limits.gross)) return Reason::GROSS;
  return Reason::NONE;
}

int64_t cash_floor(int64_t nav, const RiskLimits& limits) {
  return limits.cash_min < 0 ? 0 : mul_div(std::max<int64_t>(nav, 0), limits.cash_min, kRateScale);
}

Reason breaker(int64_t nav, int64_t previous, int64_t peak, const RiskLimits& limits) {
  if (lost(nav, previous, limits.daily_loss)) return Reason::DAILY_LOSS;
  if (lost(nav, peak, limits.max_drawdown)) return Reason::DRAWDOWN;
  return Reason::NONE;
}

}  // namespace quant
