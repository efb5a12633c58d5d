#pragma once
#include <cstdint>
#include <span>
#include <vector>

// Ticks or short bars into longer bars, along the trading hours of a market. Sums are 128-bit and exact.
namespace quant::bars {

using i128 = __int128;

// A stretch of trading without a break, in ns UTC. Segments of one part are counted through: a bar may go on
// after a lunch break, never from one part (a night session) to the next.
struct Segment {
  std::int64_t start;
  std::int64_t end;
  std::int64_t from;  // rows from here on, before the start, belong to its first bar (call auctions)
  std::int64_t till;  // rows up to here, after the end, belong to its last bar (late prints)
  std::int32_t part;
  std::int32_t session;
};

// Rows of one instrument, in time order. Null columns are absent. A row is a tick where the four prices are
// one array. Prices are whole numbers of a scale, 0 = none; sums are whole numbers of theirs.
struct Rows {
  std::int64_t count = 0;
  const std::int64_t* ts = nullptr;
  const std::int64_t* open = nullptr;
  const std::int64_t* high = nullptr;
  const std::int64_t* low = nullptr;
  const std::int64_t* close = nullptr;
  const i128* volume = nullptr;
  const i128* amount = nullptr;
  const std::uint8_t* amount_known = nullptr;
  const i128* interest = nullptr;
  const std::uint8_t* interest_known = nullptr;
};

struct Bar {
  std::int32_t session = 0;
  std::int64_t end = 0;
  std::int64_t open = 0, high = 0, low = 0, close = 0;
  i128 volume = 0, amount = 0, interest = 0;
  bool amount_known = true, interest_known = false;
  std::int64_t rows = 0;
};

struct How {
  std::int64_t length = 0;    // ns; 0 = one bar a session
  bool right_closed = false;  // rows are bars stamped with their end: (start, end]; otherwise [start, end)
  bool every_trade = true;    // a row without volume gives no price, as a quote's
  bool empty = false;         // bars without a row too, in sessions that have one; they carry the last close
};

struct Resampled {
  std::vector<Bar> bars;
  std::vector<std::int64_t> outside;  // rows at no time of trading
};

// Throws Failure when rows go back in time or segments overlap.
Resampled resample(const Rows& rows, std::span<const Segment> segments, const How& how);

}  // namespace quant::bars
