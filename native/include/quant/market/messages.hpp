#pragma once
#include <cstdint>
#include <string>

#include "quant/market/reasons.hpp"

// The rows of the batches that go in and out of the kernel (native/batch.py has the same schemas).
namespace quant {

constexpr int8_t kBuy = 1, kSell = -1;

enum class IntentKind : uint8_t { kWeight = 0, kQuantity = 1, kOrder = 2, kCancel = 3, kReplace = 4 };
enum class Action : uint8_t { kNew = 0, kCancel = 1, kReplace = 2 };
enum class ReportKind : uint8_t {
  kAck = 0,
  kFill = 1,
  kCancelled = 2,
  kRejected = 3,
  kExpired = 4,
  kCancelRejected = 5,   // the order goes on as it was
  kReplaced = 6,         // quantity = what is open now, price = its limit
  kReplaceRejected = 7,  // the order goes on as it was
  kTriggered = 8,        // a stop became a live order
  kCarried = 9,          // a GTC order that rests beyond the end of its session
};
enum class ControlKind : uint8_t { kPause = 0, kResume = 1, kHalt = 2, kReset = 3, kForbid = 4, kAllow = 5 };

enum class OrderKind : uint8_t {
  kMarket = 0,
  kLimit = 1,
  kStop = 2,          // a market order once the stop price has traded
  kStopLimit = 3,     // a limit order from then on
  kOpenAuction = 4,   // of the opening auction only; price 0 = at any price
  kCloseAuction = 5,  // of the closing auction only
};
// Good for the day, till cancelled, immediate or cancel, fill or kill.
enum class Tif : uint8_t { kDay = 0, kGtc = 1, kIoc = 2, kFok = 3 };

constexpr bool is_stop(OrderKind kind) { return kind == OrderKind::kStop || kind == OrderKind::kStopLimit; }
constexpr bool is_auction(OrderKind kind) { return kind >= OrderKind::kOpenAuction; }

// What an order is for: the venue's `by_target` lock asks whether the name is to be held at all.
enum class Target : uint8_t { kNone = 0, kZero = 1, kHold = 2 };

struct Intent {
  int32_t instrument = 0;
  IntentKind kind = IntentKind::kWeight;
  int64_t weight = 0;    // kRateScale
  int64_t quantity = 0;  // shares; of a replace the new total, what is filled included, 0 = as it was
  int8_t side = 0;
  int64_t price = 0;  // limit price, 0 = none; a market order with a limit is a limit order
  Tif tif = Tif::kDay;
  int32_t tag = 0;
  OrderKind order_kind = OrderKind::kMarket;
  int64_t stop = 0;
  int64_t order_id = 0;  // of a cancel or a replace
  bool plain() const {
    return kind <= IntentKind::kOrder && order_kind == OrderKind::kMarket && stop == 0 && order_id == 0;
  }
  template <class A>
  void fields(A& a) {
    a(instrument, kind, weight, quantity, side, price, tif, tag, order_kind, stop, order_id);
  }
};

struct Command {
  int64_t order_id = 0;
  Action action = Action::kNew;
  int32_t instrument = 0;
  int8_t side = 0;
  int64_t quantity = 0;  // of a replace the new total, what is filled included; of a cancel what is open
  int64_t price = 0;     // limit price, 0 = none
  Tif tif = Tif::kDay;
  Target target = Target::kNone;
  OrderKind kind = OrderKind::kMarket;
  int64_t stop = 0;
  int64_t protect = 0;  // a buy without a limit never fills above it: its cash is set aside for; 0 = none
  template <class A>
  void fields(A& a) {
    a(order_id, action, instrument, side, quantity, price, tif, target, kind, stop, protect);
  }
};

struct Report {
  int64_t order_id = 0;
  ReportKind kind = ReportKind::kAck;
  int64_t quantity = 0;
  int64_t price = 0;
  Reason reason = Reason::NONE;
};

// What an instrument last showed, prices at kPriceScale, 0 = none.
struct Quote {
  int64_t ts = 0;  // ns UTC, when it is known
  int32_t instrument = 0;
  int64_t bid = 0, ask = 0, last = 0;
};

struct Control {
  ControlKind kind = ControlKind::kPause;
  int64_t value = 0;
  std::string note;
};

}  // namespace quant
