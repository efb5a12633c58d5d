#include "quant/market/rulebook_orders.hpp"

#include <algorithm>

namespace quant {

bool order_quantity_ok(const LotRule& lots, const OrderCaps& caps, OrderWay way, int8_t side,
                       int64_t quantity, int64_t position) {
  if (lots.buy_step <= 0 || lots.sell_step <= 0)
    broken("rule.lots", "the steps of an order must be positive");
  if (quantity <= 0 || quantity > caps.of(way)) return false;
  if (side == kBuy) return legal_buy(quantity, lots);
  if (quantity > position) return false;
  if (quantity >= lots.odd_lot_sell && quantity % lots.sell_step == 0) return true;
  // The odd part of a position goes in one order, alone or with full lots.
  return lots.sell_step > 1 ? quantity % lots.sell_step == position % lots.sell_step : quantity == position;
}

int64_t sellable_today(int64_t settlement_days, int64_t held_before, int64_t bought_today) {
  return settlement_days > 0 ? held_before : add(held_before, bought_today);
}

int64_t buy_room(int64_t cap, int64_t bought_today) { return std::max<int64_t>(sub(cap, bought_today), 0); }

bool high_frequency(const RateRule& rule, int64_t most_per_second, int64_t per_day) {
  return most_per_second >= rule.per_second || per_day >= rule.per_day;
}

bool short_sale_ok(const ShortRule& rule, int64_t price, int64_t last, int64_t prev_close, bool borrowed,
                   bool listed) {
  if ((!borrowed && !rule.naked) || (!listed && rule.listed_only)) return false;
  return !rule.uptick || price >= (last > 0 ? last : prev_close);
}

}  // namespace quant
