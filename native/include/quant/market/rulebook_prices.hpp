#pragma once
#include <cstdint>

#include "quant/prim/wide.hpp"

// Price limits, valid ranges of limit orders, and reference prices of ex-dates, from rows the caller looked
// up by date. Prices at kPriceScale, rates and multiples at kRateScale, ratios at kRatioScale. Rounding is
// half up to the tick (SSE trading rules 2023, 3.3.17; SZSE 2023, 3.3.19).
namespace quant {

// Bounds of a day as multiples of a reference: 0.9 and 1.1, or 0.64 and 1.44 of the issue price.
struct LimitRule {
  bool limited = false;
  int64_t up = kRateScale, down = kRateScale, tick = 1;
};

struct PriceBand {
  bool limited = false;
  int64_t up = 0, down = 0;
  bool holds(int64_t price) const { return !limited || (price <= up && price >= down); }
};

// price * multiple, half up to the tick.
int64_t scaled_to_tick(int64_t price, int64_t multiple, int64_t tick);
// At least one tick away from the reference, never below one tick.
PriceBand price_band(int64_t reference, const LimitRule& rule);

enum class Beyond : uint8_t { kNone = 0, kReject = 1, kHold = 2 };
enum class CageAnswer : uint8_t { kOk = 0, kReject = 1, kHold = 2 };

// A buy at most `up` times the base or `ticks` ticks above it, whichever is wider; a sale mirrored.
struct CageRule {
  Beyond beyond = Beyond::kNone;
  int64_t up = kRateScale, down = kRateScale, ticks = 0, tick = 1;
};

// What a limit order is measured against; 0 = there is none.
struct CageQuote {
  int64_t ask = 0, bid = 0, last = 0, prev_close = 0;
};

// A buy's base is the ask, a sale's the bid, else the other side, the last trade, the previous close; 0 =
// none.
int64_t cage_base(int8_t side, const CageQuote& quote);
// The furthest valid price of an order; only asked with a base and a rule that is not kNone.
int64_t cage_bound(int8_t side, int64_t base, const CageRule& rule);
CageAnswer price_cage(int8_t side, int64_t price, const CageQuote& quote, const CageRule& rule);

// What a share receives: cash in 1e-8 yuan (announced amounts go beyond micro-yuan), ratios of new shares,
// and rights to buy so many at a price.
struct ShareDistribution {
  int64_t cash = 0, bonus = 0, conversion = 0, rights = 0, rights_price = 0;
};

// (prev_close - cash + rights_price * rights) / (1 + bonus + conversion + rights), half up to the tick.
int64_t ex_reference(int64_t prev_close, const ShareDistribution& due, int64_t tick);

// What `quantity` shares held over the record date receive: whole new shares, and cash half up to `unit`.
struct HoldingDue {
  int64_t new_shares = 0, cash = 0;
};
HoldingDue holding_due(int64_t quantity, const ShareDistribution& due, int64_t unit);

// Adjustment factors, kFactorScale units per 1.
constexpr int64_t kFactorScale = 1'000'000'000'000;
// prev_close / reference, half up to `digits_unit` units of the factor.
int64_t adjustment_step(int64_t prev_close, int64_t reference, int64_t unit);
// price * factor / factor of the last day of the range, half up to a price unit.
int64_t adjusted_price(int64_t price, int64_t factor, int64_t last_factor);

}  // namespace quant
