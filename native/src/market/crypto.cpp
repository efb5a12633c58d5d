#include "quant/market/crypto.hpp"

#include <algorithm>

#include "quant/prim/failure.hpp"
#include "quant/prim/wide.hpp"

namespace quant::crypto {
namespace {

int64_t magnitude(int64_t value) { return value < 0 ? sub(0, value) : value; }

int64_t part(int64_t amount, int64_t rate) {
  const int64_t size = mul_div_half_up(magnitude(amount), magnitude(rate), kRateScale);
  return (amount < 0) == (rate < 0) ? size : -size;
}

bool within(int64_t value, bool rest, const Range& range) {
  if (value < range.min || (rest && range.max != 0 && value >= range.max)) return false;
  if (range.max != 0 && value > range.max) return false;
  return range.step == 0 || (!rest && value % range.step == 0);
}

// average * down <= price <= average * up
bool around(int64_t price, int64_t average, int64_t down, int64_t up) {
  return !product_greater(price, kRateScale, average, up) &&
         !product_greater(average, down, price, kRateScale);
}

bool percent_ok(const OrderCheck& order, const Filters& filters) {
  constexpr int64_t kAny = INT64_MAX / 2;
  if (!filters.percent_by_direction)
    return around(order.price, order.average, filters.percent_down, filters.percent_up);
  return around(order.price, order.average, order.buy ? 0 : filters.percent_down,
                order.buy ? filters.percent_up : kAny);
}

bool value_ok(const OrderCheck& order, int64_t least, int64_t most) {
  const int64_t price = order.market ? order.average : order.price;
  if (product_greater(least, kCoinScale, price, order.quantity)) return false;
  return most == 0 || !product_greater(price, order.quantity, most, kCoinScale);
}

bool passes(Filter filter, const OrderCheck& order, const Filters& filters) {
  switch (filter) {
    case Filter::kOk:
      return true;
    case Filter::kPrice:
      return order.market || within(order.price, order.price_rest, filters.price);
    case Filter::kPercentPrice:
      return order.market || order.average == 0 || percent_ok(order, filters);
    case Filter::kPercentPriceBySide:
      return order.market || order.average == 0 ||
             around(order.price, order.average, order.buy ? filters.bid_down : filters.ask_down,
                    order.buy ? filters.bid_up : filters.ask_up);
    case Filter::kLotSize:
      return within(order.quantity, order.quantity_rest, filters.lot);
    case Filter::kMinNotional:
      return (order.market && (!filters.min_to_market || order.average == 0)) ||
             value_ok(order, filters.min_notional, 0);
    case Filter::kNotional:
      if (order.market && order.average == 0) return true;
      return value_ok(order, order.market && !filters.min_to_market ? 0 : filters.min_notional,
                      order.market && !filters.max_to_market ? 0 : filters.max_notional);
    case Filter::kMarketLotSize:
      return !order.market || within(order.quantity, order.quantity_rest, filters.market_lot);
    case Filter::kMaxNumOrders:
      return order.open_orders < filters.max_orders;
    case Filter::kMaxNumAlgoOrders:
      return !order.algo || order.open_algo_orders < filters.max_algo_orders;
    case Filter::kMaxPosition:
      return !order.buy || add(order.position, order.quantity) <= filters.max_position;
  }
  return true;
}

}  // namespace

Filter first_failure(const OrderCheck& order, const Filters& filters) {
  for (auto k = static_cast<uint8_t>(Filter::kPrice); k <= static_cast<uint8_t>(Filter::kMaxPosition); ++k) {
    const auto filter = static_cast<Filter>(k);
    if (filters.has(filter) && !passes(filter, order, filters)) return filter;
  }
  return Filter::kOk;
}

int64_t notional(int64_t price, int64_t quantity) {
  const int64_t size = mul_div_half_up(price, magnitude(quantity), kCoinScale);
  return quantity < 0 ? -size : size;
}

int64_t funding_payment(int64_t quantity, int64_t mark, int64_t rate) {
  return -part(notional(mark, quantity), rate);
}

int64_t funding_rate(int64_t premium, const FundingTerms& terms) {
  const int64_t pull = std::clamp(sub(terms.interest, premium), -terms.clamp, terms.clamp);
  const int64_t eight = add(premium, pull);
  const int64_t size = mul_div_half_up(magnitude(eight), terms.hours, 8);
  const int64_t rate = eight < 0 ? -size : size;
  if (terms.cap == 0 && terms.floor == 0) return rate;
  return std::clamp(rate, terms.floor, terms.cap);
}

const Bracket& bracket_of(int64_t notional, std::span<const Bracket> brackets) {
  const int64_t size = magnitude(notional);
  const auto after = std::upper_bound(brackets.begin(), brackets.end(), size,
                                      [](int64_t value, const Bracket& each) { return value < each.floor; });
  if (after == brackets.begin())
    throw Failure(FailureKind::kUsage, "crypto.brackets", "no bracket of maintenance margin begins at 0");
  return *(after - 1);
}

int64_t maintenance_margin(int64_t notional, std::span<const Bracket> brackets) {
  const Bracket& bracket = bracket_of(notional, brackets);
  return sub(part(magnitude(notional), bracket.rate), bracket.cum);
}

int64_t liquidation_price(const Position& position, const Bracket& bracket, int64_t unit) {
  if (position.quantity == 0) return 0;
  const bool is_long = position.quantity > 0;
  const int64_t cost = notional(position.entry, position.quantity);  // signed
  const int64_t spare = add(position.wallet, bracket.cum);
  // wallet + cum - cost = |quantity| * price * (rate - side): for a long both sides are below 0
  const int64_t over = is_long ? sub(cost, spare) : sub(spare, cost);
  const int64_t under = is_long ? kRateScale - bracket.rate : kRateScale + bracket.rate;
  if (over <= 0) return 0;
  positive(unit, "a tick");
  positive(under, "one less the maintenance rate");
  const double about = static_cast<double>(over) / static_cast<double>(magnitude(position.quantity)) *
                       static_cast<double>(kCoinScale) *
                       (static_cast<double>(kRateScale) / static_cast<double>(under));
  if (about > 9e18) return kNoPrice;
  const int64_t steps =
      ratio_half_up(over, mul(kCoinScale / unit, kRateScale), magnitude(position.quantity), under);
  return mul(steps, unit);
}

int64_t liquidation_price(const Position& position, std::span<const Bracket> brackets, int64_t unit) {
  int64_t found = 0;
  for (size_t k = 0; k < brackets.size(); ++k) {
    found = liquidation_price(position, brackets[k], unit);
    if (found == kNoPrice) break;
    const int64_t size = magnitude(notional(found, position.quantity));
    if (size >= brackets[k].floor && (k + 1 == brackets.size() || size < brackets[k + 1].floor)) break;
  }
  return found;
}

int64_t fee(int64_t notional, int64_t rate) { return part(magnitude(notional), rate); }

}  // namespace quant::crypto
