#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/factor/program.hpp"

namespace quant {

// Which rows of which slot are computed, and in which order, for a given set of output rows.
//
// Time is cut into chunks. A slot keeps, of its needed rows, those of the present chunk and those within
// reach of its readers, in a ring of `capacity` rows: position p of its row list lives in ring row p %
// capacity.
struct SlotSchedule {
  bool stored = false;                             // false: load, constant, or not needed
  std::vector<std::int32_t> rows;                  // needed rows, ascending
  std::vector<std::vector<std::int32_t>> sources;  // per argument: position in it of the row read last, or -1
  std::vector<std::size_t> ends;                   // per chunk: end position in rows
  std::size_t capacity = 0;
  int stage = 0;  // number of cross-sectional operations below it
};

struct Schedule {
  std::vector<SlotSchedule> slots;
  std::size_t chunks = 0;
  int stages = 1;
  bool crosses = false;

  std::size_t stored_rows() const;
};

// `rows` ascend strictly and lie in [0, sessions).
Schedule make_schedule(const FactorProgram& program, std::span<const std::int32_t> rows,
                       std::size_t sessions);

}  // namespace quant
