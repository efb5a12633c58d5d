#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "quant/metrics/performance.hpp"

namespace quant::metrics {

// Columns [first, first + width) of a table, copied to [rows, kLanes]; lanes beyond `width` are zero.
struct Block {
  std::vector<double> cells;
  std::vector<double> result;   // room of the job, kept from block to block
  std::vector<double> scratch;  // the same
  std::int64_t first = 0;
  std::int64_t width = 0;

  void load(const Table& table, std::int64_t from);
};

// Copies [rows, kLanes] back to the columns of `block` in out [rows, columns].
void store(const Block& block, const double* lanes, std::int64_t rows, std::int64_t columns, double* out);

// Calls `job` once for every block. Blocks share nothing, so the number of threads never changes a byte; the
// first exception of a job is rethrown here.
void for_each_block(const Table& table, int threads, const std::function<void(Block&)>& job);

}  // namespace quant::metrics
