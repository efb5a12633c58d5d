#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

// Operations across the instruments of one session. `mask` (or nullptr for all) marks the universe; values
// that are NaN or outside it take no part and give NaN.
namespace quant {

struct CrossScratch {
  struct Entry {
    std::uint64_t key;  // orders like the value; equal for equal values
    std::uint32_t instrument;
  };
  std::vector<Entry> order, spare;
  std::vector<std::uint32_t> counts;
};

// Average rank of ties / count, in (0, 1].
void cross_rank(double* out, const double* x, const std::uint8_t* mask, std::size_t n, CrossScratch& scratch);

// (x - mean) / sample standard deviation (ddof 1), summed in instrument order; NaN where it does not vary.
void cross_zscore(double* out, const double* x, const std::uint8_t* mask, std::size_t n);

}  // namespace quant
