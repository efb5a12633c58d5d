#include "quant/prim/wide.hpp"

namespace quant {

#if defined(_MSC_VER) && !defined(__clang__)

// Long division bit by bit: 128 by 128 bits is more than the machine offers there.
int64_t ratio_half_up(int64_t a, int64_t b, int64_t c, int64_t d) {
  uint64_t top[2], under[2];
  top[0] = _umul128(static_cast<uint64_t>(a), static_cast<uint64_t>(b), &top[1]);
  under[0] = _umul128(static_cast<uint64_t>(c), static_cast<uint64_t>(d), &under[1]);
  const uint64_t half = (under[0] >> 1) | (under[1] << 63);
  top[0] += half;
  top[1] += (under[1] >> 1) + (top[0] < half);
  uint64_t rest[2] = {0, 0}, quotient[2] = {0, 0};
  for (int bit = 127; bit >= 0; --bit) {
    rest[1] = (rest[1] << 1) | (rest[0] >> 63);
    rest[0] = (rest[0] << 1) | ((top[bit / 64] >> (bit % 64)) & 1);
    if (rest[1] < under[1] || (rest[1] == under[1] && rest[0] < under[0])) continue;
    rest[1] -= under[1] + (rest[0] < under[0]);
    rest[0] -= under[0];
    quotient[bit / 64] |= uint64_t{1} << (bit % 64);
  }
  if (quotient[1] != 0 || quotient[0] > INT64_MAX) overflow();
  return static_cast<int64_t>(quotient[0]);
}

#else

int64_t ratio_half_up(int64_t a, int64_t b, int64_t c, int64_t d) {
  const Wide under = static_cast<Wide>(c) * d;
  return narrow((static_cast<Wide>(a) * b + under / 2) / under);
}

#endif

}  // namespace quant
