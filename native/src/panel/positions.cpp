#include "quant/panel/positions.hpp"

#include <algorithm>
#include <bit>

#include "quant/prim/failure.hpp"

namespace quant::panel {
namespace {

constexpr std::int64_t kMost = 4096;            // rows of a block without a pattern
constexpr std::int64_t kRows = 768;             // rows of neighbouring instruments with few sessions each
constexpr std::int64_t kWindow = 16384;         // rows at which blocks are handed out
constexpr std::int64_t kLongestSpan = 400'000;  // days, more than a thousand years

std::uint64_t spread(std::int64_t id) {
  std::uint64_t x = static_cast<std::uint64_t>(id) * 0x9E3779B97F4A7C15ull;
  return x ^ (x >> 32);
}

}  // namespace

Positions::Positions(const Axes& axes) : width_(static_cast<std::int64_t>(axes.ids.size())), ids_(axes.ids) {
  if (!axes.days.empty()) {
    first_day_ = axes.days.front();
    const std::int64_t span = std::int64_t{axes.days.back()} - first_day_ + 1;
    if (span < 1 || span > kLongestSpan)
      throw Failure(FailureKind::kUsage, "panel.axes", "sessions must increase");
    rows_.assign(static_cast<std::size_t>(span), -1);
    for (std::size_t t = 0; t < axes.days.size(); ++t) {
      const std::int64_t at = axes.days[t] - first_day_;
      if (at < 0 || at >= span || rows_[at] >= 0)
        throw Failure(FailureKind::kUsage, "panel.axes", "sessions must increase");
      rows_[at] = static_cast<std::int64_t>(t) * width_;
    }
  }
  const std::size_t size = std::bit_ceil(2 * axes.ids.size() + 2);
  mask_ = size - 1;
  keys_.assign(size, 0);
  values_.assign(size, -1);
  for (std::size_t s = 0; s < axes.ids.size(); ++s) {
    std::uint64_t at = spread(axes.ids[s]) & mask_;
    while (values_[at] >= 0) at = (at + 1) & mask_;
    keys_[at] = axes.ids[s];
    values_[at] = static_cast<std::int32_t>(s);
  }
}

std::int64_t Positions::column_of(std::int64_t id) const {
  std::uint64_t at = spread(id) & mask_;
  while (values_[at] >= 0) {
    if (keys_[at] == id) return values_[at];
    at = (at + 1) & mask_;
  }
  return -1;
}

Placed Positions::place(const Column& ids, const Column& days, std::int64_t first, std::int64_t left,
                        std::int64_t wide) {
  cells_.clear();
  blocks_.clear();
  missed_ = {};
  std::int64_t rows = 0;
  while (rows < left && rows < kWindow) {
    blocks_.push_back(block(ids, days, first + rows, left - rows, wide));
    rows += blocks_.back().rows();
  }
  for (Block& each : blocks_) each.cells = cells_.data() + each.at;
  return {blocks_, rows, missed_};
}

Block Positions::block(const Column& ids, const Column& days, std::int64_t first, std::int64_t left,
                       std::int64_t wide) {
  if (ids.validity != nullptr || days.validity != nullptr)
    return single(ids, days, first, std::min(left, kMost));
  const auto* id = static_cast<const std::int64_t*>(ids.values) + first;
  const auto* day = static_cast<const std::int32_t*>(days.values) + first;
  std::int64_t count = 1;
  while (count < left && count < kMost && id[count] == id[0]) ++count;
  const std::int64_t column = column_of(id[0]);
  if (column < 0) return single(ids, days, first, count);
  const std::size_t at = cells_.size();
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t row = row_of(day[k]);
    if (row < 0) {
      cells_.resize(at);
      return single(ids, days, first, count);
    }
    cells_.push_back(row + column);
  }
  std::int64_t instruments = 1;
  const std::int64_t most =
      std::min({std::max(wide, kRows / count), width_ - column, left / std::max<std::int64_t>(count, 1)});
  for (; instruments < most; ++instruments) {
    const std::int64_t begin = instruments * count;
    const std::int64_t own = ids_[column + instruments];
    std::int64_t other = 0;  // any bit set = not this instrument, or not these days
    for (std::int64_t k = 0; k < count; ++k)
      other |= (id[begin + k] ^ own) | std::int64_t{day[begin + k] ^ day[k]};
    if (other != 0 || (begin + count < left && id[begin + count] == own)) break;
  }
  return {first, count, instruments, at, nullptr};
}

Block Positions::single(const Column& ids, const Column& days, std::int64_t first, std::int64_t count) {
  const auto* id = static_cast<const std::int64_t*>(ids.values);
  const auto* day = static_cast<const std::int32_t*>(days.values);
  const std::size_t begin = cells_.size();
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t at = first + k;
    const bool known = ids.valid(at) && days.valid(at);
    const bool near = known && spans(day[at]);
    const std::int64_t column = near ? column_of(id[at]) : -1;
    const std::int64_t row = column < 0 ? -1 : row_of(day[at]);
    cells_.push_back(row < 0 ? -1 : row + column);
    missed_.off += row < 0;
    missed_.strangers += near && column < 0;
  }
  return {first, count, 0, begin, nullptr};
}

}  // namespace quant::panel
