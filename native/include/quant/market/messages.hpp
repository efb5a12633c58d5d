#pragma once
#include <cstdint>
#include <string>

#include "quant/market/reasons.hpp"

// The rows of the batches that go in and out of the kernel (native/batch.py has the same schemas).
namespace quant {

constexpr int8_t kBuy = 1, kSell = -1;

enum class IntentKind : uint8_t { kWeight = 0, kQuantity = 1, kOrder = 2 };
enum class Action : uint8_t { kNew = 0, kCancel = 1 };
enum class ReportKind : uint8_t { kAck = 0, kFill = 1, kCancelled = 2, kRejected = 3, kExpired = 4 };
enum class ControlKind : uint8_t { kPause = 0, kResume = 1, kHalt = 2, kReset = 3, kForbid = 4, kAllow = 5 };

// What an order is for: the venue's `by_target` lock asks whether the name is to be held at all.
enum class Target : uint8_t { kNone = 0, kZero = 1, kHold = 2 };

struct Intent {
  int32_t instrument = 0;
  IntentKind kind = IntentKind::kWeight;
  int64_t weight = 0;    // kRateScale
  int64_t quantity = 0;  // shares
  int8_t side = 0;
  int64_t price = 0;  // limit price, 0 = market
  uint8_t tif = 0;    // 0 = day
  int32_t tag = 0;
  template <class A>
  void fields(A& a) {
    a(instrument, kind, weight, quantity, side, price, tif, tag);
  }
};

struct Command {
  int64_t order_id = 0;
  Action action = Action::kNew;
  int32_t instrument = 0;
  int8_t side = 0;
  int64_t quantity = 0;
  int64_t price = 0;
  uint8_t tif = 0;
  Target target = Target::kNone;
  template <class A>
  void fields(A& a) {
    a(order_id, action, instrument, side, quantity, price, tif, target);
  }
};

struct Report {
  int64_t order_id = 0;
  ReportKind kind = ReportKind::kAck;
  int64_t quantity = 0;
  int64_t price = 0;
  Reason reason = Reason::NONE;
};

struct Control {
  ControlKind kind = ControlKind::kPause;
  int64_t value = 0;
  std::string note;
};

}  // namespace quant
