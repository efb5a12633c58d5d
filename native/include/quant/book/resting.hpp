#pragma once
#include <cstdint>

#include "quant/market/messages.hpp"

namespace quant {

// An order the venue has acknowledged; `order.quantity` is what is open.
struct Resting {
  Command order;
  int64_t filled = 0;
  int32_t from = 0;   // the first bar that it may meet
  int32_t done = -1;  // the last bar it has met to its end
  bool late = false;  // it came after the first bar's open: of that bar it meets the close only
  bool triggered = false;
  template <class A>
  void fields(A& a) {
    a(order, filled, from, done, late, triggered);
  }
};

// Volume of one instrument of a bar already taken by our own orders.
struct Used {
  int32_t instrument = 0;
  int64_t volume = 0;
  template <class A>
  void fields(A& a) {
    a(instrument, volume);
  }
};

}  // namespace quant
