// Compiled once per instruction set. Only code with internal linkage and what the compiler builds in: nothing
// inline may be shared between the variants, or the linker would pick one of them for all.
#include "quant/series/row_kernels.hpp"

extern "C" double pow(double, double) noexcept;

namespace quant::QUANT_ISA {
namespace {

using std::size_t;
using u64 = unsigned long long;

constexpr double kNan = __builtin_nan("");
constexpr double kInf = __builtin_inf();
constexpr size_t kStrip = 32;  // columns of one strip; with fewer, compilers give up vectors
constexpr size_t kPairStrip = 16;

inline bool valid(double x) { return x == x; }
inline double either(bool condition, double x, double y) { return condition ? x : y; }

inline u64 bits_of(double x) {
  u64 bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline double double_of(u64 bits) {
  double x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// Natural logarithm, within 2 units in the last place, the same on every machine (a C library's is not):
// x = 2^k m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)) as its power series.
inline double logarithm(double x) {
  constexpr u64 kHalfRoot = 0x3fe6a09e667f3bcdULL;  // sqrt(1/2)
  constexpr u64 kBias = 1024ULL << 52;
  constexpr double kTwo52 = 0x1p52;
  constexpr double kLn2High = 0x1.62e42fefa38p-1;  // 42 bits: its product with k is exact
  constexpr double kLn2Low = 0x1.ef35793c7673p-45;
  const bool tiny = x < 0x1p-1022;
  const u64 bits = bits_of(tiny ? x * 0x1p54 : x);
  const u64 shifted = bits - kHalfRoot + kBias;
  const u64 exponent = shifted >> 52;  // k + 1024, always positive
  const double k = (double_of(bits_of(kTwo52) | exponent) - kTwo52) - (tiny ? 1024.0 + 54.0 : 1024.0);
  const double m = double_of(bits - (exponent << 52) + kBias);
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 1.0 / 21;
  p = p * z + 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  const double twice = s + s;
  const double result = k * kLn2High + (twice + (twice * (z * p) + k * kLn2Low));
  return either(x > 0.0, either(x < kInf, result, kInf), kNan);
}

// Whole exponents by repeated squaring, the same on every machine; others by the C library.
double raised(double x, double y) {
  if (!valid(x) || !valid(y)) return kNan;
  if (x == 0.0 && y < 0.0) return kNan;
  const double size = y < 0.0 ? -y : y;
  if (size > 64.0 || size != static_cast<double>(static_cast<int>(size))) return pow(x, y);
  double result = 1.0;
  double square = x;
  for (int left = static_cast<int>(size); left != 0; left >>= 1) {
    if (left & 1) result *= square;
    square *= square;
  }
  return y < 0.0 ? 1.0 / result : result;
}

template <class F>
inline void map1(double* __restrict out, const double* __restrict x, size_t n, F f) {
  for (size_t i = 0; i < n; ++i) out[i] = f(x[i]);
}

template <class F>
inline void map2(double* __restrict out, const double* __restrict x, const double* __restrict y, size_t n,
                 F f) {
  for (size_t i = 0; i < n; ++i) out[i] = f(x[i], y[i]);
}

template <class F>
inline void compare(double* __restrict out, const double* __restrict x, const double* __restrict y, size_t n,
                    F holds) {
  for (size_t i = 0; i < n; ++i) {
    const double answer = either(holds(x[i], y[i]), 1.0, 0.0);
    out[i] = either(valid(x[i]) & valid(y[i]), answer, kNan);
  }
}

void neg(double* out, const double* x, size_t n) {
  map1(out, x, n, [](double v) { return -v; });
}
void abs(double* out, const double* x, size_t n) {
  map1(out, x, n, [](double v) { return __builtin_fabs(v); });
}
void log(double* out, const double* x, size_t n) { map1(out, x, n, logarithm); }
void sign(double* out, const double* x, size_t n) {
  map1(out, x, n, [](double v) {
    const double up = either(v > 0.0, 1.0, 0.0);
    return either(valid(v), either(v < 0.0, -1.0, up), kNan);
  });
}
void sqrt(double* out, const double* x, size_t n) {
  map1(out, x, n, [](double v) { return __builtin_sqrt(v); });
}
void logical_not(double* out, const double* x, size_t n) {
  map1(out, x, n, [](double v) { return either(valid(v), either(v == 0.0, 1.0, 0.0), kNan); });
}
void add(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) { return a + b; });
}
void sub(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) { return a - b; });
}
void mul(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) { return a * b; });
}
void div(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) { return either(b == 0.0, kNan, a / b); });
}
void power(double* out, const double* x, const double* y, size_t n) { map2(out, x, y, n, raised); }
void max2(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) { return either(valid(b), either(b > a, b, a), kNan); });
}
void min2(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) { return either(valid(b), either(b < a, b, a), kNan); });
}
void gt(double* out, const double* x, const double* y, size_t n) {
  compare(out, x, y, n, [](double a, double b) { return a > b; });
}
void ge(double* out, const double* x, const double* y, size_t n) {
  compare(out, x, y, n, [](double a, double b) { return a >= b; });
}
void lt(double* out, const double* x, const double* y, size_t n) {
  compare(out, x, y, n, [](double a, double b) { return a < b; });
}
void le(double* out, const double* x, const double* y, size_t n) {
  compare(out, x, y, n, [](double a, double b) { return a <= b; });
}
void eq(double* out, const double* x, const double* y, size_t n) {
  compare(out, x, y, n, [](double a, double b) { return a == b; });
}
void ne(double* out, const double* x, const double* y, size_t n) {
  compare(out, x, y, n, [](double a, double b) { return a != b; });
}
// Three-valued: a false side decides "and", a true side decides "or", else unknown stays unknown.
void logical_and(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) {
    const double known = either(valid(a) & valid(b), 1.0, kNan);
    return either((a == 0.0) | (b == 0.0), 0.0, known);
  });
}
void logical_or(double* out, const double* x, const double* y, size_t n) {
  map2(out, x, y, n, [](double a, double b) {
    const bool holds = (valid(a) & (a != 0.0)) | (valid(b) & (b != 0.0));
    return either(holds, 1.0, either(valid(a) & valid(b), 0.0, kNan));
  });
}
void where(double* __restrict out, const double* __restrict c, const double* __restrict x,
           const double* __restrict y, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = either(valid(c[i]), either(c[i] != 0.0, x[i], y[i]), kNan);
}

