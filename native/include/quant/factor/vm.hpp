#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/factor/program.hpp"
#include "quant/prim/isa.hpp"

namespace quant {

// float64 columns [sessions, instruments] in C order, NaN for unknown; `mask` marks the universe (or
// nullptr).
struct FactorInput {
  std::vector<const double*> columns;
  const std::uint8_t* mask = nullptr;
  std::size_t sessions = 0;
  std::size_t instruments = 0;
};

struct FactorOptions {
  unsigned threads = 1;
  Isa isa = Isa::base;
  std::size_t memory_limit = std::size_t{4} << 30;  // bytes of intermediate rows
};

// The program's value at the given rows (strictly ascending), into out [rows, instruments]. The bits of a
// cell depend only on the cells it reads: not on the other rows asked for, threads or instruction set. Throws
// std::invalid_argument, and std::length_error when the intermediates would pass the memory limit.
void evaluate_factor(const FactorProgram& program, const FactorInput& input,
                     std::span<const std::int32_t> rows, double* out, const FactorOptions& options);

}  // namespace quant
