#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "quant/oms/order_state.hpp"

// Any history of events: an order never leaves a final state, and never enters one that does not exist.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quant;
  OrderState state = OrderState::NEW;
  for (size_t k = 0; k < size; ++k) {
    const auto event = static_cast<OrderEvent>(data[k] % static_cast<uint8_t>(OrderEvent::kCount));
    const OrderState next = next_state(state, event);
    if (next == kImpossible) continue;
    if (is_final(state) || next > kImpossible || next == OrderState::NEW) std::abort();
    state = next;
  }
  return 0;
}
