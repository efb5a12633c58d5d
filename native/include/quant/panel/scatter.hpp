#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quant/panel/arrow.hpp"

// Rows of a table, as a file holds them, into [T, S] matrices. Rows may come in any order; a key occurs once.
namespace quant::panel {

// Row and column of a cell: sessions as increasing days since 1970-01-01, instruments as increasing ids.
struct Axes {
  std::span<const std::int32_t> days;
  std::span<const std::int64_t> ids;
};

enum class Kind : std::uint8_t {
  kInteger,   // int64 at `digits` decimals from a decimal or an integer; null = 0
  kReal,      // float64 from a decimal, an integer or a float; null = 0
  kBits,      // uint32: `bit` where true, `unknown` where null, added to what other columns said of the row
  kPresent,   // uint32: `bit` for every row, `unknown` too where the column, if one is named, is positive
  kQuotient,  // int64 at `digits` decimals: column / other, half up; 0 where `other` is not positive
};

// One matrix and the column it is made of. Matrices of kBits and kPresent may be the same one.
struct Target {
  Kind kind{};
  int column = -1;
  int other = -1;
  void* out = nullptr;
  std::uint32_t bit = 0;
  std::uint32_t unknown = 0;
};

// Rows that found no cell: all of them, and those with an id that is not on the axis on a day of the axis'
// span.
struct Missed {
  std::int64_t off = 0;
  std::int64_t strangers = 0;
};

// Scatters every batch of `batches` (struct arrays whose first two columns are instrument_id int64 and
// session date32) into the targets; `digits` is the scale of integer targets. Returns the rows that lie off
// the axes. Throws Failure for a column of a type that a target cannot take, and for numbers beyond 64 bits.
Missed scatter(const ArrowSchema& schema, std::span<const ArrowArray> batches, const Axes& axes,
               std::span<const Target> targets, int digits);

// The different ids (first column, int64) of rows with a session (second column, date32) in [first, last],
// increasing; rows without an id or a session do not count.
std::vector<std::int64_t> distinct(const ArrowSchema& schema, std::span<const ArrowArray> batches,
                                   std::int32_t first, std::int32_t last);

// Fills zeros with the last other value above, per column of cells [rows, columns]; leading zeros stay.
void carry(double* cells, std::int64_t rows, std::int64_t columns);

}  // namespace quant::panel
