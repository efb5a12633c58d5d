#pragma once
#include <cstddef>
#include <cstdint>

namespace quant {

// The instants of a session, in the order of the columns of `instants`.
enum class Phase : uint8_t { kPreopen = 0, kOpen = 1, kDecide = 2, kClose = 3 };

// Bits of a panel cell's flags; bits 8..15 hold the board.
constexpr uint32_t kListed = 1, kTrading = 2, kSuspended = 4, kNoLimit = 32;

// Parallel arrays sorted by (ex_index, instrument); cash in micro-yuan per share, ratio at kRatioScale.
struct CorporateActions {
  size_t size = 0;
  const int32_t* ex_index = nullptr;
  const int32_t* pay_index = nullptr;
  const int32_t* instrument = nullptr;
  const int64_t* cash_per_share = nullptr;
  const int64_t* bonus_ratio = nullptr;
};

// Daily bars [T, S] in C order; the arrays belong to the caller. Prices at kPriceScale, 0 = none.
struct Market {
  int32_t T = 0;
  int32_t S = 0;
  const int32_t* sessions = nullptr;  // days since 1970-01-01
  const int64_t* instants = nullptr;  // ns UTC [T, 4]
  const int64_t* open = nullptr;
  const int64_t* close = nullptr;
  const int64_t* pre_close = nullptr;
  const int64_t* limit_up = nullptr;
  const int64_t* limit_down = nullptr;
  const int64_t* vwap = nullptr;
  const int64_t* volume = nullptr;
  const uint32_t* flags = nullptr;
  CorporateActions actions;

  size_t at(int32_t t, int32_t i) const {
    return static_cast<size_t>(t) * static_cast<size_t>(S) + static_cast<size_t>(i);
  }
  int64_t instant(int32_t t, Phase phase) const {
    return instants[static_cast<size_t>(t) * 4 + static_cast<size_t>(phase)];
  }
  uint32_t board(int32_t t, int32_t i) const { return (flags[at(t, i)] >> 8) & 0xff; }
};

}  // namespace quant
