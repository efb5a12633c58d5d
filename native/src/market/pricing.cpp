#include <algorithm>

#include "quant/market/rules.hpp"

namespace quant {

int64_t bar_price(const Market& market, int32_t t, int32_t i, int8_t side, const FillRule& rule) {
  const size_t cell = market.at(t, i);
  const int64_t* prices = rule.at == FillAt::kOpen    ? market.open
                          : rule.at == FillAt::kClose ? market.close
                          : rule.at == FillAt::kVwap  ? market.vwap
                          : side == kBuy              ? market.high
                                                      : market.low;
  return std::max<int64_t>(prices[cell], 0);
}

int64_t taker_price(const Market& market, int32_t t, int32_t i, int8_t side, int64_t quantity, int64_t price,
                    const FillRule& rule) {
  const SlippageRule& slippage = rule.slippage;
  if (price == 0 || (slippage.units == 0 && slippage.rate == 0 && slippage.eta == 0)) return price;
  const int64_t volume = slippage.eta > 0 ? market.volume[market.at(t, i)] : 0;
  int64_t paid = slipped(price, side, quantity, volume, slippage);
  const size_t cell = market.of_day(t, i);
  if ((market.flags[cell] & kNoLimit) == 0) {
    if (market.limit_up[cell] > 0) paid = std::min(paid, std::max(market.limit_up[cell], price));
    if (market.limit_down[cell] > 0) paid = std::max(paid, std::min(market.limit_down[cell], price));
  }
  return paid;
}

int64_t fill_price(const Market& market, int32_t t, int32_t i, int8_t side, int64_t quantity,
                   const FillRule& rule) {
  return taker_price(market, t, i, side, quantity, bar_price(market, t, i, side, rule), rule);
}

Reason blocked(const Market& market, int32_t t, const Command& order, const FillRule& rule) {
  const size_t cell = market.of_day(t, order.instrument);
  const uint32_t flags = market.flags[cell];
  if (flags & kSuspended) return Reason::SUSPENDED;
  const int64_t price = bar_price(market, t, order.instrument, order.side, rule);
  if ((flags & kTrading) == 0 || price == 0) return Reason::NO_BAR;
  if ((flags & kNoLimit) == 0) {
    const bool targeted = rule.by_target && order.target != Target::kNone;
    const bool upward = targeted ? order.target == Target::kHold : order.side == kBuy;
    if (upward && market.limit_up[cell] > 0 && price >= market.limit_up[cell]) return Reason::LIMIT_UP;
    if (!upward && market.limit_down[cell] > 0 && price <= market.limit_down[cell]) return Reason::LIMIT_DOWN;
  }
  const int64_t paid = fill_price(market, t, order.instrument, order.side, order.quantity, rule);
  if (order.price > 0 && order.side * (paid - order.price) > 0) return Reason::LIMIT_PRICE;
  return Reason::NONE;
}

}  // namespace quant
