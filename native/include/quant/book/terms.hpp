#pragma once
#include <cstdint>

namespace quant::book {

enum class OrderKind : uint8_t {
  kMarket = 0,
  kLimit = 1,
  kStop = 2,       // a market order once the last trade has reached the stop price
  kStopLimit = 3,  // a limit order from then on
  kOpenAuction = 4,
  kCloseAuction = 5,  // auction orders with price 0 are market orders of the auction
};
enum class Tif : uint8_t { kDay = 0, kGtc = 1, kIoc = 2, kFok = 3 };

constexpr bool is_stop(OrderKind kind) { return kind == OrderKind::kStop || kind == OrderKind::kStopLimit; }
constexpr bool is_auction(OrderKind kind) { return kind >= OrderKind::kOpenAuction; }

}  // namespace quant::book