// Each strip below sees rows[0..count) of N columns starting at column c, in time order.
struct SumStrip {
  template <size_t N>
  static void run(double* out, const double* const* rows, size_t count, double least, size_t c) {
    double sum[N] = {}, seen[N] = {};
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) {
        sum[i] += either(valid(x[i]), x[i], 0.0);
        seen[i] += either(valid(x[i]), 1.0, 0.0);
      }
    }
    for (size_t i = 0; i < N; ++i) out[i] = either(seen[i] >= least, sum[i], kNan);
  }
};

struct MeanStrip {
  template <size_t N>
  static void run(double* out, const double* const* rows, size_t count, double least, size_t c) {
    double sum[N] = {}, seen[N] = {};
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) {
        sum[i] += either(valid(x[i]), x[i], 0.0);
        seen[i] += either(valid(x[i]), 1.0, 0.0);
      }
    }
    for (size_t i = 0; i < N; ++i) out[i] = either(seen[i] >= least, sum[i] / seen[i], kNan);
  }
};

// Sums of whole windows: the same additions in the same order, without asking what is known. The vectors are
// written out: left alone, compilers gather.
#if defined(__AVX512F__)
constexpr size_t kLanes = 8;
#elif defined(__AVX2__)
constexpr size_t kLanes = 4;
#else
constexpr size_t kLanes = 2;
#endif
constexpr size_t kVectors = 8;
constexpr size_t kWholeStrip = kVectors * kLanes;

#if defined(__GNUC__) || defined(__clang__)
typedef double Lanes __attribute__((vector_size(kLanes * sizeof(double))));

