#pragma once
#include <array>

#include "columns.hpp"
#include "quant/market/market.hpp"

namespace quant {

// Keeps the arrays alive that the market points into.
struct MarketHandle {
  using Prices = std::array<Grid<int64_t>, 8>;
  Market market;
  Prices prices;
  std::array<Grid<int64_t>, 2> grids;
  Grid<uint32_t> flags;
  Column<int32_t> sessions, day;
  std::array<Column<int32_t>, 3> rows;
  std::array<Column<int64_t>, 2> amounts;
};

}  // namespace quant
