#pragma once
#include <cstdint>
#include <limits>

// Where a resting order stands among what is displayed at its price.
namespace quant {

enum class QueueModel : uint8_t {
  kTouch = 0,  // no queue: the first trade at the price, or the other side reaching it, fills
  kFifo = 1,   // behind all that was displayed on arrival; what others cancel stood behind us, if it could
  kPower = 2,  // what others cancel is shared between before and behind in proportion to x^n of both
  kLog = 3,    // the same with log(1 + x)
};

struct QueueRule {
  QueueModel model = QueueModel::kFifo;
  int32_t power = 2;  // n of kPower, 1..4
};

constexpr int64_t kUnknownAhead = std::numeric_limits<int64_t>::max();

// log2(1 + x) at 2^16, exact in integers and so the same on every machine.
int64_t log2_fixed(int64_t x);

// Quantity ahead after `gone` of `total` displayed left the level without trading. Probability models:
// Rigtorp, "Estimating order queue position" (2013); rounded so that we never stand too far in front.
int64_t ahead_after_cancels(int64_t ahead, int64_t total, int64_t gone, const QueueRule& rule);

}  // namespace quant
