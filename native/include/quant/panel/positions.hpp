#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "quant/panel/column.hpp"
#include "quant/panel/scatter.hpp"

namespace quant::panel {

// Rows that are placed together. With instruments = 0: `count` rows from `first`, cells[k] the cell of row
// first + k, -1 = off the axes. Otherwise that many neighbouring instruments with the same `count` sessions
// each, one after the other; cells[t] is the cell of the first one's session t.
struct Block {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t instruments = 0;
  std::size_t at = 0;  // of its cells in those of all blocks
  const std::int64_t* cells = nullptr;

  std::int64_t rows() const { return instruments == 0 ? count : count * instruments; }
};

// Consecutive rows as blocks, and those that found no cell.
struct Placed {
  std::span<const Block> blocks;
  std::int64_t rows = 0;
  Missed missed;
};

// Finds the cells of rows: days by table, ids by hash. Tables sorted by instrument and session, as the lake
// writes them, are recognised and placed many instruments at once.
class Positions {
 public:
  explicit Positions(const Axes& axes);

  // The next rows from `first`, up to `left` of them, as blocks of `wide` neighbours or, where each has few
  // sessions, more; valid until the next call.
  Placed place(const Column& ids, const Column& days, std::int64_t first, std::int64_t left,
               std::int64_t wide);

 private:
  std::int64_t column_of(std::int64_t id) const;
  std::int64_t row_of(std::int32_t day) const {
    const std::int64_t at = std::int64_t{day} - first_day_;
    return at >= 0 && at < static_cast<std::int64_t>(rows_.size()) ? rows_[at] : -1;
  }
  bool spans(std::int32_t day) const {
    const std::int64_t at = std::int64_t{day} - first_day_;
    return at >= 0 && at < static_cast<std::int64_t>(rows_.size());
  }
  Block block(const Column& ids, const Column& days, std::int64_t first, std::int64_t left,
              std::int64_t wide);
  Block single(const Column& ids, const Column& days, std::int64_t first, std::int64_t count);

  std::int64_t width_;
  std::span<const std::int64_t> ids_;
  std::int64_t first_day_ = 0;
  std::vector<std::int64_t> rows_;  // by day - first_day_, start of the matrix row, -1 = no session
  std::vector<std::int64_t> keys_;  // open addressing, -1 in values_ = free
  std::vector<std::int32_t> values_;
  std::uint64_t mask_ = 0;
  std::vector<std::int64_t> cells_;
  std::vector<Block> blocks_;
  Missed missed_;
};

}  // namespace quant::panel
