#pragma once
#include <cstdint>

#include "quant/market/messages.hpp"

namespace quant {

// An order the venue has acknowledged.
struct Resting {
  Command order;
  template <class A>
  void fields(A& a) {
    a(order);
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
