#pragma once
#include <cstdint>
#include <vector>

#include "quant/market/reasons.hpp"

namespace quant {

// Fractions of NAV at kRateScale, money in micro-yuan, -1 = no limit.
struct RiskLimits {
  int64_t single_name = -1, gross = -1, cash_min = -1, order_value_max = -1, order_quantity_max = -1,
          daily_loss = -1, max_drawdown = -1;
};

// What a gate may know of an order about to be sent.
struct OrderView {
  int64_t quantity = 0;
  int64_t value = 0;           // micro-yuan at the price it is sent for
  int64_t position_value = 0;  // of the name after a full fill
  int64_t exposure = 0;        // of the account after a full fill
  int64_t nav = 0;
  bool buys = false;
  bool forbidden = false;
  bool too_large = false;  // for the arithmetic of money
};

// The first gate in order that refuses, NONE if all pass: forbidden, quantity, value, single name, gross.
Reason refuse(const OrderView& order, const RiskLimits& limits);

// Cash that must stay after a purchase.
int64_t cash_floor(int64_t nav, const RiskLimits& limits);

// The loss limit broken by this close, NONE if none. `previous` and `peak` are closing NAVs.
Reason breaker(int64_t nav, int64_t previous, int64_t peak, const RiskLimits& limits);

}  // namespace quant
