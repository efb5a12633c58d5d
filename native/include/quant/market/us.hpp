#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

// Rules of US equities over numeric terms: rates at kRateScale, prices at kPriceScale, money in
// micro-dollars, days since 1970-01-01, clocks in minutes after midnight. core/market/us.py resolves dated
// rows into these.
namespace quant::us {

struct SaleTerms {
  int64_t section31 = 0;  // of the proceeds
  int64_t taf = 0;        // dollars a share
  int64_t taf_cap = 0;    // micro-dollars a trade
};

// Fees of one sale, to the micro-dollar half up; `rounded` up to the cent, as brokers bill each of them.
int64_t section31(int64_t proceeds, const SaleTerms& terms);
int64_t taf(int64_t shares, const SaleTerms& terms);
int64_t cents_up(int64_t micros);

// The settlement day of a trade: `cycle` settlement days after it. A trade on a day that is none counts from
// the one before. Fails when the days do not reach so far.
int32_t settle_day(std::span<const int32_t> days, int32_t trade_day, int32_t cycle);

struct DayTradeTerms {
  int32_t day_trades = 0;  // 0 = no count
  int64_t share = 0, min_equity = 0, power = 0, maintenance = 0;
};

// Whether an account may not open positions by day trades: enough of them, more than `share` of all its
// trades, and less equity than the rule asks for.
bool pdt_restricted(int32_t day_trades, int64_t share, int64_t equity, const DayTradeTerms& terms);
// What may be bought for the day: `power` times the equity beyond the maintenance margin; under a rule
// without a count, what the maintenance margin lets the equity carry.
int64_t day_trading_power(int64_t equity, int64_t maintenance_margin, const DayTradeTerms& terms);

struct Bands {
  int64_t lower = 0, upper = 0;
};
struct LuldTerms {
  int64_t rate = 0;
  int64_t cap = 0;  // at most so many dollars from the reference, 0 = no cap
  int32_t open_minutes = 0, close_minutes = 0;
};

// Price bands around the reference at a minute of a session from `open` to `close`, to the cent half up; both
// 0 outside of it.
Bands luld(int64_t reference, int32_t minute, int32_t open, int32_t close, const LuldTerms& terms);

struct HaltTerms {
  int64_t levels[3] = {0, 0, 0};
  int32_t minutes = 0, not_after = 0;
};

constexpr int32_t kRestOfDay = -1;

struct Halt {
  int32_t level = 0, minutes = 0;  // kRestOfDay, 0 = goes on
};

// What a fall of the index stops: levels 1 and 2 the market for minutes, unless late in the day.
Halt market_halt(int64_t fall, int32_t minute, const HaltTerms& terms);

bool on_tick(int64_t price, int64_t tick, int64_t tick_below_one);
int32_t round_lot(int64_t price, std::span<const int64_t> up_to, std::span<const int64_t> lots);

// Rule 201: a trade at this price makes the price test bind; a short sale then needs a price above the bid.
bool price_test_triggered(int64_t price, int64_t prev_close, int64_t fall);
bool short_price_ok(int64_t price, int64_t best_bid, bool price_test);

struct MarginTerms {
  int64_t initial = 0, long_rate = 0, short_rate = 0;
  int64_t low_price = 0, low_rate = 0, low_dollars = 0, high_dollars = 0;
};

// Margin of a position, micro-dollars half up; quantity < 0 is short.
int64_t initial_margin(int64_t price, int64_t quantity, const MarginTerms& terms);
int64_t maintenance_margin(int64_t price, int64_t quantity, const MarginTerms& terms);

}  // namespace quant::us
