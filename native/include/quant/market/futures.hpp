#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

// Chinese futures over numeric terms: prices at kPriceScale, rates at kRateScale, money in micro-yuan.
// core/market/futures.py resolves dated rows and the user's daily parameters into these.
namespace quant::futures {

// What a contract is worth: price * multiplier * quantity.
int64_t notional(int64_t price, int64_t multiplier, int64_t quantity);

// Cash that moves when the mark of `quantity` lots (short < 0) goes from one price to another: carried lots
// from settlement to settlement, new lots from the trade to the day's settlement, closed lots from the last
// settlement (or the trade of the day) to the closing trade.
int64_t variation(int64_t from, int64_t to, int64_t multiplier, int64_t quantity);

struct FeeTerms {
  int64_t open = 0, close = 0, close_today = 0;              // of the notional
  int64_t open_lot = 0, close_lot = 0, close_today_lot = 0;  // micro-yuan a lot
};

enum class Offset : uint8_t { kOpen = 0, kClose = 1, kCloseToday = 2, kCloseYesterday = 3 };

// Fee of a fill in micro-yuan, half up to `unit` micro-yuan (10,000 = the cent).
int64_t fee(int64_t price, int64_t multiplier, int64_t quantity, Offset offset, const FeeTerms& terms,
            int64_t unit);

struct Closed {
  int64_t today = 0, yesterday = 0;
};

// Which lots a closing order takes. With `explicit_today` (SHFE, INE) the order names them: a plain close
// takes only lots of earlier days. Elsewhere a close takes today's lots first. More than there is: nothing is
// closed (both 0).
Closed close_lots(int64_t quantity, Offset offset, int64_t today, int64_t yesterday, bool explicit_today);

struct Limits {
  int64_t up = 0, down = 0;
};

// Highest and lowest price of the day: multiples of the tick that are not beyond settle * (1 +- rate).
Limits price_limits(int64_t prev_settle, int64_t rate, int64_t tick);

// Margin of `quantity` lots at a settlement (or trade) price, half up to the cent.
int64_t margin(int64_t price, int64_t multiplier, int64_t quantity, int64_t rate);

// Average price by volume, half up to the tick; -1 without volume.
int64_t settlement_price(std::span<const int64_t> prices, std::span<const int64_t> volumes, int64_t tick);
// Mean of index values, half up to the tick; -1 without a value.
int64_t final_settlement(std::span<const int64_t> values, int64_t tick);

// The contract to hold on each row, as a column of `interest` [T, C] (open interest or volume, contracts in
// order of expiry, -1 = not traded). It moves to a later column once that one's interest has been the larger
// at `confirm` closes in a row, and holds from the next row on; it never moves back. An expired contract is
// left when it is not traded any more. -1 where none is traded.
void roll(std::span<const int64_t> interest, size_t contracts, int32_t confirm, std::span<int32_t> held);

}  // namespace quant::futures
