#include "check.hpp"
#include "quant/oms/order_state.hpp"

using namespace quant;

namespace {
constexpr int kStates = static_cast<int>(OrderState::kCount), kEvents = static_cast<int>(OrderEvent::kCount);
}

TEST(a_final_state_has_no_way_out) {
  for (int s = 0; s < kStates; ++s) {
    const auto state = static_cast<OrderState>(s);
    bool leaves = false;
    for (int e = 0; e < kEvents; ++e) leaves |= next_state(state, static_cast<OrderEvent>(e)) != kImpossible;
    CHECK_EQ(leaves, !is_final(state));
  }
}

TEST(every_state_is_reached_from_new) {
  bool seen[kStates] = {true};
  for (int round = 0; round < kStates; ++round) {
    for (int s = 0; s < kStates; ++s) {
      for (int e = 0; e < kEvents; ++e) {
        const OrderState to = next_state(static_cast<OrderState>(s), static_cast<OrderEvent>(e));
        if (seen[s] && to != kImpossible) seen[static_cast<int>(to)] = true;
      }
    }
  }
  for (const bool reached : seen) CHECK(reached);
}

TEST(every_open_state_can_end) {
  for (int s = 0; s < kStates; ++s) {
    bool ends = is_final(static_cast<OrderState>(s));
    OrderState at = static_cast<OrderState>(s);
    for (const OrderEvent e : {OrderEvent::REJECT, OrderEvent::EXPIRE}) {
      const OrderState to = next_state(at, e);
      ends |= to != kImpossible && is_final(to);
    }
    CHECK(ends);
  }
}
