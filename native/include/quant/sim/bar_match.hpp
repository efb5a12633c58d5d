#pragma once
#include <cstdint>

#include "quant/market/market.hpp"
#include "quant/market/messages.hpp"

namespace quant {

// One bar of one instrument; 0 = none. Limits are those of its session.
struct Bar {
  int64_t open = 0, high = 0, low = 0, close = 0, vwap = 0, volume = 0;
  int64_t limit_up = 0, limit_down = 0;
  bool opens = false, closes = false;  // first, last bar of its session
};

// Where in a bar a market order is taken to trade; the worst is the high for a buy and the low for a sell.
enum class BarAt : uint8_t { kOpen = 0, kClose = 1, kVwap = 2, kWorst = 3 };

struct BarOrder {
  int8_t side = 0;
  OrderKind kind = OrderKind::kMarket;
  int64_t price = 0, stop = 0;
  bool triggered = false;  // a stop that an earlier bar has reached
  bool immediate = false;  // IOC or FOK: what does not trade at once never does
};

// What a bar does to an order that was there before it began. price 0: nothing trades, for this reason.
struct BarMatch {
  int64_t price = 0;
  Phase phase = Phase::kClose;  // when it is known: at the open only what the open alone decides
  bool taker = false;           // pays slippage
  bool triggered = false;
  Reason reason = Reason::NONE;
};

// Only the range is known, not the path: a limit order trades when the bar opens beyond its price, there, or
// when the range goes through it, at its price; being touched is not enough (unless `touch` says so). A stop
// trades at the open that is beyond it, else at its own price. A stop limit that the bar reaches after its
// open trades in that bar only if its limit lies beyond its stop.
BarMatch match_bar(const Bar& bar, const BarOrder& order, BarAt at, bool touch);

}  // namespace quant
