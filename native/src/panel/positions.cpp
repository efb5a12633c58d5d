#include "quant/panel/positions.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "quant/prim/failure.hpp"

namespace quant::panel {
namespace {

constexpr std::int64_t kMost = 4096;            // rows of a block without a pattern
constexpr std::int64_t kRows = 192;             // rows of neighbouring instruments with few sessions each
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

Block Positions::place(const Column& ids, const Column& days, std::int64_t first, std::int64_t left,
                       std::int64_t wide) {
  if (ids.validity != nullptr || days.validity != nullptr)
    return single(ids, days, first, std::min(left, kMost));
  const auto* id = static_cast<const std::int64_t*>(ids.values) + first;
  const auto* day = static_cast<const std::int32_t*>(days.values) + first;
  std::int64_t count = 1;
  while (count < left && count < kMost && id[count] == id[0]) ++count;
  const std::int64_t column = column_of(id[0]);
  if (column < 0) return single(ids, days, first, count);
  cells_.resize(static_cast<std::size_t>(count));
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t row = row_of(day[k]);
    if (row < 0) return single(ids, days, first, count);
    cells_[k] = row + column;
  }
  std::int64_t instruments = 1;
  const std::int64_t most = std::min(std::max(wide, kRows / count), width_ - column);
  while (instruments < most && (instruments + 1) * count <= left) {
    const std::int64_t at = instruments * count;
    if (ids_[column + instruments] != id[at] || id[at + count - 1] != id[at]) break;
    if ((instruments + 1) * count < left && id[at + count] == id[at]) break;
    if (std::memcmp(day + at, day, static_cast<std::size_t>(count) * sizeof(*day)) != 0) break;
    if (!std::all_of(id + at, id + at + count, [&](std::int64_t x) { return x == id[at]; })) break;
    ++instruments;
  }
  return {first, count, instruments, {}, cells_.data()};
}

Block Positions::single(const Column& ids, const Column& days, std::int64_t first, std::int64_t count) {
  const auto* id = static_cast<const std::int64_t*>(ids.values);
  const auto* day = static_cast<const std::int32_t*>(days.values);
  cells_.resize(static_cast<std::size_t>(count));
  Missed missed;
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t at = first + k;
    const bool known = ids.valid(at) && days.valid(at);
    const bool near = known && spans(day[at]);
    const std::int64_t column = near ? column_of(id[at]) : -1;
    const std::int64_t row = column < 0 ? -1 : row_of(day[at]);
    cells_[k] = row < 0 ? -1 : row + column;
    missed.off += row < 0;
    missed.strangers += near && column < 0;
  }
  return {first, count, 0, missed, cells_.data()};
}

}  // namespace quant::panel