inline void accumulate(double* out, const double* const* rows, size_t count, size_t c, bool mean) {
  Lanes sum[kVectors] = {};
  for (size_t k = 0; k < count; ++k) {
    const double* x = rows[k] + c;
#pragma GCC unroll 8
    for (size_t v = 0; v < kVectors; ++v) {
      Lanes read;
      __builtin_memcpy(&read, x + v * kLanes, sizeof read);
      sum[v] += read;
    }
  }
  const double seen = static_cast<double>(count);
#pragma GCC unroll 8
  for (size_t v = 0; v < kVectors; ++v) {
    const Lanes result = mean ? sum[v] / seen : sum[v];
    __builtin_memcpy(out + v * kLanes, &result, sizeof result);
  }
}
#endif

template <bool kMean>
struct WholeStrip {
  template <size_t N>
  static void run(double* out, const double* const* rows, size_t count, double, size_t c) {
#if defined(__GNUC__) || defined(__clang__)
    if constexpr (N == kWholeStrip) return accumulate(out, rows, count, c, kMean);
#endif
    double sum[N] = {};
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) sum[i] += x[i];
    }
    const double seen = static_cast<double>(count);
    for (size_t i = 0; i < N; ++i) out[i] = kMean ? sum[i] / seen : sum[i];
  }
};

// Two passes over deviations from the window's first valid value: a constant window has exactly no spread.
struct StdStrip {
  template <size_t N>
  static void run(double* out, const double* const* rows, size_t count, double least, size_t c) {
    double first[N] = {}, mean[N] = {}, squares[N] = {}, seen[N] = {};
    for (size_t k = count; k-- > 0;) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) {
        first[i] = either(valid(x[i]), x[i], first[i]);
        seen[i] += either(valid(x[i]), 1.0, 0.0);
      }
    }
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) mean[i] += either(valid(x[i]), x[i] - first[i], 0.0);
    }
    for (size_t i = 0; i < N; ++i) mean[i] /= seen[i];
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) {
        const double deviation = (x[i] - first[i]) - mean[i];
        squares[i] += either(valid(x[i]), deviation * deviation, 0.0);
      }
    }
    for (size_t i = 0; i < N; ++i) {
      out[i] = either(seen[i] >= least, __builtin_sqrt(squares[i] / (seen[i] - 1.0)), kNan);
    }
  }
};

// Of equal values the earliest is kept (0.0 and -0.0 are equal but not the same bits).
template <bool kGreatest>
struct ExtremeStrip {
  template <size_t N>
  static void run(double* out, const double* const* rows, size_t count, double least, size_t c) {
    double best[N], seen[N] = {};
    for (size_t i = 0; i < N; ++i) best[i] = kNan;
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) {
        const bool better = kGreatest ? x[i] > best[i] : x[i] < best[i];
        best[i] = either(better | (seen[i] == 0.0), x[i], best[i]);
        seen[i] += either(valid(x[i]), 1.0, 0.0);
      }
    }
    for (size_t i = 0; i < N; ++i) out[i] = either(seen[i] >= least, best[i], kNan);
  }
};

struct RankStrip {
  template <size_t N>
  static void run(double* out, const double* const* rows, size_t count, double least, size_t c) {
    const double* present = rows[count - 1] + c;
    double twice[N] = {}, seen[N] = {};  // twice the number of smaller values plus that of equal ones
    for (size_t k = 0; k < count; ++k) {
      const double* x = rows[k] + c;
      for (size_t i = 0; i < N; ++i) {
        twice[i] += either(x[i] < present[i], 2.0, either(x[i] == present[i], 1.0, 0.0));
        seen[i] += either(valid(x[i]), 1.0, 0.0);
      }
    }
    for (size_t i = 0; i < N; ++i) {
      const double rank = (twice[i] + 1.0) * 0.5 / seen[i];
      out[i] = either((seen[i] >= least) & valid(present[i]), rank, kNan);
    }
  }
};

template <class Strip, size_t kWidth = kStrip>
void window(double* out, const double* const* rows, size_t count, size_t least, size_t at, size_t n) {
  const double enough = static_cast<double>(least);
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Strip::template run<kWidth>(out + i, rows, count, enough, at + i);
  for (; i < n; ++i) Strip::template run<1>(out + i, rows, count, enough, at + i);
}

