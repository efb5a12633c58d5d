#pragma once
#include <array>

#include "columns.hpp"
#include "quant/sim/tick_venue.hpp"

namespace quant {

// Keeps the columns alive that the rows point into.
struct TicksHandle {
  Ticks ticks;
  std::array<Column<int64_t>, 5> columns;
  std::array<nb::object, 3> optional;
};

nb::dict tick_reports_to_columns(const TickReports& reports);

}  // namespace quant
