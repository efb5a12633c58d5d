#pragma once
#include <cstdint>

#include "quant/market/rules.hpp"

// What an order may ask for besides its price: size, sellable shares, caps of a day, rates, short sales.
namespace quant {

enum class OrderWay : uint8_t { kLimit = 0, kMarket = 1, kAfterHours = 2 };

// Largest order of each way in shares, 0 = there are no such orders.
struct OrderCaps {
  int64_t limit = 0, market = 0, after_hours = 0;
  int64_t of(OrderWay way) const {
    return way == OrderWay::kLimit ? limit : way == OrderWay::kMarket ? market : after_hours;
  }
};

// Whether an account that holds `position` may send the order.
bool order_quantity_ok(const LotRule& lots, const OrderCaps& caps, OrderWay way, int8_t side,
                       int64_t quantity, int64_t position);

// Shares that may be sold today, of those held before it and bought on it.
int64_t sellable_today(int64_t settlement_days, int64_t held_before, int64_t bought_today);

// Shares an account may still buy of a capped (ST) stock today.
int64_t buy_room(int64_t cap, int64_t bought_today);

// Orders and cancels of an account that make it high-frequency: either count reached.
struct RateRule {
  int64_t per_second = 0, per_day = 0;
};
bool high_frequency(const RateRule& rule, int64_t most_per_second, int64_t per_day);

// Short sales: priced at the last trade or higher, before the first trade at the previous close or higher.
struct ShortRule {
  bool naked = false, listed_only = true, uptick = true;
};
bool short_sale_ok(const ShortRule& rule, int64_t price, int64_t last, int64_t prev_close, bool borrowed,
                   bool listed);

}  // namespace quant
