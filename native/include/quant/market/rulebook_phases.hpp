#pragma once
#include <cstdint>
#include <span>

// The phases of a session, halts of the whole market and of one share. Times are ns since local midnight,
// starts inclusive, ends exclusive.
namespace quant {

enum class DayPhase : uint8_t {
  kClosed = 0,
  kOpenAuction = 1,
  kPreOpenGap = 2,
  kContinuous = 3,
  kCloseAuction = 4,
  kAfterHours = 5
};

struct PhaseSpan {
  int64_t start = 0, end = 0, cancel_until = 0;
  DayPhase phase = DayPhase::kClosed;
};

struct PhaseAt {
  DayPhase phase = DayPhase::kClosed;
  bool cancel_ok = false;
};

PhaseAt phase_at(std::span<const PhaseSpan> day, int64_t time);

struct HaltSpan {
  int64_t start = 0, end = 0;
};
bool halted(std::span<const HaltSpan> halts, int64_t time);
// Whether orders can be matched: continuous trading or the closing auction, and no halt.
bool market_open(std::span<const PhaseSpan> day, std::span<const HaltSpan> halts, int64_t time);

enum class BreakerAction : uint8_t { kNone = 0, kPause = 1, kClose = 2 };

// The index circuit breaker; thresholds at kRateScale, either way.
struct BreakerRule {
  int64_t first = 0, second = 0, pause = 0, late = 0, close = 0;
};
struct BreakerAnswer {
  BreakerAction action = BreakerAction::kNone;
  int64_t until = 0;
};
BreakerAnswer circuit_breaker(const BreakerRule& rule, int64_t index_return, int64_t time);

// Halts of a session without a price limit: each threshold once up and once down from the open.
struct IpoHaltRule {
  int64_t first = 0, second = 0, pause = 0, latest = 0;
};
struct IpoHaltAnswer {
  bool halt = false;
  int64_t until = 0;
  uint8_t used = 0;  // bits: first up, second up, first down, second down
};
IpoHaltAnswer ipo_halt(const IpoHaltRule& rule, int64_t open, int64_t price, int64_t time, uint8_t used);

}  // namespace quant
