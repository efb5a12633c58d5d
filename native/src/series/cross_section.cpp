#include "quant/series/cross_section.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace quant {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool takes_part(const double* x, const std::uint8_t* mask, std::size_t i) {
  return x[i] == x[i] && (mask == nullptr || mask[i] != 0);
}

using Entry = CrossScratch::Entry;

constexpr unsigned kDigitBits = 11, kDigits = 6;  // 66 bits cover the key
constexpr std::uint64_t kDigitMask = (1u << kDigitBits) - 1;
constexpr std::size_t kFewEntries = 400;  // below, comparing beats counting

// Unsigned integers in the order of the numbers; 0.0 and -0.0 get the same one.
std::uint64_t key_of(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x + 0.0);
  const std::uint64_t sign = std::uint64_t{1} << 63;
  return (bits & sign) ? ~bits : bits | sign;
}

std::size_t digit_of(const Entry& entry, unsigned digit) {
  return static_cast<std::size_t>(entry.key >> (digit * kDigitBits) & kDigitMask);
}

// Radix sort, least significant digit first; a digit that all keys share is passed over.
void sort_by_key(CrossScratch& scratch) {
  auto& order = scratch.order;
  if (order.size() < kFewEntries) {
    std::sort(order.begin(), order.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
    return;
  }
  scratch.spare.resize(order.size());
  scratch.counts.assign(kDigits << kDigitBits, 0);
  for (const Entry& entry : order) {
    for (unsigned d = 0; d < kDigits; ++d) ++scratch.counts[(d << kDigitBits) + digit_of(entry, d)];
  }
  for (unsigned d = 0; d < kDigits; ++d) {
    std::uint32_t* counts = scratch.counts.data() + (d << kDigitBits);
    if (counts[digit_of(order[0], d)] == order.size()) continue;
    std::uint32_t before = 0;
    for (std::size_t i = 0; i <= kDigitMask; ++i) before += std::exchange(counts[i], before);
    for (const Entry& entry : order) scratch.spare[counts[digit_of(entry, d)]++] = entry;
    order.swap(scratch.spare);
  }
}

}  // namespace

void cross_rank(double* out, const double* x, const std::uint8_t* mask, std::size_t n,
                CrossScratch& scratch) {
  auto& order = scratch.order;
  order.clear();
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = kNan;
    if (takes_part(x, mask, i)) order.push_back({key_of(x[i]), static_cast<std::uint32_t>(i)});
  }
  sort_by_key(scratch);
  const double count = static_cast<double>(order.size());
  for (std::size_t from = 0, to = 0; from < order.size(); from = to) {
    while (to < order.size() && order[to].key == order[from].key) ++to;
    const double rank = static_cast<double>(from + 1 + to) * 0.5 / count;
    for (std::size_t i = from; i < to; ++i) out[order[i].instrument] = rank;
  }
}

void cross_zscore(double* out, const double* x, const std::uint8_t* mask, std::size_t n) {
  // Deviations from the first value, so that a constant cross-section has exactly no spread.
  double first = 0.0, sum = 0.0, squares = 0.0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!takes_part(x, mask, i)) continue;
    if (count++ == 0) first = x[i];
    sum += x[i] - first;
  }
  const double mean = sum / static_cast<double>(count);
  for (std::size_t i = 0; i < n; ++i) {
    if (!takes_part(x, mask, i)) continue;
    const double deviation = (x[i] - first) - mean;
    squares += deviation * deviation;
  }
  const double spread = count < 2 ? kNan : std::sqrt(squares / static_cast<double>(count - 1));
  const double divisor = spread == 0.0 ? kNan : spread;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = takes_part(x, mask, i) ? ((x[i] - first) - mean) / divisor : kNan;
  }
}

}  // namespace quant
