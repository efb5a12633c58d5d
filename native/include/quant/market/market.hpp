#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace quant {

// The instants of a bar, in the order of the columns of `instants`; the first bar of a session alone has a
// preopen.
enum class Phase : uint8_t { kPreopen = 0, kOpen = 1, kDecide = 2, kClose = 3 };

// Bits of a panel cell's flags; bits 8..15 hold the board.
constexpr uint32_t kListed = 1, kTrading = 2, kSuspended = 4, kNoLimit = 32;

// Parallel arrays sorted by (ex_index, instrument), indices of sessions; cash in micro-yuan per share, ratio
// at kRatioScale.
struct CorporateActions {
  size_t size = 0;
  const int32_t* ex_index = nullptr;
  const int32_t* pay_index = nullptr;
  const int32_t* instrument = nullptr;
  const int64_t* cash_per_share = nullptr;
  const int64_t* bonus_ratio = nullptr;
};

// Bars of any length [T, S] in D sessions, in C order; the arrays belong to the caller. Prices at
// kPriceScale, 0 = none. Daily bars are the case T = D.
struct Market {
  int32_t T = 0;
  int32_t S = 0;
  int32_t D = 0;
  const int32_t* sessions = nullptr;  // days since 1970-01-01 [D]
  const int32_t* day = nullptr;       // session of each bar [T], ascending without a gap
  const int64_t* instants = nullptr;  // ns UTC [T, 4]
  const int64_t* open = nullptr;      // bars [T, S]
  const int64_t* high = nullptr;
  const int64_t* low = nullptr;
  const int64_t* close = nullptr;
  const int64_t* vwap = nullptr;
  const int64_t* volume = nullptr;
  const int64_t* pre_close = nullptr;  // of the session [D, S]
  const int64_t* limit_up = nullptr;
  const int64_t* limit_down = nullptr;
  const uint32_t* flags = nullptr;
  CorporateActions actions;

  size_t at(int32_t t, int32_t i) const {
    return static_cast<size_t>(t) * static_cast<size_t>(S) + static_cast<size_t>(i);
  }
  // Whether bar t is the first or the last of its session.
  bool opens(int32_t t) const { return t == 0 || day[t] != day[t - 1]; }
  bool closes(int32_t t) const { return t + 1 == T || day[t] != day[t + 1]; }
  int32_t last_bar(int32_t t) const {
    if (T == D) return t;
    return static_cast<int32_t>(std::upper_bound(day + t, day + T, day[t]) - day) - 1;
  }
  // The cell of bar t's session in the arrays [D, S].
  size_t of_day(int32_t t, int32_t i) const { return at(day[t], i); }
  // The last close of instrument i from bar `since` to bar t, within t's session; 0 if there is none.
  int64_t last_close(int32_t t, int32_t i, int32_t since) const {
    for (int32_t u = t; u >= since && u >= 0 && day[u] == day[t]; --u) {
      if (const int64_t price = close[at(u, i)]; price > 0) return price;
    }
    return 0;
  }
  // The same across sessions.
  int64_t newest_close(int32_t t, int32_t i, int32_t since) const {
    for (int32_t u = t; u >= since && u >= 0; --u) {
      if (const int64_t price = close[at(u, i)]; price > 0) return price;
    }
    return 0;
  }
  // The first bar of a session.
  int32_t first_bar(int32_t session) const {
    return T == D ? session : static_cast<int32_t>(std::lower_bound(day, day + T, session) - day);
  }
  // Asks for what a decision at bar t of a narrow market and its fill at the next bar read, before they are
  // needed. Inline by force: compilers drop calls of functions that only prefetch.
#if defined(__GNUC__) || defined(__clang__)
  __attribute__((always_inline)) void prefetch(int32_t t) const {
    const int32_t next = t + 1 < T ? t + 1 : t;
    __builtin_prefetch(open + at(t, 0));
    __builtin_prefetch(open + at(next, 0));
    __builtin_prefetch(close + at(t, 0));
    __builtin_prefetch(close + at(next, 0));
    __builtin_prefetch(day + t);
    __builtin_prefetch(instants + static_cast<size_t>(t) * 4);
    __builtin_prefetch(instants + static_cast<size_t>(next) * 4);
  }
#else
  void prefetch(int32_t) const {}
#endif
  int64_t instant(int32_t t, Phase phase) const {
    return instants[static_cast<size_t>(t) * 4 + static_cast<size_t>(phase)];
  }
  uint32_t board(int32_t t, int32_t i) const { return (flags[of_day(t, i)] >> 8) & 0xff; }
};

}  // namespace quant
