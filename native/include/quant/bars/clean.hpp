#pragma once
#include <cstdint>

namespace quant::bars {

// What is wrong with a tick; several may be.
enum Fault : std::uint8_t {
  kNoPrice = 1,    // zero or negative
  kSpike = 2,      // outside the limits, or far from its neighbours on both sides
  kBackwards = 4,  // before a tick that came earlier
  kDuplicate = 8,  // same instant, price and running total as the tick before
  kReset = 16,     // a running total fell within the session
};

struct Ticks {
  std::int64_t count = 0;
  const std::int64_t* ts = nullptr;
  const std::int64_t* price = nullptr;
  const std::int64_t* total = nullptr;  // running volume of the session, or null
  const std::int32_t* session = nullptr;
  const std::int64_t* low = nullptr;   // lowest allowed price of each tick, 0 = none; or null
  const std::int64_t* high = nullptr;  // highest
};

// faults[k] of every tick of one instrument, in the order in which they came. `jump` is how far a price may
// lie from the last good one, in parts of 10,000, unless the next good-looking tick confirms it; 0 = any
// distance.
void find_faults(const Ticks& ticks, std::int64_t jump, std::uint8_t* faults);

}  // namespace quant::bars
