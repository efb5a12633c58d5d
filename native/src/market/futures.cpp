#include "quant/market/futures.hpp"

#include <algorithm>

#include "quant/prim/failure.hpp"
#include "quant/prim/wide.hpp"

namespace quant::futures {
namespace {

constexpr int64_t kCent = 10'000;

int64_t to_tick(int64_t sum, int64_t count, int64_t tick) {
  const int64_t steps = mul(count, positive(tick, "a tick"));
  return mul(mul_add_div(sum, 2, steps, mul(steps, 2)), tick);
}

}  // namespace

int64_t notional(int64_t price, int64_t multiplier, int64_t quantity) {
  return mul(notional_micros(price, multiplier), quantity);
}

int64_t variation(int64_t from, int64_t to, int64_t multiplier, int64_t quantity) {
  return notional(sub(to, from), multiplier, quantity);
}

int64_t fee(int64_t price, int64_t multiplier, int64_t quantity, Offset offset, const FeeTerms& terms,
            int64_t unit) {
  const bool opens = offset == Offset::kOpen, today = offset == Offset::kCloseToday;
  const int64_t rate = opens ? terms.open : today ? terms.close_today : terms.close;
  const int64_t lot = opens ? terms.open_lot : today ? terms.close_today_lot : terms.close_lot;
  // one rounding for both parts: what the lots leave of a unit goes in with the share of the value
  const int64_t lots = mul(lot, quantity), scale = mul(positive(unit, "a unit of money"), kRateScale);
  const int64_t plus = add(mul(lots % unit, kRateScale), scale / 2);
  return mul(add(lots / unit, mul_add_div(notional(price, multiplier, quantity), rate, plus, scale)), unit);
}

Closed close_lots(int64_t quantity, Offset offset, int64_t today, int64_t yesterday, bool explicit_today) {
  if (quantity <= 0 || offset == Offset::kOpen) return {};
  if (offset == Offset::kCloseToday) return quantity <= today ? Closed{quantity, 0} : Closed{};
  if (offset == Offset::kCloseYesterday || explicit_today)
    return quantity <= yesterday ? Closed{0, quantity} : Closed{};
  if (quantity > add(today, yesterday)) return {};
  const int64_t first = std::min(quantity, today);
  return {first, quantity - first};
}

Limits price_limits(int64_t prev_settle, int64_t rate, int64_t tick) {
  positive(tick, "a tick");
  const int64_t up = mul_div(prev_settle, kRateScale + rate, kRateScale);
  const int64_t down = mul_add_div(prev_settle, kRateScale - rate, kRateScale - 1, kRateScale);
  return {up / tick * tick, std::max((down + tick - 1) / tick * tick, tick)};
}

int64_t margin(int64_t price, int64_t multiplier, int64_t quantity, int64_t rate) {
  const int64_t lots = quantity < 0 ? -quantity : quantity;
  return mul(mul_div_half_up(notional(price, multiplier, lots), rate, kRateScale * kCent), kCent);
}

int64_t settlement_price(std::span<const int64_t> prices, std::span<const int64_t> volumes, int64_t tick) {
  int64_t value = 0, volume = 0;
  for (size_t k = 0; k < prices.size(); ++k) {
    value = add(value, mul(prices[k], volumes[k]));
    volume = add(volume, volumes[k]);
  }
  return volume > 0 ? to_tick(value, volume, tick) : -1;
}

int64_t final_settlement(std::span<const int64_t> values, int64_t tick) {
  int64_t sum = 0;
  for (const int64_t value : values) sum = add(sum, value);
  return values.empty() ? -1 : to_tick(sum, static_cast<int64_t>(values.size()), tick);
}

void roll(std::span<const int64_t> interest, size_t contracts, int32_t confirm, std::span<int32_t> held) {
  if (confirm < 1 || contracts == 0 || interest.size() != contracts * held.size())
    throw Failure(FailureKind::kUsage, "futures.roll", "interest must be [T, C] and confirm at least 1");
  const auto row = [&](size_t t) { return interest.subspan(t * contracts, contracts); };
  const auto traded = [&](size_t t, int32_t c) { return c >= 0 && row(t)[static_cast<size_t>(c)] >= 0; };
  const auto leader = [&](size_t t, size_t from) {  // with the most interest at this close
    int32_t found = -1;
    int64_t most = -1;
    for (size_t c = from; c < contracts; ++c)
      if (row(t)[c] > most) most = row(t)[c], found = static_cast<int32_t>(c);
    return found;
  };
  const auto nearest = [&](size_t t, size_t from) {
    for (size_t c = from; c < contracts; ++c)
      if (row(t)[c] >= 0) return static_cast<int32_t>(c);
    return -1;
  };
  int32_t current = -1, ahead = -1, closes = 0;
  for (size_t t = 0; t < held.size(); ++t) {
    if (!traded(t, current)) {
      const auto from = static_cast<size_t>(current + 1);
      const int32_t next = t > 0 ? leader(t - 1, from) : -1;
      current = traded(t, next) ? next : nearest(t, from);
      ahead = -1, closes = 0;
    }
    held[t] = current;
    if (current < 0) continue;
    const int32_t first = leader(t, static_cast<size_t>(current));
    closes = first == current ? 0 : first == ahead ? closes + 1 : 1;
    ahead = first;
    if (closes >= confirm) current = first, ahead = -1, closes = 0;
  }
}

}  // namespace quant::futures
