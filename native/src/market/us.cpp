#include "quant/market/us.hpp"

#include <algorithm>
#include <string>

#include "quant/prim/failure.hpp"
#include "quant/prim/wide.hpp"

namespace quant::us {
namespace {

constexpr int64_t kCent = 10'000;                  // micro-dollars
constexpr int64_t kCentPrice = kPriceScale / 100;  // at kPriceScale
constexpr int64_t kMicrosPerRate = kRateScale / kMoneyScale;

int64_t part(int64_t amount, int64_t rate) { return mul_div_half_up(amount, rate, kRateScale); }

int64_t value_of(int64_t price, int64_t quantity) {
  return notional_micros(price, quantity < 0 ? -quantity : quantity);
}

}  // namespace

int64_t section31(int64_t proceeds, const SaleTerms& terms) { return part(proceeds, terms.section31); }

int64_t taf(int64_t shares, const SaleTerms& terms) {
  return std::min(mul_div_half_up(shares, terms.taf, kMicrosPerRate), terms.taf_cap);
}

int64_t cents_up(int64_t micros) { return mul((add(micros, kCent - 1)) / kCent, kCent); }

int32_t settle_day(std::span<const int32_t> days, int32_t trade_day, int32_t cycle) {
  const auto after = std::upper_bound(days.begin(), days.end(), trade_day);
  const auto place = (after - days.begin()) + cycle - 1;
  if (cycle < 1 || after == days.begin() || place >= static_cast<std::ptrdiff_t>(days.size()))
    throw Failure(FailureKind::kUsage, "us.settlement_days",
                  "the settlement days do not reach from the trade to its settlement");
  return days[static_cast<size_t>(place)];
}

bool pdt_restricted(int32_t day_trades, int64_t share, int64_t equity, const DayTradeTerms& terms) {
  if (terms.day_trades == 0) return false;
  return day_trades >= terms.day_trades && share > terms.share && equity < terms.min_equity;
}

int64_t day_trading_power(int64_t equity, int64_t maintenance_margin, const DayTradeTerms& terms) {
  const int64_t excess = std::max<int64_t>(sub(equity, maintenance_margin), 0);
  if (terms.day_trades != 0) return mul(excess, terms.power);
  return mul_div(excess, kRateScale, positive(terms.maintenance, "the maintenance margin"));
}

Bands luld(int64_t reference, int32_t minute, int32_t open, int32_t close, const LuldTerms& terms) {
  if (minute < open || minute >= close) return {};
  const bool twice = minute < open + terms.open_minutes || minute >= close - terms.close_minutes;
  const int64_t times = twice ? 2 : 1;
  int64_t width = mul(part(mul(reference, kMicrosPerPrice), terms.rate), times);  // micro-dollars
  if (terms.cap > 0) width = std::min(width, mul(mul(terms.cap, kMicrosPerPrice), times));
  const int64_t middle = mul(reference, kMicrosPerPrice);
  const auto to_cent = [](int64_t micros) { return (micros + kCent / 2) / kCent * kCentPrice; };
  return {to_cent(std::max<int64_t>(middle - width, 0)), to_cent(add(middle, width))};
}

Halt market_halt(int64_t fall, int32_t minute, const HaltTerms& terms) {
  int32_t level = 0;
  while (level < 3 && fall >= terms.levels[level]) ++level;
  if (level == 3) return {level, kRestOfDay};
  return {level, level == 0 || minute >= terms.not_after ? 0 : terms.minutes};
}

bool on_tick(int64_t price, int64_t tick, int64_t tick_below_one) {
  return price > 0 && price % positive(price >= kPriceScale ? tick : tick_below_one, "a tick") == 0;
}

int32_t round_lot(int64_t price, std::span<const int64_t> up_to, std::span<const int64_t> lots) {
  if (lots.size() != up_to.size() + 1)
    broken("us.round_lots", "a round lot table needs one lot more than it has prices");
  const auto place = std::lower_bound(up_to.begin(), up_to.end(), price) - up_to.begin();
  return static_cast<int32_t>(lots[static_cast<size_t>(place)]);
}

bool price_test_triggered(int64_t price, int64_t prev_close, int64_t fall) {
  return !product_greater(price, kRateScale, prev_close, kRateScale - fall);
}

bool short_price_ok(int64_t price, int64_t best_bid, bool price_test) {
  return !price_test || price > best_bid;
}

int64_t initial_margin(int64_t price, int64_t quantity, const MarginTerms& terms) {
  return std::max(part(value_of(price, quantity), terms.initial), maintenance_margin(price, quantity, terms));
}

int64_t maintenance_margin(int64_t price, int64_t quantity, const MarginTerms& terms) {
  const int64_t value = value_of(price, quantity);
  if (quantity >= 0) return part(value, terms.long_rate);
  const bool low = price < terms.low_price;
  const int64_t dollars = low ? terms.low_dollars : terms.high_dollars;
  return std::max(part(value, low ? terms.low_rate : terms.short_rate), value_of(dollars, quantity));
}

}  // namespace quant::us
