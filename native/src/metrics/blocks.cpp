#include "quant/metrics/blocks.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

namespace quant::metrics {

void Block::load(const Table& table, std::int64_t from) {
  first = from;
  width = std::min<std::int64_t>(kLanes, table.columns - from);
  cells.resize(static_cast<std::size_t>(table.rows) * kLanes);
  if (width < kLanes) std::fill(cells.begin(), cells.end(), 0.0);
  const auto bytes = static_cast<std::size_t>(width) * sizeof(double);
  for (std::int64_t t = 0; t < table.rows; ++t) {
    std::memcpy(cells.data() + t * kLanes, table.cells + t * table.columns + from, bytes);
  }
}

void store(const Block& block, const double* lanes, std::int64_t rows, std::int64_t columns, double* out) {
  const auto bytes = static_cast<std::size_t>(block.width) * sizeof(double);
  for (std::int64_t t = 0; t < rows; ++t) {
    std::memcpy(out + t * columns + block.first, lanes + t * kLanes, bytes);
  }
}

void for_each_block(const Table& table, int threads, const std::function<void(Block&)>& job) {
  const std::int64_t blocks = (table.columns + kLanes - 1) / kLanes;
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto work = [&] {
    try {
      Block block;
      for (std::int64_t b = next++; b < blocks; b = next++) {
        block.load(table, b * kLanes);
        job(block);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(guard);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> pool;
  for (std::int64_t i = 1; i < std::min<std::int64_t>(threads, blocks); ++i) pool.emplace_back(work);
  work();
  for (auto& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace quant::metrics