// Pearson correlation of the pairs in which both are valid, from deviations as in StdStrip.
template <size_t N>
void corr_strip(double* out, const double* const* xs, const double* const* ys, size_t count, double least,
                size_t c) {
  double x0[N] = {}, y0[N] = {}, mx[N] = {}, my[N] = {}, seen[N] = {};
  for (size_t k = count; k-- > 0;) {
    const double *x = xs[k] + c, *y = ys[k] + c;
    for (size_t i = 0; i < N; ++i) {
      const bool both = valid(x[i]) & valid(y[i]);
      x0[i] = either(both, x[i], x0[i]);
      y0[i] = either(both, y[i], y0[i]);
      seen[i] += either(both, 1.0, 0.0);
    }
  }
  for (size_t k = 0; k < count; ++k) {
    const double *x = xs[k] + c, *y = ys[k] + c;
    for (size_t i = 0; i < N; ++i) {
      const bool both = valid(x[i]) & valid(y[i]);
      mx[i] += either(both, x[i] - x0[i], 0.0);
      my[i] += either(both, y[i] - y0[i], 0.0);
    }
  }
  double xx[N] = {}, yy[N] = {}, xy[N] = {};
  for (size_t i = 0; i < N; ++i) mx[i] /= seen[i], my[i] /= seen[i];
  for (size_t k = 0; k < count; ++k) {
    const double *x = xs[k] + c, *y = ys[k] + c;
    for (size_t i = 0; i < N; ++i) {
      const bool both = valid(x[i]) & valid(y[i]);
      const double dx = (x[i] - x0[i]) - mx[i], dy = (y[i] - y0[i]) - my[i];
      xx[i] += either(both, dx * dx, 0.0);
      yy[i] += either(both, dy * dy, 0.0);
      xy[i] += either(both, dx * dy, 0.0);
    }
  }
  for (size_t i = 0; i < N; ++i) {
    const double scale = __builtin_sqrt(xx[i]) * __builtin_sqrt(yy[i]);
    double r = xy[i] / scale;
    r = either(r > 1.0, 1.0, either(r < -1.0, -1.0, r));
    out[i] = either((seen[i] >= least) & (scale > 0.0), r, kNan);
  }
}

void corr(double* out, const double* const* xs, const double* const* ys, size_t count, size_t least,
          size_t at, size_t n) {
  const double enough = static_cast<double>(least);
  size_t i = 0;
  for (; i + kPairStrip <= n; i += kPairStrip) corr_strip<kPairStrip>(out + i, xs, ys, count, enough, at + i);
  for (; i < n; ++i) corr_strip<1>(out + i, xs, ys, count, enough, at + i);
}

bool any_unknown(const double* x, size_t n) {
  u64 unknown = 0;
  for (size_t i = 0; i < n; ++i) unknown |= static_cast<u64>(x[i] != x[i]);
  return unknown != 0;
}

}  // namespace

extern const RowKernels row_kernels = {
    .neg = neg,
    .abs = abs,
    .log = log,
    .sign = sign,
    .sqrt = sqrt,
    .logical_not = logical_not,
    .add = add,
    .sub = sub,
    .mul = mul,
    .div = div,
    .power = power,
    .max2 = max2,
    .min2 = min2,
    .gt = gt,
    .ge = ge,
    .lt = lt,
    .le = le,
    .eq = eq,
    .ne = ne,
    .logical_and = logical_and,
    .logical_or = logical_or,
    .where = where,
    .mean = window<MeanStrip>,
    .std = window<StdStrip>,
    .sum = window<SumStrip>,
    .min = window<ExtremeStrip<false>>,
    .max = window<ExtremeStrip<true>>,
    .rank = window<RankStrip>,
    .corr = corr,
    .whole_mean = window<WholeStrip<true>, kWholeStrip>,
    .whole_sum = window<WholeStrip<false>, kWholeStrip>,
    .any_unknown = any_unknown,
};

}  // namespace quant::QUANT_ISA
