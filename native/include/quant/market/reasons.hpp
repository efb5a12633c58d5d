#pragma once
#include <cstdint>

namespace quant {

// Why an order was not (fully) filled or was changed, and why trading halted. The numbers are stable: they
// are stored in journals, run folders and state hashes. X(name, number)
#define QUANT_REASONS(X)  \
  X(NONE, 0)              \
  X(LIMIT_UP, 1)          \
  X(LIMIT_DOWN, 2)        \
  X(SUSPENDED, 3)         \
  X(NO_BAR, 4)            \
  X(PARTICIPATION, 5)     \
  X(LIMIT_PRICE, 6)       \
  X(DAY_END, 7)           \
  X(CANCEL_REQUESTED, 8)  \
  X(VENUE_SILENT, 9)      \
  X(WRONG_PHASE, 10)      \
  X(BEYOND_LIMIT, 11)     \
  X(PRICE_CAGE, 12)       \
  X(TICK, 13)             \
  X(NOT_FILLED, 14)       \
  X(OUT_OF_SESSION, 15)   \
  X(HALTED, 20)           \
  X(PAUSED, 21)           \
  X(INVALID, 22)          \
  X(NO_PRICE, 23)         \
  X(FORBIDDEN, 24)        \
  X(LOT, 25)              \
  X(MAX_ORDER, 26)        \
  X(NOT_SELLABLE, 27)     \
  X(ORDER_QUANTITY, 28)   \
  X(ORDER_VALUE, 29)      \
  X(SINGLE_NAME, 30)      \
  X(GROSS, 31)            \
  X(CASH_FLOOR, 32)       \
  X(CASH, 33)             \
  X(REDUCED_TO_CASH, 34)  \
  X(CORPORATE_ACTION, 35) \
  X(DAILY_LOSS, 40)       \
  X(DRAWDOWN, 41)         \
  X(OPERATOR, 42)

enum class Reason : uint16_t {
#define QUANT_REASON(name, number) name = number,
  QUANT_REASONS(QUANT_REASON)
#undef QUANT_REASON
};

}  // namespace quant
