#pragma once
#include <cstddef>

// Operations on one row of n instruments; NaN is unknown. No inline code here: src/isa includes this file.
namespace quant {

struct RowKernels {
  using Unary = void (*)(double* out, const double* x, std::size_t n);
  using Binary = void (*)(double* out, const double* x, const double* y, std::size_t n);
  using Ternary = void (*)(double* out, const double* c, const double* x, const double* y, std::size_t n);
  // rows[0..count) are the rows of the window in time order, the last is the present one; columns
  // [at, at + n) are read. Fewer than `least` valid values give NaN.
  using Window = void (*)(double* out, const double* const* rows, std::size_t count, std::size_t least,
                          std::size_t at, std::size_t n);
  using WindowPair = void (*)(double* out, const double* const* xs, const double* const* ys,
                              std::size_t count, std::size_t least, std::size_t at, std::size_t n);

  Unary neg, abs, log, sign, sqrt, logical_not;
  Binary add, sub, mul, div, power, max2, min2;
  Binary gt, ge, lt, le, eq, ne, logical_and, logical_or;
  Ternary where;
  Window mean, std, sum, min, max, rank;
  WindowPair corr;
  // The same for windows in which every value is known; `least` is not asked for.
  Window whole_mean, whole_sum;
  // Whether any of n values is unknown.
  bool (*any_unknown)(const double* x, std::size_t n);
};

namespace base {
extern const RowKernels row_kernels;
}
namespace avx2 {
extern const RowKernels row_kernels;
}
namespace avx512 {
extern const RowKernels row_kernels;
}

}  // namespace quant
