#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace quant {

// clang-format off
#define QUANT_ORDER_STATES(X)                                                                       \
  X(NEW) X(WAITING) X(SENT) X(WORKING) X(PARTIAL) X(CANCELLING) X(FILLED) X(CANCELLED) X(REJECTED) \
  X(EXPIRED) X(REPLACING)
#define QUANT_ORDER_EVENTS(X)                                                                 \
  X(HOLD) X(SEND) X(ACK) X(PARTIAL_FILL) X(FILL) X(CANCEL_REQUEST) X(CANCEL_REFUSED) X(CANCEL) \
  X(REJECT) X(EXPIRE) X(REPLACE_REQUEST) X(REPLACE) X(REPLACE_REFUSED) X(TRIGGER) X(CARRY)
// clang-format on

#define QUANT_NAME(name) name,
enum class OrderState : uint8_t { QUANT_ORDER_STATES(QUANT_NAME) kCount };
enum class OrderEvent : uint8_t { QUANT_ORDER_EVENTS(QUANT_NAME) kCount };
#undef QUANT_NAME

constexpr OrderState kImpossible = OrderState::kCount;

namespace detail {

struct Transition {
  OrderState from;
  OrderEvent event;
  OrderState to;
};

#define QUANT_T(from, event, to) {OrderState::from, OrderEvent::event, OrderState::to}
inline constexpr Transition kTransitions[] = {
    QUANT_T(NEW, HOLD, WAITING),
    QUANT_T(NEW, SEND, SENT),
    QUANT_T(NEW, REJECT, REJECTED),
    QUANT_T(WAITING, SEND, SENT),
    QUANT_T(WAITING, CANCEL, CANCELLED),
    QUANT_T(WAITING, REJECT, REJECTED),
    QUANT_T(WAITING, EXPIRE, EXPIRED),
    QUANT_T(SENT, ACK, WORKING),
    QUANT_T(SENT, PARTIAL_FILL, PARTIAL),
    QUANT_T(SENT, FILL, FILLED),
    QUANT_T(SENT, CANCEL_REQUEST, CANCELLING),
    QUANT_T(SENT, CANCEL, CANCELLED),
    QUANT_T(SENT, REJECT, REJECTED),
    QUANT_T(SENT, EXPIRE, EXPIRED),
    QUANT_T(WORKING, PARTIAL_FILL, PARTIAL),
    QUANT_T(WORKING, FILL, FILLED),
    QUANT_T(WORKING, CANCEL_REQUEST, CANCELLING),
    QUANT_T(WORKING, CANCEL, CANCELLED),
    QUANT_T(WORKING, EXPIRE, EXPIRED),
    QUANT_T(PARTIAL, PARTIAL_FILL, PARTIAL),
    QUANT_T(PARTIAL, FILL, FILLED),
    QUANT_T(PARTIAL, CANCEL_REQUEST, CANCELLING),
    QUANT_T(PARTIAL, CANCEL, CANCELLED),
    QUANT_T(PARTIAL, EXPIRE, EXPIRED),
    QUANT_T(CANCELLING, ACK, CANCELLING),
    QUANT_T(CANCELLING, PARTIAL_FILL, CANCELLING),
    QUANT_T(CANCELLING, FILL, FILLED),
    QUANT_T(CANCELLING, CANCEL_REFUSED, WORKING),
    QUANT_T(CANCELLING, CANCEL, CANCELLED),
    QUANT_T(CANCELLING, REJECT, REJECTED),
    QUANT_T(CANCELLING, EXPIRE, EXPIRED),
    QUANT_T(CANCELLING, REPLACE, CANCELLING),
    QUANT_T(CANCELLING, REPLACE_REFUSED, CANCELLING),
    QUANT_T(CANCELLING, TRIGGER, CANCELLING),
    QUANT_T(CANCELLING, CARRY, CANCELLING),
    QUANT_T(WAITING, REPLACE, WAITING),
    QUANT_T(WAITING, REPLACE_REFUSED, WAITING),
    QUANT_T(SENT, REPLACE_REQUEST, REPLACING),
    QUANT_T(SENT, REPLACE_REFUSED, SENT),
    QUANT_T(WORKING, REPLACE_REQUEST, REPLACING),
    QUANT_T(WORKING, REPLACE_REFUSED, WORKING),
    QUANT_T(WORKING, TRIGGER, WORKING),
    QUANT_T(WORKING, CARRY, WORKING),
    QUANT_T(PARTIAL, REPLACE_REQUEST, REPLACING),
    QUANT_T(PARTIAL, REPLACE_REFUSED, PARTIAL),
    QUANT_T(PARTIAL, CARRY, PARTIAL),
    QUANT_T(REPLACING, ACK, REPLACING),
    QUANT_T(REPLACING, PARTIAL_FILL, REPLACING),
    QUANT_T(REPLACING, FILL, FILLED),
    QUANT_T(REPLACING, CANCEL_REQUEST, CANCELLING),
    QUANT_T(REPLACING, CANCEL, CANCELLED),
    QUANT_T(REPLACING, REJECT, REJECTED),
    QUANT_T(REPLACING, EXPIRE, EXPIRED),
    QUANT_T(REPLACING, REPLACE, WORKING),
    QUANT_T(REPLACING, REPLACE_REFUSED, WORKING),
    QUANT_T(REPLACING, TRIGGER, REPLACING),
    QUANT_T(REPLACING, CARRY, REPLACING),
};
#undef QUANT_T

using Row = std::array<OrderState, static_cast<size_t>(OrderEvent::kCount)>;

consteval std::array<Row, static_cast<size_t>(OrderState::kCount)> order_table() {
  std::array<Row, static_cast<size_t>(OrderState::kCount)> table{};
  for (Row& row : table) row.fill(kImpossible);
  for (const Transition& t : kTransitions) {
    table[static_cast<size_t>(t.from)][static_cast<size_t>(t.event)] = t.to;
  }
  return table;
}

}  // namespace detail

inline constexpr auto kOrderTable = detail::order_table();

// kImpossible where the event cannot happen in that state.
constexpr OrderState next_state(OrderState state, OrderEvent event) {
  return kOrderTable[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

constexpr bool is_final(OrderState state) {
  return state >= OrderState::FILLED && state <= OrderState::EXPIRED;
}

}  // namespace quant
