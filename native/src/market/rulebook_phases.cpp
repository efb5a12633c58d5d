#include "quant/market/rulebook_phases.hpp"

#include <algorithm>

#include "quant/prim/wide.hpp"

namespace quant {

PhaseAt phase_at(std::span<const PhaseSpan> day, int64_t time) {
  for (const PhaseSpan& span : day)
    if (time >= span.start && time < span.end) return {span.phase, time < span.cancel_until};
  return {};
}

bool halted(std::span<const HaltSpan> halts, int64_t time) {
  return std::ranges::any_of(halts, [time](const HaltSpan& h) { return time >= h.start && time < h.end; });
}

bool market_open(std::span<const PhaseSpan> day, std::span<const HaltSpan> halts, int64_t time) {
  const DayPhase phase = phase_at(day, time).phase;
  return (phase == DayPhase::kContinuous || phase == DayPhase::kCloseAuction) && !halted(halts, time);
}

BreakerAnswer circuit_breaker(const BreakerRule& rule, int64_t index_return, int64_t time) {
  const int64_t moved = index_return < 0 ? sub(0, index_return) : index_return;
  if (time >= rule.close || moved < rule.first) return {};
  if (moved >= rule.second || time >= rule.late) return {BreakerAction::kClose, rule.close};
  return {BreakerAction::kPause, add(time, rule.pause)};
}

IpoHaltAnswer ipo_halt(const IpoHaltRule& rule, int64_t open, int64_t price, int64_t time, uint8_t used) {
  const bool up = price >= open;
  const int64_t moved = up ? sub(price, open) : sub(open, price);
  uint8_t hit = used;
  for (int level = 0; level < 2; ++level) {
    const int64_t threshold = level == 0 ? rule.first : rule.second;
    const bool reached = !product_greater(open, threshold, moved, kRateScale);
    if (reached) hit = static_cast<uint8_t>(hit | (1U << ((up ? 0 : 2) + level)));
  }
  if (hit == used || time >= rule.latest) return {false, 0, hit};
  return {true, std::min(add(time, rule.pause), rule.latest), hit};
}

}  // namespace quant
