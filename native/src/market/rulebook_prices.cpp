#include "quant/market/rulebook_prices.hpp"

#include <algorithm>

#include "quant/market/messages.hpp"
#include "quant/prim/failure.hpp"

namespace quant {
namespace {

constexpr int64_t kCashPerPrice = kRatioScale / kPriceScale;

void need(bool ok, const char* code, const char* message) {
  if (!ok) throw Failure(FailureKind::kUsage, code, message);
}

}  // namespace

int64_t scaled_to_tick(int64_t price, int64_t multiple, int64_t tick) {
  if (tick <= 0) broken("rule.tick", "a price step must be positive");
  return mul(mul_div_half_up(price, multiple, mul(kRateScale, tick)), tick);
}

PriceBand price_band(int64_t reference, const LimitRule& rule) {
  if (!rule.limited) return {};
  need(reference > 0, "price.reference", "a price limit needs a reference price");
  const int64_t up = scaled_to_tick(reference, rule.up, rule.tick);
  const int64_t down = scaled_to_tick(reference, rule.down, rule.tick);
  return {true, std::max(up, add(reference, rule.tick)),
          std::max(std::min(down, sub(reference, rule.tick)), rule.tick)};
}

int64_t cage_base(int8_t side, const CageQuote& quote) {
  const int64_t near = side == kBuy ? quote.ask : quote.bid, far = side == kBuy ? quote.bid : quote.ask;
  return near > 0 ? near : far > 0 ? far : quote.last > 0 ? quote.last : quote.prev_close;
}

int64_t cage_bound(int8_t side, int64_t base, const CageRule& rule) {
  const int64_t steps = mul(rule.ticks, rule.tick);
  if (side == kBuy) return std::max(scaled_to_tick(base, rule.up, rule.tick), add(base, steps));
  return std::min(scaled_to_tick(base, rule.down, rule.tick), sub(base, steps));
}

CageAnswer price_cage(int8_t side, int64_t price, const CageQuote& quote, const CageRule& rule) {
  if (rule.beyond == Beyond::kNone) return CageAnswer::kOk;
  const int64_t base = cage_base(side, quote);
  need(base > 0, "price.base", "a price range needs a quote, a last trade or a previous close");
  if (side * sub(price, cage_bound(side, base, rule)) <= 0) return CageAnswer::kOk;
  return rule.beyond == Beyond::kHold ? CageAnswer::kHold : CageAnswer::kReject;
}

int64_t ex_reference(int64_t prev_close, const ShareDistribution& due, int64_t tick) {
  const int64_t value = sub(mul(prev_close, kCashPerPrice), due.cash);
  const int64_t rights = mul(mul(due.rights_price, kCashPerPrice), due.rights);
  const int64_t shares = add(add(kRatioScale, due.bonus), add(due.conversion, due.rights));
  need(prev_close > 0 && shares > 0 && value > 0, "corporate_action.impossible",
       "a distribution cannot be worth more than the share");
  if (tick <= 0) broken("rule.tick", "a price step must be positive");
  const int64_t over = mul(shares, mul(tick, kCashPerPrice));
  return mul(mul_add_div(value, kRatioScale, add(rights, over / 2), over), tick);
}

HoldingDue holding_due(int64_t quantity, const ShareDistribution& due, int64_t unit) {
  const int64_t shares = mul_div(quantity, add(due.bonus, due.conversion), kRatioScale);
  const int64_t cents = mul_div_half_up(quantity, due.cash, mul(kRatioScale / kMoneyScale, unit));
  return {shares, mul(cents, unit)};
}

int64_t adjustment_step(int64_t prev_close, int64_t reference, int64_t unit) {
  need(prev_close > 0 && reference > 0, "corporate_action.impossible", "prices must be positive");
  return mul(mul_div_half_up(prev_close, kFactorScale / unit, reference), unit);
}

int64_t adjusted_price(int64_t price, int64_t factor, int64_t last_factor) {
  need(factor > 0 && last_factor > 0, "adjustment.factor", "adjustment factors must be positive");
  return mul_div_half_up(price, factor, last_factor);
}

}  // namespace quant
