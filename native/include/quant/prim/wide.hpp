#pragma once
#include <cstdint>

#include "quant/prim/failure.hpp"
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

// Exact 64-bit money arithmetic with 128-bit intermediates. Every overflow is an InvariantBroken.
namespace quant {

[[noreturn]] inline void overflow() { broken("money.overflow", "a sum of money does not fit into 64 bits"); }

#if defined(_MSC_VER) && !defined(__clang__)

inline int64_t add(int64_t a, int64_t b) {
  if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) overflow();
  return a + b;
}

inline int64_t sub(int64_t a, int64_t b) {
  if (b < 0 ? a > INT64_MAX + b : a < INT64_MIN + b) overflow();
  return a - b;
}

inline int64_t mul(int64_t a, int64_t b) {
  int64_t high = 0;
  const int64_t low = _mul128(a, b, &high);
  if (high != (low >> 63)) overflow();
  return low;
}

inline int64_t mul_add_div(int64_t a, int64_t b, int64_t plus, int64_t c) {
  int64_t high = 0;
  uint64_t low = static_cast<uint64_t>(_mul128(a, b, &high));
  const uint64_t sum = low + static_cast<uint64_t>(plus);
  high += sum < low;
  if (((high << 1) | static_cast<int64_t>(sum >> 63)) >= c) overflow();  // the quotient needs 64 bits
  int64_t rest = 0;
  return _div128(high, static_cast<int64_t>(sum), c, &rest);
}

inline bool product_greater(int64_t a, int64_t b, int64_t c, int64_t d) {
  int64_t h1 = 0, h2 = 0;
  const auto l1 = static_cast<uint64_t>(_mul128(a, b, &h1)), l2 = static_cast<uint64_t>(_mul128(c, d, &h2));
  return h1 != h2 ? h1 > h2 : l1 > l2;
}

#else

__extension__ using Wide = __int128;

inline int64_t narrow(Wide value) {
  const auto low = static_cast<int64_t>(value);
  if (low != value) overflow();
  return low;
}

inline int64_t add(int64_t a, int64_t b) { return narrow(static_cast<Wide>(a) + b); }

inline int64_t sub(int64_t a, int64_t b) { return narrow(static_cast<Wide>(a) - b); }

inline int64_t mul(int64_t a, int64_t b) { return narrow(static_cast<Wide>(a) * b); }

// (a * b + plus) / c, truncated.
inline int64_t mul_add_div(int64_t a, int64_t b, int64_t plus, int64_t c) {
  const Wide product = static_cast<Wide>(a) * b + plus;
  const auto low = static_cast<int64_t>(product);
  if (low == product && (low != INT64_MIN || c != -1)) return low / c;  // far quicker than in 128 bits
  return narrow(product / c);
}

// a * b > c * d
inline bool product_greater(int64_t a, int64_t b, int64_t c, int64_t d) {
  return static_cast<Wide>(a) * b > static_cast<Wide>(c) * d;
}

#endif

// a * b / (c * d) rounded half up, for a, b >= 0 and c, d > 0.
int64_t ratio_half_up(int64_t a, int64_t b, int64_t c, int64_t d);

// floor(a * b / c) for a, b >= 0, c > 0.
inline int64_t mul_div(int64_t a, int64_t b, int64_t c) { return mul_add_div(a, b, 0, c); }

// a * b / c rounded half up for a, b >= 0 and even c > 0.
inline int64_t mul_div_half_up(int64_t a, int64_t b, int64_t c) { return mul_add_div(a, b, c / 2, c); }

constexpr int64_t kPriceScale = 10'000;
constexpr int64_t kMoneyScale = 1'000'000;
constexpr int64_t kRateScale = 1'000'000'000;
constexpr int64_t kRatioScale = 100'000'000;
constexpr int64_t kMicrosPerPrice = kMoneyScale / kPriceScale;

// Micro-yuan of `quantity` shares at `price`.
inline int64_t notional_micros(int64_t price, int64_t quantity) {
  return mul(mul(price, kMicrosPerPrice), quantity);
}

}  // namespace quant
